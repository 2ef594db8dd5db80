"""What a person fills in about a meeting: checked, written to its rows, read back and compared."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import (
    Campaign,
    CampaignTopic,
    Course,
    Enrolment,
    Invitation,
    Meeting,
    MeetingPoint,
    MeetingSpeaker,
    MeetingUnit,
    Membership,
    Person,
    Speaker,
    Unit,
    Venue,
)
from rules.calendar import clean_line, clean_text
from rules.courses import usual_periods
from rules.days import LOCAL, local_day
from rules.meetings import Change, MeetingDetails, changes_that_matter, check_times
from rules.permissions import Actor
from rules.refusals import N_, Malformed, Refusal
from services.access import require_unit, units_visible_to
from services.clashes import Wanted

MOST_PERIODS = 24
MOST_POINTS = 40
LISTED_ONE_BY_ONE = ("person", "makeup")
_LONGEST = {"topic": 300, "description": 2000, "place": 300, "online_url": 500, "chair": 180}
_CHUNK = 500


@dataclass(frozen=True)
class PointFields:
    """One of several places of a meeting; `id` is None for a new one."""

    name: str
    venue_id: int | None = None
    chair: str = ""
    unit_ids: frozenset[int] = frozenset()
    id: int | None = None


@dataclass(frozen=True)
class MeetingFields:
    """Everything a person fills in about a meeting. `person_codes` are members invited by name."""

    kind: str
    topic: str
    starts_at: datetime
    ends_at: datetime
    organiser_id: int
    description: str = ""
    campaign_id: int | None = None
    campaign_topic_id: int | None = None
    course_id: int | None = None
    is_makeup: bool = False
    is_thematic: bool = False
    periods: int | None = None
    mode: str = "in_person"
    venue_id: int | None = None
    place: str = ""
    online_url: str = ""
    chair: str = ""
    capacity: int | None = None
    counting: str = "roll"
    speaker_ids: tuple[int, ...] = ()
    unit_ids: tuple[int, ...] = ()
    person_codes: tuple[str, ...] = ()
    points: tuple[PointFields, ...] = ()


def fields_of(session: Session, meeting: Meeting) -> MeetingFields:
    """The fields of a saved meeting."""
    at_point: dict[int, set[int]] = {}
    for link in meeting.units:
        if link.point_id is not None:
            at_point.setdefault(link.point_id, set()).add(link.unit_id)
    codes = session.scalars(
        select(Person.code)
        .join(Invitation, Invitation.person_id == Person.id)
        .where(
            Invitation.meeting_id == meeting.id,
            Invitation.source.in_(LISTED_ONE_BY_ONE),
            Invitation.removed_at.is_(None),
        )
        .order_by(Person.sort_key)
    )
    return MeetingFields(
        **{name: getattr(meeting, name) for name in _PLAIN},
        speaker_ids=tuple(link.speaker_id for link in meeting.speakers),
        unit_ids=tuple(sorted(link.unit_id for link in meeting.units)),
        person_codes=tuple(codes),
        points=tuple(
            PointFields(
                point.name,
                point.venue_id,
                point.chair,
                frozenset(at_point.get(point.id, ())),
                point.id,
            )
            for point in sorted(meeting.points, key=lambda point: point.id)
        ),
    )


def checked(
    session: Session, fields: MeetingFields, meeting: Meeting | None, now: datetime, by: Actor
) -> MeetingFields:
    """The fields cleaned, with everything they name known to exist within the actor's reach.

    What a saved meeting names already stays allowed, even when it is no longer in use.
    """
    fields = _cleaned(fields)
    check_times(fields.starts_at, fields.ends_at)
    on = local_day(now)
    require_unit(session, by, fields.organiser_id, on, "staff")
    _check_counts(fields)
    _check_study(session, fields, meeting)
    fields = _with_course(session, fields, on, by)
    _check_venues(session, fields, meeting)
    _check_speakers(session, fields, meeting)
    _check_units(session, fields, meeting, on, by)
    people_by_codes(session, fields.person_codes, _codes_of(session, meeting), on, by)
    return fields


def _cleaned(fields: MeetingFields) -> MeetingFields:
    texts = {
        name: clean_text(getattr(fields, name)).strip()
        if name == "description"
        else clean_line(getattr(fields, name))
        for name in _LONGEST
    }
    for name, text in texts.items():
        if len(text) > _LONGEST[name]:
            raise Malformed(
                N_("Có ô dài quá %(most)d ký tự. Hãy viết ngắn lại."), most=_LONGEST[name]
            )
    if not texts["topic"]:
        raise Malformed(N_("Hãy nhập chuyên đề của buổi."))
    if texts["online_url"] and not texts["online_url"].startswith(("https://", "http://")):
        raise Malformed(N_("Đường dẫn trực tuyến phải bắt đầu bằng https://. Hãy sửa lại."))
    codes = tuple(dict.fromkeys(code.strip() for code in fields.person_codes if code.strip()))
    points = tuple(
        replace(point, name=clean_line(point.name)[:200], chair=clean_line(point.chair)[:180])
        for point in fields.points
    )
    return replace(fields, **texts, person_codes=codes, points=points)  # type: ignore[arg-type]  # texts are str


def _check_counts(fields: MeetingFields) -> None:
    if fields.capacity is not None and not 1 <= fields.capacity <= 1_000_000:
        raise Malformed(N_("Sức chứa phải là số từ 1 trở lên, hoặc để trống."))
    if len(fields.points) > MOST_POINTS:
        raise Malformed(N_("Một buổi có nhiều nhất %(most)d điểm cầu."), most=MOST_POINTS)
    if any(not point.name for point in fields.points):
        raise Malformed(N_("Điểm cầu nào cũng phải có tên. Hãy đặt tên hoặc bỏ dòng đó."))
    invited = set(fields.unit_ids)
    if any(not point.unit_ids <= invited for point in fields.points):
        raise Malformed(
            N_("Đơn vị dự ở một điểm cầu phải nằm trong các đơn vị được mời. Hãy chọn thêm.")
        )


def _check_study(session: Session, fields: MeetingFields, meeting: Meeting | None) -> None:
    if fields.is_thematic and fields.kind != "cell":
        raise Malformed(
            N_(
                "Sinh hoạt chuyên đề là một buổi sinh hoạt chi bộ. "
                "Hãy chọn loại “Sinh hoạt chi bộ” hoặc bỏ dấu ở ô đó."
            )
        )
    if fields.campaign_id is None:
        if fields.is_makeup or fields.campaign_topic_id is not None:
            raise Malformed(N_("Buổi học bù hoặc theo chuyên đề phải thuộc một đợt học tập."))
        return
    campaign = session.get(Campaign, fields.campaign_id)
    if campaign is None:
        raise Malformed(N_("Không tìm thấy đợt học tập đã chọn. Hãy chọn lại."))
    was = meeting.campaign_id if meeting is not None else None
    if campaign.state == "closed" and was != campaign.id:
        raise Refusal(
            N_("Đợt “%(title)s” đã kết thúc nên không thêm buổi được."), title=campaign.title
        )
    if fields.campaign_topic_id is not None:
        topic = session.get(CampaignTopic, fields.campaign_topic_id)
        if topic is None or topic.campaign_id != campaign.id:
            raise Malformed(N_("Chuyên đề không thuộc đợt đã chọn. Hãy chọn lại."))


def _with_course(session: Session, fields: MeetingFields, on: date, by: Actor) -> MeetingFields:
    """The fields with the periods that the kind of class has, where nobody has said how many."""
    if fields.course_id is None:
        if fields.kind == "class":
            raise Malformed(N_("Buổi học của lớp phải thuộc một lớp. Hãy chọn lớp."))
        if fields.periods is not None:
            raise Malformed(N_("Số tiết chỉ ghi cho buổi học của lớp. Hãy bỏ trống ô đó."))
        return fields
    course = session.get(Course, fields.course_id)
    visible = units_visible_to(session, by, on, "staff")
    if course is None or (visible is not None and course.organiser_id not in visible):
        raise Malformed(N_("Không tìm thấy lớp đã chọn. Hãy chọn lại."))
    if fields.kind != "class":
        raise Malformed(N_("Chỉ buổi học của lớp mới thuộc một lớp. Hãy đổi loại buổi."))
    if fields.periods is None:
        return replace(fields, periods=usual_periods(course.type.periods, course.type.sittings))
    if not 0 <= fields.periods <= MOST_PERIODS:
        raise Malformed(N_("Một buổi có từ 0 đến %(most)d tiết."), most=MOST_PERIODS)
    return fields


def _check_venues(session: Session, fields: MeetingFields, meeting: Meeting | None) -> None:
    wanted = _venue_ids(fields)
    had = _venue_ids(fields_of(session, meeting)) if meeting is not None else frozenset()
    known = set(session.scalars(select(Venue.id).where(Venue.id.in_(wanted), Venue.is_active)))
    if wanted - known - had:
        raise Malformed(N_("Không tìm thấy địa điểm đã chọn. Hãy chọn lại."))


def _check_speakers(session: Session, fields: MeetingFields, meeting: Meeting | None) -> None:
    wanted = set(fields.speaker_ids)
    had = {link.speaker_id for link in meeting.speakers} if meeting is not None else set()
    known = set(
        session.scalars(select(Speaker.id).where(Speaker.id.in_(wanted), Speaker.is_active))
    )
    if wanted - known - had:
        raise Malformed(N_("Không tìm thấy báo cáo viên đã chọn. Hãy chọn lại."))


def _check_units(
    session: Session, fields: MeetingFields, meeting: Meeting | None, on: date, by: Actor
) -> None:
    had = {link.unit_id for link in meeting.units} if meeting is not None else set()
    wanted = set(fields.unit_ids) - had
    visible = units_visible_to(session, by, on, "staff")
    if visible is None:
        visible = frozenset(session.scalars(select(Unit.id).where(Unit.id.in_(wanted))))
    if wanted - visible:
        raise Malformed(N_("Có đơn vị được mời ngoài phạm vi của bạn. Hãy chọn lại."))


def people_by_codes(
    session: Session, codes: Sequence[str], had: Iterable[str], on: date, by: Actor
) -> dict[str, int]:
    """Ids of the people with these codes; Malformed names the codes that are not within reach."""
    found: dict[str, int] = {}
    for start in range(0, len(codes), _CHUNK):
        part = codes[start : start + _CHUNK]
        query = select(Person.code, Person.id).where(Person.code.in_(part))
        found.update((row.code, row.id) for row in session.execute(query))
    outside = _outside(session, {found[code] for code in found if code not in set(had)}, on, by)
    unknown = [code for code in codes if code not in found or found[code] in outside]
    if unknown:
        raise Malformed(
            N_("Không tìm thấy đảng viên mang mã: %(codes)s. Hãy xem lại danh sách mã."),
            codes=", ".join(unknown[:10]) + (" …" if len(unknown) > 10 else ""),
        )
    return found


def _outside(session: Session, person_ids: set[int], on: date, by: Actor) -> set[int]:
    """Members of units the actor does not answer for; people outside the roll belong to all."""
    visible = units_visible_to(session, by, on, "staff")
    if visible is None or not person_ids:
        return set()
    rows = session.execute(
        select(Membership.person_id, Membership.unit_id).where(
            Membership.person_id.in_(person_ids),
            Membership.valid_from <= on,
            Membership.valid_to.is_(None) | (Membership.valid_to > on),
        )
    )
    return {row.person_id for row in rows if row.unit_id not in visible}


def apply(session: Session, meeting: Meeting, fields: MeetingFields, now: datetime) -> None:
    """Write checked fields to the meeting's rows; points keep their identity by id."""
    for name in _PLAIN:
        setattr(meeting, name, getattr(fields, name))
    session.add(meeting)
    session.flush()
    points = _apply_points(session, meeting, fields)
    _apply_units(meeting, fields, points)
    _apply_speakers(meeting, fields)
    session.flush()
    _apply_people(session, meeting, fields, now)
    session.flush()


