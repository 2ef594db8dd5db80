"""How each unit heads and signs its documents: its own choice, else its names and the usual layout."""

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy.orm import Session

from gateways.documents import HeadTexts, Letterhead
from models import Unit, UnitLetterhead
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound
from rules.text import clean
from services import audit
from services.access import require_unit
from services.transaction import reading, writing
from services.units import day_within_life, unit_names_on

MARGINS = range(10, 61)


@dataclass(frozen=True)
class LetterheadFields(HeadTexts):
    """What staff fill in; an empty field means what follows from the unit's name."""

    recipients: str = ""
    margin_top: int = 25
    margin_bottom: int = 25
    margin_left: int = 35
    margin_right: int = 15


def save_letterhead(unit_id: int, wanted: LetterheadFields, *, now: datetime, by: Actor) -> None:
    """Keep how a unit heads its documents."""
    margins = (wanted.margin_top, wanted.margin_bottom, wanted.margin_left, wanted.margin_right)
    if any(margin not in MARGINS for margin in margins):
        raise Malformed(N_("Lề phải từ 10 đến 60 mm. Hãy sửa lại."))
    with writing() as session:
        require_headed_unit(session, unit_id, now, by, "staff")
        row = session.get(UnitLetterhead, unit_id) or UnitLetterhead(unit_id=unit_id)
        for one in fields(LetterheadFields):
            value = getattr(wanted, one.name)
            if isinstance(value, str) and one.name != "recipients":
                value = clean(value)
            setattr(row, one.name, value)
        row.recipients = "\n".join(_lines(wanted.recipients))
        session.add(row)
        audit.record(
            session,
            now=now,
            by=by,
            action="saved",
            entity="letterhead",
            entity_id=unit_id,
            unit_id=unit_id,
        )


def _lines(text: str) -> list[str]:
    return [line for line in (clean(line) for line in text.splitlines()) if line]


def require_headed_unit(
    session: Session, unit_id: int, now: datetime, by: Actor, *roles: str
) -> Unit:
    """The unit whose documents somebody may lay out; NotFound outside their scope."""
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise NotFound(N_("Không tìm thấy đơn vị này trong phạm vi của bạn."))
    require_unit(session, by, unit_id, day_within_life(unit, local_day(now)), *roles)
    return unit


def letterhead_fields(unit_id: int, *, now: datetime, by: Actor) -> LetterheadFields:
    """What is kept for a unit, for its form."""
    session = reading()
    require_headed_unit(session, unit_id, now, by, "staff")
    row = session.get(UnitLetterhead, unit_id)
    if row is None:
        return LetterheadFields()
    return LetterheadFields(
        **{one.name: getattr(row, one.name) for one in fields(LetterheadFields)}
    )


def letterhead_of(session: Session, unit_id: int, now: datetime) -> Letterhead:
    """The head of a unit's documents today: what it chose, else names from the tree in capitals."""
    unit = session.get_one(Unit, unit_id)
    row = session.get(UnitLetterhead, unit_id) or UnitLetterhead()
    ids = [unit.id, *([unit.parent_id] if unit.parent_id else [])]
    names = unit_names_on(session, ids, day_within_life(unit, local_day(now)))
    above = names.get(unit.parent_id or 0, "")
    chosen: dict[str, str] = {one.name: getattr(row, one.name) or "" for one in fields(HeadTexts)}
    usual = {
        "superior": above.upper(),
        "issuer": names[unit.id].upper(),
        "motto": Letterhead.motto,
    }
    return Letterhead(
        **{name: text or usual.get(name, "") for name, text in chosen.items()},
        recipients=tuple(_lines(row.recipients or "")),
        top=row.margin_top or Letterhead.top,
        bottom=row.margin_bottom or Letterhead.bottom,
        left=row.margin_left or Letterhead.left,
        right=row.margin_right or Letterhead.right,
    )
