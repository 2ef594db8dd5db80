"""Decisions that change units: drafted, looked at with what follows, then confirmed or thrown away."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import (
    Account,
    Campaign,
    Household,
    HouseholdResidence,
    Membership,
    Person,
    RoleGrant,
    RollEntry,
    Unit,
    UnitChange,
    UnitKind,
    UnitName,
    UnitParent,
    UnitSuccession,
)
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, NotFound, Refusal
from rules.unit_changes import (
    Plan,
    Successor,
    UnitFacts,
    check_decision,
    check_plan,
    plan_of,
    tidied,
)
from services import audit
from services.access import require_role, require_unit, within_scope
from services.handovers import Takeover, coming_meetings, people_by_successor, take_over
from services.transaction import reading, writing
from services.unit_changes import (
    checked_code,
    checked_name,
    founded,
    kind_for,
    moved,
    parent_for,
    refuse_taken_code,
    renamed,
    require_parent,
    show_today,
)
from services.units import (
    day_within_life,
    natural_key,
    on_day,
    parents_on,
    subtree_ids,
    unit_names_on,
    unit_tree,
)

TAKEOVERS = ("merge", "split")
MOST_OFFERED = 300


@dataclass(frozen=True)
class DecisionLine:
    """A decision in the list."""

    id: int
    kind: str
    units: str
    decision_number: str
    decision_on: date | None
    effective_on: date
    confirmed_at: datetime | None
    by_name: str


@dataclass(frozen=True)
class Part:
    """What belongs directly to a unit that is split, and the place it goes to."""

    kind: str
    id: int
    name: str
    note: str
    place: int


@dataclass(frozen=True)
class Follows:
    """What follows from a decision, counted before anything is written."""

    members: int
    households: int
    lower_units: int
    accounts: tuple[str, ...]
    make_ups: tuple[tuple[str, int], ...]
    drafts: tuple[str, ...]
    meetings: int
    people: tuple[tuple[str, int], ...]
    """How many people each successor gets."""


@dataclass(frozen=True)
class DecisionView:
    """A decision with what it does and what follows; `refusal` says why it cannot be confirmed."""

    line: DecisionLine
    plan: Plan
    sources: tuple[tuple[int, str], ...]
    successors: tuple[str, ...]
    parts: tuple[Part, ...]
    follows: Follows | None
    refusal: Refusal | None
    made: tuple[tuple[int, str], ...]
    """The units that came out of a confirmed decision."""


def draft_decision(
    plan: Plan, *, number: str, decided_on: date | None, now: datetime, by: Actor
) -> int:
    """Write a decision down as a draft; nothing of it holds yet. Its id."""
    plan = tidied(plan)
    number = check_decision(number, decided_on, plan.effective_on)
    with writing() as session:
        _require_scope(session, by, plan, now)
        _check(session, plan)
        plan = _named(session, plan)
        change = UnitChange(
            kind=plan.kind,
            effective_on=plan.effective_on,
            decision_number=number,
            decision_on=decided_on,
            plan=plan.as_json(),
            unit_id=_anchor(plan),
            by_account_id=by.account_id,
            created_at=now,
        )
        session.add(change)
        session.flush()
        _record(session, change, "drafted", now, by)
        return change.id


def allot(
    change_id: int,
    *,
    units: Mapping[int, int],
    people: Mapping[int, int],
    households: Mapping[int, int],
    now: datetime,
    by: Actor,
) -> None:
    """Say of a drafted split to which successor each lower unit, person and household goes."""
    with writing() as session:
        change = _draft(session, change_id, now, by)
        plan = replace(
            plan_of(change.kind, change.effective_on, change.plan),
            units=dict(units),
            people=dict(people),
            households=dict(households),
        )
        if plan.kind != "split":
            raise Refusal(N_("Chỉ quyết định chia tách mới cần chia người và đơn vị."))
        _check(session, plan)
        change.plan = plan.as_json()
        _record(session, change, "allotted", now, by)


def discard_decision(change_id: int, *, now: datetime, by: Actor) -> None:
    """Throw a draft away: it never held, so nothing else changes."""
    with writing() as session:
        change = _draft(session, change_id, now, by)
        _record(session, change, "draft_discarded", now, by)
        session.delete(change)


def confirm_decision(change_id: int, *, now: datetime, by: Actor) -> None:
    """Carry a drafted decision out, whole or not at all."""
    with writing() as session:
        change = _draft(session, change_id, now, by)
        carry_out(session, change, now=now, by=by)


def carry_out(session: Session, change: UnitChange, *, now: datetime, by: Actor) -> list[Unit]:
    """The same within the caller's transaction; gives the units that came out of it."""
    plan = plan_of(change.kind, change.effective_on, change.plan)
    _check(session, plan)
    sources = [session.get_one(Unit, unit_id) for unit_id in plan.sources]
    made = [_unit_of(session, one, plan.effective_on) for one in plan.successors]
    if plan.kind == "rename":
        renamed(session, sources[0], plan.successors[0].name, plan.effective_on)
    elif plan.kind == "move":
        above = plan.successors[0].parent_id
        moved(session, sources[0], above, plan.effective_on, local_day(now))
    elif plan.kind == "dissolve":
        made = _dissolve(session, change, sources[0], plan, now)
    elif plan.kind in TAKEOVERS:
        for source in sources:
            take_over(session, Takeover(source, made, plan, now), change.id)
    change.confirmed_at = now
    change.unit_id = change.unit_id or made[0].id
    below = {
        unit
        for unit, above in parents_on(session, plan.effective_on).items()
        if above in {one.id for one in made}
    }
    touched = [*sources, *made, *(session.get_one(Unit, unit_id) for unit_id in below)]
    show_today(session, list({unit.id: unit for unit in touched}.values()), local_day(now))
    _record(session, change, "confirmed", now, by, successors=[unit.id for unit in made])
    return made


