"""The demonstration's term, 2010–2015: outreach, classes and the campaign of the seed's figures."""

from datetime import UTC, date, datetime, time, timedelta

from models import (
    ActionPlan,
    Campaign,
    CampaignUnit,
    Commendation,
    Course,
    CourseType,
    Enrolment,
    HistoryProject,
    HistoryStep,
)
from rules.courses import periods_shared
from rules.days import instant
from services.demo.city import Cell, City
from services.demo.names import COURSE_TYPES, OUTREACH_TOPICS
from services.demo.registers import Said, add_meeting, invite
from services.demo.work import add_class_plans, result_of
from services.demo.writer import Writer, parts

TERM_FROM = date(2010, 7, 1)
TERM_TO = date(2015, 6, 30)
OUTREACH_MEETINGS = 3_393
OUTREACH_VISITS = 345_178
CLASSES = 159
ENROLMENTS = 12_310
COVERED = 4_826
COVERED_BY_MAKEUP = 331
HOUSEHOLDS_COVERED_PERCENT = 87
CAMPAIGN_OPENED_ON = date(2012, 3, 1)
CAMPAIGN_CLOSED_ON = date(2012, 7, 10)
COLLECTIVES_COMMENDED = 96
INDIVIDUALS_COMMENDED = 210


def add_outreach(writer: Writer, city: City) -> None:
    """3.393 meetings with 345.178 visits, by heads, spread over the term except around Tết."""
    random = writer.random
    days = (TERM_TO - TERM_FROM).days + 1
    weights = [random.lognormvariate(0, 0.55) for _ in range(OUTREACH_MEETINGS)]
    visits = parts(random, OUTREACH_VISITS, weights, 12, 900)
    for heads in visits:
        day = TERM_FROM + timedelta(days=random.randrange(days))
        while day.month == 2 and day.day < 15:
            day = TERM_FROM + timedelta(days=random.randrange(days))
        group = random.choice(city.groups)
        add_meeting(
            writer,
            city,
            kind="outreach",
            topic=random.choice(OUTREACH_TOPICS),
            starts_at=instant(day, random.choice((time(8, 0), time(14, 0), time(19, 30)))),
            units=[group.id],
            heads=heads,
            place=f"Nhà văn hoá {group.name}",
        )


def add_course_types(writer: Writer, *, first: bool) -> None:
    """The kinds of theory class, once for the whole database."""
    for code, name, name_en, periods, sittings in COURSE_TYPES if first else ():
        writer.put(
            CourseType, code=code, name=name, name_en=name_en, periods=periods, sittings=sittings
        )


def add_classes(writer: Writer, city: City) -> None:
    """159 classes with 12.310 enrolments, each a course of half-days with its registers."""
    random = writer.random
    sizes = parts(random, ENROLMENTS, [random.uniform(45, 110) for _ in range(CLASSES)], 25, 160)
    members = [(person, cell.id) for cell in city.cells for person in cell.eligible]
    outsiders: list[tuple[int, int | None]] = [(person, None) for person in city.outsiders]
    opened = []
    for number, size in enumerate(sizes, start=1):
        kind = (
            random.choice(COURSE_TYPES[:3] + COURSE_TYPES[4:]) if number % 12 else COURSE_TYPES[3]
        )
        pool = outsiders if kind[0] in ("NTVD", "DT") else members
        opens_on = _add_class(writer, city, number, kind, random.sample(pool, size))
        opened.append((kind[0], opens_on))
    add_class_plans(writer, city, opened)


