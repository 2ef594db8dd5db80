"""How units are founded, renamed, moved, linked and ended: from a day on, nothing rewritten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from models import (
    Unit,
    UnitKind,
    UnitLink,
    UnitName,
    UnitParent,
)
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotAllowed, NotFound, Refusal
from rules.text import clean, fold
from services import audit
from services.access import granted_unit_ids, require_unit
from services.clock import first_run
from services.transaction import writing
from services.units import day_within_life, on_day, parents_on, subtree_ids

Dated = TypeVar("Dated", UnitName, UnitParent, UnitLink)
LATEST_YEAR = 2100


@dataclass(frozen=True)
class KindFacts:
    """A level of a tree as the form gives it; a lower `rank` stands above a higher one."""

    name: str
    name_en: str
    rank: int
    is_grassroots: bool
    holds_people: bool


def set_up_tree(
    *, code: str, kind_code: str, name: str, valid_from: date, now: datetime, by: Actor
) -> int:
    """Enter the first unit of a tree, which stood before this program did; give its id.

    Every later unit is founded by a decision with number and date, or comes with an imported list.
    """
    name, code = checked_name(name), checked_code(code)
    with writing() as session:
        require_parent(session, by, None, local_day(now))
        kind = kind_for(session, kind_code)
        if session.scalar(select(Unit.id).where(Unit.tree == kind.tree).limit(1)) is not None:
            raise Refusal(
                N_("Thành lập đơn vị cần số và ngày quyết định. Hãy ghi quyết định thành lập.")
            )
        unit = founded(session, code, kind, name, None, valid_from)
        _record(session, now, by, unit, "created", parent_id=None, valid_from=valid_from)
        return unit.id


def create_unit(
    *,
    code: str,
    kind_code: str,
    name: str,
    parent_id: int | None,
    valid_from: date,
    position: int = 0,
    now: datetime,
    by: Actor,
) -> int:
    """Write down a unit that a list names, under another (or at the top) from a day on; its id."""
    name, code = checked_name(name), checked_code(code)
    with writing() as session:
        require_parent(session, by, parent_id, local_day(now))
        kind = kind_for(session, kind_code)
        refuse_taken_code(session, code)
        parent = parent_for(session, parent_id, kind, valid_from)
        unit = founded(session, code, kind, name, parent, valid_from, position)
        _record(session, now, by, unit, "created", parent_id=parent_id, valid_from=valid_from)
        return unit.id


def founded(
    session: Session,
    code: str,
    kind: UnitKind,
    name: str,
    parent: Unit | None,
    valid_from: date,
    position: int = 0,
) -> Unit:
    """A new unit with its dated name and place, in the caller's transaction."""
    unit = Unit(
        code=code,
        tree=kind.tree,
        kind_code=kind.code,
        name=name,
        fold=fold(name),
        parent_id=parent.id if parent else None,
        position=position,
        valid_from=valid_from,
    )
    session.add(unit)
    session.flush()
    session.add(UnitName(unit_id=unit.id, name=name, valid_from=valid_from))
    if parent:
        session.add(UnitParent(unit_id=unit.id, parent_id=parent.id, valid_from=valid_from))
    return unit


def correct_unit(
    unit_id: int, *, code: str, kind_code: str, position: int, now: datetime, by: Actor
) -> None:
    """Correct a unit's code, level or place in lists; these have no history."""
    code = checked_code(code)
    with writing() as session:
        unit = unit_for(session, by, unit_id, local_day(now))
        kind = kind_for(session, kind_code)
        if kind.tree != unit.tree:
            raise Refusal(N_("Loại đơn vị này thuộc cây khác. Hãy chọn loại cùng cây."))
        if code != unit.code:
            refuse_taken_code(session, code, except_id=unit.id)
        before = {"code": unit.code, "kind": unit.kind_code, "position": unit.position}
        unit.code, unit.kind_code, unit.position = code, kind.code, position
        after = {"code": unit.code, "kind": unit.kind_code, "position": unit.position}
        if before != after:
            _record(session, now, by, unit, "changed", before=before, after=after)


def renamed(session: Session, unit: Unit, name: str, from_on: date) -> str:
    """Write the dated name in the caller's transaction and give the one before."""
    _refuse_outside_life(unit, from_on)
    rows = session.scalars(select(UnitName).where(UnitName.unit_id == unit.id)).all()
    last = _close_last(rows, from_on)
    before = last.name if last else unit.name
    if last and last.valid_from == from_on:
        last.name = name
    else:
        session.add(
            UnitName(unit_id=unit.id, name=name, valid_from=from_on, valid_to=unit.valid_to)
        )
    return before


def moved(
    session: Session, unit: Unit, parent_id: int | None, from_on: date, today: date
) -> int | None:
    """Write the dated place in the caller's transaction and give the unit above before."""
    _refuse_outside_life(unit, from_on)
    parent = parent_for(session, parent_id, kind_for(session, unit.kind_code), from_on)
    if parent:
        _refuse_cycle(session, unit, parent, {from_on, today})
    rows = session.scalars(select(UnitParent).where(UnitParent.unit_id == unit.id)).all()
    last = _close_last(rows, from_on)
    before = last.parent_id if last else None
    _set_parent(session, unit, last, parent, from_on)
    return before


