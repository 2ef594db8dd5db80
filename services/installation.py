"""Which installation a database belongs to, so that a copy of it elsewhere mails nobody.

The id stands twice: inside the database, and in a file beside it that also knows its machine and
folder. Where the two differ, this is a copy (a backup restored elsewhere, a folder copied, a
machine cloned) and neither sends nor fetches mail until somebody says that it is the one.
"""

import uuid
from datetime import datetime

from sqlalchemy.orm import Session

from gateways import machine
from models import Setting
from rules.permissions import Actor
from rules.refusals import N_, Refusal
from services import audit
from services.access import require_role
from services.office import office
from services.transaction import reading, writing

KEY = "installation_id"


def settle() -> None:
    """Give a database without an id that of the file beside it, which is made when there is none."""
    session = reading()
    known = _id_in(session)
    session.rollback()
    if known is not None:
        return
    file = machine.name_it(office().instance, str(uuid.uuid4()), replace=False)
    with writing() as session:
        if _id_in(session) is None:
            session.add(Setting(key=KEY, value=file.id))


def is_copy(session: Session) -> bool:
    """Whether the database names another installation than the file beside it, or another place.

    A database that has no id yet belongs to whoever starts it.
    """
    known = _id_in(session)
    if known is None:
        return False
    file = machine.named(office().instance)
    return file is None or file.id != known or file.place != machine.place_of(office().instance)


def may_speak(session: Session) -> bool:
    """Whether mail may leave and be fetched here; what stays in the local mailbox always may."""
    return office().smtp is None or not is_copy(session)


def adopt(*, now: datetime, by: Actor) -> str:
    """Make this the installation: a new id, here and in the database; others with the old one stop."""
    require_role(by, "admin")
    chosen = str(uuid.uuid4())
    with writing() as session:
        _write_id(session, chosen)
        _record(session, "adopted", chosen, now, by)
        machine.name_it(office().instance, chosen, replace=True)
    return chosen


def join(*, now: datetime, by: Actor) -> str:
    """Make this machine a further one of the installation that the database names."""
    require_role(by, "admin")
    with writing() as session:
        known = _id_in(session)
        if known is None:
            raise Refusal(N_("Cơ sở dữ liệu chưa thuộc hệ thống nào. Hãy chạy bộ lập lịch trước."))
        _record(session, "joined", known, now, by)
        machine.name_it(office().instance, known, replace=True)
    return known


def _id_in(session: Session) -> str | None:
    row = session.get(Setting, KEY)
    return row.value if row is not None else None


def _write_id(session: Session, chosen: str) -> None:
    row = session.get(Setting, KEY)
    if row is None:
        session.add(Setting(key=KEY, value=chosen))
    else:
        row.value = chosen


def _record(session: Session, action: str, chosen: str, now: datetime, by: Actor) -> None:
    audit.record(session, now=now, by=by, action=action, entity="installation", entity_id=chosen)


def holds_mail() -> bool:
    """Whether this process must neither send nor fetch: asked before every round."""
    session = reading()
    held = not may_speak(session)
    session.rollback()
    return held


def this_is_a_copy() -> bool:
    """The same question for pages and commands."""
    return is_copy(reading())