def _apply_points(session: Session, meeting: Meeting, fields: MeetingFields) -> dict[int, int]:
    """Write the points and return at which of them each unit takes part."""
    known = {point.id: point for point in meeting.points}
    kept: list[MeetingPoint] = []
    for place, wanted in enumerate(fields.points):
        point = known.get(wanted.id or 0) or MeetingPoint(meeting_id=meeting.id)
        point.name, point.venue_id, point.chair = wanted.name, wanted.venue_id, wanted.chair
        point.is_main = place == 0
        kept.append(point)
    meeting.points = kept
    session.flush()
    return {
        unit_id: point.id
        for point, wanted in zip(kept, fields.points, strict=True)
        for unit_id in wanted.unit_ids
    }


def _apply_units(meeting: Meeting, fields: MeetingFields, points: dict[int, int]) -> None:
    known = {link.unit_id: link for link in meeting.units}
    kept = [
        known.get(unit_id) or MeetingUnit(meeting_id=meeting.id, unit_id=unit_id)
        for unit_id in dict.fromkeys(fields.unit_ids)
    ]
    for link in kept:
        link.point_id = points.get(link.unit_id)
    meeting.units = kept


def _apply_speakers(meeting: Meeting, fields: MeetingFields) -> None:
    known = {link.speaker_id: link for link in meeting.speakers}
    kept = [
        known.get(speaker_id) or MeetingSpeaker(meeting_id=meeting.id, speaker_id=speaker_id)
        for speaker_id in dict.fromkeys(fields.speaker_ids)
    ]
    for position, link in enumerate(kept):
        link.position = position
    meeting.speakers = kept


