"""The planning calendar in a real browser: dragging, clicking a slot, and a strict content policy."""

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from rules.days import LOCAL
from tests.browser.conftest import ROOT, Server

WIDGET = ROOT / "static" / "vendor" / "event-calendar.min.js"
pytestmark = pytest.mark.skipif(
    not WIDGET.is_file(), reason="the calendar's script was not fetched (npm is needed)"
)
DAY = datetime.now(LOCAL).date() + timedelta(days=40)


def sign_in(server: Server, page: Page) -> None:
    email = f"lich-{uuid.uuid4()}@test.invalid"
    page.goto(server.run("account", "create", email, "--role", "admin").strip())
    page.locator("main form button").click()


@pytest.fixture
def planner(server: Server, desktop: Page) -> Iterator[Page]:
    """A desk's page, signed in as an administrator; a refused style or script fails the test."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    desktop.on("console", note)
    desktop.set_viewport_size({"width": 1280, "height": 1700})
    sign_in(server, desktop)
    yield desktop
    assert complaints == []


def make_draft(page: Page, topic: str, on: date) -> None:
    page.goto(f"/meetings/new?on={on.isoformat()}")
    page.fill("[name=topic]", topic)
    page.fill("[name=place]", "Nhà riêng")
    page.get_by_role("button", name="Lưu bản nháp").click()
    expect(page.get_by_text("Chưa ai được báo")).to_be_visible()


def drag(page: Page, meeting: Locator, on: date) -> None:
    meeting.scroll_into_view_if_needed()
    start = meeting.bounding_box()
    target = page.locator(f".ec-day-head time[datetime='{on.isoformat()}']").bounding_box()
    assert start is not None
    assert target is not None
    page.mouse.move(start["x"] + 20, start["y"] + 8)
    page.mouse.down()
    page.mouse.move(start["x"] + 30, start["y"] + 18, steps=4)
    page.mouse.move(target["x"] - 20, target["y"] + 40, steps=12)
    page.mouse.up()


def in_month(day: date) -> tuple[date, date]:
    """Two days in the middle of the day's month, a week apart."""
    return day.replace(day=10), day.replace(day=17)


@pytest.mark.slow
def test_a_draft_is_dragged_at_once_and_a_published_meeting_asks(
    planner: Page,
) -> None:
    start, end = in_month(DAY)
    make_draft(planner, "Kéo bản nháp", start)
    planner.goto(f"/planning/?on={start.isoformat()}")
    meeting = planner.locator(".ec-event", has_text="Kéo bản nháp")
    expect(meeting).to_be_visible()
    drag(planner, meeting, end)
    expect(planner.locator("[data-calendar-said]")).to_contain_text("Đã đổi lịch bản nháp")
    planner.goto("/meetings/?view=drafts&q=keo+ban+nhap")
    expect(planner.get_by_text(f"{end:%d/%m/%Y}")).to_be_visible()
    planner.get_by_role("link", name="Kéo bản nháp").click()
    planner.get_by_role("link", name="Công bố").click()
    planner.get_by_role("button", name="Công bố và gửi thư mời").click()
    planner.goto(f"/planning/?on={end.isoformat()}")
    drag(planner, planner.locator(".ec-event", has_text="Kéo bản nháp"), start)
    expect(planner.get_by_role("heading", name="Ai sẽ được báo")).to_be_visible()
    planner.get_by_role("button", name="Lưu và báo").click()
    expect(planner.get_by_text("Đã lưu thay đổi")).to_be_visible()


@pytest.mark.slow
def test_a_clicked_day_opens_a_new_meeting_with_clashes_beside_it(
    planner: Page,
) -> None:
    day, _later = in_month(DAY)
    planner.goto(f"/planning/?on={day.isoformat()}")
    expect(planner.locator("[aria-busy=true]")).to_have_count(0)
    box = planner.locator(f".ec-day-head time[datetime='{day.isoformat()}']").bounding_box()
    assert box is not None
    # Beside the day's number, where no meeting of the day can lie.
    planner.mouse.click(box["x"] - 40, box["y"] + box["height"] / 2)
    expect(planner.locator("[name=on]")).to_have_value(day.isoformat())
    planner.locator("[name=speaker_ids]").first.check()
    planner.fill("[name=topic]", "Buổi thứ nhất")
    planner.get_by_role("button", name="Lưu bản nháp").click()
    planner.wait_for_url(re.compile(r"/meetings/\d+"))
    planner.goto(f"/meetings/new?on={day.isoformat()}")
    planner.locator("[name=speaker_ids]").first.check()
    expect(planner.locator("[data-clashes]")).to_contain_text("Buổi thứ nhất")


@pytest.mark.slow
def test_every_planning_page_fits_and_is_accessible(
    server: Server, desktop: Page, assert_no_serious_violations: Callable[[Page], None]
) -> None:
    sign_in(server, desktop)
    campaign = server.json("campaign", "list")[0]["code"]
    meeting = server.json("meeting", "list")[0]["id"]
    addresses = (
        "/planning/",
        "/planning/bulk",
        "/planning/clashes",
        "/planning/week",
        f"/planning/proposals/{campaign}",
        "/meetings/",
        f"/meetings/{meeting}",
        f"/meetings/{meeting}/edit",
        f"/meetings/{meeting}/links",
        f"/meetings/{meeting}/cancellation",
        "/courses/",
    )
    for width in (390, 1280):
        desktop.set_viewport_size({"width": width, "height": 900})
        for address in addresses:
            desktop.goto(address)
            wide = desktop.locator("html").evaluate("e => e.scrollWidth - e.clientWidth")
            assert wide <= 0, f"{address} at {width}"
            expect(desktop.locator("[aria-busy=true]")).to_have_count(0)
            assert_no_serious_violations(desktop)
