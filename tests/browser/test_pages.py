"""Every page of the program, found in its own map, at both widths and in both themes.

A new page is looked at here without being named. One load serves both widths: the browser changes
its size under the open page. axe looks at each page twice: on staff's phone in the light, and at
the administrator's desk in the dark.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.browser.conftest import DESKTOP, PHONE, ROOT, Server

NOT_LOOKED_AT = {
    "accounts.link": "a one-time link: every test here signs in through it",
    "invitations.mail": "needs a mail that was sent: test_main_job reads one",
    "invitations.show": "needs a mail that was written: test_main_job reads one",
    "roster.show": "needs an uploaded workbook: test_main_job and test_roster bring one",
    "roster.progress": "needs an uploaded workbook: test_main_job and test_roster bring one",
    "roster.errors": "a workbook: test_main_job opens one",
}
NOT_PAGES = {
    "closed_reports.file",
    "document_templates.file",
    "document_templates.preview",
    "document_templates.starter",
    "documents.download",
    "monitoring.metrics",
    "reports.document",
    "attendance.people",
    "attendance.register",
    "coverage.missing_workbook",
    "door.code",
    "feeds.member_feed",
    "feeds.unit_feed",
    "feeds.speaker_feed",
    "feeds.venue_feed",
    "health.show",
    "offline.worker",
    "planning.feed",
    "reports.workbook",
}
BY_LINK = {
    "attendance.link",
    "door.card",
    "door.enter",
    "feeds.show",
    "reminders.show",
    "replies.show",
}
LINK_PAGES = {
    "attendance.show",
    "attendance.edit",
    "attendance.confirm",
    "door.show",
    "door.scan_form",
    "door.claims",
    "paper.show",
    "paper.edit",
    "register_links.index",
    "attendance_report.show",
}
TABLET = {"width": 1024, "height": 768}
# The last view of each role is the one that axe looks at.
VIEWS = {
    "staff": ((DESKTOP, "light"), (TABLET, "light"), (PHONE, "light")),
    "admin": ((PHONE, "dark"), (DESKTOP, "dark")),
    "link": ((DESKTOP, "dark"), (PHONE, "dark")),
}
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
ADMIN_ONLY = {
    "monitoring.index",
    "privacy.breach_form",
    "privacy.edit_notice",
    "privacy.retention_page",
    "accounts.index",
    "accounts.new",
    "accounts.edit",
    "settings.index",
    "units.kinds",
    "units.new_kind",
    "units.edit_kind",
}


@pytest.fixture(scope="module")
def addresses(server: Server) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.browser.addresses"],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@dataclass
class Walk:
    """A browser page that goes from page to page and keeps what is wrong with them."""

    page: Page
    role: str
    accessible: Callable[[Page], None]
    faults: list[str] = field(default_factory=list)
    address: str = ""

    def __post_init__(self) -> None:
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.faults.append(f"{self.address}: {error}"))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(f"{self.address}: {message.text}")

    def _first_that_answers(self, examples: list[str]) -> str | None:
        return next((one for one in examples if self.page.request.get(one).ok), None)

    def visit(self, endpoint: str, examples: list[str]) -> None:
        """Look at the endpoint's first example that answers."""
        address = examples[0] if len(examples) == 1 else self._first_that_answers(examples)
        if address is None:
            self.faults.append(f"{endpoint}: none of {examples} answers")
            return
        self.address = address
        answer = self.page.goto(address)
        assert answer is not None
        if answer.status != 200 or "text/html" not in answer.headers["content-type"]:
            self.faults.append(f"{address}: answered {answer.status}")
        for size, scheme in VIEWS[self.role]:
            self.page.set_viewport_size(size)  # type: ignore[arg-type]  # a plain dict
            self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # two words
            wide = self.page.evaluate(TOO_WIDE)
            if wide > 0:
                self.faults.append(f"{address} ({self.role}): {wide} px too wide at {size}")
        try:
            self.accessible(self.page)
        except AssertionError as found:
            self.faults.append(f"{address} ({self.role}): {found}")


@pytest.fixture
def walk(
    new_context: Callable[..., BrowserContext],
    assert_no_serious_violations: Callable[[Page], None],
) -> Iterator[Callable[[str], Walk]]:
    made: list[Walk] = []

    def begin(role: str) -> Walk:
        page = new_context(viewport=DESKTOP, reduced_motion="reduce").new_page()
        made.append(Walk(page, role, assert_no_serious_violations))
        return made[-1]

    yield begin
    faults = [fault for one in made for fault in one.faults]
    if faults:
        pytest.fail("\n".join(faults))


def sign_in(server: Server, page: Page, role: str) -> None:
    page.goto(server.run("account", "create", f"{role}-trang@test.invalid", "--role", role).strip())
    page.locator("main form button").click()
    page.wait_for_url("**/coverage/**")


@pytest.mark.slow
@pytest.mark.parametrize("role", ["staff", "admin"])
def test_every_page_fits_and_is_accessible(
    server: Server, addresses: dict[str, Any], walk: Callable[[str], Walk], role: str
) -> None:
    walker = walk(role)
    sign_in(server, walker.page, role)
    left_out = {*NOT_LOOKED_AT, *NOT_PAGES, *BY_LINK, *(ADMIN_ONLY if role == "staff" else ())}
    for endpoint, examples in addresses.items():
        if endpoint not in left_out:
            walker.visit(endpoint, examples)


@pytest.mark.slow
def test_pages_opened_by_a_link_fit_and_are_accessible(
    addresses: dict[str, Any], walk: Callable[[str], Walk]
) -> None:
    walker = walk("link")
    for endpoint in sorted(BY_LINK - {"door.enter"}):
        walker.visit(endpoint, addresses[endpoint])
    walker.page.goto(addresses["attendance.link"][0])
    walker.page.get_by_role("button", name="Mở sổ điểm danh").click()
    walker.page.locator(".register-list[data-ready]").wait_for(state="attached")
    for endpoint in sorted(LINK_PAGES):
        walker.visit(endpoint, addresses[endpoint])