def _apply_people(session: Session, meeting: Meeting, fields: MeetingFields, now: datetime) -> None:
    """Invite the listed people. Once published, those taken off the list stay only if a unit brings
    them; `services.invitations` tells the others not to come."""
    rows = {
        row.person_id: row
        for row in session.scalars(select(Invitation).where(Invitation.meeting_id == meeting.id))
    }
    wanted = set(_ids_of_codes(session, fields.person_codes).values())
    for person_id in wanted:
        row = rows.get(person_id)
        if row is None:
            session.add(
                Invitation(
                    meeting_id=meeting.id, person_id=person_id, source="person", created_at=now
                )
            )
        elif row.removed_at is not None:
            row.source, row.removed_at = "person", None
    for person_id, row in rows.items():
        if row.source in LISTED_ONE_BY_ONE and person_id not in wanted:
            if meeting.state == "draft":
                session.delete(row)
            else:
                row.source = "unit"


def _ids_of_codes(session: Session, codes: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(codes), _CHUNK):
        part = codes[start : start + _CHUNK]
        query = select(Person.code, Person.id).where(Person.code.in_(part))
        found.update((row.code, row.id) for row in session.execute(query))
    return found


def _codes_of(session: Session, meeting: Meeting | None) -> tuple[str, ...]:
    return fields_of(session, meeting).person_codes if meeting is not None else ()


