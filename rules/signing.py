"""Signed words in links: what a mail's recipient may do without an account, and nothing else."""

import hashlib
import hmac
from base64 import urlsafe_b64encode

SIGNATURE_CHARACTERS = 22


def sign(secret: str, purpose: str, subject: str) -> str:
    """Give `subject` with a signature that only this secret makes for this purpose."""
    return f"{subject}.{_signature(secret, purpose, subject)}"


def unsign(secret: str, purpose: str, signed: str) -> str | None:
    """Give the subject if the signature is right, else None."""
    subject, _, signature = signed.rpartition(".")
    expected = _signature(secret, purpose, subject)
    right = hmac.compare_digest(signature.encode(), expected.encode())
    return subject if right and subject else None


def _signature(secret: str, purpose: str, subject: str) -> str:
    digest = hmac.digest(secret.encode(), f"{purpose}\n{subject}".encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).decode()[:SIGNATURE_CHARACTERS]