def _unit_of(session: Session, one: Successor, on: date) -> Unit:
    if one.unit_id is not None:
        return session.get_one(Unit, one.unit_id)
    kind = kind_for(session, one.kind_code)
    refuse_taken_code(session, one.code)
    parent = parent_for(session, one.parent_id, kind, on)
    return founded(session, one.code, kind, one.name, parent, on)


def _dissolve(
    session: Session, change: UnitChange, unit: Unit, plan: Plan, now: datetime
) -> list[Unit]:
    """What is left of it passes to the unit above; its people must have found another unit."""
    above = parents_on(session, plan.effective_on).get(unit.id)
    if above is None:
        raise Refusal(N_("Không thể giải thể đơn vị đứng đầu cây. Hãy sáp nhập hoặc đổi tên."))
    _refuse_people(session, unit, plan.effective_on)
    parent = session.get_one(Unit, above)
    take_over(session, Takeover(unit, [parent], plan, now), change.id)
    return [parent]


def _refuse_people(session: Session, unit: Unit, on: date) -> None:
    for table, sentence in (
        (
            Membership,
            N_("Còn %(count)s đảng viên ở đơn vị này. Hãy chuyển họ sang nơi khác trước."),
        ),
        (HouseholdResidence, N_("Còn %(count)s hộ ở đơn vị này. Hãy chuyển các hộ trước.")),
    ):
        query = select(func.count()).select_from(table).where(table.unit_id == unit.id)
        open_rows = query.where(table.valid_to.is_(None) | (table.valid_to > on))
        if count := session.scalar(open_rows):
            raise Refusal(sentence, count=count)


def _draft(session: Session, change_id: int, now: datetime, by: Actor) -> UnitChange:
    change = _change(session, change_id)
    _require_scope(session, by, plan_of(change.kind, change.effective_on, change.plan), now)
    if change.confirmed_at is not None:
        raise Refusal(N_("Quyết định này đã được xác nhận; muốn đổi nữa hãy ghi quyết định mới."))
    return change


