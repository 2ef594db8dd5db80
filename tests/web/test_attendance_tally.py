"""The door for households that groups' heads declare at a meeting."""

import uuid
from datetime import UTC, datetime

from tests import world
from tests.services import campaign_plans as plans


def test_a_declaration_is_answered_with_its_verdict_and_stands_on_the_page(app, db):
    city = world.build_world()
    code = plans.opened(city, household_counting="tally")
    meeting = plans.sitting(city, code, invite=("group-1",), at=datetime.now(UTC))
    client = app.test_client()
    world.signed_in(client, city.accounts["an"])
    one = {"id": str(uuid.uuid4()), "unit": city.units["group-1"].id, "households": 2}
    body = {"tallies": [one, one | {"id": str(uuid.uuid4()), "households": 99}]}
    answer = client.post(f"/attendance/{meeting.id}/tallies", json=body)
    assert answer.status_code == 200
    verdicts = [tally["verdict"] for tally in answer.json["tallies"]]
    assert (answer.json["ok"], verdicts) == (True, ["stored", "refused"])
    assert "tổng số hộ" in answer.json["tallies"][1]["reason"]
    page = client.get(f"/attendance/{meeting.id}").get_data(as_text=True)
    assert 'class="tally"' in page
    assert 'data-declared="2"' in page


def test_a_stranger_declares_nothing(app, db):
    city = world.build_world()
    code = plans.opened(city, household_counting="tally")
    meeting = plans.sitting(city, code, invite=("group-1",), at=datetime.now(UTC))
    answer = app.test_client().post(f"/attendance/{meeting.id}/tallies", json={"tallies": []})
    assert answer.status_code == 401
