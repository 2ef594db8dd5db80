"""The demonstration's present: a campaign in the middle of its window, with meetings today."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from models import ActionPlan, Campaign, CampaignUnit, Course, Enrolment, LeaderVisit
from rules.days import instant, local_day
from services.demo.city import City
from services.demo.names import OUTREACH_TOPICS
from services.demo.registers import ATTENDED, Said, add_meeting, invite
from services.demo.work import add_call, add_present_cell_meetings
from services.demo.writer import Writer

HALL = 110
"""About how many a meeting that has been held was for."""
TOPIC = "Học tập, quán triệt Nghị quyết Đại hội Đảng bộ thành phố"
DAYS_OPEN = 35
DAYS_LEFT = 20
HELD_SHARE = 0.96
ATTENDANCE = 0.9


@dataclass
class Present:
    """The open campaign while its meetings are made."""

    campaign: int
    now: datetime
    people: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """(person, cell) of the members not exempt, by grassroots unit."""
    missed: list[tuple[int, int]] = field(default_factory=list)
    """Those a register calls absent."""

    @property
    def today(self) -> date:
        return local_day(self.now)


def add_present(writer: Writer, city: City, now: datetime) -> None:
    """The open campaign with its meetings held, today's and planned, and what runs beside it."""
    present = Present(_campaign_row(writer, city, now), now)
    for cell in city.cells:
        people = present.people.setdefault(cell.grassroots_id, [])
        people += [(person, cell.id) for person in cell.today]
    _member_meetings(writer, city, present)
    _makeup_meetings(writer, city, present)
    _todays_meetings(writer, city, present)
    _planned_meetings(writer, city, present)
    _household_evenings(writer, city, present)
    _outreach(writer, city, present)
    _running_class(writer, city, present)
    _works_due(writer, city, present)
    add_present_cell_meetings(writer, city, now)


def _campaign_row(writer: Writer, city: City, now: datetime) -> int:
    opens_on = local_day(now) - timedelta(days=DAYS_OPEN)
    campaign = writer.add(
        Campaign,
        code=f"{city.prefix}NQDH26",
        title="Nghị quyết Đại hội Đảng bộ thành phố (minh hoạ)",
        document_number="01-NQ/ĐH",
        document_on=opens_on - timedelta(days=20),
        document_issuer="Đại hội Đảng bộ thành phố",
        document_title="Nghị quyết Đại hội Đảng bộ thành phố nhiệm kỳ 2025–2030",
        owner_unit_id=city.root_id,
        opens_on=opens_on,
        deadline_on=local_day(now) + timedelta(days=DAYS_LEFT),
        cutoff_on=opens_on - timedelta(days=1),
        created_at=instant(opens_on - timedelta(days=10), time(8, 0)),
    )
    for unit in (city.root_id, city.residential_root_id):
        writer.put(CampaignUnit, campaign_id=campaign, unit_id=unit)
    return campaign


def _member_meetings(writer: Writer, city: City, present: Present) -> None:
    """Most organisations have met; the last two have not held anything yet."""
    random = writer.random
    for grassroots in city.grassroots[:-2]:
        rest = present.people.get(grassroots, [])
        while rest:
            people = _whole_cells(rest, HALL)
            rest = rest[len(people) :]
            if random.random() > HELD_SHARE:
                continue
            day = present.today - timedelta(days=random.randrange(1, DAYS_OPEN - 2))
            _held(writer, city, present, grassroots, people, day)


def _held(
    writer: Writer,
    city: City,
    present: Present,
    organiser: int,
    people: list[tuple[int, int]],
    day: date,
) -> None:
    random = writer.random
    starts_at = instant(day, random.choice((time(7, 30), time(14, 0), time(19, 30))))
    not_taken = random.random() < 0.03
    said = [] if not_taken else _said(writer, people)
    recent = (present.today - day).days <= 3
    meeting = add_meeting(
        writer,
        city,
        kind="study",
        topic=TOPIC,
        starts_at=starts_at,
        minutes=180,
        units=sorted({cell for _, cell in people}),
        said=said,
        state="published" if not_taken else "held",
        register_state="not_taken" if not_taken else "submitted" if recent else "locked",
        campaign_id=present.campaign,
        organiser_id=organiser,
        place=f"Hội trường {city.grassroots_names[organiser].removeprefix('Đảng bộ ')}",
    )
    invite(writer, meeting, people, starts_at - timedelta(days=7))
    present.missed += [
        (line.person_id, line.unit_id)
        for line in said
        if line.person_id and line.unit_id and line.status not in ATTENDED
    ]