def _change(session: Session, change_id: int) -> UnitChange:
    change = session.get(UnitChange, change_id)
    if change is None:
        raise NotFound(N_("Không tìm thấy quyết định này trong phạm vi của bạn."))
    return change


def _require_scope(session: Session, by: Actor, plan: Plan, now: datetime) -> None:
    """Staff must answer for every unit the decision touches, and for where new ones stand."""
    require_role(by, "staff")
    ids = [*plan.sources, *(one.unit_id for one in plan.successors if one.unit_id is not None)]
    for unit_id in ids:
        unit = session.get(Unit, unit_id)
        if unit is None:
            raise NotFound(N_("Không tìm thấy đơn vị này trong phạm vi của bạn."))
        require_unit(session, by, unit_id, day_within_life(unit, local_day(now)), "staff")
    for one in plan.successors:
        if plan.kind != "rename" and (one.unit_id is None or plan.kind == "move"):
            require_parent(session, by, one.parent_id, local_day(now))


def _named(session: Session, plan: Plan) -> Plan:
    """New units with names and codes tidied; a successor that exists keeps its own."""

    def named(one: Successor) -> Successor:
        if one.unit_id is not None and plan.kind != "rename":
            return replace(one, name="", code="", kind_code="")
        if plan.kind == "rename":
            return replace(one, name=checked_name(one.name))
        code = checked_code(one.code)
        refuse_taken_code(session, code)
        parent_for(session, one.parent_id, kind_for(session, one.kind_code), plan.effective_on)
        return replace(one, name=checked_name(one.name), code=code)

    return replace(plan, successors=tuple(named(one) for one in plan.successors))


def _check(session: Session, plan: Plan) -> None:
    ids = {*plan.sources, *(one.unit_id for one in plan.successors if one.unit_id is not None)}
    parents = parents_on(session, plan.effective_on)
    facts = {}
    for unit_id in ids:
        unit = session.get_one(Unit, unit_id)
        begun = [
            session.scalar(select(func.max(table.valid_from)).where(table.unit_id == unit_id))
            for table in (UnitName, UnitParent)
        ]
        facts[unit_id] = UnitFacts(
            id=unit_id,
            name=unit.name,
            tree=unit.tree,
            rank=unit.kind.rank,
            valid_from=unit.valid_from,
            valid_to=unit.valid_to,
            changed_on=max([day for day in begun if day], default=unit.valid_from),
            below=frozenset(subtree_ids(parents, {unit_id})),
        )
    check_plan(plan, facts)


def _anchor(plan: Plan) -> int | None:
    return plan.sources[0] if plan.sources else plan.successors[0].parent_id


def _record(
    session: Session, change: UnitChange, action: str, now: datetime, by: Actor, **details: object
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="unit_change",
        entity_id=change.id,
        unit_id=change.unit_id,
        reason=change.decision_number,
        kind=change.kind,
        effective_on=change.effective_on,
        plan=change.plan,
        **details,
    )


def decisions(*, today: date, by: Actor) -> list[DecisionLine]:
    """The decisions within scope, drafts first, then the latest."""
    session = reading()
    rows = session.scalars(
        select(UnitChange)
        .where(within_scope(by, UnitChange.unit_id, today, "staff", "reader"))
        .order_by(
            UnitChange.confirmed_at.is_not(None),
            UnitChange.effective_on.desc(),
            UnitChange.id.desc(),
        )
    ).all()
    return [_line(session, row) for row in rows]


def _line(session: Session, change: UnitChange) -> DecisionLine:
    plan = plan_of(change.kind, change.effective_on, change.plan)
    names = unit_names_on(session, _unit_ids(plan), _day_before(plan))
    account = session.get(Account, change.by_account_id) if change.by_account_id else None
    before = ", ".join(names[unit] for unit in plan.sources)
    after = ", ".join(_after(one, names) for one in plan.successors)
    return DecisionLine(
        id=change.id,
        kind=change.kind,
        units=" → ".join(part for part in (before, after) if part),
        decision_number=change.decision_number,
        decision_on=change.decision_on,
        effective_on=change.effective_on,
        confirmed_at=change.confirmed_at,
        by_name=account.name if account else "",
    )


