"""Gives every address of the running demonstration that answers a GET, with examples; as JSON."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import islice, product
from urllib.parse import urlencode

from sqlalchemy import select
from werkzeug.routing import Rule

from app import create_app
from models import (
    Account,
    ActionPlan,
    Campaign,
    Commendation,
    Course,
    DataRequest,
    HistoryProject,
    Household,
    Invitation,
    Meeting,
    Person,
    Speaker,
    Unit,
    UnitKind,
    Venue,
    db,
)
from rules.permissions import SYSTEM
from rules.unit_changes import Plan, Successor
from services.document_templates import store_template, template_starter, use_template
from services.feeds import create_member_feed
from services.letters import opt_out_url, reply_url
from services.meeting_links import create_meeting_link
from services.privacy import make_link
from services.report_snapshots import close_report
from services.unit_decisions import draft_decision

EXAMPLES = 12


def _campaign_in(state: str) -> None:
    """The demonstration's only campaign is open; pages of the other states need one as well."""
    model = db.session.scalars(select(Campaign)).first()
    assert model is not None
    now = datetime.now(UTC)
    db.session.add(
        Campaign(
            code=f"THU-{state.upper()}",
            title=f"Đợt thử ({state})",
            owner_unit_id=model.owner_unit_id,
            opens_on=model.opens_on,
            deadline_on=model.deadline_on,
            cutoff_on=model.cutoff_on,
            state=state,
            closed_at=now if state == "closed" else None,
            created_at=now,
        )
    )
    db.session.commit()


def _meetings() -> list[int]:
    """Two meetings of every state and way of counting."""
    found: list[int] = []
    for state, counting in product(
        ("published", "held", "draft", "cancelled", "not_held"), ("roll", "heads")
    ):
        found += db.session.scalars(
            select(Meeting.id)
            .where(Meeting.state == state, Meeting.counting == counting)
            .order_by(Meeting.starts_at.desc())
            .limit(2)
        )
    return found


def _values() -> dict[str, list[object]]:
    def some(column: object, *where: object) -> list[object]:
        query = select(column).where(*where).limit(3)  # type: ignore[call-overload]  # columns by name
        return list(db.session.scalars(query))

    cells = some(Unit.code, Unit.tree == "party", Unit.parent_id.is_not(None))
    return {
        "account_id": some(Account.id),
        "campaigns.code": some(Campaign.code),
        "code": some(Campaign.code) + some(Course.code) + some(UnitKind.code),
        "course_id": some(Course.id),
        "group_code": some(Unit.code, Unit.tree == "residential"),
        "household_id": some(Household.id),
        "meeting_id": list(_meetings()),
        "members.code": some(Person.code, Person.code.is_not(None)),
        "person_id": some(Person.id),
        "speaker_id": some(Speaker.id),
        "unit_code": cells,
        "unit_id": some(Unit.id),
        "units.code": cells,
        "venue_id": some(Venue.id),
        "year": [2026],
    }


def _examples(rule: Rule, values: dict[str, list[object]]) -> Iterator[str]:
    names = sorted(rule.arguments)
    special = {"feeds.member_index": "members.code", "feeds.unit_index": "units.code"}
    choices = [values.get(special.get(rule.endpoint, name), []) for name in names]
    for chosen in islice(product(*choices), EXAMPLES):
        built = rule.build(dict(zip(names, chosen, strict=True)))
        assert built is not None
        yield built[1]


def _works(unit_id: int, today: date) -> dict[str, list[str]]:
    """One of each work that is followed: a plan that is due, a history, a commendation."""
    campaign = db.session.scalars(select(Campaign.id)).first()
    plan = db.session.scalars(select(ActionPlan)).first() or ActionPlan(
        campaign_id=campaign, unit_id=unit_id, due_on=today
    )
    history = HistoryProject(
        unit_id=unit_id, title="Lịch sử thử", state="in_progress", started_on=today
    )
    commendation = Commendation(
        decided_on=today,
        decision_number="1-QĐ/TU",
        level="grassroots",
        unit_id=unit_id,
        recipient_kind="collective",
        recipients=1,
    )
    db.session.add_all((plan, history, commendation))
    db.session.commit()
    return {
        "works.edit_due": [f"/works/dues/action_plan/{plan.id}"],
        "works.edit_history": [f"/works/histories/{history.id}"],
        "works.edit_commendation": [f"/works/commendations/{commendation.id}"],
    }


