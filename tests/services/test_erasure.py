"""After an erasure nothing names the person any more, and every figure is as it was."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import JSON, LargeBinary, select

from gateways.mailbox import LocalMailbox
from models import (
    AuditEntry,
    Base,
    Campaign,
    Course,
    CourseType,
    DataRequest,
    Enrolment,
    Mark,
    Meeting,
    Membership,
    OutgoingMessage,
    Person,
    RollEntry,
    RosterImport,
    WalkIn,
)
from rules.permissions import SYSTEM
from rules.refusals import NotFound, Refusal
from services import coverage, coverage_ledger, erasure, exports, feeds, privacy, retention
from services.office import office
from services.settings import save_settings
from tests import world
from tests.services import campaign_plans as plans
from tests.services.test_privacy import staff_of
from tests.world import NOW

NEEDLES = ("Nguyễn Thị Hiền", "hien@test.invalid", "+84912345678", "0912345678")
LATER = NOW + timedelta(days=400)


@pytest.fixture
def city(db: Any) -> world.World:
    return world.build_world()


def lived_in(city: world.World, db: Any) -> str:
    """A campaign in which Hiền was invited, marked, mailed and written about."""
    hien = city.people["hien"]
    hien.email = "hien@test.invalid"
    db.session.commit()
    code = plans.opened(city)
    meeting = plans.sitting(city, code, chair="Nguyễn Thị Hiền")
    plans.attend(meeting, hien)
    db.session.add(
        Mark(
            id="a" * 8, meeting_id=meeting.id, subject=f"m:{hien.id}", person_id=hien.id,
            status="present", tapped_at=NOW, corrected_at=NOW, received_at=NOW,
        )
    )  # fmt: skip
    db.session.add(
        RosterImport(
            kind="members", file_name="a.xlsx", stored_name="x", effective_on=world.TODAY,
            state="checked", result={"rows": [NEEDLES[0]], "counts": {"new": 1}}, created_at=NOW,
        )
    )  # fmt: skip
    db.session.commit()
    outbox_row(db, hien, meeting)
    feeds.create_member_feed("DV002", now=NOW, by=SYSTEM)
    privacy.make_link(hien.id, now=NOW, by=SYSTEM)
    exports.missing_list(code, now=NOW, by=SYSTEM)
    LocalMailbox(office().mailbox_folder).send(
        "a@b.invalid", NEEDLES[1], b"To: hien@test.invalid\r\nSubject: x\r\n\r\nx", lambda: None
    )
    return code


def outbox_row(db: Any, person: Person, meeting: Meeting) -> None:
    for state, kind in (("sent", "request"), ("queued", "reminder")):
        db.session.add(
            OutgoingMessage(
                kind=kind, to_address=NEEDLES[1], to_name=NEEDLES[0], subject="Mời",
                body=NEEDLES[0].encode(), message_id=f"{kind}@x", dedup_key=kind, state=state,
                meeting_id=meeting.id, person_id=person.id, due_at=NOW, created_at=NOW,
            )
        )  # fmt: skip
    db.session.commit()


def hits(db: Any) -> list[str]:
    """Every place of the whole database and of the program's folder in which a needle stands."""
    found = []
    db.session.remove()
    with db.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                for column in table.columns:
                    text = _text(row[column.name], column.type)
                    found += [f"{table}.{column.name}" for one in NEEDLES if one in text]
    folder = office().mailbox_folder.parent
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix not in (".db", ".db-wal", ".db-shm"):
            text = file.read_bytes().decode("utf-8", "replace")
            found += [str(file) for one in NEEDLES if one in text]
    return found


def _text(value: Any, kind: Any) -> str:
    if isinstance(kind, LargeBinary):
        return (value or b"").decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False) if isinstance(kind, JSON) else str(value)


def figures(code: str) -> Any:
    whole = coverage.campaign_figures(code, by=SYSTEM, today=world.TODAY)
    return whole.members, whole.households


