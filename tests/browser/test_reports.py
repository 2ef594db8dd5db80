"""A report that takes long says so, and its file arrives all the same."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.slow
SLOWLY = """
    const quick = window.fetch;
    window.fetch = async (...asked) => {
        await new Promise((done) => setTimeout(done, 4000));
        return quick(...asked);
    };
"""


def test_after_two_seconds_a_long_report_says_that_it_is_being_made(
    server: Server, desktop: Page
) -> None:
    link = server.run("account", "create", "bao-cao@test.invalid", "--role", "staff").strip()
    desktop.goto(link)
    desktop.locator("main form button").click()
    desktop.goto("/reports/")
    box = desktop.locator("[data-module=waiting]")
    expect(box).to_be_hidden()
    desktop.evaluate(SLOWLY)
    with desktop.expect_download() as download:
        desktop.get_by_role("link", name="Tải DOCX").click()
        expect(box).to_be_visible(timeout=3_500)
        expect(box.locator("[data-progress-text]")).to_contain_text(" s")
    assert download.value.suggested_filename.startswith("bao-cao-")
    expect(box).to_be_hidden()
