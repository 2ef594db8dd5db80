"""How mail leaves: by the mail server of the settings, or into the local mailbox when there is none."""

from gateways.mailbox import KeptMail, LocalMailbox
from gateways.smtp import SmtpTransport, Transport
from rules.permissions import Actor
from rules.refusals import N_, NotFound
from services.access import require_role
from services.office import office


def transport() -> Transport:
    """Give what takes messages away; keep it for a whole run, since it keeps its connection."""
    settings = office().smtp
    return SmtpTransport(settings) if settings else LocalMailbox(office().mailbox_folder)


def is_local() -> bool:
    """Whether mail stays here, where it can be read on a page."""
    return office().smtp is None


def kept_mails(*, by: Actor) -> list[KeptMail]:
    """List the newest mails of the local mailbox; there is none when a mail server is set."""
    return _mailbox(by).listing()


def kept_mail(key: str, *, by: Actor) -> KeptMail:
    """Give one mail of the local mailbox."""
    mail = _mailbox(by).message(key)
    if mail is None:
        raise NotFound(N_("Không có thư này trong hộp thư."))
    return mail


def _mailbox(by: Actor) -> LocalMailbox:
    require_role(by, "staff")
    if not is_local():
        raise NotFound(N_("Thư được gửi qua máy chủ thư nên không có hộp thư tại chỗ."))
    return LocalMailbox(office().mailbox_folder)
