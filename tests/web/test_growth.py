"""What a page asks of the database grows with what it shows, never with the table."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import event

from models import HistoryProject, HistoryStep, LeaderVisit, Unit
from models import db as tables
from services import report_tables, work_lists
from services.report_places import VIEWS
from tests import world
from tests.services import campaign_plans as plans

PAGES = (
    "/coverage/",
    "/meetings/",
    "/people",
    "/works/",
    "/works/visits",
    "/works/histories",
    "/courses/",
)


@pytest.fixture
def city(db):
    return world.build_world()


@contextmanager
def statements(db) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(*given):
        seen.append(given[2])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def asked(app: Flask, db, city, path: str, by: str = "an") -> int:
    """How many statements the page takes, once its sign-in and caches are warm.

    The least of three times: what a page asks once in a while (the banners) may fall into one.
    """
    client = world.signed_in(app.test_client(), city.accounts[by])
    assert client.get(path, follow_redirects=True).status_code == 200
    counts = []
    for _ in range(3):
        with statements(db) as seen:
            assert client.get(path).status_code == 200
        counts.append(len(seen))
    return min(counts)


def grow(city, db) -> None:
    """Three times the cells, ten times the people, and meetings besides.

    What is only asked when there is a meeting at all may come on top, once.
    """
    for number in range(8):
        cell = world.add_unit(f"C{number}", "cell", f"Chi bộ {number} mới", city.units["ward-1"])
        for one in range(12):
            world.add_person(f"T{number}{one:02}", f"Nguyễn Văn {one}", cell)
        owe_work(cell, number)
    for number in range(12):
        world.add_meeting(city, at=datetime.now(UTC) + timedelta(days=5 + number))
    db.session.commit()


def owe_work(cell: Unit, number: int) -> None:
    """A history of the cell with a step, and visits to it."""
    day = date(2026, 12, 1) + timedelta(days=number)
    history = HistoryProject(unit_id=cell.id, title="Lịch sử", state="in_progress", started_on=day)
    tables.session.add(history)
    tables.session.flush()
    tables.session.add(HistoryStep(project_id=history.id, name="Viết", due_on=day))
    for visit in range(6):
        tables.session.add(LeaderVisit(unit_id=cell.id, leader=f"Đ/c {visit}", due_on=day))


@pytest.mark.parametrize("path", ["/works/", "/works/visits", "/works/histories"])
def test_a_page_of_work_shows_one_page_of_it(app, db, city, path):
    for number in range(60):
        owe_work(city.units["cell-1"], number)
    db.session.commit()
    client = world.signed_in(app.test_client(), city.accounts["an"])
    page = client.get(path)
    assert page.text.count('<th scope="row"') <= 2 * work_lists.PAGE


@pytest.mark.parametrize("path", PAGES)
def test_a_list_asks_no_more_often_when_there_is_more(app, db, city, path):
    plans.opened(city)
    owe_work(city.units["cell-1"], 0)
    db.session.commit()
    before = asked(app, db, city, path)
    grow(city, db)
    assert asked(app, db, city, path) <= before + 2


def test_a_register_asks_no_more_often_for_more_names(app, db, city):
    at = datetime.now(UTC)
    small = world.add_meeting(city, at=at, invite=("cell-1",)).id
    before = asked(app, db, city, f"/attendance/{small}/register")
    grow(city, db)
    large = world.add_meeting(city, at=at, invite=("ward-1",)).id
    assert asked(app, db, city, f"/attendance/{large}/register") <= before + 1


def test_a_reader_of_one_ward_asks_no_more_often_when_the_city_grows(app, db, city):
    plans.opened(city)
    before = asked(app, db, city, "/coverage/", by="dung")
    grow(city, db)
    assert asked(app, db, city, "/coverage/", by="dung") <= before + 1


REPORTS = [f"/reports/tables/{form}" for form in report_tables.FORMS] + ["/reports/"]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("path", REPORTS)
def test_a_report_asks_no_more_often_when_there_are_more_units(app, db, city, path, view):
    plans.opened(city)
    before = asked(app, db, city, f"{path}?view={view}")
    grow(city, db)
    assert asked(app, db, city, f"{path}?view={view}") <= before + 1
