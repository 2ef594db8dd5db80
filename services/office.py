"""What the services need to know of the installation: its address, its mail sender, its secret."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from gateways.imap import ImapSettings
from gateways.smtp import SmtpSettings
from rules.audit_chain import audit_key
from rules.backups import Keep


@dataclass(frozen=True)
class Backups:
    """Where backups are kept, how many, and the public key they are sealed for ("" for none)."""

    folder: Path = Path("instance/backups")
    public_key: str = ""
    keep: Keep = field(default_factory=Keep)


@dataclass(frozen=True)
class Office:
    """Set once when the program starts; services read it and never the environment."""

    public_url: str
    mail_from: str
    secret_key: str
    mail_rate_per_minute: int = 600
    audit_key_hex: str = ""
    smtp: SmtpSettings | None = None
    imap: ImapSettings | None = None
    mailbox_folder: Path = Path("instance/mailbox")
    uploads: Path = Path("instance/uploads")
    feeds_folder: Path = Path("instance/feeds")
    instance: Path = Path("instance")
    backups: Backups = field(default_factory=Backups)
    audit_heads: Path = Path("instance/audit-heads.txt")

    @property
    def audit_key(self) -> bytes:
        """What the audit log's seals are made with."""
        return bytes.fromhex(self.audit_key_hex) if self.audit_key_hex else self._own_audit_key

    @cached_property
    def _own_audit_key(self) -> bytes:
        return audit_key(self.secret_key)

    @property
    def domain(self) -> str:
        """The part after @ of the sender's address; Message-IDs carry it."""
        return self.mail_from.rpartition("@")[2]


_office: list[Office] = []


def use(office: Office) -> None:
    """Make this the office that services speak for."""
    _office[:] = [office]


def office() -> Office:
    """Give the office in use; asking before the program has started is a bug."""
    if not _office:
        raise RuntimeError("no office has been set: create_app calls services.office.use")
    return _office[0]