def wanted_by(session: Session, fields: MeetingFields, meeting_id: int | None) -> Wanted:
    """What a meeting with these fields takes up."""
    people = set(_ids_of_codes(session, fields.person_codes).values())
    if fields.course_id is not None:
        learners = select(Enrolment.person_id).where(
            Enrolment.course_id == fields.course_id, Enrolment.withdrawn_on.is_(None)
        )
        people |= set(session.scalars(learners))
    return Wanted(
        topic=fields.topic,
        starts_at=fields.starts_at,
        ends_at=fields.ends_at,
        meeting_id=meeting_id,
        venue_ids=frozenset() if fields.mode == "online" else _venue_ids(fields),
        speaker_ids=frozenset(fields.speaker_ids),
        unit_ids=frozenset(fields.unit_ids),
        person_ids=frozenset(people),
        capacity=fields.capacity or _seats(session, fields),
    )


def _venue_ids(fields: MeetingFields) -> frozenset[int]:
    chosen = {fields.venue_id, *(point.venue_id for point in fields.points)}
    return frozenset(venue_id for venue_id in chosen if venue_id is not None)


def _seats(session: Session, fields: MeetingFields) -> int | None:
    """The seats of the hall, when the meeting is held there and nowhere else."""
    if fields.venue_id is None or fields.points or fields.mode != "in_person":
        return None
    return session.scalar(select(Venue.capacity).where(Venue.id == fields.venue_id))


