"""Every address × every role × own and other unit, from the program's own map of addresses.

`ROWS` says where the number or code in an address comes from. An address with a place that is not
named there fails, so that a new page cannot be forgotten.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.routing import Rule

from models import (
    ActionPlan,
    CallListEntry,
    Campaign,
    Commendation,
    Course,
    CourseType,
    DataLink,
    DataRequest,
    DocumentTemplate,
    Enrolment,
    Exemption,
    FeedToken,
    HistoryProject,
    IncomingReply,
    MeetingLink,
    OutgoingMessage,
    ReportSnapshot,
    RosterImport,
    Speaker,
    Venue,
    db,
)
from rules.campaigns import CampaignPlan
from rules.permissions import SYSTEM
from services import campaigns, roll
from services.report_snapshots import digest_of
from services.tokens import token_hash
from tests.web.test_access import PUBLIC
from tests.world import FOUNDED, NOW, World, add_meeting, add_person, build_world, signed_in

pytestmark = pytest.mark.backends("sqlite")
"""Who may do what does not depend on the database."""
SECRET = "Bí Mật Của Phường Một"
"""Stands in every row of ward Một that has a name; nobody of ward Hai may ever read it."""
WHO = {
    "quan": {"admin"},
    "an": {"staff"},
    "binh": {"instructor"},
    "doc": {"reader"},
    "nobody": set[str](),
}
OUTSIDE = ("dung", "loan")
"""Staff and an instructor of ward Hai: their roles open the page, their unit does not."""
SHARED = {
    "speakers.show": "speakers serve every unit: name, title and coming meetings, not who attends",
    "speakers.edit": "speakers are kept together by all staff",
    "venues.edit": "venues are kept together by all staff",
    "courses.show": "courses take learners of every unit; each reader sees own units' learners",
    "units.show": "the tree's names are no secret; people and figures are asked apart",
    "campaigns.show": "a campaign of the whole city is everybody's; its figures are scoped",
    "busy.speaker": "speakers serve every unit",
    "busy.venue": "venues serve every unit",
    "unit_decisions.show": "decisions on units are published",
}


LEFT_OUT = {
    "static": "files that hold no data",
    "accounts.sign_out": "ends the very sign-in that asks",
    "accounts.end_other_sign_ins": "ends the very sign-in that asks",
    "accounts.end_sign_in": "ends the very sign-in that asks; its owner is asked in test_sign_ins",
}


@dataclass
class Rows:
    """The numbers and codes of ward Một's rows, by the name of the place in an address."""

    values: dict[str, Any]


@pytest.fixture
def world(app: Flask) -> Iterator[World]:
    with app.app_context():
        built = build_world()
        yield built
        db.session.remove()


def add(row: Any) -> Any:
    db.session.add(row)
    db.session.flush()
    return row


