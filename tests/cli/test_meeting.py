"""`flask meeting` and `flask plan`: the names and shapes that scripts rely on."""

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Flask

from rules.days import instant, local_day
from tests.services import campaign_plans as plans
from tests.world import add_meeting, build_world

TODAY = local_day(datetime.now(UTC))
COMING = TODAY + timedelta(days=1)


def run(app: Flask, *args: str) -> Any:
    return app.test_cli_runner().invoke(args=list(args))


def test_meetings_of_a_day_are_listed(app: Flask) -> None:
    with app.app_context():
        world = build_world()
        meeting_id = add_meeting(world, at=instant(COMING, time(7, 30)), topic="Học tập").id
        add_meeting(world, at=instant(COMING + timedelta(days=1), time(8)))
    done = run(app, "meeting", "list", "--date", COMING.isoformat(), "--json")
    assert done.exit_code == 0
    [line] = json.loads(done.stdout)
    assert line == {
        "id": meeting_id,
        "kind": "study",
        "topic": "Học tập",
        "starts_at": f"{COMING.isoformat()}T07:30:00+07:00",
        "ends_at": f"{COMING.isoformat()}T09:30:00+07:00",
        "place": "Hội trường phường Một",
        "state": "published",
        "register": "not_taken",
        "invited": 0,
        "present": 0,
    }
    assert "Học tập" in run(app, "meeting", "list").stdout


def test_a_campaigns_meetings_are_listed_and_an_unknown_one_refused(app: Flask) -> None:
    with app.app_context():
        world = build_world()
        plans.sitting(world, plans.opened(world))
        add_meeting(world)
    listed = run(app, "meeting", "list", "--campaign", "NQ01", "--json")
    assert len(json.loads(listed.stdout)) == 1
    unknown = run(app, "meeting", "list", "--campaign", "KHONG")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert run(app, "meeting", "list", "--date", "mai").exit_code == 1
    assert run(app, "meeting", "list", "--ngay").exit_code == 2


def test_the_instructors_link_opens_the_register(app: Flask) -> None:
    with app.app_context():
        meeting_id = add_meeting(build_world(), at=instant(TODAY, time(12))).id
    done = run(app, "meeting", "link", str(meeting_id), "--json")
    assert done.exit_code == 0
    link = json.loads(done.stdout)
    assert set(link) == {"url", "token", "expires_at"}
    assert link["token"] in link["url"]
    answer = app.test_client().get("/" + link["url"].split("/", 3)[3])
    assert answer.status_code == 200
    assert run(app, "meeting", "link", "999").exit_code == 1


def test_a_plan_is_proposed(app: Flask) -> None:
    with app.app_context():
        world = build_world()
        plans.opened(world, deadline_on=max(TODAY, date(2026, 12, 1)) + timedelta(days=30))
    args = ("plan", "propose", "NQ01", "--json", "--seconds", "1", "--seed", "7")
    first, second = run(app, *args), run(app, *args)
    assert first.exit_code == 0
    proposal = json.loads(first.stdout)
    assert {"campaign", "meetings", "expected", "bound", "unmet"} <= set(proposal)
    assert proposal["expected"]["covered"] == 6
    assert first.stdout == second.stdout
    assert run(app, "plan", "propose", "KHONG").exit_code == 1
