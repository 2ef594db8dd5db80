"""A report that takes long says so, and its file arrives all the same."""

import time

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.slow
SLOWLY = 4


def slowly(route: Route) -> None:
    time.sleep(SLOWLY)
    route.continue_()


def test_after_two_seconds_a_long_report_says_that_it_is_being_made(
    server: Server, desktop: Page
) -> None:
    link = server.run("account", "create", "bao-cao@test.invalid", "--role", "staff").strip()
    desktop.goto(link)
    desktop.locator("main form button").click()
    desktop.goto("/reports/")
    box = desktop.locator("[data-module=waiting]")
    expect(box).to_be_hidden()
    desktop.route("**/reports/term.docx*", slowly)
    with desktop.expect_download() as download:
        desktop.get_by_role("link", name="Tải DOCX").click()
        expect(box).to_be_visible(timeout=3_500)
        expect(box.locator("[data-progress-text]")).to_have_text("2 s")
    assert download.value.suggested_filename.startswith("bao-cao-")
    expect(box).to_be_hidden()
