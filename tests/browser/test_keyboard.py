"""The program without a mouse: where the focus goes, comes back to, and what is said aloud."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Server
from tests.browser.test_attendance import new_register, open_register

pytestmark = pytest.mark.slow


def in_focus(page: Page) -> Locator:
    return page.locator("*:focus")


def test_the_first_key_leads_past_the_menu_to_the_page(server: Server, desktop: Page) -> None:
    link = server.run("account", "create", "ban-phim@test.invalid", "--role", "staff").strip()
    desktop.goto(link)
    desktop.locator("main form button").click()
    desktop.goto("/people")
    desktop.keyboard.press("Tab")
    expect(in_focus(desktop)).to_have_text("Tới nội dung chính")
    expect(in_focus(desktop)).to_be_in_viewport()
    desktop.keyboard.press("Enter")
    desktop.keyboard.press("Tab")
    expect(desktop.locator("main").locator("*:focus")).to_have_count(1)


def test_a_menu_closes_on_escape_and_gives_the_focus_back(server: Server, page: Page) -> None:
    link = server.run("account", "create", "ban-phim-2@test.invalid", "--role", "staff").strip()
    page.goto(link)
    page.locator("main form button").click()
    page.goto("/people")
    page.locator(".topbar-menu > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(in_focus(page)).to_have_attribute("href", "/coverage/")
    page.keyboard.press("Escape")
    expect(in_focus(page)).to_have_text("Mục lục")
    page.get_by_role("button", name="Thêm bộ lọc").press("Enter")
    expect(in_focus(page)).to_have_attribute("name", "unit")


def test_the_registers_sheet_keeps_the_focus_and_its_figures_are_said(
    server: Server, page: Page
) -> None:
    open_register(page, new_register(server))
    more = page.locator(".person-more").first
    more.press("Enter")
    for _step in range(12):
        page.keyboard.press("Tab")
        outside = page.evaluate(
            "() => document.activeElement !== document.body"
            " && !document.activeElement.closest('dialog')"
        )
        assert not outside
    page.keyboard.press("Escape")
    expect(more).to_be_focused()
    page.locator(".person-main").first.press("Enter")
    expect(page.locator("[data-counts-said]")).to_contain_text("có mặt 1 trên")
