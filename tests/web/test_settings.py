"""The settings' page: values in bounds, days off, reminder rules; for administrators only."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from models import AuditEntry, CalendarDay, ReminderRule, db
from services import settings
from services.transaction import reading
from tests.world import World, build_world, signed_in


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


@pytest.fixture
def quan(client: FlaskClient, world: World) -> FlaskClient:
    return signed_in(client, world.accounts["quan"])


def values(**changes: str) -> dict[str, str]:
    return {key: spec.default for key, spec in settings.SPECS.items()} | changes


def test_settings_have_defaults_and_keep_what_is_chosen(quan: FlaskClient) -> None:
    assert settings.setting_number(reading(), "travel_minutes") == 30
    sent = quan.post("/settings", data=values(travel_minutes="45", mail_name="Lịch họp"))
    assert sent.status_code == 303
    db.session.rollback()
    assert settings.setting_number(reading(), "travel_minutes") == 45
    assert settings.setting_text(reading(), "mail_name") == "Lịch họp"
    entry = db.session.query(AuditEntry).filter_by(entity="setting").one()
    assert entry.details["travel_minutes"] == {"before": "30", "after": "45"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"travel_minutes": "-1"},
        {"travel_minutes": "999"},
        {"mail_name": ""},
        {"feed_days_back": "x"},
    ],
)
def test_one_wrong_value_changes_nothing(quan: FlaskClient, wrong: dict[str, str]) -> None:
    sent = quan.post("/settings", data=values(register_link_days="3") | wrong)
    assert sent.status_code == 422
    db.session.rollback()
    assert settings.setting_number(reading(), "register_link_days") == 1


def test_a_day_is_added_shown_and_taken_away(quan: FlaskClient) -> None:
    form = {"on": "2026-11-27", "kind": "off", "name": "Nghỉ bù"}
    assert quan.post("/settings/days", data=form).status_code == 303
    page = quan.get("/settings?year=2026").text
    assert "Nghỉ bù" in page
    assert "Quốc khánh" in page
    assert quan.post("/settings/days/2026-11-27/removal").status_code == 303
    assert db.session.query(CalendarDay).count() == 0
    assert quan.post("/settings/days/2026-11-27/removal").status_code == 404
    assert quan.post("/settings/days", data=form | {"name": ""}).status_code == 422


def test_reminders_are_added_once_and_switched(quan: FlaskClient) -> None:
    form = {"amount": "7", "unit": "days", "kind": ""}
    assert quan.post("/settings/reminders", data=form).status_code == 303
    assert quan.post("/settings/reminders", data=form).status_code == 422
    rule = db.session.query(ReminderRule).one()
    assert rule.minutes_before == 7 * 24 * 60
    assert quan.post(f"/settings/reminders/{rule.id}", data={"is_active": "0"}).status_code == 303
    db.session.rollback()
    assert not db.session.get_one(ReminderRule, rule.id).is_active
    for wrong in ({"amount": "0"}, {"amount": ""}, {"amount": "61"}, {"kind": "khác"}):
        assert quan.post("/settings/reminders", data=form | wrong).status_code == 422


def test_staff_do_not_open_the_settings(client: FlaskClient, world: World) -> None:
    an = signed_in(client, world.accounts["an"])
    assert an.get("/settings").status_code == 403
    assert an.post("/settings", data=values()).status_code == 403