def _request(person_id: int, now: datetime) -> int:
    """What a person asks about their own data."""
    day = now.date()
    row = DataRequest(
        person_id=person_id, kind="access", received_at=now, answer_by=day, done_by=day
    )
    db.session.add(row)
    db.session.commit()
    return row.id


def _templates(unit_id: int, now: datetime) -> dict[str, list[str]]:
    """A kind with two versions of a template, one of them in use, and its files."""
    home = f"/units/{unit_id}/templates/class-list"
    content = template_starter(unit_id, "class-list", now=now, by=SYSTEM)
    for name in ("Danh sách lớp của phường.docx", "Danh sách lớp, sửa lần 2.docx"):
        version = store_template(unit_id, "class-list", content, name, now=now, by=SYSTEM)
    use_template(unit_id, "class-list", version, now=now, by=SYSTEM)
    return {
        "document_templates.show": [home],
        "document_templates.starter": [f"{home}/starter"],
        "document_templates.file": [f"{home}/versions/{version}/file"],
        "document_templates.preview": [f"{home}/versions/{version}/preview"],
    }


def _particular_addresses() -> dict[str, list[str]]:
    """The pages whose address is their own key, or asks for what the map does not show."""
    now = datetime.now(UTC)
    invitation, person = db.session.execute(
        select(Invitation.id, Invitation.person_id).join(Meeting).where(Meeting.starts_at > now)
    ).first() or (None, None)
    meeting = db.session.scalars(
        select(Meeting.id).where(Meeting.state == "published", Meeting.starts_at > now)
    ).first()
    assert meeting is not None
    assert person is not None
    link = create_meeting_link(meeting, can_submit=True, now=now, by=SYSTEM)
    code = db.session.scalars(select(Person.code).where(Person.id == person)).one()
    assert code is not None
    card = create_member_feed(code, now=now, by=SYSTEM)
    new_time = {"starts_at": "2030-05-20T08:00:00+07:00", "ends_at": "2030-05-20T10:00:00+07:00"}
    draft = db.session.scalars(select(Meeting.id).where(Meeting.state == "draft")).first()
    ward = db.session.scalars(select(Unit.id).where(Unit.parent_id.is_not(None))).first()
    assert ward is not None
    own = make_link(person, now=now, by=SYSTEM)
    rename = Plan("rename", now.date(), (ward,), (Successor(ward, name="Tên thử"),))
    decision = draft_decision(rename, number="1-QĐ/TU", decided_on=now.date(), now=now, by=SYSTEM)
    closed = close_report(
        "Báo cáo thử", date(2026, 1, 1), date(2026, 3, 31), "as_was", now=now, by=SYSTEM
    )
    return {
        **_works(ward, now.date()),
        "documents.show": [f"/documents/week/{now.date()}"],
        **_templates(ward, now),
        "closed_reports.show": [f"/reports/closed/{closed}"],
        "privacy.own": [own[own.index("/my-data/") :]],
        "privacy.show": [f"/privacy/requests/{_request(person, now)}"],
        "reports.rows": [
            f"/reports/tables/{table}/rows/{column}"
            for table, column in product(("outreach", "outreach:all"), ("meetings", "visits"))
        ],
        "reports.table": ["/reports/tables/study"],
        "unit_decisions.show": [f"/unit-decisions/{decision}"],
        "unit_decisions.new": [f"/unit-decisions/split/new/{ward}"],
        "meetings.change": [f"/meetings/{meeting}/change?{urlencode(new_time)}"],
        "meetings.publication": [f"/meetings/publications?id={draft}"],
        "attendance.link": [f"/attendance/link/{link.token}"],
        "door.card": [f"/card/{card.rpartition('/')[2].removesuffix('.ics')}"],
        "feeds.show": [f"/subscriptions/{card.rpartition('/')[2].removesuffix('.ics')}"],
        "reminders.show": [opt_out_url(person)],
        "replies.show": [reply_url(f"i{invitation}")],
    }


def addresses() -> dict[str, list[str]]:
    """Every endpoint that a GET reaches, with addresses of it; the first that answers will do."""
    app = create_app()
    with app.app_context():
        for state in ("draft", "closed"):
            _campaign_in(state)
        values = _values()
        found = {
            rule.endpoint: list(_examples(rule, values))
            for rule in app.url_map.iter_rules()
            if "GET" in (rule.methods or ()) and rule.endpoint != "static"
        }
        return {**found, **_particular_addresses()}


if __name__ == "__main__":
    print(json.dumps(addresses()))