def _add_class(
    writer: Writer,
    city: City,
    number: int,
    kind: tuple[str, str, str, int, int],
    learners: list[tuple[int, int]] | list[tuple[int, int | None]],
) -> date:
    """One finished class with its results; the day it opened."""
    random = writer.random
    code, name, _, periods, sittings = kind
    opens_on = TERM_FROM + timedelta(days=random.randrange(10, (TERM_TO - TERM_FROM).days - 40))
    days = [opens_on + timedelta(days=place // 2) for place in range(sittings)]
    title = f"{name}, khoá {number}"
    course = writer.add(
        Course,
        code=f"{code}-{opens_on:%Y}-{number:03}",
        type_code=code,
        title=title,
        organiser_id=city.root_id,
        opens_on=opens_on,
        closes_on=days[-1],
        periods=periods,
        state="finished",
        created_at=instant(opens_on - timedelta(days=30), time(8, 0)),
    )
    for place, (person, cell) in enumerate(learners, start=1):
        result = result_of(number, place, opens_on, days[-1])
        writer.add(Enrolment, course_id=course, person_id=person, unit_id=cell, **result)
    _add_sittings(writer, city, course, title, days, learners, periods)
    return opens_on


def _add_sittings(
    writer: Writer,
    city: City,
    course: int,
    title: str,
    days: list[date],
    learners: list[tuple[int, int]] | list[tuple[int, int | None]],
    periods: int,
) -> None:
    """The half-days of a class with their registers; its periods are shared over them."""
    shares = periods_shared(periods, len(days))
    for place, day in enumerate(days):
        add_meeting(
            writer,
            city,
            kind="class",
            topic=title,
            starts_at=instant(day, time(7, 30) if place % 2 == 0 else time(13, 30)),
            minutes=210,
            said=[Said(_class_status(writer), cell, person_id=person) for person, cell in learners],
            course_id=course,
            periods=shares[place],
            place="Trung tâm Chính trị",
        )


def _class_status(writer: Writer) -> str:
    draw = writer.random.random()
    if draw < 0.94:
        return "present"
    return "late" if draw < 0.96 else "excused" if draw < 0.99 else "unexcused"


def add_campaign(writer: Writer, city: City) -> None:
    """The campaign of the seed's figures with its meetings; its roll is frozen by the service."""
    campaign = _campaign_row(writer, city)
    _campaign_meetings(writer, city, campaign)
    _other_work(writer, city, campaign)


def _campaign_row(writer: Writer, city: City) -> int:
    campaign = writer.add(
        Campaign,
        code=f"{city.prefix}NQTW4",
        title="Nghị quyết Trung ương 4 (khoá XI)",
        document_number="12-NQ/TW",
        document_on=date(2012, 1, 16),
        document_issuer="Ban Chấp hành Trung ương",
        document_title="Một số vấn đề cấp bách về xây dựng Đảng hiện nay",
        owner_unit_id=city.root_id,
        opens_on=CAMPAIGN_OPENED_ON,
        deadline_on=date(2012, 6, 30),
        cutoff_on=date(2012, 2, 29),
        created_at=datetime(2012, 2, 1, tzinfo=UTC),
    )
    for unit in (city.root_id, city.residential_root_id):
        writer.put(CampaignUnit, campaign_id=campaign, unit_id=unit)
    return campaign


def _campaign_meetings(writer: Writer, city: City, campaign: int) -> None:
    random = writer.random
    everyone = [person for cell in city.cells for person in cell.eligible]
    covered = random.sample(everyone, COVERED)
    makeup = set(covered[:COVERED_BY_MAKEUP])
    main = set(covered[COVERED_BY_MAKEUP:])
    by_grassroots: dict[int, list[Cell]] = {}
    for cell in city.cells:
        by_grassroots.setdefault(cell.grassroots_id, []).append(cell)
    for grassroots, cells in by_grassroots.items():
        _main_meetings(writer, city, campaign, grassroots, cells, main)
    _makeup_meetings(writer, city, campaign, makeup)
    _household_meetings(writer, city, campaign)


def _main_meetings(
    writer: Writer, city: City, campaign: int, grassroots: int, cells: list[Cell], main: set[int]
) -> None:
    """One meeting for every four cells of an organisation, all cells of it at one sitting."""
    random = writer.random
    for start in range(0, len(cells), 4):
        together = cells[start : start + 4]
        day = date(2012, 3, 10) + timedelta(days=7 * random.randrange(8) + random.randrange(2))
        people = [(person, cell.id) for cell in together for person in cell.eligible]
        meeting = add_meeting(
            writer,
            city,
            kind="study",
            topic="Học tập, quán triệt Nghị quyết Trung ương 4 (khoá XI)",
            starts_at=instant(day, time(7, 30)),
            minutes=240,
            units=[cell.id for cell in together],
            said=[
                Said(_study_status(writer, person in main), cell, person_id=person)
                for person, cell in people
            ],
            campaign_id=campaign,
            organiser_id=grassroots,
            place=f"Hội trường {city.grassroots_names[grassroots].removeprefix('Đảng bộ ')}",
        )
        invite(writer, meeting, people, instant(day - timedelta(days=7), time(8, 0)))


def _study_status(writer: Writer, attended: bool) -> str:
    draw = writer.random.random()
    if attended:
        return "present" if draw < 0.97 else "late"
    return "excused" if draw < 0.8 else "unexcused"


def _makeup_meetings(writer: Writer, city: City, campaign: int, makeup: set[int]) -> None:
    cell_of = {person: cell.id for cell in city.cells for person in cell.eligible}
    people = sorted(makeup)
    for number, start in enumerate(range(0, len(people), 60)):
        day = date(2012, 5, 19) + timedelta(days=7 * number)
        missed = [(person, cell_of[person]) for person in people[start : start + 60]]
        meeting = add_meeting(
            writer,
            city,
            kind="study",
            topic="Học bù Nghị quyết Trung ương 4 (khoá XI)",
            starts_at=instant(day, time(7, 30)),
            minutes=240,
            said=[Said("present", cell, person_id=person) for person, cell in missed],
            campaign_id=campaign,
            is_makeup=True,
            place="Trung tâm Chính trị",
        )
        invite(writer, meeting, missed, instant(day - timedelta(days=5), time(8, 0)), "makeup")


def _household_meetings(writer: Writer, city: City, campaign: int) -> None:
    """Three evenings in each residential group; a household ticked on one of them is covered."""
    random = writer.random
    for group in city.groups:
        count = len(group.households) * random.randint(
            HOUSEHOLDS_COVERED_PERCENT - 6, HOUSEHOLDS_COVERED_PERCENT + 8
        )
        came = random.sample(group.households, min(count // 100, len(group.households)))
        for evening in range(3):
            day = date(2012, 4, 4) + timedelta(days=20 * evening + random.randrange(14))
            add_meeting(
                writer,
                city,
                kind="study",
                topic="Phổ biến Nghị quyết Trung ương 4 (khoá XI) đến hộ gia đình",
                starts_at=instant(day, time(19, 30)),
                units=[group.id],
                said=[
                    Said("present", group.id, household_id=household)
                    for household in came[evening::3]
                ],
                campaign_id=campaign,
                place=f"Nhà văn hoá {group.name}",
            )


def _other_work(writer: Writer, city: City, campaign: int) -> None:
    """Action plans of every unit, Party histories and commendations of the term."""
    random = writer.random
    for number, unit in enumerate(city.grassroots, start=1):
        writer.add(
            ActionPlan,
            campaign_id=campaign,
            unit_id=unit,
            due_on=date(2012, 7, 31),
            issued_on=date(2012, 7, 1) + timedelta(days=random.randrange(30)),
            issued_number=f"{number:02}-KH/ĐU",
        )
    histories = [*city.ward_committees[:4], city.grassroots[len(city.ward_committees)]]
    for place, unit in enumerate(histories):
        published = place < 2
        project = writer.add(
            HistoryProject,
            unit_id=unit,
            title=f"Lịch sử {city.grassroots_names[unit]}",
            state="published" if published else "in_progress",
            started_on=date(2011, 3 + place, 1),
            published_on=date(2014, 9 + place, 2) if published else None,
        )
        for step, name in enumerate(("Sưu tầm tư liệu", "Viết bản thảo", "Hội thảo", "In")):
            due_on = date(2012 + step, 6, 30)
            writer.add(
                HistoryStep,
                project_id=project,
                name=name,
                due_on=due_on,
                done_on=due_on - timedelta(days=20) if published or step < place - 1 else None,
            )
    _commend(writer, city, "collective", COLLECTIVES_COMMENDED)
    _commend(writer, city, "individual", INDIVIDUALS_COMMENDED)


def _commend(writer: Writer, city: City, kind: str, total: int) -> None:
    years = parts(writer.random, total, [1.0] * 5, 1, total)
    for year, recipients in enumerate(years, start=2010):
        writer.add(
            Commendation,
            decided_on=date(year, 12, 20),
            decision_number=f"{120 + year % 100}-QĐ/TU",
            level="city",
            unit_id=city.root_id,
            recipient_kind=kind,
            recipients=recipients,
        )
