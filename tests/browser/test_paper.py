"""Typing a paper register in with keys and with a thumb, in a real browser."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.test_attendance import new_register, stored
from tests.browser.test_door import open_link


@pytest.fixture
def register(server: Server, page: Page) -> dict[str, Any]:
    made = new_register(server)
    open_link(page, made)
    page.goto(f"/attendance/{made['id']}/paper/entry")
    expect(page.locator('[data-rows="keys"]')).to_be_visible()
    return made


def save(page: Page) -> None:
    page.get_by_role("button", name="Lưu").click()
    expect(page.get_by_text("dòng từ bản giấy")).to_be_visible()
    expect(page.locator('[data-rows="keys"]')).to_be_visible()


def statuses(page: Page, register: dict[str, Any]) -> list[str]:
    return [one["status"] for one in stored(page, register)["subjects"]]


def test_one_key_a_row_goes_down_the_sheet(page, register):
    for key in "1234":
        page.keyboard.press(key)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("0")
    page.keyboard.press("1")
    save(page)
    assert statuses(page, register)[:6] == [
        "present",
        "late",
        "excused",
        "not_marked",
        "present",
        "not_marked",
    ]


def test_one_tap_a_row_brings_the_next_under_the_thumb(page, register):
    rows = page.locator('[data-rows="row"]')
    rows.nth(0).locator(".key-unexcused").click()
    expect(rows.nth(1)).to_have_class("key-row key-current")
    rows.nth(1).locator(".key-present").click()
    save(page)
    assert statuses(page, register)[:2] == ["unexcused", "present"]


def test_the_rest_is_present_with_one_tap(page, register):
    page.keyboard.press("4")
    page.get_by_role("button", name="Còn lại: có mặt").click()
    save(page)
    found = statuses(page, register)
    assert found[0] == "unexcused"
    assert set(found[1:]) == {"present"}


def test_what_was_typed_survives_a_closed_page_until_it_is_saved(page, register):
    for key in "121":
        page.keyboard.press(key)
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_text("Đã lấy lại những dòng nhập dở")).to_be_visible()
    save(other)
    assert statuses(other, register)[:3] == ["present", "late", "present"]
    assert (
        other.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('paper:'))") == []
    )


def test_digits_typed_into_a_name_stay_in_the_name(page, register):
    guest = page.get_by_label("Họ tên người thứ 1")
    guest.fill("")
    guest.press_sequentially("Lê Văn 12")
    expect(guest).to_have_value("Lê Văn 12")
    assert set(statuses(page, register)) == {"not_marked"}


def test_the_sheet_prints_on_a4_in_the_phones_order(page, register):
    names = [one["name"] for one in stored(page, register)["subjects"]]
    page.goto(f"/attendance/{register['id']}/paper")
    printed = page.locator(".paper-register tbody tr:not(.paper-group) td:nth-child(2)")
    shown = [text.split(" (")[0] for text in printed.all_inner_texts()]
    assert [name for name in shown if name] == names
    assert len(shown) - len(names) >= 8
    sheet = page.pdf(prefer_css_page_size=True)
    assert sheet.startswith(b"%PDF")
    assert b"/MediaBox [0 0 594" in sheet or b"/MediaBox [0 0 595" in sheet