def test_nothing_names_the_person_and_the_figures_stay(city: world.World, db: Any) -> None:
    code = lived_in(city, db)
    before = figures(code)
    person, an = city.people["hien"].id, staff_of(city, "ward-1")
    assert len(hits(db)) >= 8, "the test must have something to find"
    left = erasure.erase_person(person, now=NOW, by=an)
    assert left == []
    assert hits(db) == []
    assert figures(code) == before
    assert coverage_ledger.coverage_differences(code, by=SYSTEM, today=world.TODAY) == []
    states = db.session.scalars(select(OutgoingMessage.state).order_by(OutgoingMessage.id))
    assert list(states) == ["sent", "dropped"]


def test_an_erasure_closes_the_request_and_cannot_happen_twice(city: world.World, db: Any) -> None:
    token = privacy.make_link(city.people["hien"].id, now=NOW, by=SYSTEM).rpartition("/")[2]
    privacy.ask(token, kind="deletion", now=NOW)
    erasure.erase_person(city.people["hien"].id, now=NOW, by=SYSTEM)
    assert db.session.scalar(select(DataRequest.state)) == "done"
    with pytest.raises(Refusal):
        erasure.erase_person(city.people["hien"].id, now=NOW, by=SYSTEM)


def test_a_namesake_keeps_their_name(city: world.World, db: Any) -> None:
    twin = world.add_person("DV099", "Nguyễn Thị Hiền", city.units["cell-3"])
    db.session.commit()
    world.add_meeting(city, chair="Nguyễn Thị Hiền")
    erasure.erase_person(city.people["hien"].id, now=NOW, by=SYSTEM)
    db.session.expire_all()
    assert db.session.get(Person, twin.id).full_name == "Nguyễn Thị Hiền"
    assert db.session.scalar(select(Meeting.chair)) == "Nguyễn Thị Hiền"


def test_other_units_cannot_erase(city: world.World) -> None:
    with pytest.raises(NotFound):
        erasure.erase_person(city.people["hien"].id, now=NOW, by=staff_of(city, "ward-2"))


def test_whoever_speaks_or_signs_in_is_not_erased_silently(city: world.World, db: Any) -> None:
    city.speaker.person_id = city.people["hien"].id
    db.session.commit()
    with pytest.raises(Refusal):
        erasure.erase_person(city.people["hien"].id, now=NOW, by=SYSTEM)


def test_the_log_stays_as_it_was(city: world.World, db: Any) -> None:
    lived_in(city, db)
    before = db.session.scalars(select(AuditEntry.seal).order_by(AuditEntry.id)).all()
    erasure.erase_person(city.people["hien"].id, now=NOW, by=SYSTEM)
    after = db.session.scalars(select(AuditEntry.seal).order_by(AuditEntry.id)).all()
    assert after[: len(before)] == before


def closed(city: world.World, db: Any) -> str:
    code = lived_in(city, db)
    campaign = db.session.query(Campaign).filter_by(code=code).one()
    campaign.state, campaign.closed_at = "closed", NOW
    db.session.add(WalkIn(id="w1", meeting_id=1, name="Lý Khách", created_at=NOW))
    db.session.commit()
    return code


def test_names_leave_a_closed_campaign_and_every_figure_stays(city: world.World, db: Any) -> None:
    code = closed(city, db)
    before = figures(code)
    ids = {person.id for person in city.people.values()}
    plan = retention.retention_plan(now=LATER, by=SYSTEM)
    assert [(due.title, due.people) for due in plan.campaigns] == [(code, 6)]
    assert figures(code) == before, "a look changes nothing"
    retention.run_retention(now=LATER, by=SYSTEM)
    assert figures(code) == before
    assert coverage_ledger.coverage_differences(code, by=SYSTEM, today=world.TODAY) == []
    db.session.expire_all()
    assert ids.isdisjoint(db.session.scalars(select(RollEntry.person_id)).all())
    assert ids.isdisjoint(db.session.scalars(select(Mark.person_id)).all())
    assert db.session.scalar(select(WalkIn.name)) == retention.WALK_IN_NAME
    mark = db.session.scalars(select(Mark)).one()
    assert mark.subject == f"m:{mark.person_id}"
    assert db.session.get(Person, city.people["hien"].id).full_name == "Nguyễn Thị Hiền"
    assert retention.retention_plan(now=LATER, by=SYSTEM).campaigns == ()


