"""Make-up in one action: from the missing list to meetings that invite exactly those people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from models import Campaign, Invitation, Meeting
from rules.campaigns import check_open
from rules.days import local_day
from rules.makeup import Missing, sitting_times, sittings
from rules.permissions import Actor
from services import audit, meetings
from services.access import require_role
from services.campaigns import campaign_for
from services.coverage import MissingPerson, missing_of
from services.meeting_fields import MeetingFields
from services.transaction import reading, writing


@dataclass(frozen=True)
class MakeupCall:
    """What staff choose when they call the missing to a make-up; times are of the first sitting.

    `unit` is a unit's code, None for everybody missing. `seats` per sitting, None for one sitting.
    `skip_invited` leaves out whoever is invited to a make-up still to come.
    """

    starts_at: datetime
    ends_at: datetime
    organiser_id: int
    topic: str
    unit: str | None = None
    venue_id: int | None = None
    place: str = ""
    online_url: str = ""
    speaker_ids: tuple[int, ...] = ()
    campaign_topic_id: int | None = None
    seats: int | None = None
    by_unit: bool = False
    days_between: int = 1
    skip_invited: bool = True
    publish: bool = False
    override_reason: str = ""


@dataclass(frozen=True)
class MakeupResult:
    """The meetings made, and how many people they invite."""

    meeting_ids: tuple[int, ...]
    invited: int


@dataclass(frozen=True)
class MakeupCandidates:
    """Who would be invited, and how many of the missing already are."""

    to_invite: tuple[MissingPerson, ...]
    invited_already: int


def call_makeup(code: str, call: MakeupCall, *, now: datetime, by: Actor) -> MakeupResult:
    """Invite everybody missing to study meetings of the same campaign, as drafts or published.

    Presence there counts to the campaign, in its make-up round. All meetings or none.
    """
    require_role(by, "staff")
    with writing() as session:
        campaign = campaign_for(session, by, code, now)
        check_open(campaign.title, campaign.state)
        people = _to_invite(session, campaign, call.unit, call.skip_invited, now, by)
        parts = sittings(
            [Missing(person, person.grassroots_id) for person in people],
            seats=call.seats,
            by_unit=call.by_unit,
        )
        times = sitting_times(
            call.starts_at, call.ends_at, count=len(parts), days_between=call.days_between
        )
        made = [
            _sitting(session, campaign, call, at, [one.who for one in part], now, by)
            for part, at in zip(parts, times, strict=True)
        ]
        session.flush()
        if call.publish:
            meetings.publish_drafts(
                session, made, override_reason=call.override_reason, now=now, by=by
            )
        audit.record(
            session,
            now=now,
            by=by,
            action="called_makeup",
            entity="campaign",
            entity_id=campaign.id,
            unit_id=call.organiser_id,
            meetings=[meeting.id for meeting in made],
            invited=len(people),
            unit=call.unit,
        )
        return MakeupResult(tuple(meeting.id for meeting in made), len(people))


def makeup_candidates(
    code: str, *, now: datetime, by: Actor, unit: str | None = None
) -> MakeupCandidates:
    """Whom a make-up would invite now: the missing who are not yet invited to one."""
    require_role(by, "staff")
    session = reading()
    campaign = campaign_for(session, by, code, now)
    everybody = missing_of(session, campaign, by=by, today=local_day(now), unit=unit, role="staff")
    invited = _invited_to_come(session, campaign.id, now)
    to_invite = tuple(person for person in everybody if person.person_id not in invited)
    return MakeupCandidates(to_invite, len(everybody) - len(to_invite))


def _to_invite(
    session: Session,
    campaign: Campaign,
    unit: str | None,
    skip_invited: bool,
    now: datetime,
    by: Actor,
) -> list[MissingPerson]:
    people = missing_of(session, campaign, by=by, today=local_day(now), unit=unit, role="staff")
    if not skip_invited:
        return people
    invited = _invited_to_come(session, campaign.id, now)
    return [person for person in people if person.person_id not in invited]


def _invited_to_come(session: Session, campaign_id: int, now: datetime) -> frozenset[int]:
    """Who is invited to a make-up of the campaign that is still to come, drafts included."""
    return frozenset(
        session.scalars(
            select(Invitation.person_id)
            .join(Meeting, Meeting.id == Invitation.meeting_id)
            .where(
                Meeting.campaign_id == campaign_id,
                Meeting.is_makeup,
                Meeting.state.in_(("draft", "published")),
                Meeting.ends_at > now,
                Invitation.removed_at.is_(None),
            )
        )
    )


def _sitting(
    session: Session,
    campaign: Campaign,
    call: MakeupCall,
    at: tuple[datetime, datetime],
    people: Sequence[MissingPerson],
    now: datetime,
    by: Actor,
) -> Meeting:
    fields = MeetingFields(
        kind="study",
        topic=call.topic,
        starts_at=at[0],
        ends_at=at[1],
        organiser_id=call.organiser_id,
        campaign_id=campaign.id,
        campaign_topic_id=call.campaign_topic_id,
        is_makeup=True,
        mode="online" if call.online_url and not (call.venue_id or call.place) else "in_person",
        venue_id=call.venue_id,
        place=call.place,
        online_url=call.online_url,
        capacity=call.seats,
        speaker_ids=call.speaker_ids,
        unit_ids=tuple(sorted({person.unit_id for person in people})),
    )
    meeting = meetings.add_meeting(session, fields, now=now, by=by)
    session.flush()
    _invite(session, meeting.id, people, now)
    return meeting


def _invite(
    session: Session, meeting_id: int, people: Sequence[MissingPerson], now: datetime
) -> None:
    session.execute(
        insert(Invitation),
        [
            {
                "meeting_id": meeting_id,
                "person_id": person.person_id,
                "unit_id": person.unit_id,
                "source": "makeup",
                "reply": "none",
                "excused": False,
                "created_at": now,
            }
            for person in people
        ],
    )
