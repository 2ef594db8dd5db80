"""Meetings as people look them up: lists with filters, one meeting's page, and a form's choices."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import ColumnElement, Row, Select, func, or_, select
from sqlalchemy.orm import Session

from models import (
    AuditEntry,
    Campaign,
    CampaignTopic,
    Course,
    Invitation,
    Meeting,
    MeetingPoint,
    MeetingSpeaker,
    MeetingUnit,
    Speaker,
    Unit,
    Venue,
)
from rules.clashes import Clash
from rules.days import instant, local_day
from rules.parts import in_parts
from rules.permissions import Actor
from rules.text import fold, matches
from services.access import (
    meeting_for,
    meetings_visible_to,
    require_role,
    subtree,
    units_visible_to,
)
from services.campaigns import campaign_list
from services.clashes import clashes_among
from services.meeting_fields import LISTED_ONE_BY_ONE, MeetingFields, fields_of, wanted_by
from services.transaction import reading
from services.units import UnitNode, unit_names_on, unit_options, unit_tree

PAGE_SIZE = 50
HISTORY_LENGTH = 30
TAKEN_STATES = ("published", "held")


@dataclass(frozen=True)
class MeetingFilter:
    """Which meetings a list is about; days are local and both included."""

    first_on: date | None = None
    last_on: date | None = None
    kind: str = ""
    state: str = ""
    campaign: str = ""
    course: str = ""
    unit_id: int | None = None
    series_id: int | None = None
    register_missing: bool = False
    words: str = ""
    newest_first: bool = False


@dataclass(frozen=True)
class MeetingLine:
    """A meeting in a list."""

    id: int
    kind: str
    topic: str
    starts_at: datetime
    ends_at: datetime
    place: str
    state: str
    register_state: str
    is_makeup: bool
    organiser: str
    campaign_code: str
    campaign_title: str
    speakers: str
    invited: int
    present: int
    visits: int
    periods: int | None = None


@dataclass(frozen=True)
class MeetingPage:
    """One page of a list, and how many meetings and pages there are."""

    lines: tuple[MeetingLine, ...]
    number: int
    pages: int
    total: int


@dataclass(frozen=True)
class SpeakerLine:
    """A speaker of a meeting and their answer."""

    name: str
    title: str
    reply: str


@dataclass(frozen=True)
class PointLine:
    """A point of a meeting, where it is and who takes part there."""

    name: str
    place: str
    chair: str
    units: tuple[str, ...]


@dataclass(frozen=True)
class HistoryLine:
    """One thing that happened to a meeting."""

    at: datetime
    by: str
    action: str
    reason: str
    changes: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class MeetingView:
    """Everything a meeting's page shows. `replies` counts the answers of the invited."""

    line: MeetingLine
    description: str
    mode: str
    online_url: str
    chair: str
    capacity: int | None
    counting: str
    state_reason: str
    heads: int
    organiser_id: int
    campaign_topic: str
    course_code: str
    course_title: str
    series_id: int | None
    speakers: tuple[SpeakerLine, ...]
    units: tuple[str, ...]
    points: tuple[PointLine, ...]
    invited_by_name: int
    replies: dict[str, int]
    modified_at: datetime
    published_at: datetime | None
    may_edit: bool
    may_take_register: bool
    clashes: tuple[Clash, ...]
    history: tuple[HistoryLine, ...]


@dataclass(frozen=True)
class MeetingChoices:
    """What a meeting's form offers: ids with names, and the units as a tree."""

    organisers: tuple[tuple[int, str], ...]
    campaigns: tuple[tuple[int, str], ...]
    topics: tuple[tuple[int, str, str], ...]
    courses: tuple[tuple[int, str], ...]
    venues: tuple[tuple[int, str], ...]
    speakers: tuple[tuple[int, str], ...]
    units: tuple[UnitNode, ...]
    other_units: tuple[tuple[int, str], ...] = ()


