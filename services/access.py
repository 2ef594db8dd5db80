"""What an actor may see and change: units by subtree and link, meetings by unit and enrolment."""

from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    and_,
    bindparam,
    false,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session

from models import (
    Meeting,
    MeetingSpeaker,
    MeetingUnit,
    Speaker,
    Unit,
    UnitLink,
    UnitParent,
    UnitSuccession,
)
from rules.permissions import Actor
from rules.refusals import N_, NotAllowed, NotFound
from services.transaction import remembered

ALL_ROLES = ("admin", "staff", "instructor", "reader")
_MEETING = select(Meeting).where(Meeting.id == bindparam("meeting"))


def on_day(table: type[UnitParent] | type[UnitLink], on: date) -> ColumnElement[bool]:
    """The rows of a dated table that hold on that day."""
    return and_(table.valid_from <= on, or_(table.valid_to.is_(None), table.valid_to > on))


def subtree(unit_ids: set[int] | frozenset[int], on: date) -> Select[tuple[int]]:
    """The units and all below them on that day, as a select of ids, on whichever tree they are.

    A Party unit brings with it the residential units it answers for (`unit_link`) and theirs; and
    each the units it has taken over whole by that day, whose facts keep their own stamp.
    """
    return _subtree(frozenset(unit_ids), on)


@lru_cache(maxsize=512)
def _subtree(unit_ids: frozenset[int], on: date) -> Select[tuple[int]]:
    """The statement alone, kept: writing it down costs more time than the database's answer."""
    tree = select(Unit.id.label("id")).where(Unit.id.in_(unit_ids)).cte(recursive=True)
    below = (
        select(UnitParent.unit_id)
        .join(tree, UnitParent.parent_id == tree.c.id)
        .where(on_day(UnitParent, on))
    )
    party = tree.union_all(below)
    linked = (
        select(UnitLink.residential_id.label("id"))
        .join(party, UnitLink.party_id == party.c.id)
        .where(on_day(UnitLink, on))
        .cte(recursive=True)
    )
    residential = linked.union(
        select(UnitParent.unit_id)
        .join(linked, UnitParent.parent_id == linked.c.id)
        .where(on_day(UnitParent, on))
    )
    now = select(party.c.id).union(select(residential.c.id)).cte()
    whole = and_(UnitSuccession.is_part.is_(False), UnitSuccession.on <= on)
    past = (
        select(UnitSuccession.predecessor_id.label("id"))
        .where(UnitSuccession.successor_id.in_(select(now.c.id)), whole)
        .cte(recursive=True)
    )
    taken_over = past.union(
        select(UnitSuccession.predecessor_id)
        .join(past, UnitSuccession.successor_id == past.c.id)
        .where(whole)
    )
    return select(now.c.id).union(select(taken_over.c.id)).subquery().select()


def granted_unit_ids(by: Actor, *roles: str) -> frozenset[int] | None:
    """The units an actor's roles are given over; None means everything."""
    wanted = {"admin", *(roles or ALL_ROLES)}
    units = {grant.unit_id for grant in by.grants if grant.role in wanted}
    if None in units:
        return None
    return frozenset(unit for unit in units if unit is not None)


def units_visible_to(session: Session, by: Actor, on: date, *roles: str) -> frozenset[int] | None:
    """Ids of all units within an actor's scope on a day; None means everything."""
    granted = granted_unit_ids(by, *roles)
    if granted is None:
        return None
    if not granted:
        return frozenset()
    return remembered(session, ("visible", granted, on), lambda: _below(session, granted, on))


def _below(session: Session, granted: frozenset[int], on: date) -> frozenset[int]:
    return frozenset(session.scalars(subtree(granted, on)))


def within_scope(
    by: Actor, column: SQLColumnExpression[Any], on: date, *roles: str
) -> ColumnElement[bool]:
    """The condition that a unit column lies within the actor's scope."""
    granted = granted_unit_ids(by, *roles)
    if granted is None:
        return true()
    return column.in_(subtree(granted, on)) if granted else false()


def require_role(by: Actor, *roles: str) -> None:
    """Refuse an actor who holds none of the roles anywhere."""
    if not by.has_any(*roles):
        raise NotAllowed(N_("Bạn không có quyền làm việc này. Hãy hỏi quản trị viên."))


def require_unit(session: Session, by: Actor, unit_id: int | None, on: date, *roles: str) -> None:
    """Refuse when a unit is outside what these roles of the actor cover; it then looks absent."""
    require_role(by, *roles)
    visible = units_visible_to(session, by, on, *roles)
    if visible is not None and unit_id not in visible:
        raise NotFound(N_("Không tìm thấy đơn vị này trong phạm vi của bạn."))


def meetings_visible_to(by: Actor, on: date, *roles: str) -> ColumnElement[bool]:
    """The condition on `Meeting` for an actor: organised by or inviting a unit within scope,
    spoken at by the actor, or the one meeting of the actor's link.

    With roles given (for changing), only the organiser's scope counts, and the speaker's own.
    """
    conditions: list[ColumnElement[bool]] = []
    if by.meeting_id is not None:
        conditions.append(Meeting.id == by.meeting_id)
    granted = granted_unit_ids(by, *roles)
    if granted is None:
        return true()
    if granted:
        conditions.append(Meeting.organiser_id.in_(subtree(granted, on)))
        if not roles:
            conditions.append(
                Meeting.id.in_(
                    select(MeetingUnit.meeting_id).where(
                        MeetingUnit.unit_id.in_(subtree(granted, on))
                    )
                )
            )
    if by.account_id is not None and (not roles or "instructor" in roles):
        conditions.append(
            Meeting.id.in_(
                select(MeetingSpeaker.meeting_id)
                .join(Speaker, Speaker.id == MeetingSpeaker.speaker_id)
                .where(Speaker.account_id == by.account_id)
            )
        )
    return or_(*conditions) if conditions else false()


def meeting_for(session: Session, by: Actor, meeting_id: int, on: date, *roles: str) -> Meeting:
    """The meeting if it is within the actor's reach (for these roles when changing), else NotFound."""
    if by.meeting_id == meeting_id:
        statement = _MEETING
    else:
        statement = _MEETING.where(meetings_visible_to(by, on, *roles))
    meeting = session.scalar(statement, {"meeting": meeting_id})
    if meeting is None:
        raise NotFound(N_("Không tìm thấy buổi này trong phạm vi của bạn."))
    return meeting