def _unit_ids(plan: Plan) -> set[int]:
    named = [(one.unit_id, one.parent_id) for one in plan.successors]
    return {*plan.sources, *(unit for pair in named for unit in pair if unit is not None)}


def _day_before(plan: Plan) -> date:
    return date.fromordinal(plan.effective_on.toordinal() - 1)


def _after(one: Successor, names: Mapping[int, str]) -> str:
    return one.name or names.get(one.parent_id or one.unit_id or 0, "")


def candidates(unit_id: int, *, today: date, by: Actor) -> list[tuple[int, str]]:
    """The living units that could be merged with this one: of its level and tree, nearest first."""
    session = reading()
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise NotFound(N_("Không tìm thấy đơn vị này trong phạm vi của bạn."))
    require_unit(session, by, unit_id, day_within_life(unit, today), "staff")
    nodes = unit_tree(on=today, by=by, tree=unit.tree, roles=("staff",))
    names = {node.id: node.name for node in nodes}
    level = set(session.scalars(select(UnitKind.code).where(UnitKind.rank == unit.kind.rank)))
    own = [node for node in nodes if node.kind_code in level]
    above = next((node.parent_id for node in own if node.id == unit_id), None)
    own.sort(key=lambda node: (node.id != unit_id, node.parent_id != above))
    is_plain = len({node.parent_id for node in own}) == 1
    return [
        (node.id, node.name if is_plain else f"{node.name} · {names.get(node.parent_id or 0, '')}")
        for node in own[:MOST_OFFERED]
    ]


def decision_view(change_id: int, *, now: datetime, by: Actor) -> DecisionView:
    """A decision with what follows from it; NotFound outside the actor's scope."""
    session = reading()
    change = _change(session, change_id)
    require_unit(session, by, change.unit_id, _scope_day(session, change, now), "staff", "reader")
    plan = plan_of(change.kind, change.effective_on, change.plan)
    names = unit_names_on(session, _unit_ids(plan), _day_before(plan))
    is_draft = change.confirmed_at is None
    refusal = None
    if is_draft:
        try:
            _check(session, plan)
        except Refusal as found:
            refusal = found
    return DecisionView(
        line=_line(session, change),
        plan=plan,
        sources=tuple((unit, names[unit]) for unit in plan.sources),
        successors=tuple(_after(one, names) for one in plan.successors),
        parts=_parts(session, plan) if is_draft and plan.kind == "split" else (),
        follows=_follows(session, plan, now) if is_draft and refusal is None else None,
        refusal=refusal,
        made=_made(session, change),
    )


def _scope_day(session: Session, change: UnitChange, now: datetime) -> date:
    unit = session.get(Unit, change.unit_id) if change.unit_id else None
    return day_within_life(unit, local_day(now)) if unit else local_day(now)


def _made(session: Session, change: UnitChange) -> tuple[tuple[int, str], ...]:
    rows = session.execute(
        select(Unit.id, Unit.name)
        .join(UnitSuccession, UnitSuccession.successor_id == Unit.id)
        .where(UnitSuccession.change_id == change.id)
        .distinct()
        .order_by(Unit.id)
    )
    return tuple((row.id, row.name) for row in rows)