def test_nothing_is_due_before_its_time_or_while_a_campaign_is_open(
    city: world.World, db: Any
) -> None:
    code = plans.opened(city)
    assert retention.retention_plan(now=LATER, by=SYSTEM).campaigns == ()
    db.session.query(Campaign).filter_by(code=code).update({"state": "closed", "closed_at": NOW})
    db.session.commit()
    soon = NOW + timedelta(days=300)
    assert retention.retention_plan(now=soon, by=SYSTEM).campaigns == ()
    assert len(retention.retention_plan(now=LATER, by=SYSTEM).campaigns) == 1


def test_the_daily_job_asks_the_setting(city: world.World, db: Any) -> None:
    closed(city, db)
    retention.run_daily(LATER, now=LATER)
    assert len(retention.retention_plan(now=LATER, by=SYSTEM).campaigns) == 1
    save_settings({"retention_runs": "1"}, now=LATER, by=SYSTEM)
    retention.run_daily(LATER, now=LATER)
    assert len(retention.retention_plan(now=LATER, by=SYSTEM).campaigns) == 1, "the slot is used"
    retention.run_daily(LATER + timedelta(days=1), now=LATER)
    assert retention.retention_plan(now=LATER, by=SYSTEM).campaigns == ()


def test_bodies_of_letters_go_after_thirty_days(city: world.World, db: Any) -> None:
    closed(city, db)
    retention.run_daily(NOW, now=NOW + timedelta(days=31))
    rows = db.session.execute(
        select(OutgoingMessage.state, OutgoingMessage.body).order_by(OutgoingMessage.id)
    ).all()
    assert [(state, bool(body)) for state, body in rows] == [("sent", False), ("queued", True)]


def test_a_certificate_keeps_its_name(city: world.World, db: Any) -> None:
    db.session.add(CourseType(code="NTVD", name="Lớp", name_en="Class"))
    db.session.flush()
    course = Course(
        code="L1", type_code="NTVD", title="Lớp 1", organiser_id=city.units["ward-1"].id,
        opens_on=world.FOUNDED, closes_on=world.FOUNDED, created_at=NOW,
    )  # fmt: skip
    db.session.add(course)
    db.session.flush()
    for who, number in (("chi", "GCN-1"), ("hien", None)):
        db.session.add(
            Enrolment(
                course_id=course.id, person_id=city.people[who].id, enrolled_on=world.FOUNDED,
                certificate_number=number,
            )
        )  # fmt: skip
    db.session.commit()
    assert retention.retention_plan(now=NOW, by=SYSTEM).enrolments == 1
    retention.run_retention(now=NOW, by=SYSTEM)
    named = db.session.scalars(select(Enrolment.person_id).order_by(Enrolment.id)).all()
    assert named[0] == city.people["chi"].id
    assert named[1] != city.people["hien"].id
    assert len(named) == 2


def test_members_who_left_long_ago_and_whom_nothing_names_are_forgotten(
    city: world.World, db: Any
) -> None:
    person = city.people["em"].id
    db.session.query(Membership).filter_by(person_id=person).update(
        {"valid_to": world.FOUNDED + timedelta(days=300)}
    )
    db.session.commit()
    assert retention.retention_plan(now=NOW, by=SYSTEM).departed == 1
    retention.run_retention(now=NOW, by=SYSTEM)
    db.session.expire_all()
    assert db.session.get(Person, person).full_name.startswith("Người đã ẩn danh")