def _said(writer: Writer, people: list[tuple[int, int]]) -> list[Said]:
    random = writer.random
    lines = []
    for person, cell in people:
        if random.random() < ATTENDANCE:
            status = "present" if random.random() < 0.95 else "late"
        else:
            status = "excused" if random.random() < 0.75 else "unexcused"
        lines.append(Said(status, cell, person_id=person))
    return lines


def _makeup_meetings(writer: Writer, city: City, present: Present) -> None:
    """Two make-up sittings have been held for some of those who were absent."""
    for number in range(2):
        people = present.missed[60 * number : 60 * number + 60]
        starts_at = instant(present.today - timedelta(days=2 + number), time(19, 0))
        meeting = add_meeting(
            writer,
            city,
            kind="study",
            topic=f"Học bù: {TOPIC}",
            starts_at=starts_at,
            said=_said(writer, people),
            register_state="submitted",
            campaign_id=present.campaign,
            is_makeup=True,
            venue_id=city.venues[number],
        )
        invite(writer, meeting, people, starts_at - timedelta(days=5), "makeup")


def _todays_meetings(writer: Writer, city: City, present: Present) -> None:
    """One meeting is about to begin, whatever the hour; others are spread over the day."""
    start = max(
        instant(present.today, time(0, 0)),
        present.now.replace(minute=0, second=0, microsecond=0) - timedelta(minutes=30),
    )
    times = [
        start,
        *(instant(present.today, at) for at in (time(7, 30), time(14, 0), time(19, 30))),
    ]
    organisers = sorted(present.people, key=lambda unit: -len(present.people[unit]))[: len(times)]
    for place, (starts_at, organiser) in enumerate(zip(times, organisers, strict=True)):
        people = _whole_cells(present.people[organiser][::-1], 60 if place else 45)
        _planned(
            writer,
            city,
            present,
            people,
            starts_at,
            organiser=organiser,
            venue=city.venues[place],
            speaker=city.speakers[place],
        )


def _planned_meetings(writer: Writer, city: City, present: Present) -> None:
    """A meeting every day or two until the deadline; the last few are drafts."""
    random = writer.random
    organisers = sorted(present.people, key=lambda unit: -len(present.people[unit]))
    for place in range(14):
        day = present.today + timedelta(days=1 + place)
        organiser = organisers[place % len(organisers)]
        of_unit = present.people[organiser]
        start = random.randrange(len(of_unit))
        people = _whole_cells(of_unit[start:] + of_unit[:start], 40)
        meeting = _planned(
            writer,
            city,
            present,
            people,
            instant(day, time(19, 30) if place % 2 else time(14, 0)),
            organiser=organiser,
            venue=city.venues[place % len(city.venues)],
            speaker=city.speakers[place % len(city.speakers)],
            draft=place >= 11,
        )
        if place == 0:
            add_call(writer, city, meeting, TOPIC, present.now)


def _whole_cells(people: list[tuple[int, int]], about: int) -> list[tuple[int, int]]:
    """Everybody of the first cells that together have about so many: a meeting that invites a cell
    has the whole cell on its register."""
    sizes = Counter(cell for _, cell in people)
    chosen: set[int] = set()
    for cell in dict.fromkeys(cell for _, cell in people):
        if chosen and sum(sizes[one] for one in chosen) + sizes[cell] > about:
            break
        chosen.add(cell)
    return [pair for pair in people if pair[1] in chosen]


def _planned(
    writer: Writer,
    city: City,
    present: Present,
    people: list[tuple[int, int]],
    starts_at: datetime,
    *,
    organiser: int,
    venue: int,
    speaker: int,
    draft: bool = False,
) -> int:
    meeting = add_meeting(
        writer,
        city,
        kind="study",
        topic=TOPIC,
        starts_at=starts_at,
        minutes=150,
        units=sorted({cell for _, cell in people}),
        speaker=speaker,
        state="draft" if draft else "published",
        register_state="not_taken",
        campaign_id=present.campaign,
        organiser_id=organiser,
        venue_id=venue,
        capacity=max(60, len(people)),
    )
    if not draft:
        invite(writer, meeting, people, min(present.now, starts_at) - timedelta(days=2))
    return meeting