def _set_parent(
    session: Session, unit: Unit, last: UnitParent | None, parent: Unit | None, from_on: date
) -> None:
    if last and last.valid_from == from_on:
        if parent:
            last.parent_id = parent.id
        else:
            session.delete(last)
    elif parent:
        session.add(
            UnitParent(
                unit_id=unit.id, parent_id=parent.id, valid_from=from_on, valid_to=unit.valid_to
            )
        )


def link_unit(
    residential_id: int, *, party_id: int | None, from_on: date, now: datetime, by: Actor
) -> None:
    """Say which Party unit answers for a residential unit from a day on; none ends the link."""
    with writing() as session:
        today = local_day(now)
        unit = unit_for(session, by, residential_id, today)
        _refuse_outside_life(unit, from_on)
        if unit.tree != "residential":
            raise Refusal(N_("Chỉ đơn vị dân cư mới có tổ chức đảng phụ trách."))
        party = unit_for(session, by, party_id, today) if party_id is not None else None
        if party and party.tree != "party":
            raise Refusal(N_("Hãy chọn một tổ chức đảng để phụ trách."))
        rows = session.scalars(select(UnitLink).where(UnitLink.residential_id == unit.id)).all()
        last = _close_last(rows, from_on)
        if last and last.valid_from == from_on:
            session.delete(last)
            session.flush()
        if party:
            session.add(UnitLink(residential_id=unit.id, party_id=party.id, valid_from=from_on))
        _record(session, now, by, unit, "linked", party_id=party_id, from_on=from_on)


def close_rows(session: Session, unit: Unit, on: date) -> None:
    """End the unit's names, places and links on that day; refuse when one begins on or after it."""
    names = session.scalars(select(UnitName).where(UnitName.unit_id == unit.id)).all()
    parents = session.scalars(select(UnitParent).where(UnitParent.unit_id == unit.id)).all()
    links = session.scalars(
        select(UnitLink).where(
            or_(UnitLink.residential_id == unit.id, UnitLink.party_id == unit.id)
        )
    ).all()
    rows: list[UnitName | UnitParent | UnitLink] = [*names, *parents, *links]
    for row in rows:
        if row.valid_from >= on:
            raise Refusal(
                N_("Đã ghi một thay đổi từ ngày %(day)s. Hãy chọn ngày kết thúc sau ngày đó."),
                day=f"{row.valid_from:%d/%m/%Y}",
            )
        if row.valid_to is None or row.valid_to > on:
            row.valid_to = on


def save_kind(
    code: str, facts: KindFacts, *, tree: str | None = None, now: datetime, by: Actor
) -> None:
    """Change a level of a tree, or add one when a tree is named; for administrators."""
    if granted_unit_ids(by, "admin") is not None:
        raise NotAllowed(N_("Chỉ quản trị viên sửa được các cấp đơn vị. Hãy hỏi quản trị viên."))
    name, name_en = checked_name(facts.name, 80), checked_name(facts.name_en, 80)
    if not 1 <= facts.rank <= 99:
        raise Malformed(N_("Thứ bậc phải từ 1 (trên cùng) đến 99."))
    with writing() as session:
        kind = session.get(UnitKind, code)
        if tree is not None:
            if kind is not None:
                raise Refusal(N_("Mã loại đơn vị này đã có. Hãy chọn mã khác."))
            kind = UnitKind(code=_checked_kind_code(code), tree=tree)
            session.add(kind)
        if kind is None:
            raise NotFound(N_("Không có loại đơn vị này."))
        kind.name, kind.name_en, kind.rank = name, name_en, facts.rank
        kind.is_grassroots, kind.holds_people = facts.is_grassroots, facts.holds_people
        audit.record(
            session,
            now=now,
            by=by,
            action="created" if tree else "changed",
            entity="unit_kind",
            entity_id=kind.code,
            name=name,
            rank=facts.rank,
            is_grassroots=facts.is_grassroots,
            holds_people=facts.holds_people,
        )


def show_units_of_today(slot: datetime, *, now: datetime) -> int:
    """Bring the repeated present name and parent up to today's dated rows; how many changed.

    A rename or move may be written ahead of its day; the scheduler calls this once a day.
    """
    with writing() as session:
        if not first_run(session, "show_units_of_today", slot, now=now):
            return 0
        return show_today(session, session.scalars(select(Unit)).all(), local_day(now))


def show_today(session: Session, units: Sequence[Unit], today: date) -> int:
    """Bring these units' repeated present name and parent up to the dated rows; how many changed."""
    session.flush()
    named = select(UnitName.unit_id, UnitName.name).where(on_day(UnitName, today))
    if len(units) == 1:
        named = named.where(UnitName.unit_id == units[0].id)
    names = {row.unit_id: row.name for row in session.execute(named)}
    parents = parents_on(session, today)
    changed = 0
    for unit in units:
        name = names.get(unit.id, unit.name)
        alive = unit.valid_to is None or unit.valid_to > today
        parent_id = parents.get(unit.id) if alive else unit.parent_id
        if (unit.name, unit.parent_id) != (name, parent_id):
            unit.name, unit.fold, unit.parent_id = name, fold(name), parent_id
            changed += 1
    return changed


