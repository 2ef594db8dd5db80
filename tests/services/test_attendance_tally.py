"""Groups' heads declare households at a meeting, by a link too; a replay writes nothing again."""

import uuid
from typing import Any

import pytest
from sqlalchemy import func, select

from models import HouseholdTally, Meeting, db
from rules.permissions import SYSTEM, Actor
from rules.refusals import Malformed, NotFound
from services import coverage
from services.attendance_tally import group_tallies, record_tallies
from services.meeting_links import actor_of_link, create_meeting_link
from tests import world
from tests.services import campaign_plans as plans


@pytest.fixture
def meeting(db) -> tuple[world.World, str, Meeting, Actor]:
    city = world.build_world()
    code = plans.opened(city, household_counting="tally")
    made = plans.sitting(city, code, invite=("group-1",))
    link = create_meeting_link(made.id, now=world.NOW, by=SYSTEM)
    by = actor_of_link(link.token, now=world.NOW)
    assert by is not None
    return city, code, made, by


def told(unit: Any, households: Any, **more: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "unit": unit, "households": households, **more}


def declare(made: Meeting, by: Actor, *items: Any) -> list[str]:
    body = {"tallies": list(items)}
    done = record_tallies(made.id, body, now=made.starts_at, by=by)
    return [verdict.kind for _, verdict in done]


def test_a_link_declares_for_the_meetings_own_groups_and_coverage_moves(meeting):
    city, code, made, by = meeting
    (group,) = group_tallies(made.id, now=made.starts_at, by=by)
    assert (group.unit_id, group.declared) == (city.units["group-1"].id, None)
    assert declare(made, by, told(group.unit_id, 3)) == ["stored"]
    assert group_tallies(made.id, now=made.starts_at, by=by)[0].declared == 3
    figures = coverage.campaign_figures(code, by=SYSTEM, today=world.TODAY)
    assert figures.households.covered == 3


def test_a_replay_is_known_even_after_a_higher_figure(meeting):
    _, _, made, by = meeting
    (group,) = group_tallies(made.id, now=made.starts_at, by=by)
    first, second = told(group.unit_id, 2), told(group.unit_id, 4)
    assert declare(made, by, first, second) == ["stored", "stored"]
    assert declare(made, by, first, second) == ["known", "known"]
    assert db.session.scalar(select(func.count()).select_from(HouseholdTally)) == 2


def test_each_wrong_declaration_is_refused_alone_with_a_reason(meeting):
    city, _, made, by = meeting
    (group,) = group_tallies(made.id, now=made.starts_at, by=by)
    own = group.unit_id
    items = [
        told(own, 4),
        told(own, 3),
        told(own, group.total + 1),
        told(own, -1),
        told(own, True),
        told(own, "3"),
        told(city.units["group-2"].id, 1),
        {"unit": own, "households": 4},
        None,
        told(own, 3, is_correction=True),
    ]
    kinds = declare(made, by, *items)
    assert kinds == ["stored", *["refused"] * 8, "stored"]
    assert group_tallies(made.id, now=made.starts_at, by=by)[0].declared == 3


@pytest.mark.parametrize("body", [None, [], {}, {"tallies": {}}, {"tallies": [{}] * 101}])
def test_a_body_of_another_shape_is_refused_whole(meeting, body):
    _, _, made, by = meeting
    with pytest.raises(Malformed):
        record_tallies(made.id, body, now=made.starts_at, by=by)


def test_another_meetings_link_declares_nothing_here(meeting):
    city, code, made, by = meeting
    other = plans.sitting(city, code, invite=("group-2",))
    with pytest.raises(NotFound):
        record_tallies(other.id, {"tallies": []}, now=made.starts_at, by=by)


def test_a_campaign_that_counts_by_checklist_shows_no_groups(db):
    city = world.build_world()
    code = plans.opened(city)
    made = plans.sitting(city, code, invite=("group-1",))
    assert group_tallies(made.id, now=made.starts_at, by=SYSTEM) == []