def details_of(session: Session, fields: MeetingFields) -> MeetingDetails:
    """What a meeting with these fields tells its guests, names as shown and times local."""
    venues = _named(session, Venue, _venue_ids(fields))
    speakers = _named(session, Speaker, fields.speaker_ids)
    units = _named(session, Unit, fields.unit_ids)
    main = fields.place or (venues.get(fields.venue_id, "") if fields.venue_id else "")
    return MeetingDetails(
        topic=fields.topic,
        starts_at=fields.starts_at.astimezone(LOCAL),
        ends_at=fields.ends_at.astimezone(LOCAL),
        place=main,
        points=tuple(
            f"{point.name} ({venues[point.venue_id]})" if point.venue_id in venues else point.name
            for point in fields.points
        ),
        online_link=fields.online_url,
        speakers=tuple(speakers[each] for each in fields.speaker_ids if each in speakers),
        units=tuple(sorted(units[each] for each in set(fields.unit_ids) if each in units)),
        capacity=fields.capacity,
        note=fields.description,
    )


def _named(
    session: Session,
    table: type[Venue] | type[Speaker] | type[Unit],
    ids: Iterable[int],
) -> dict[int, str]:
    rows = session.execute(select(table.id, table.name).where(table.id.in_(set(ids))))
    return {row.id: row.name for row in rows}


def changes_between(
    session: Session, before: MeetingFields, after: MeetingFields
) -> tuple[Change, ...]:
    """What differs, for people to read: what guests see, then the organisers' own matters."""
    found = changes_that_matter(details_of(session, before), details_of(session, after))
    added = len(set(after.person_codes) - set(before.person_codes))
    removed = len(set(before.person_codes) - set(after.person_codes))
    if added or removed:
        found.append(
            Change(
                "people",
                N_("Người được mời đích danh"),
                str(len(before.person_codes)),
                str(len(after.person_codes)),
                guests_must_know=False,
            )
        )
    if before.periods != after.periods:
        found.append(
            Change(
                "periods",
                N_("Số tiết"),
                str(before.periods or ""),
                str(after.periods or ""),
                guests_must_know=False,
            )
        )
    if before.chair != after.chair:
        found.append(Change("chair", N_("Chủ trì"), before.chair, after.chair, True))
    return tuple(found)


def is_other_occasion(before: MeetingFields, after: MeetingFields) -> bool:
    """Whether time, place or way in differ, so that an answer given before may no longer hold."""
    return any(getattr(before, name) != getattr(after, name) for name in _SUBSTANCE)


_SUBSTANCE = ("starts_at", "ends_at", "mode", "venue_id", "place", "online_url", "points")
_PLAIN = (
    "kind",
    "topic",
    "starts_at",
    "ends_at",
    "organiser_id",
    "description",
    "campaign_id",
    "campaign_topic_id",
    "course_id",
    "is_makeup",
    "is_thematic",
    "periods",
    "mode",
    "venue_id",
    "place",
    "online_url",
    "chair",
    "capacity",
    "counting",
)