def _parts(session: Session, plan: Plan) -> tuple[Part, ...]:
    """Everything directly in the unit to be split, in the order in which it is looked for."""
    source, on = plan.sources[0], plan.effective_on
    units = session.execute(
        select(Unit.id, Unit.name, Unit.code, Unit.fold)
        .join(UnitParent, UnitParent.unit_id == Unit.id)
        .where(UnitParent.parent_id == source, on_day(UnitParent, on))
    ).all()
    people = session.execute(
        select(Person.id, Person.full_name, Person.code)
        .join(Membership, Membership.person_id == Person.id)
        .where(Membership.unit_id == source, on_day(Membership, on))
        .order_by(Person.sort_key, Person.id)
    ).all()
    households = session.execute(
        select(Household.id, Household.number, Household.representative)
        .join(HouseholdResidence, HouseholdResidence.household_id == Household.id)
        .where(HouseholdResidence.unit_id == source, on_day(HouseholdResidence, on))
    ).all()
    by_number = sorted(households, key=lambda row: natural_key(row.number))
    return (
        *(
            Part("unit", row.id, row.name, row.code, plan.units.get(row.id, 0))
            for row in sorted(units, key=lambda row: (natural_key(row.fold), row.code))
        ),
        *(
            Part("person", row.id, row.full_name, row.code, plan.people.get(row.id, 0))
            for row in people
        ),
        *(
            Part(
                "household",
                row.id,
                row.number,
                row.representative or "",
                plan.households.get(row.id, 0),
            )
            for row in by_number
        ),
    )


def _follows(session: Session, plan: Plan, now: datetime) -> Follows:
    """Counted on the day of the change, over everything below the units that change."""
    on = plan.effective_on
    parents = parents_on(session, on)
    below = subtree_ids(parents, set(plan.sources))

    def count(table: type[Membership] | type[HouseholdResidence]) -> int:
        query = select(func.count()).select_from(table)
        return session.scalar(query.where(table.unit_id.in_(below), on_day(table, on))) or 0

    accounts = session.scalars(
        select(Account.name)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(RoleGrant.unit_id.in_(plan.sources))
        .distinct()
        .order_by(Account.name)
    )
    takes = _takeovers(session, plan, now)
    coming = {
        row.id
        for take in takes
        for rows in coming_meetings(session, take.source.id, take).values()
        for row in rows
    }
    return Follows(
        members=count(Membership),
        households=count(HouseholdResidence),
        lower_units=len(below) - len(set(plan.sources)),
        accounts=tuple(accounts) if plan.kind in TAKEOVERS else (),
        make_ups=_open_make_ups(session, below),
        drafts=tuple(_drafts(session, plan)),
        meetings=len(coming),
        people=_people(session, plan, takes),
    )


def _takeovers(session: Session, plan: Plan, now: datetime) -> list[Takeover]:
    """With stand-ins for units not yet founded: only their place matters for counting."""
    if plan.kind not in TAKEOVERS:
        return []
    stand_ins = [
        Unit(id=one.unit_id if one.unit_id is not None else -place, name=one.name)
        for place, one in enumerate(plan.successors, start=1)
    ]
    return [
        Takeover(session.get_one(Unit, unit_id), stand_ins, plan, now) for unit_id in plan.sources
    ]


def _people(session: Session, plan: Plan, takes: list[Takeover]) -> tuple[tuple[str, int], ...]:
    names = unit_names_on(session, _unit_ids(plan), _day_before(plan))
    counts = [people_by_successor(session, take) for take in takes]
    if not takes:
        return ()
    return tuple(
        (_after(one, names), sum(count[unit.id] for count in counts))
        for one, unit in zip(plan.successors, takes[0].successors, strict=True)
    )


def _open_make_ups(session: Session, below: set[int]) -> tuple[tuple[str, int], ...]:
    """By open campaign, how many on its frozen roll here have still to study."""
    rows = session.execute(
        select(Campaign.title, func.count())
        .join(RollEntry, RollEntry.campaign_id == Campaign.id)
        .where(
            Campaign.state == "open",
            RollEntry.unit_id.in_(below),
            RollEntry.state == "eligible",
            RollEntry.covered_on.is_(None),
        )
        .group_by(Campaign.id, Campaign.title)
        .order_by(Campaign.id)
    )
    return tuple((row[0], row[1]) for row in rows)


def _drafts(session: Session, plan: Plan) -> list[str]:
    from_then = Campaign.cutoff_on >= plan.effective_on
    query = select(Campaign.title).where(Campaign.state == "draft", from_then)
    return list(session.scalars(query.order_by(Campaign.id)))