@pytest.fixture
def rows(app: Flask, world: World) -> Rows:
    """One row of ward Một for every kind of number or code that an address names."""
    from tests.world import add_account

    ward, cell = world.units["ward-1"], world.units["cell-1"]
    add_account("loan@test.invalid", "Võ Thị Loan", "instructor", world.units["ward-2"])
    person = add_person("DV100", f"{SECRET} Người", cell, phone="+84911111111")
    ends = FOUNDED + timedelta(days=10)
    exemption = add(Exemption(person_id=person.id, valid_from=FOUNDED, valid_to=ends))
    add(CourseType(code="NTVD", name="Lớp", name_en="Class"))
    course = add(
        Course(
            code="L1", type_code="NTVD", title=f"{SECRET} Lớp", organiser_id=ward.id,
            opens_on=FOUNDED, closes_on=ends, created_at=NOW,
        )
    )  # fmt: skip
    add(Enrolment(course_id=course.id, person_id=person.id, unit_id=cell.id, enrolled_on=FOUNDED))
    db.session.commit()
    meeting = add_meeting(world, topic=f"{SECRET} Buổi", description=SECRET)
    common = {"person_id": person.id, "created_at": NOW}
    message = add(
        OutgoingMessage(
            kind="request", to_address="x@test.invalid", subject=SECRET, body=SECRET.encode(),
            message_id="m", dedup_key="m", meeting_id=meeting.id, due_at=NOW, state="dead",
            **common,
        )
    )  # fmt: skip
    call = add(
        CallListEntry(
            unit_id=cell.id, meeting_id=meeting.id, kind="request", dedup_key="c", text=SECRET,
            **common,
        )
    )  # fmt: skip
    reply = add(
        IncomingReply(
            message_key="r", kind="letter", verdict="for_review", subject=SECRET, raw=b"",
            meeting_id=meeting.id, person_id=person.id, received_at=NOW,
        )
    )  # fmt: skip
    link = add(
        MeetingLink(
            token_hash="l", meeting_id=meeting.id, label=SECRET, created_at=NOW, valid_from=NOW,
            expires_at=NOW + timedelta(days=900),
        )
    )  # fmt: skip
    feed = add(FeedToken(token_hash=token_hash("f"), **common))
    data = add(DataLink(token_hash="d", expires_at=NOW + timedelta(days=900), **common))
    request = add(
        DataRequest(
            person_id=person.id, unit_id=cell.id, kind="access", received_at=NOW,
            answer_by=ends, done_by=ends,
        )
    )  # fmt: skip
    imported = add(
        RosterImport(
            kind="members", file_name=f"{SECRET}.xlsx", stored_name="", state="failed", effective_on=ends,
            unit_id=ward.id, created_at=NOW, by_account_id=world.accounts["an"].id,
        )
    )  # fmt: skip
    history = add(
        HistoryProject(unit_id=ward.id, title=SECRET, state="in_progress", started_on=FOUNDED)
    )
    speaker = add(Speaker(name="Chung", fold="chung"))
    venue = add(Venue(name="Chung", fold="chung"))
    db.session.commit()
    plan = CampaignPlan(
        code="WARD1", title=f"{SECRET} Đợt", opens_on=date(2026, 11, 1),
        deadline_on=date(2026, 12, 15), cutoff_on=date(2026, 11, 1), owner_unit_id=ward.id,
        unit_ids=frozenset({ward.id, world.units["res-ward-1"].id}),
    )  # fmt: skip
    campaigns.create_campaign(plan, now=NOW, by=SYSTEM)
    roll.open_campaign("WARD1", now=NOW, by=SYSTEM)
    campaign_id = db.session.query(Campaign.id).filter_by(code="WARD1").scalar()
    plan_row = add(
        ActionPlan(campaign_id=campaign_id, unit_id=ward.id, due_on=ends, issued_number=SECRET)
    )
    commendation = add(
        Commendation(
            decided_on=ends, decision_number=SECRET, level="grassroots", unit_id=ward.id,
            recipient_kind="collective", recipients=1,
        )
    )  # fmt: skip
    content: dict[str, Any] = {"tables": [], "units": []}
    snapshot = add(
        ReportSnapshot(
            title=SECRET, first_on=FOUNDED, last_on=ends, view="as_was", unit_id=ward.id,
            content=content, digest=digest_of(content), software="1", closed_at=NOW, by_name="An",
        )
    )  # fmt: skip
    add(
        DocumentTemplate(
            unit_id=ward.id, kind="class-list", version=1, file_name=SECRET, content=b"x", size=1,
            digest="0" * 64, uploaded_at=NOW, by_name=SECRET,
        )
    )  # fmt: skip
    db.session.commit()
    found = {
        "person_id": person.id, "exemption_id": exemption.id, "meeting_id": meeting.id,
        "message_id": message.id, "call_id": call.id, "reply_id": reply.id,
        "feed_id": feed.id, "import_id": imported.id, "history_id": history.id,
        "speaker_id": speaker.id, "venue_id": venue.id, "unit_id": ward.id,
        "household_id": world.households[0].id, "account_id": world.accounts["an"].id,
        "group_code": "K1", "unit_code": "DB1", "link_id": link.id, "data_link": data.id,
        "request_id": request.id, "credit_id": 1, "claim_id": 1, "sign_in_id": 1, "rule_id": 1,
        "change_id": 1, "plan_id": 1, "step_id": 1, "visit_id": 1, "work_id": plan_row.id,
        "commendation_id": commendation.id, "snapshot_id": snapshot.id, "form": "study", "column": "x",
        "key": "x", "day": "2026-01-01", "year": 2026,
        "kind": "split", "version": 1, "token": "x", "signed": "x",
    }  # fmt: skip
    return Rows(found)


