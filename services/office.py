"""What the services need to know of the installation: its address, its mail sender, its secret."""

from dataclasses import dataclass, field
from pathlib import Path

from gateways.imap import ImapSettings
from gateways.smtp import SmtpSettings
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
    smtp: SmtpSettings | None = None
    imap: ImapSettings | None = None
    mailbox_folder: Path = Path("instance/mailbox")
    uploads: Path = Path("instance/uploads")
    feeds_folder: Path = Path("instance/feeds")
    instance: Path = Path("instance")
    backups: Backups = field(default_factory=Backups)

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
