"""The demonstration's other work, so that no table of a report stands empty: results and plans of
classes, themed cell meetings with leaders who attended, somebody to be called."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from random import Random

from models import CallListEntry, ClassPlan, LeaderVisit
from rules.days import instant, local_day
from services.demo.city import Cell, City
from services.demo.registers import Said, add_meeting, invite
from services.demo.writer import Writer

RESULTS = ("excellent", "good", "fair", "passed", "failed")
SHARES = (4, 26, 41, 27, 2)
THEMES = (
    "Học tập và làm theo tư tưởng, đạo đức, phong cách Hồ Chí Minh: nói đi đôi với làm",
    "Nâng cao chất lượng sinh hoạt chi bộ",
    "Phát huy vai trò nêu gương của cán bộ, đảng viên",
    "Xây dựng nếp sống văn minh đô thị",
)
LEADERS = ("Bí thư", "Phó Bí thư", "Trưởng ban", "Chuyên viên phụ trách")
THEMED_YEAR = 2014
CELLS_THAT_DID_NOT_MEET = 9
"""One cell in so many misses a quarter: the report says "chưa tổ chức" of some."""


def result_of(number: int, learner: int, opens_on: date, closes_on: date) -> dict[str, object]:
    """A learner's result and, when passed, the certificate, in the numbering of the class's year."""
    result = Random(f"{number}-{learner}").choices(RESULTS, SHARES)[0]
    passed = result != "failed"
    return {
        "result": result,
        "certificate_number": f"{number:03}/{learner:03}" if passed else None,
        "certificate_on": closes_on + timedelta(days=7) if passed else None,
        "enrolled_on": opens_on,
    }


def add_class_plans(writer: Writer, city: City, opened: Iterable[tuple[str, date]]) -> None:
    """Every year's plan, a little above or below what was opened in it."""
    counts = Counter((opens_on.year, code) for code, opens_on in opened)
    for (year, code), classes in sorted(counts.items()):
        planned = max(1, classes + (year + len(code)) % 3 - 1)
        writer.put(
            ClassPlan,
            year=year,
            organiser_id=city.root_id,
            type_code=code,
            classes=planned,
            learners=planned * 75,
        )


def add_past_cell_meetings(writer: Writer, city: City) -> None:
    """A year of the term in which every cell met on a theme once a quarter, most of them."""
    for quarter in range(4):
        for place, cell in enumerate(city.cells):
            if (place + quarter) % CELLS_THAT_DID_NOT_MEET == 0:
                continue
            day = date(THEMED_YEAR, 3 * quarter + 1, 3) + timedelta(days=place % 20)
            _meet(writer, city, cell, cell.eligible, day, quarter)
            if place % 12 == quarter:
                _visit(writer, cell, place, day, done_on=day)


def add_present_cell_meetings(writer: Writer, city: City, now: datetime) -> None:
    """The themed meetings of the quarter in which the demonstration is looked at."""
    today = local_day(now)
    first = date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
    for place, cell in enumerate(city.cells):
        day = first + timedelta(days=place % 25)
        if day < today and place % CELLS_THAT_DID_NOT_MEET:
            _meet(writer, city, cell, cell.today, day, (today.month - 1) // 3)


def _meet(
    writer: Writer, city: City, cell: Cell, people: list[int], day: date, quarter: int
) -> None:
    starts_at = instant(day, time(19, 30))
    listed = [(person, cell.id) for person in people]
    meeting = add_meeting(
        writer,
        city,
        kind="cell",
        is_thematic=True,
        topic=THEMES[quarter],
        starts_at=starts_at,
        minutes=60,
        units=[cell.id],
        said=[
            Said("excused" if (person + quarter) % 11 == 0 else "present", cell.id, person)
            for person in people
        ],
        organiser_id=cell.id,
        place=f"Nhà văn hoá, {cell.name}",
    )
    invite(writer, meeting, listed, starts_at - timedelta(days=5))


def _visit(writer: Writer, cell: Cell, place: int, due_on: date, done_on: date | None) -> None:
    writer.add(
        LeaderVisit,
        unit_id=cell.id,
        leader=f"Đ/c {LEADERS[place % len(LEADERS)]} (minh hoạ)",
        due_on=due_on,
        done_on=done_on,
    )


def add_call(writer: Writer, city: City, meeting: int, topic: str, now: datetime) -> None:
    """Somebody without an address, to be told of a meeting by telephone."""
    cell = next(cell for cell in city.cells if cell.today)
    writer.add(
        CallListEntry,
        unit_id=cell.id,
        person_id=cell.today[0],
        meeting_id=meeting,
        kind="request",
        dedup_key=f"demo-call-{city.prefix}{meeting}",
        text=f"Mời dự: {topic}",
        created_at=now,
    )