CODES = {
    "campaigns": "WARD1",
    "coverage": "WARD1",
    "planning": "WARD1",
    "courses": "L1",
    "units": "cell",
}


def code_for(endpoint: str) -> str:
    """What `<code>` names: a campaign, a class, a kind of unit, or a member or unit of a feed."""
    blueprint, _, view = endpoint.partition(".")
    if blueprint == "feeds":
        return "DB1" if "unit" in view else "DV100"
    return CODES.get(blueprint, "WARD1")


def address(app: Flask, rule: Rule, rows: Rows) -> str:
    values: dict[str, Any] = {}
    for name in rule.arguments - set(rule.defaults or {}):
        if name == "code":
            values[name] = code_for(rule.endpoint)
        elif name == "kind" and rule.endpoint.startswith("works."):
            values[name] = "action_plan"
        elif name == "kind" and rule.endpoint.startswith("document_templates."):
            values[name] = "class-list"
        elif rule.endpoint == "privacy.revoke_link":
            values[name] = rows.values["data_link"]
        else:
            assert name in rows.values, f"{rule}: say in `rows` what <{name}> names"
            values[name] = rows.values[name]
    built = rule.build(values)
    assert built is not None, rule
    return built[1]


def roles_of(app: Flask, rule: Rule) -> tuple[str, ...] | None:
    roles: tuple[str, ...] | None = getattr(
        app.view_functions[rule.endpoint], "required_roles", None
    )
    return roles


def methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def client_of(app: Flask, who: str) -> FlaskClient:
    from models import Account

    client = app.test_client()
    if who != "nobody":
        account = db.session.query(Account).filter_by(email=f"{who}@test.invalid").one()
        signed_in(client, account)
    return client


def every(app: Flask) -> list[tuple[Rule, str]]:
    return [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in methods(rule)
        if rule.endpoint not in LEFT_OUT
    ]


def test_every_place_in_every_address_is_known(app: Flask, rows: Rows) -> None:
    for rule, _method in every(app):
        address(app, rule, rows)


@pytest.mark.parametrize("who", WHO)
def test_a_role_opens_what_it_may_and_nothing_else(app: Flask, rows: Rows, who: str) -> None:
    """403 exactly where the role is missing; strangers are sent to sign in."""
    client = client_of(app, who)
    wrong = {}
    cells = 0
    for rule, method in every(app):
        roles = roles_of(app, rule)
        if roles is None or rule.endpoint in PUBLIC or rule.endpoint.startswith("accounts.sign"):
            continue
        cells += 1
        status = client.open(address(app, rule, rows), method=method, data={}).status_code
        may = "admin" in WHO[who] or not roles or bool(WHO[who].intersection(roles))
        if who == "nobody":
            right = status in (302, 401)
        else:
            right = (status != 403 and status < 500) if may else status == 403
            right = right or (may and status == 403 and who != "quan")
        if not right:
            wrong[f"{method} {rule}"] = status
    assert wrong == {}
    assert cells > 150
    assert client.get("/me").status_code == (302 if who == "nobody" else 200), "still signed in"


@pytest.mark.parametrize("who", OUTSIDE)
def test_nobody_of_another_unit_reads_or_changes_a_row(app: Flask, rows: Rows, who: str) -> None:
    """No page names a row of ward Một, and no write to one is accepted, in ward Hai."""
    client = client_of(app, who)
    leaks, changed = {}, {}
    before = contents()
    with writes_of() as writes:
        for rule, method in every(app):
            writes.clear()
            answer = client.open(address(app, rule, rows), method=method, data={})
            if SECRET.encode() in answer.data and rule.endpoint not in SHARED:
                leaks[f"{method} {rule}"] = answer.status_code
            if method == "GET" or not writes - OWN_TABLES:
                continue
            after = contents()
            if after != before and rule.arguments - {"token", "signed", "key"}:
                changed[f"{method} {rule}"] = differences(before, after)
            before = after
    assert client.get("/me").status_code == 200, "still signed in"
    assert leaks == {}
    assert {rule for rule in changed if rule.partition(" ")[2] not in SHARED_RULES} == set()


