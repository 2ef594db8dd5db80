"""Files sealed for one reader (age, X25519): whoever seals needs the public key only."""

from pathlib import Path

import pyrage

from gateways.errors import GatewayError

SEALED = ".age"


def is_public_key(text: str) -> bool:
    """Whether this is a key that files can be sealed for (`age1…`)."""
    try:
        pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        return False
    return True


def seal(source: Path, target: Path, public_key: str) -> None:
    """Write the source sealed into the target, which must exist and be empty."""
    recipient = pyrage.x25519.Recipient.from_str(public_key)
    with source.open("rb") as plain, target.open("wb") as sealed:
        pyrage.encrypt_io(plain, sealed, [recipient])


def unseal(source: Path, target: Path, identity_file: Path) -> None:
    """Open a sealed file with the private key in a file as `age-keygen` writes it.

    Raises GatewayError(permanent) with a sentence when the file or the key is not right.
    """
    identities = []
    for line in identity_file.read_text(encoding="utf-8").splitlines():
        if line.startswith("AGE-SECRET-KEY-"):
            try:
                identities.append(pyrage.x25519.Identity.from_str(line.strip()))
            except pyrage.IdentityError:
                break
    if not identities:
        raise GatewayError(
            f"“{identity_file.name}” không chứa khoá riêng (dòng AGE-SECRET-KEY-…).", permanent=True
        )
    try:
        with source.open("rb") as sealed, target.open("wb") as plain:
            pyrage.decrypt_io(sealed, plain, identities)
    except pyrage.DecryptError as error:
        raise GatewayError(
            f"Không mở được “{source.name}” bằng khoá này: {error}.", permanent=True
        ) from None


def new_key_pair() -> tuple[str, str]:
    """Give a new private key and its public key, as text."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())