def meeting_page(
    wanted: MeetingFilter, *, page: int = 1, size: int = PAGE_SIZE, now: datetime, by: Actor
) -> MeetingPage:
    """One page of the meetings the actor may see; the queries are as many for any number of rows."""
    session = reading()
    conditions = _conditions(session, wanted, now, by)
    total = session.scalar(select(func.count(Meeting.id)).where(*conditions)) or 0
    pages = max(1, -(-total // size))
    number = min(max(page, 1), pages)
    order = Meeting.starts_at.desc() if wanted.newest_first else Meeting.starts_at
    rows = session.execute(
        _lines_query()
        .where(*conditions)
        .order_by(order, Meeting.id)
        .limit(size)
        .offset((number - 1) * size)
    ).all()
    return MeetingPage(tuple(_lines(session, rows)), number, pages, total)


def meeting_lines(wanted: MeetingFilter, *, now: datetime, by: Actor) -> list[MeetingLine]:
    """All meetings of a filter, for calendars, prints and commands."""
    session = reading()
    rows = session.execute(
        _lines_query()
        .where(*_conditions(session, wanted, now, by))
        .order_by(Meeting.starts_at, Meeting.id)
    ).all()
    return _lines(session, rows)


def meeting_view(meeting_id: int, *, now: datetime, by: Actor) -> MeetingView:
    """One meeting with all its facts; a draft brings its clashes along."""
    session = reading()
    on = local_day(now)
    meeting = meeting_for(session, by, meeting_id, on)
    row = session.execute(_lines_query().where(Meeting.id == meeting.id)).one()
    may_edit = _within(session, by, meeting.id, on, "staff")
    course = session.get(Course, meeting.course_id) if meeting.course_id else None
    topic = (
        session.get(CampaignTopic, meeting.campaign_topic_id) if meeting.campaign_topic_id else None
    )
    units = _unit_names(session, [link.unit_id for link in meeting.units])
    return MeetingView(
        line=_lines(session, [row])[0],
        description=meeting.description,
        mode=meeting.mode,
        online_url=meeting.online_url,
        chair=meeting.chair,
        capacity=meeting.capacity,
        counting=meeting.counting,
        state_reason=meeting.state_reason,
        heads=meeting.heads_count,
        organiser_id=meeting.organiser_id,
        campaign_topic=topic.title if topic else "",
        course_code=course.code if course else "",
        course_title=course.title if course else "",
        series_id=meeting.series_id,
        speakers=_speaker_lines(meeting),
        units=tuple(units[link.unit_id] for link in meeting.units if link.point_id is None),
        points=tuple(_point_line(point, meeting, units) for point in meeting.points),
        invited_by_name=_listed(session, meeting.id),
        replies=_replies(session, meeting.id),
        modified_at=meeting.modified_at,
        published_at=meeting.published_at,
        may_edit=may_edit,
        may_take_register=_within(session, by, meeting.id, on, "staff", "instructor"),
        clashes=_clashes(session, meeting, by) if may_edit else (),
        history=_history(session, meeting.id),
    )


def meeting_choices(
    kept: MeetingFields | None = None, *, now: datetime, by: Actor
) -> MeetingChoices:
    """What the form of a meeting offers to this person, and what the meeting `kept` has already."""
    require_role(by, "staff")
    session = reading()
    on = local_day(now)
    campaigns = campaign_list(today=on, by=by, states=("open", "draft"))
    units = unit_tree(on=on, by=by, roles=("staff",))
    offered = {unit.id for unit in units}
    others = set(kept.unit_ids) - offered if kept else set()
    return MeetingChoices(
        organisers=tuple(unit_options(by, on, tree="party", roles=("staff",))),
        campaigns=tuple((line.id, f"{line.code} · {line.title}") for line in campaigns),
        topics=_topic_choices(session, {line.id: line.code for line in campaigns}),
        courses=_course_choices(session, by, on),
        venues=_venue_choices(session, kept),
        speakers=_speaker_choices(session, kept),
        units=tuple(units),
        other_units=tuple(unit_names_on(session, others, on).items()),
    )


def venue_of_unit(session: Session, unit_id: int) -> int | None:
    """The first place in use that belongs to a unit, for meetings made one per unit."""
    return session.scalar(
        select(Venue.id)
        .where(Venue.unit_id == unit_id, Venue.is_active)
        .order_by(Venue.id)
        .limit(1)
    )


def _conditions(
    session: Session, wanted: MeetingFilter, now: datetime, by: Actor
) -> list[ColumnElement[bool]]:
    on = local_day(now)
    conditions = [meetings_visible_to(by, on)]
    if wanted.first_on:
        conditions.append(Meeting.starts_at >= instant(wanted.first_on, time()))
    if wanted.last_on:
        conditions.append(Meeting.starts_at < instant(wanted.last_on + timedelta(days=1), time()))
    for value, column in (
        (wanted.kind, Meeting.kind),
        (wanted.state, Meeting.state),
        (wanted.series_id, Meeting.series_id),
    ):
        if value:
            conditions.append(column == value)
    if wanted.campaign:
        ids = select(Campaign.id).where(Campaign.code == wanted.campaign)
        conditions.append(Meeting.campaign_id.in_(ids))
    if wanted.course:
        ids = select(Course.id).where(Course.code == wanted.course)
        conditions.append(Meeting.course_id.in_(ids))
    if wanted.unit_id is not None:
        conditions.append(_of_unit(wanted.unit_id, on))
    if wanted.register_missing:
        conditions += [
            Meeting.state.in_(TAKEN_STATES),
            Meeting.ends_at < now,
            Meeting.register_state == "not_taken",
        ]
    if wanted.words.strip():
        conditions.append(_with_words(session, wanted.words, conditions))
    return conditions


def _of_unit(unit_id: int, on: date) -> ColumnElement[bool]:
    units = subtree({unit_id}, on)
    invited = select(MeetingUnit.meeting_id).where(MeetingUnit.unit_id.in_(units))
    return or_(Meeting.organiser_id.in_(subtree({unit_id}, on)), Meeting.id.in_(invited))


def _with_words(
    session: Session, words: str, conditions: Sequence[ColumnElement[bool]]
) -> ColumnElement[bool]:
    """Topics are matched as names are: marks and word order do not matter."""
    topics = session.scalars(select(Meeting.topic).where(*conditions).distinct())
    found = [topic for topic in topics if matches(words, fold(topic))]
    speakers = [
        speaker.id
        for speaker in session.execute(select(Speaker.id, Speaker.fold))
        if matches(words, speaker.fold)
    ]
    spoken = select(MeetingSpeaker.meeting_id).where(MeetingSpeaker.speaker_id.in_(speakers))
    return or_(Meeting.topic.in_(found), Meeting.id.in_(spoken))


Columns = tuple[
    int,
    str,
    str,
    datetime,
    datetime,
    str,
    str,
    str,
    bool,
    int,
    int,
    str,
    str,
    str | None,
    str | None,
    int | None,
]
Line = Row[*Columns]


def _lines_query() -> Select[*Columns]:
    return (
        select(
            Meeting.id,
            Meeting.kind,
            Meeting.topic,
            Meeting.starts_at,
            Meeting.ends_at,
            Meeting.state,
            Meeting.register_state,
            func.coalesce(func.nullif(Meeting.place, ""), Venue.name, "").label("place"),
            Meeting.is_makeup,
            Meeting.present_count,
            Meeting.visits_count,
            Unit.name.label("organiser"),
            Meeting.mode,
            Campaign.code.label("campaign_code"),
            Campaign.title.label("campaign_title"),
            Meeting.periods,
        )
        .join(Unit, Unit.id == Meeting.organiser_id)
        .outerjoin(Venue, Venue.id == Meeting.venue_id)
        .outerjoin(Campaign, Campaign.id == Meeting.campaign_id)
    )


def _lines(session: Session, rows: Sequence[Line]) -> list[MeetingLine]:
    ids = [row.id for row in rows]
    invited = _invited_counts(session, ids)
    speakers = _speaker_names(session, ids)
    return [
        MeetingLine(
            id=row.id,
            kind=row.kind,
            topic=row.topic,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            place=row.place,
            state=row.state,
            register_state=row.register_state,
            is_makeup=row.is_makeup,
            organiser=row.organiser,
            campaign_code=row.campaign_code or "",
            campaign_title=row.campaign_title or "",
            speakers=", ".join(speakers[row.id]),
            invited=invited.get(row.id, 0),
            present=row.present_count,
            visits=row.visits_count,
            periods=row.periods,
        )
        for row in rows
    ]


def _invited_counts(session: Session, ids: Sequence[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for part in in_parts(ids):
        rows = session.execute(
            select(Invitation.meeting_id, func.count(Invitation.id))
            .where(Invitation.meeting_id.in_(part), Invitation.removed_at.is_(None))
            .group_by(Invitation.meeting_id)
        )
        counts.update((meeting_id, count) for meeting_id, count in rows)
    return counts


def _speaker_names(session: Session, ids: Sequence[int]) -> dict[int, list[str]]:
    names: dict[int, list[str]] = defaultdict(list)
    for part in in_parts(ids):
        rows = session.execute(
            select(MeetingSpeaker.meeting_id, Speaker.name)
            .join(Speaker, Speaker.id == MeetingSpeaker.speaker_id)
            .where(MeetingSpeaker.meeting_id.in_(part))
            .order_by(MeetingSpeaker.position)
        )
        for meeting_id, name in rows:
            names[meeting_id].append(name)
    return names


def _within(session: Session, by: Actor, meeting_id: int, on: date, *roles: str) -> bool:
    query = select(Meeting.id).where(Meeting.id == meeting_id, meetings_visible_to(by, on, *roles))
    return session.scalar(query) is not None


def _unit_names(session: Session, ids: Sequence[int]) -> dict[int, str]:
    rows = session.execute(select(Unit.id, Unit.name).where(Unit.id.in_(ids)))
    return {row.id: row.name for row in rows}


def _speaker_lines(meeting: Meeting) -> tuple[SpeakerLine, ...]:
    return tuple(
        SpeakerLine(link.speaker.name, link.speaker.title, link.reply) for link in meeting.speakers
    )


def _point_line(point: MeetingPoint, meeting: Meeting, units: dict[int, str]) -> PointLine:
    there = (units[link.unit_id] for link in meeting.units if link.point_id == point.id)
    return PointLine(
        point.name, point.venue.name if point.venue else "", point.chair, tuple(sorted(there))
    )


def _listed(session: Session, meeting_id: int) -> int:
    query = select(func.count(Invitation.id)).where(
        Invitation.meeting_id == meeting_id,
        Invitation.source.in_(LISTED_ONE_BY_ONE),
        Invitation.removed_at.is_(None),
    )
    return session.scalar(query) or 0


def _replies(session: Session, meeting_id: int) -> dict[str, int]:
    rows = session.execute(
        select(Invitation.reply, func.count(Invitation.id))
        .where(Invitation.meeting_id == meeting_id, Invitation.removed_at.is_(None))
        .group_by(Invitation.reply)
    )
    counts = dict.fromkeys(("accepted", "tentative", "declined", "none"), 0)
    for reply, count in rows:
        counts[reply] = count
    return counts


def _clashes(session: Session, meeting: Meeting, by: Actor) -> tuple[Clash, ...]:
    if meeting.state not in ("draft", "published"):
        return ()
    wanted = wanted_by(session, fields_of(session, meeting), meeting.id)
    return tuple(clashes_among(session, [wanted], by=by)[0])


def _history(session: Session, meeting_id: int) -> tuple[HistoryLine, ...]:
    rows = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.entity == "meeting", AuditEntry.entity_id == str(meeting_id))
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(HISTORY_LENGTH)
    )
    return tuple(
        HistoryLine(row.at, row.by_name, row.action, row.reason, _changes(row.details))
        for row in rows
    )


def _changes(details: dict[str, object]) -> tuple[tuple[str, str, str], ...]:
    changes = details.get("changes")
    if not isinstance(changes, dict):
        return ()
    return tuple((str(name), str(pair[0]), str(pair[1])) for name, pair in changes.items())


def _topic_choices(session: Session, codes: dict[int, str]) -> tuple[tuple[int, str, str], ...]:
    rows = session.execute(
        select(CampaignTopic.id, CampaignTopic.title, CampaignTopic.campaign_id)
        .where(CampaignTopic.campaign_id.in_(codes))
        .order_by(CampaignTopic.campaign_id, CampaignTopic.position)
    )
    return tuple((row.id, row.title, codes[row.campaign_id]) for row in rows)


def _course_choices(session: Session, by: Actor, on: date) -> tuple[tuple[int, str], ...]:
    query = select(Course).where(Course.state.in_(("planned", "open"))).order_by(Course.code)
    visible = units_visible_to(session, by, on, "staff")
    return tuple(
        (course.id, f"{course.code} · {course.title}")
        for course in session.scalars(query)
        if visible is None or course.organiser_id in visible
    )


def _venue_choices(session: Session, kept: MeetingFields | None) -> tuple[tuple[int, str], ...]:
    had = [kept.venue_id, *(point.venue_id for point in kept.points)] if kept else []
    rows = session.scalars(
        select(Venue).where(Venue.is_active | Venue.id.in_(had)).order_by(Venue.fold)
    )
    return tuple(
        (venue.id, f"{venue.name} ({venue.capacity})" if venue.capacity else venue.name)
        for venue in rows
    )


def _speaker_choices(session: Session, kept: MeetingFields | None) -> tuple[tuple[int, str], ...]:
    had = kept.speaker_ids if kept else ()
    rows = session.scalars(
        select(Speaker)
        .where(Speaker.is_active | Speaker.id.in_(had))
        .order_by(Speaker.sort_key, Speaker.fold)
    )
    return tuple(
        (speaker.id, f"{speaker.name} · {speaker.title}" if speaker.title else speaker.name)
        for speaker in rows
    )