def _close_last(rows: Sequence[Dated], from_on: date) -> Dated | None:
    """End the latest row on that day, when it began before; refuse days before the latest row."""
    if not rows:
        return None
    last = max(rows, key=lambda row: row.valid_from)
    if from_on < last.valid_from:
        raise Refusal(
            N_("Đã ghi một thay đổi từ ngày %(day)s. Hãy chọn ngày ấy hoặc sau đó."),
            day=f"{last.valid_from:%d/%m/%Y}",
        )
    if from_on > last.valid_from and (last.valid_to is None or last.valid_to > from_on):
        last.valid_to = from_on
    return last


def _refuse_outside_life(unit: Unit, on: date) -> None:
    ended = unit.valid_to is not None and on >= unit.valid_to
    if on < unit.valid_from or ended or on.year > LATEST_YEAR:
        raise Refusal(
            N_("Ngày %(day)s nằm ngoài thời gian đơn vị hoạt động. Hãy chọn ngày khác."),
            day=f"{on:%d/%m/%Y}",
        )


def _refuse_cycle(session: Session, unit: Unit, parent: Unit, days: set[date]) -> None:
    for day in days:
        if parent.id in subtree_ids(parents_on(session, day), {unit.id}):
            raise Refusal(N_("Không thể đặt một đơn vị dưới chính nó hay dưới cấp dưới của nó."))


def parent_for(session: Session, parent_id: int | None, kind: UnitKind, on: date) -> Unit | None:
    """The unit above, if a unit of that kind may stand under it on that day."""
    if parent_id is None:
        return None
    parent = session.get(Unit, parent_id)
    if parent is None or parent.tree != kind.tree:
        raise Refusal(N_("Đơn vị cấp trên phải ở cùng cây. Hãy chọn lại."))
    _refuse_outside_life(parent, on)
    if parent.kind.rank >= kind.rank:
        raise Refusal(
            N_("“%(kind)s” phải ở dưới một cấp cao hơn; “%(parent)s” thì không."),
            kind=kind.name,
            parent=parent.name,
        )
    return parent


def require_parent(session: Session, by: Actor, parent_id: int | None, today: date) -> None:
    """Only who answers for the unit above may put one under it; for everything, under nothing."""
    if parent_id is not None:
        require_unit(session, by, parent_id, today, "staff")
    elif granted_unit_ids(by, "staff") is not None:
        raise NotAllowed(N_("Hãy chọn đơn vị cấp trên trong phạm vi của bạn."))


def unit_for(session: Session, by: Actor, unit_id: int, today: date) -> Unit:
    """The unit if staff within scope ask for it, else NotFound."""
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise NotFound(N_("Không tìm thấy đơn vị này trong phạm vi của bạn."))
    require_unit(session, by, unit.id, day_within_life(unit, today), "staff")
    return unit


def kind_for(session: Session, kind_code: str) -> UnitKind:
    """The level of a tree with that code."""
    kind = session.get(UnitKind, kind_code)
    if kind is None:
        raise Malformed(N_("Hãy chọn loại đơn vị trong danh sách."))
    return kind


def checked_name(name: str, most: int = 200) -> str:
    """A name, tidied; none, or one too long, is refused."""
    name = clean(name)
    if not name or len(name) > most:
        raise Malformed(N_("Hãy ghi tên, không quá %(most)s ký tự."), most=most)
    return name


def checked_code(code: str) -> str:
    """A code, tidied; one that cannot stand in an address is refused."""
    code = clean(code)
    if not code or len(code) > 40 or any(sign.isspace() or sign in "/\\?#%" for sign in code):
        raise Malformed(N_("Mã gồm chữ và số viết liền, không quá 40 ký tự, ví dụ CB-012."))
    return code


def _checked_kind_code(code: str) -> str:
    code = checked_code(code).lower()
    if not code.replace("_", "").isalnum() or not code.isascii():
        raise Malformed(N_("Mã loại gồm chữ không dấu, số và gạch dưới, ví dụ to_dang."))
    return code


def refuse_taken_code(session: Session, code: str, except_id: int | None = None) -> None:
    """Two units never share a code, whatever its letter case."""
    taken = select(Unit.id).where(func.lower(Unit.code) == code.lower())
    if except_id is not None:
        taken = taken.where(Unit.id != except_id)
    if session.scalar(taken):
        raise Refusal(N_("Mã “%(code)s” đã dùng cho đơn vị khác. Hãy chọn mã khác."), code=code)


def _record(
    session: Session, now: datetime, by: Actor, unit: Unit, action: str, **details: object
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="unit",
        entity_id=unit.id,
        unit_id=unit.id,
        reason="",
        **details,
    )
