"""Campaigns for tests: a plan over both trees of the small city, opened, with marks written down."""

from datetime import date, datetime, timedelta
from typing import Any

from models import Campaign, Meeting, Person, RegisterLine, db
from rules.campaigns import CampaignPlan
from rules.permissions import SYSTEM
from services import campaigns, roll
from services.coverage_ledger import refresh_subjects
from tests import world


def plan_over_everything(city: world.World, **values: Any) -> CampaignPlan:
    """The plan of a campaign over the whole city, both trees."""
    values.setdefault("code", "NQ01")
    values.setdefault("title", "Nghị quyết thử nghiệm")
    values.setdefault("opens_on", date(2026, 11, 1))
    values.setdefault("deadline_on", date(2026, 12, 15))
    values.setdefault("cutoff_on", date(2026, 11, 1))
    values.setdefault("owner_unit_id", city.units["city"].id)
    values.setdefault("unit_ids", frozenset({city.units["city"].id, city.units["res-city"].id}))
    return CampaignPlan(**values)


def opened(city: world.World, **values: Any) -> str:
    """The code of an open campaign over everything."""
    code = campaigns.create_campaign(plan_over_everything(city, **values), now=world.NOW, by=SYSTEM)
    roll.open_campaign(code, now=world.NOW, by=SYSTEM)
    return code


def campaign_id(code: str) -> int:
    return db.session.query(Campaign.id).filter_by(code=code).scalar()


def sitting(city: world.World, code: str, **values: Any) -> Meeting:
    """A meeting of the campaign."""
    return world.add_meeting(city, campaign_id=campaign_id(code), **values)


def attend(meeting: Meeting, person: Person, status: str = "present") -> None:
    """One line of the register, and what it changes on the roll."""
    subject = f"m:{person.id}"
    _write_line(meeting, subject, status, person_id=person.id)


def attend_household(meeting: Meeting, household_id: int, status: str = "present") -> None:
    """Somebody came for a household."""
    _write_line(meeting, f"h:{household_id}", status, household_id=household_id)


def _write_line(meeting: Meeting, subject: str, status: str, **ids: int) -> None:
    session = db.session()
    session.merge(
        RegisterLine(meeting_id=meeting.id, subject=subject, status=status, mark_id="x", **ids)
    )
    session.flush()
    refresh_subjects(session, meeting.campaign_id or 0, [subject])
    session.commit()


def days_later(days: int) -> datetime:
    """The fixed now of the tests, so many days on."""
    return world.NOW + timedelta(days=days)