OWN_TABLES = {"sign_in", "attempt", "audit_entry", "audit_head", "setting", "job_run"}
"""What follows from anybody's being here at all."""
SHARED_RULES = {
    "/speakers/<int:speaker_id>/busy/deletion": "speakers are kept together by all staff",
    "/venues/<int:venue_id>/busy/deletion": "venues are kept together by all staff",
}


@contextmanager
def writes_of() -> Iterator[set[str]]:
    """The tables that statements wrote to since the set was last cleared."""
    found: set[str] = set()

    def note(_c: Any, _u: Any, statement: str, *_rest: Any) -> None:
        words = statement.split(maxsplit=3)
        if words[0] in ("INSERT", "DELETE"):
            found.add(words[2])
        elif words[0] == "UPDATE":
            found.add(words[1])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def contents() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of ward Một's named tables; what belongs to nobody in particular is left out."""
    from models import Base

    db.session.remove()
    with db.engine.connect() as connection:
        return {
            table.name: [tuple(map(str, row)) for row in connection.execute(table.select())]
            for table in Base.metadata.sorted_tables
            if table.name not in OWN_TABLES
        }


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name in before if before[name] != after[name]]


def test_a_get_changes_nothing(app: Flask, rows: Rows) -> None:
    """Reading writes only when somebody was seen, what was looked at, and bytes that can be made
    again."""
    client = client_of(app, "quan")
    written: dict[str, set[str]] = {}
    allowed = OWN_TABLES | {"feed_token", "data_link", "meeting"}
    with writes_of() as writes:
        for rule, method in every(app):
            if method == "GET":
                writes.clear()
                client.get(address(app, rule, rows))
                if writes - allowed:
                    written[str(rule)] = writes - allowed
    assert written == {}


HIDDEN = {
    "id": "999", "is_active": "0", "role": "admin", "grants": "admin", "unit_id": "1",
    "account_id": "1", "created_at": "2000-01-01", "password_hash": "x", "is_admin": "1",
    "died_on": "2000-01-01", "anonymised_at": "2000-01-01", "restricted_on": "2000-01-01",
    "state": "held", "register_state": "locked", "covered_on": "2000-01-01", "sequence": "99",
    "uid": "x", "person_id": "1", "code_": "x", "wants_mail": "1", "modified_at": "2000-01-01",
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "form", "table", "may_change"),
    [
        (
            lambda rows: f"/people/{rows.values['person_id']}",
            {"full_name": "Tên Mới", "language": "vi"},
            "person",
            {"full_name", "family_and_middle", "given_name", "fold", "sort_key", "phone",
             "neutral_titles", "wants_reminders"},
        ),
        (lambda rows: "/me", {"name": "Tên Mới", "language": "vi"}, "account", {"name"}),
    ],
)  # fmt: skip
def test_hidden_fields_change_nothing(
    app: Flask,
    rows: Rows,
    path: Callable[[Rows], str],
    form: dict[str, str],
    table: str,
    may_change: set[str],
) -> None:
    from models import Base

    client = client_of(app, "an")
    tables = Base.metadata.tables
    key = rows.values["person_id"] if table == "person" else rows.values["account_id"]

    def row() -> dict[str, Any]:
        db.session.remove()
        with db.engine.connect() as connection:
            query = tables[table].select().where(tables[table].c.id == key)
            return dict(connection.execute(query).mappings().one())

    before, others = row(), contents()
    assert client.post(path(rows), data=HIDDEN | form).status_code == 303
    after, others_after = row(), contents()
    assert {name for name in before if before[name] != after[name]} <= may_change
    assert differences(others, others_after) in ([table], [])
