"""The staff's side of members' requests about their data: the queue, its clocks, each step."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import DataRequest, DataRequestStep, Person, Unit
from rules.days import local_day
from rules.permissions import Actor
from rules.privacy import OPEN_STATES, extended, refuse_settled
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.text import clean
from services import audit
from services.access import require_role, within_scope
from services.own_data import OwnRequest, requests_of
from services.transaction import reading, writing


@dataclass(frozen=True)
class QueueRow:
    """One request in the queue, with the day of the clock that runs now."""

    id: int
    name: str
    unit_name: str
    kind: str
    state: str
    received_at: datetime
    due_on: date
    is_late: bool


@dataclass(frozen=True)
class RequestPage:
    """One request with the person it is about."""

    request: OwnRequest
    person_id: int
    name: str
    unit_name: str
    is_anonymous: bool


def answer(request_id: int, told: str, *, now: datetime, by: Actor) -> None:
    """Tell the person that the request is being dealt with: the first clock stops."""
    _step(request_id, "answered", told, now=now, by=by)


def extend(request_id: int, told: str, *, now: datetime, by: Actor) -> None:
    """Take fifteen days more, once, and tell the person why."""
    _step(request_id, "extended", told, now=now, by=by)


def finish(request_id: int, told: str, *, now: datetime, by: Actor) -> None:
    """Carry the request out and tell the person what was done.

    A restriction and an objection take effect here; a correction is made on the person's page
    before; a deletion is finished by the erasure itself.
    """
    _step(request_id, "done", told, now=now, by=by)


def refuse(request_id: int, told: str, *, now: datetime, by: Actor) -> None:
    """Say no, with the reason and the basis."""
    _step(request_id, "refused", told, now=now, by=by)


def _step(request_id: int, step: str, told: str, *, now: datetime, by: Actor) -> None:
    told = clean(told)
    if not told or len(told) > 500:
        raise Malformed(N_("Hãy viết điều cần báo cho người yêu cầu, không quá 500 ký tự."))
    with writing() as session:
        request = _request_for(session, request_id, now, by)
        refuse_settled(request.state)
        _apply(session, request, step, now)
        session.add(
            DataRequestStep(request_id=request.id, at=now, by_name=by.name, step=step, told=told)
        )
        audit.record(
            session, now=now, by=by, action=f"data_{step}", entity="person",
            entity_id=request.person_id, unit_id=request.unit_id, request=request.id,
        )  # fmt: skip


def _apply(session: Session, request: DataRequest, step: str, now: datetime) -> None:
    if step == "answered":
        request.state = "answered"
    elif step == "extended":
        request.done_by = extended(request.done_by, was_extended=request.is_extended)
        request.is_extended = True
    elif step == "refused":
        request.state, request.closed_at = "refused", now
    else:
        _carry_out(session, request, now)
        request.state, request.closed_at = "done", now


def _carry_out(session: Session, request: DataRequest, now: datetime) -> None:
    person = session.get_one(Person, request.person_id)
    if request.kind == "deletion" and person.anonymised_at is None:
        raise Refusal(N_("Hãy xoá dữ liệu bằng nút “Xoá dữ liệu”; yêu cầu sẽ tự hoàn thành."))
    if request.kind == "restriction":
        person.restricted_on = local_day(now)
    if request.kind in ("restriction", "objection"):
        person.wants_mail = person.wants_reminders = False


def _request_for(session: Session, request_id: int, now: datetime, by: Actor) -> DataRequest:
    require_role(by, "staff")
    found = session.scalar(
        select(DataRequest).where(
            DataRequest.id == request_id,
            within_scope(by, DataRequest.unit_id, local_day(now), "staff"),
        )
    )
    if found is None:
        raise NotFound(N_("Không tìm thấy yêu cầu này trong phạm vi của bạn."))
    return found


def queue(*, is_open: bool = True, now: datetime, by: Actor) -> list[QueueRow]:
    """The requests within scope, the most urgent first, or the closed ones, newest first."""
    require_role(by, "staff")
    today = local_day(now)
    state = DataRequest.state.in_(OPEN_STATES)
    query = (
        select(DataRequest, Person.full_name, func.coalesce(Unit.name, ""))
        .join(Person, Person.id == DataRequest.person_id)
        .outerjoin(Unit, Unit.id == DataRequest.unit_id)
        .where(within_scope(by, DataRequest.unit_id, today, "staff"), state if is_open else ~state)
        .order_by(DataRequest.id.desc())
        .limit(200)
    )
    rows = []
    for request, name, unit_name in reading().execute(query):
        due_on = request.answer_by if request.state == "new" else request.done_by
        rows.append(
            QueueRow(
                request.id, name, unit_name, request.kind, request.state, request.received_at,
                due_on, is_open and due_on < today,
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: row.due_on) if is_open else rows


def request_page(request_id: int, *, now: datetime, by: Actor) -> RequestPage:
    """One request within scope, with its answers so far."""
    session = reading()
    request = _request_for(session, request_id, now, by)
    person = session.get_one(Person, request.person_id)
    unit = session.get(Unit, request.unit_id) if request.unit_id else None
    return RequestPage(
        requests_of(session, DataRequest.id == request.id)[0],
        person.id,
        person.full_name,
        unit.name if unit else "",
        person.anonymised_at is not None,
    )
