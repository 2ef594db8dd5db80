"""How mail leaves: by the mail server of the settings, or into the local mailbox when there is none."""

from datetime import datetime

from gateways.mailbox import KeptMail, LocalMailbox
from gateways.smtp import SmtpTransport
from gateways.smtp import Transport as Transport
from rules.permissions import Actor
from rules.refusals import N_, NotFound
from services import outbox
from services.access import require_role
from services.office import office


def transport() -> Transport:
    """Give what takes messages away; keep it for a whole run, since it keeps its connection."""
    settings = office().smtp
    return SmtpTransport(settings) if settings else LocalMailbox(office().mailbox_folder)


def is_local() -> bool:
    """Whether mail stays here, where it can be read on a page."""
    return office().smtp is None


def kept_mails(*, by: Actor, now: datetime) -> list[KeptMail]:
    """List the newest mails of the local mailbox that the actor may read.

    Administrators read all; staff what is about meetings within their scope, and never a sign-in
    link: it would open somebody else's account.
    """
    mails = _mailbox(by).listing()
    seen = outbox.readable_ids([mail.message_id for mail in mails], by=by, now=now)
    return [mail for mail in mails if mail.message_id in seen]


def kept_mail(key: str, *, by: Actor, now: datetime) -> KeptMail:
    """Give one mail of the local mailbox."""
    mail = _mailbox(by).message(key)
    if mail is None or not outbox.readable_ids([mail.message_id], by=by, now=now):
        raise NotFound(N_("Không có thư này trong hộp thư."))
    return mail


def _mailbox(by: Actor) -> LocalMailbox:
    require_role(by, "staff")
    if not is_local():
        raise NotFound(N_("Thư được gửi qua máy chủ thư nên không có hộp thư tại chỗ."))
    return LocalMailbox(office().mailbox_folder)