def _household_evenings(writer: Writer, city: City, present: Present) -> None:
    """Four groups in five have held an evening; about two thirds of the households came."""
    random = writer.random
    for group in city.groups:
        came = random.sample(
            group.households, len(group.households) * random.randint(58, 92) // 100
        )
        if random.random() < 0.12:
            came = []
        for evening in range(2 if came else 0):
            day = present.today - timedelta(days=2 + random.randrange(14) + 15 * (1 - evening))
            said = [Said("present", group.id, household_id=one) for one in came[evening::2]]
            add_meeting(
                writer,
                city,
                kind="study",
                topic="Phổ biến Nghị quyết Đại hội đến hộ gia đình",
                starts_at=instant(day, time(19, 30)),
                units=[group.id],
                said=said,
                campaign_id=present.campaign,
                place=f"Nhà văn hoá {group.name}",
            )


def _outreach(writer: Writer, city: City, present: Present) -> None:
    random = writer.random
    for place in range(45):
        day = present.today + timedelta(days=place - 34)
        past = day < present.today
        group = random.choice(city.groups)
        add_meeting(
            writer,
            city,
            kind="outreach",
            topic=random.choice(OUTREACH_TOPICS),
            starts_at=instant(day, time(19, 45)),
            minutes=75,
            units=[group.id],
            heads=random.randrange(40, 160) if past else None,
            state="held" if past else "published",
            register_state="locked" if past else "not_taken",
            counting="heads",
            place=f"Nhà văn hoá {group.name}",
        )


def _running_class(writer: Writer, city: City, present: Present) -> None:
    """A class half-way through its sittings."""
    opens_on = present.today - timedelta(days=3)
    learners = writer.random.sample(
        [pair for people in present.people.values() for pair in people], 60
    )
    course = writer.add(
        Course,
        code=f"{city.prefix}DVM-{opens_on:%Y%m}",
        type_code="DVM",
        title="Bồi dưỡng lý luận chính trị cho đảng viên mới, khoá minh hoạ",
        organiser_id=city.root_id,
        opens_on=opens_on,
        closes_on=opens_on + timedelta(days=9),
        periods=50,
        capacity=80,
        state="open",
        created_at=instant(opens_on - timedelta(days=20), time(8, 0)),
    )
    for person, cell in learners:
        writer.add(
            Enrolment,
            course_id=course,
            person_id=person,
            unit_id=cell,
            enrolled_on=opens_on,
            result=None,
            certificate_number=None,
            certificate_on=None,
        )
    _sittings(writer, city, present, course, opens_on, learners)


def _sittings(
    writer: Writer,
    city: City,
    present: Present,
    course: int,
    opens_on: date,
    learners: list[tuple[int, int]],
) -> None:
    told_at = instant(opens_on - timedelta(days=7), time(8, 0))
    for place in range(10):
        day = opens_on + timedelta(days=place)
        past = day < present.today
        meeting = add_meeting(
            writer,
            city,
            kind="class",
            topic="Bồi dưỡng lý luận chính trị cho đảng viên mới",
            starts_at=instant(day, time(8, 0)),
            minutes=210,
            said=_said(writer, learners) if past else [],
            state="held" if past else "published",
            register_state="locked" if past else "not_taken",
            course_id=course,
            periods=5,
            venue_id=city.venues[0],
        )
        invite(writer, meeting, learners, told_at, "course")


def _works_due(writer: Writer, city: City, present: Present) -> None:
    """Plans after the open campaign, some issued and some overdue; leaders' visits to cells."""
    random = writer.random
    for number, unit in enumerate(city.grassroots, start=1):
        due_on = present.today + timedelta(days=-3 if number % 9 == 1 else DAYS_LEFT)
        issued = number % 3 == 0
        writer.add(
            ActionPlan,
            campaign_id=present.campaign,
            unit_id=unit,
            due_on=due_on,
            issued_on=present.today - timedelta(days=random.randrange(4, 20)) if issued else None,
            issued_number=f"{number:02}-KH/ĐU" if issued else None,
        )
    for place, cell in enumerate(city.cells[:12]):
        writer.add(
            LeaderVisit,
            unit_id=cell.id,
            leader=f"Đ/c Phó Trưởng ban {place % 3 + 1} (minh hoạ)",
            due_on=present.today + timedelta(days=7 * (place - 4)),
            done_on=present.today - timedelta(days=30 - place) if place < 3 else None,
        )
