"""The door in a real browser: the code changes by itself, a scan claims, the taker confirms."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Server
from tests.browser.test_attendance import new_register, stored


def open_link(page: Page, made: dict[str, Any]) -> None:
    """Let this browser hold the meeting's link."""
    page.goto(made["link"])
    token = page.locator('main [name="csrf_token"]').input_value()
    page.request.post(made["link"], form={"csrf_token": token}, max_redirects=0)


@pytest.fixture
def register(server: Server, page: Page) -> dict[str, Any]:
    made = new_register(server)
    open_link(page, made)
    return made


def member_code(server: Server, subject: str) -> str:
    """The code on that member's card."""
    file = server.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as database:
        query = "select code from person where id = ?"
        (code,) = database.execute(query, (subject.removeprefix("m:"),)).fetchone()
    return str(code)


def test_the_screen_draws_the_next_code_without_being_touched(page, register):
    page.clock.install()
    page.goto(f"/attendance/{register['id']}/door")
    picture = page.locator('[data-door="picture"] svg path').nth(1)
    first = picture.get_attribute("d")
    with page.expect_response(re.compile(r"/door/code")):
        page.clock.fast_forward(6_000)
    expect(page.locator('[data-door="picture"] svg')).to_be_visible()
    box = page.locator('[data-door="picture"] svg').bounding_box()
    assert box is not None
    assert box["width"] > 250
    assert first


def test_the_screen_says_when_the_network_is_gone_and_the_code_is_old(page, register):
    page.clock.install()
    page.goto(f"/attendance/{register['id']}/door")
    page.wait_for_timeout(100)
    page.route("**/door/code", lambda route: route.abort())
    page.clock.run_for(60_000)
    expect(page.locator('[data-door="lost"]')).to_contain_text("Mất mạng")


def test_a_member_scans_and_the_taker_confirms_on_the_list(
    server: Server,
    new_context: Callable[..., BrowserContext],
    page: Page,
    register: dict[str, Any],
) -> None:
    line = stored(page, register)["subjects"][0]
    code = page.request.get(f"/attendance/{register['id']}/door/code").json()["code"]
    phone = new_context().new_page()
    phone.goto(f"/door/{register['id']}?c={code}")
    phone.get_by_label("Mã đảng viên").fill(member_code(server, line["subject"]))
    phone.get_by_label("Tên (chỉ tên gọi").fill(line["name"].split()[-1])
    phone.get_by_role("button", name="Báo có mặt").click()
    expect(phone.get_by_text("Đã ghi nhận bạn đến dự")).to_be_visible()
    page.goto(f"/attendance/{register['id']}/claims")
    expect(page.get_by_text(line["name"])).to_be_visible()
    page.get_by_role("button", name="Xác nhận tất cả (1)").click()
    expect(page.get_by_text("Đã xác nhận 1 lượt quét.")).to_be_visible()
    assert stored(page, register)["counts"]["present"] == 1


def test_typed_codes_are_answered_on_the_page_without_leaving_it(server, page, register):
    line = stored(page, register)["subjects"][1]
    page.goto(f"/attendance/{register['id']}/scan")
    page.locator('.scan[data-started="true"]').wait_for()
    field = page.get_by_label("Mã đảng viên")
    for text, words in (
        (member_code(server, line["subject"]), f"Đã ghi {line['name']} có mặt."),
        ("khong-co", "không có trong danh sách"),
    ):
        field.fill(text)
        field.press("Enter")
        expect(page.locator(".scan-results li").first).to_contain_text(words)
        expect(field).to_have_value("")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_pages_of_the_door_fit_and_are_accessible(
    new_context, register, page, assert_no_serious_violations, width, scheme
):
    size = {"width": width, "height": 800}
    screen = new_context(viewport=size, color_scheme=scheme).new_page()
    open_link(screen, register)
    code = screen.request.get(f"/attendance/{register['id']}/door/code").json()["code"]
    base = f"/attendance/{register['id']}"
    for address in (
        f"{base}/door",
        f"{base}/claims",
        f"{base}/scan",
        f"{base}/helpers",
        f"{base}/summary",
        f"{base}/paper",
        f"{base}/paper/entry",
        "/attendance/paper",
        f"/door/{register['id']}?c={code}",
        f"/door/{register['id']}",
    ):
        screen.goto(address)
        assert screen.evaluate("document.documentElement.scrollWidth") <= width, address
        assert_no_serious_violations(screen)


CAMERA = """
  window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { return window.inView ? [{ rawValue: window.inView }] : []; }
  };
  navigator.mediaDevices.getUserMedia = async () => document.createElement("canvas").captureStream();
  HTMLMediaElement.prototype.play = async () => {};
"""


def test_a_browser_that_cannot_read_codes_is_offered_no_camera(page, register):
    page.goto(f"/attendance/{register['id']}/scan")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_label("Mã đảng viên")).to_be_visible()
    if not page.evaluate("'BarcodeDetector' in window"):
        expect(page.get_by_role("button", name="Mở máy ảnh để quét")).to_be_hidden()


def test_the_camera_sends_a_card_once_however_long_it_is_held_there(server, page, register):
    line = stored(page, register)["subjects"][2]
    page.add_init_script(CAMERA)
    page.goto(f"/attendance/{register['id']}/scan")
    page.get_by_role("button", name="Mở máy ảnh để quét").click()
    page.evaluate("(code) => { window.inView = code; }", member_code(server, line["subject"]))
    results = page.locator(".scan-results li")
    expect(results.first).to_have_text(f"Đã ghi {line['name']} có mặt.")
    page.wait_for_timeout(1000)
    assert results.count() == 1
    assert stored(page, register)["counts"]["present"] == 1
