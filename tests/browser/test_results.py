"""A class's results by one key or one tap a learner, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.test_planning import sign_in


@pytest.fixture
def results(server: Server, page: Page) -> Page:
    """The page of the first class's results, at its first learner."""
    sign_in(server, page)
    page.goto("/courses/")
    page.locator("table a").first.click()
    page.get_by_role("link", name="Nhập kết quả").click()
    expect(page.locator('[data-rows="keys"]')).to_be_visible()
    page.locator(".key-row").nth(0).locator("input[type=radio]").nth(5).focus()
    return page


def save(page: Page) -> None:
    page.get_by_role("button", name="Lưu").click()
    expect(page.get_by_text("Đã ghi kết quả của")).to_be_visible()
    expect(page.locator('[data-rows="keys"]')).to_be_visible()


def chosen(page: Page, count: int) -> list[str]:
    rows = page.locator(".key-row")
    return [
        rows.nth(index).locator("input[type=radio]:checked").get_attribute("value") or ""
        for index in range(count)
    ]


def test_each_key_is_a_result_and_leads_to_the_next_learner(results: Page) -> None:
    for key in "12345":
        results.keyboard.press(key)
    expect(results.locator(".key-row").nth(5)).to_have_class(re.compile("key-current"))
    results.keyboard.press("ArrowUp")
    results.keyboard.press("0")
    save(results)
    assert chosen(results, 5) == ["excellent", "good", "fair", "passed", ""]


def test_one_tap_is_a_result_and_the_same_tab_key_leaves_the_list(results: Page) -> None:
    row = results.locator(".key-row")
    row.nth(0).locator(".key-fair").click()
    expect(row.nth(1)).to_have_class(re.compile("key-current"))
    save(results)
    assert chosen(results, 1) == ["fair"]
    learners = row.count()
    for _ in range(2 * learners + 4):  # each row stops twice: its choices, and its certificate
        results.keyboard.press("Tab")
        if results.evaluate("document.activeElement.type") == "submit":
            return
    pytest.fail("the Tab key never reached the button that saves")


def test_what_was_chosen_survives_a_closed_page_until_it_is_saved(results: Page) -> None:
    results.keyboard.press("2")
    other = results.context.new_page()
    other.goto(results.url)
    expect(other.get_by_text("Đã lấy lại những dòng nhập dở")).to_be_visible()
    assert chosen(other, 1) == ["good"]
    save(other)
    kept = "Object.keys(localStorage).filter((key) => key.startsWith('results:'))"
    assert other.evaluate(kept) == []


def test_keys_do_nothing_outside_the_list(results: Page) -> None:
    before = chosen(results, 3)
    results.get_by_role("link", name="Quay lại").focus()
    for key in "123":
        results.keyboard.press(key)
    assert chosen(results, 3) == before
