"""Bad days of a register on a phone: no network, lost answers, killed pages and servers, wrong clocks."""

import contextlib
import gzip
import random
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import Error as PlaywrightError

from services.tokens import token_hash
from tests.browser.conftest import (
    FLAGS,
    PHONE,
    ROOT,
    Server,
    chromium,
    demonstration_ward,
    end,
    kill,
    start_serving,
)
from tests.browser.test_attendance import new_register, open_register, stored

NOT_COPIED = (".venv", ".git", ".setup", "instance", "bench", "tests", "docs", ".*_cache")
UNSENT = """() => new Promise((resolve) => {
    const asked = indexedDB.open("tuyenhuan");
    asked.onsuccess = () => {
        const items = asked.result.transaction("items").objectStore("items").getAll();
        items.onsuccess = () => { asked.result.close(); resolve(items.result.length); };
    };
})"""


class Restartable:
    """A server that may be killed and started again over the same database, at the same address."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.process = start_serving(server)

    def kill(self) -> None:
        kill(self.process)

    def start(self, tree: Path = ROOT) -> None:
        self.process = start_serving(self.server, tree)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restartable]:
    running = Restartable(demonstration_ward(tmp_path_factory.mktemp("own")))
    yield running
    end(running.process)


@pytest.fixture
def phones(browser: Browser, own: Restartable) -> Iterator[Callable[..., Page]]:
    """Pages of separate phones that speak to the server that may be killed."""
    made: list[BrowserContext] = []

    def phone(script: str = "", **options: Any) -> Page:
        context = browser.new_context(
            base_url=own.server.url,
            viewport=PHONE,  # type: ignore[arg-type]  # a width and a height
            locale="vi-VN",
            timezone_id="Asia/Ho_Chi_Minh",
            **options,
        )
        context.set_default_timeout(15_000)
        if script:
            context.add_init_script(script)
        made.append(context)
        page = context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        return page

    yield phone
    for context in made:
        context.close()


def open_and_keep(page: Page, made: dict[str, Any], link: str = "link") -> None:
    """Open the register and wait until the phone could open it again without a network."""
    open_register(page, made, link)
    page.locator(".register[data-kept]").wait_for()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")


def wait_until_sent(page: Page) -> None:
    """Back on the page, as a hand would be: it tries at once and does not wait for its back-off."""
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    saved = page.locator('.save-state[data-state="saved"] span')
    expect(saved).to_contain_text("Đã lưu lúc", timeout=60_000)


def tap(page: Page, *places: int) -> None:
    for place in places:
        page.locator(".person-main").nth(place).click()


def tap_all(page: Page, places: list[int]) -> None:
    """As many taps as a script can make, each the same as a thumb's."""
    page.evaluate(
        "places => { const all = [...document.querySelectorAll('.person-main')];"
        " for (const place of places) all[place].click(); }",
        places,
    )


def statuses(answer: Any) -> dict[str, str]:
    return {one["subject"]: one["status"] for one in answer["subjects"]}


def shown(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.evaluate(
        "() => Object.fromEntries([...document.querySelectorAll('.person')]"
        ".map((row) => [row.dataset.subject, row.dataset.status]))"
    )
    return found


def unsent(page: Page) -> int:
    number: int = page.evaluate(UNSENT)
    return number


def test_an_opened_register_opens_again_with_no_server_at_all(own, phones):
    page = phones()
    made = new_register(own.server)
    open_and_keep(page, made)
    tap(page, 0)
    wait_until_sent(page)
    own.kill()
    try:
        page.reload()
        page.locator(".register-list[data-ready]").wait_for(state="attached")
        expect(page.locator(".person").first).to_have_attribute("data-status", "present")
        tap(page, 1, 2)
        expect(page.locator(".save-state")).to_contain_text("Chưa gửi: 2")
        page.goto("/attendance/")
        page.get_by_role("link", name="Buổi thử điểm danh").click()
        expect(page.locator('.person[data-status="present"]')).to_have_count(3)
        page.goto(made["link"])
        page.locator(".register-list[data-ready]").wait_for(state="attached")
        expect(page.locator('.person[data-status="present"]')).to_have_count(3)
        expect(page.locator(".save-state")).to_contain_text("Chưa gửi: 2")
    finally:
        own.start()
    wait_until_sent(page)
    assert stored(page, made)["counts"]["present"] == 3


def test_a_marks_id_begins_with_its_moment_and_any_other_is_random(own, phones):
    page = phones()
    open_register(page, new_register(own.server, members=5))
    marks = page.evaluate(
        "import('attendance/roster').then(({ newMarkId }) => [newMarkId(0x0123456789ab), newMarkId()])"
    )
    others = page.evaluate("import('attendance/roster').then(({ newId }) => [newId(), newId()])")
    old, new, *random_ids = (UUID(one) for one in (*marks, *others))
    assert (old.version, new.version) == (7, 7)
    assert old.hex.startswith("0123456789ab")
    assert abs(int(new.hex[:12], 16) / 1000 - time.time()) < 60
    assert [one.version for one in random_ids] == [4, 4]
    assert random_ids[0].hex[:8] != random_ids[1].hex[:8]


def test_fifty_unsent_marks_survive_a_reload_and_a_closed_page(own, phones):
    page = phones()
    made = new_register(own.server, members=60)
    open_and_keep(page, made)
    own.kill()
    try:
        tap_all(page, list(range(50)))
        expect(page.locator('.person[data-status="present"]')).to_have_count(50)
        expect(page.locator(".save-state")).to_contain_text("Chưa gửi: 50")
        page.reload()
        expect(page.locator(".save-state")).to_contain_text("Chưa gửi: 50")
        page.close(run_before_unload=False)
        again = page.context.new_page()
        again.goto(f"/attendance/{made['id']}")
        expect(again.locator('.person[data-status="present"]')).to_have_count(50)
        expect(again.locator(".save-state")).to_contain_text("Chưa gửi: 50")
    finally:
        own.start()
    wait_until_sent(again)
    assert stored(again, made)["counts"]["present"] == 50
    assert unsent(again) == 0


def test_fifty_unsent_marks_survive_a_killed_browser(own, browser, tmp_path):
    made = new_register(own.server, members=60)
    program = browser.browser_type
    options = {
        "executable_path": chromium(),
        "args": list(FLAGS),
        "base_url": own.server.url,
        "viewport": PHONE,
    }
    context = program.launch_persistent_context(str(tmp_path), **options)
    page = context.pages[0]
    open_and_keep(page, made)
    page.context.set_offline(True)
    tap_all(page, list(range(50)))
    expect(page.locator('.person[data-status="present"]')).to_have_count(50)
    processes = subprocess.run(
        ["pgrep", "-f", "--", f"--user-data-dir={tmp_path}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    subprocess.run(["kill", "-9", *processes], check=False)
    with contextlib.suppress(PlaywrightError):  # what is killed may be gone already
        context.close()
    again = program.launch_persistent_context(str(tmp_path), **options)
    page = again.pages[0]
    # The browser itself may not have written its cookie and its service worker to the disk yet:
    # the phone has then lost its sign-in and its copy of the page, and not one mark.
    again.clear_cookies()
    page.goto("/attendance/offline")
    assert unsent(page) == 50
    open_register(page, made)
    expect(page.locator('.person[data-status="present"]')).to_have_count(50)
    wait_until_sent(page)
    assert stored(page, made)["counts"]["present"] == 50
    again.close()


def test_a_network_cut_in_the_middle_of_the_batches_loses_and_doubles_nothing(own, phones):
    page = phones(service_workers="block")
    made = new_register(own.server, members=450)
    open_register(page, made)
    seen: list[int] = []

    def cut(route):
        seen.append(len(seen))
        if len(seen) == 2:
            route.fetch()
        if len(seen) in (2, 3):
            route.abort("connectionreset")
        else:
            route.fallback()

    page.route("**/marks", cut)
    page.locator("#register-all").click()
    total = page.locator(".person").count()
    wait_until_sent(page)
    assert len(seen) > 3
    register = stored(page, made)
    assert register["counts"]["present"] == total
    assert register["counts"]["visits"] == total


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "text/html", "<html>Wi-Fi của khách sạn: hãy đăng nhập</html>"),
        (200, "application/json", '{"ok": true, "marks": []}'),
        (413, "application/json", '{"ok": false, "reason": "http_413", "message": "to"}'),
        (409, "application/json", '{"ok": false, "reason": "refused", "message": "khoá"}'),
        (425, "text/plain", ""),
        (429, "application/json", '{"ok": false, "reason": "many", "message": "chậm lại"}'),
        (500, "text/html", "<h1>Internal Server Error</h1>"),
    ],
)
def test_whatever_answers_without_a_verdict_keeps_the_marks(
    own, phones, shared_register, status, kind, body
):
    # The service worker would send them beside the page, past what stands in the way here.
    page = phones(service_workers="block")
    open_register(page, shared_register)
    page.route("**/marks", lambda route: route.fulfill(status=status, content_type=kind, body=body))
    place = page.locator('.person[data-status="not_marked"]').first
    subject = place.get_attribute("data-subject")
    place.locator(".person-main").click()
    expect(page.locator('.save-state[data-state="trouble"]')).to_contain_text("Chưa gửi: 1")
    assert unsent(page) == 1
    page.unroute("**/marks")
    page.get_by_role("button", name="Gửi ngay").click()
    wait_until_sent(page)
    assert statuses(stored(page, shared_register))[subject] == "present"


@pytest.fixture(scope="module")
def shared_register(own: Restartable) -> dict[str, Any]:
    return new_register(own.server)


def test_two_tabs_show_and_send_the_same_marks_once(own, phones):
    page = phones()
    made = new_register(own.server)
    open_and_keep(page, made)
    other = page.context.new_page()
    other.goto(f"/attendance/{made['id']}")
    other.locator(".register-list[data-ready]").wait_for(state="attached")
    page.context.set_offline(True)
    tap(page, 0, 1)
    tap(other, 2)
    for tab in (page, other):
        expect(tab.locator('.person[data-status="present"]')).to_have_count(3)
        expect(tab.locator(".save-state")).to_contain_text("Chưa gửi: 3")
    page.context.set_offline(False)
    for tab in (page, other):
        expect(tab.locator('.save-state[data-state="saved"]')).to_be_visible()
    counts = stored(page, made)["counts"]
    assert (counts["present"], counts["visits"]) == (3, 3)


def test_three_phones_mark_four_hundred_names_while_the_server_is_killed(own, phones):
    made = new_register(own.server, members=450)
    pages = [phones(), phones(), phones()]
    for page, link in zip(pages, ("link", "helper_link", "helper_link"), strict=True):
        open_and_keep(page, made, link)
    total = pages[0].locator(".person").count()
    assert total >= 400
    for page in pages[1:]:
        page.context.set_offline(True)
    order = random.Random(3)
    shares = [order.sample(range(total), total) for _ in pages]
    for page, share in zip(pages, shares, strict=True):
        page.evaluate(
            """async (places) => {
                const all = [...document.querySelectorAll(".person-main")];
                for (const place of places) {
                    if (all[place].closest(".person").dataset.status === "not_marked") all[place].click();
                    if (place % 40 === 0) await new Promise((go) => setTimeout(go, 20));
                }
            }""",
            share,
        )
    own.kill()
    for page in pages[1:]:
        page.context.set_offline(False)
    pages[2].close(run_before_unload=False)
    pages[2] = pages[2].context.new_page()
    pages[2].goto(f"/attendance/{made['id']}")
    waiter = threading.Timer(1.0, own.start)
    waiter.start()
    waiter.join()
    for page in pages:
        page.bring_to_front()
        page.evaluate("window.dispatchEvent(new Event('focus'))")
    for page in pages:
        expect(page.locator('.save-state[data-state="saved"]')).to_be_visible(timeout=60_000)
    register = stored(pages[0], made)
    assert register["counts"]["present"] == register["counts"]["visits"] == total
    for page in pages:
        page.reload()
        page.locator(".register-list[data-ready]").wait_for(state="attached")
        assert shown(page) == statuses(register)
        assert unsent(page) == 0


def test_a_phone_a_day_slow_does_not_undo_what_another_said_before_it(own, phones):
    made = new_register(own.server)
    right = phones()
    slow = phones(
        "const Real = Date; const off = -86_400_000;"
        "globalThis.Date = class extends Real {"
        " constructor(...given) { if (given.length) super(...given); else super(Real.now() + off); }"
        " static now() { return Real.now() + off; } };"
    )
    for page in (right, slow):
        open_and_keep(page, made)
    tap(right, 0)
    wait_until_sent(right)
    slow.reload()
    row = slow.locator(".person").first
    expect(row).to_have_attribute("data-status", "present")
    row.locator(".person-more").click()
    slow.locator("#register-choices").get_by_role("button", name="Đến muộn").click()
    wait_until_sent(slow)
    assert stored(right, made)["subjects"][0]["status"] == "late"


def revoke(server: Server, token: str) -> None:
    """End a link as its owner would, in the database of the running server."""
    path = server.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection:
        done = connection.execute(
            "UPDATE meeting_link SET revoked_at = valid_from WHERE token_hash = ?",
            (token_hash(token),),
        )
        assert done.rowcount == 1
        connection.commit()


def test_marks_made_after_a_link_was_revoked_wait_for_the_next_one(own, phones):
    page = phones()
    made = new_register(own.server)
    open_and_keep(page, made)
    revoke(own.server, made["link_token"])
    tap(page, 0)
    expect(page.locator(".save-state")).to_contain_text(
        "để gửi; các lượt vẫn được giữ trên máy này"
    )
    assert unsent(page) == 1
    other = page.context.new_page()
    open_register(other, made, "helper_link")
    wait_until_sent(other)
    assert stored(page, made, "helper_link_token")["counts"]["present"] == 1


def test_signing_out_warns_of_what_waits_and_forgets_the_registers_but_not_the_marks(own, phones):
    page = phones(service_workers="block")
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    email = "roi-may@test.invalid"

    def sign_in() -> None:
        page.goto(own.server.run("account", "create", email, "--role", "staff").strip())
        page.get_by_role("button", name="Đăng nhập").click()
        page.wait_for_url(lambda url: "/sign-in" not in url)

    sign_in()
    made = new_register(own.server)
    page.goto(f"/attendance/{made['id']}")
    page.locator(".register[data-kept]").wait_for()
    page.route("**/marks", lambda route: route.abort())
    tap(page, 0)
    expect(page.locator(".save-state")).to_contain_text("Chưa gửi: 1")
    page.goto("/attendance/", wait_until="networkidle")
    page.locator('[data-module="leaving"]').first.evaluate("form => form.requestSubmit()")
    page.wait_for_url("**/sign-in")
    assert any("Còn 1 lượt điểm danh chưa gửi" in message for message in asked)
    kept = UNSENT.replace('"items"', '"pages"')
    assert page.evaluate(kept) == 0
    assert unsent(page) == 1
    page.unroute("**/marks")
    open_register(page, made)
    wait_until_sent(page)
    assert stored(page, made)["counts"]["present"] == 1


def test_without_a_memory_the_page_says_so_and_still_sends(own, phones):
    page = phones("Object.defineProperty(globalThis, 'indexedDB', {value: undefined});")
    made = new_register(own.server)
    open_register(page, made)
    tap(page, 0)
    wait_until_sent(page)
    expect(page.locator(".storage-warning")).to_contain_text("không giữ được các lượt chưa gửi")
    assert stored(page, made)["counts"]["present"] == 1


def test_heads_counted_without_a_network_survive_a_closed_page(own, phones):
    page = phones()
    made = new_register(own.server, members=0, counting="heads")
    open_and_keep(page, made)
    page.context.set_offline(True)
    for _ in range(3):
        page.get_by_role("button", name="+10").click()
    expect(page.locator(".heads-number")).to_have_text("30")
    page.close(run_before_unload=False)
    page.context.set_offline(False)
    again = page.context.new_page()
    again.goto(f"/attendance/{made['id']}")
    expect(again.locator(".heads-number")).to_have_text("30")
    wait_until_sent(again)
    assert stored(again, made)["counts"]["heads"] == 30


def test_a_version_that_arrives_while_the_phone_is_away_takes_its_marks(own, phones, tmp_path):
    page = phones()
    made = new_register(own.server)
    open_and_keep(page, made)
    before = page.evaluate("caches.keys()")
    tree = tmp_path / "next"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for name in ("css/attendance.css", "js/attendance/store.js", "js/attendance.js"):
        with (tree / "static" / name).open("a", encoding="utf-8") as file:
            file.write("/* the next version */\n")
    own.kill()
    try:
        tap(page, 0, 1, 2)
        page.reload()
        expect(page.locator(".save-state")).to_contain_text("Chưa gửi: 3")
    finally:
        own.start(tree)
    wait_until_sent(page)
    assert stored(page, made)["counts"]["present"] == 3
    page.reload()
    page.locator(".register[data-kept]").wait_for()
    page.wait_for_function("n => caches.keys().then((all) => all.length > n)", arg=len(before))
    end(own.process)
    own.start()


def test_the_page_of_four_hundred_names_weighs_little(own, phones):
    made = new_register(own.server, members=450)
    sizes: dict[str, int] = {}

    def weigh(response):
        if "/link/" not in response.url and response.status == 200:
            sizes[response.url] = len(gzip.compress(response.body()))

    page = phones()
    page.on("response", weigh)
    open_register(page, made)
    assert page.locator(".person").count() >= 400
    assert len(sizes) > 10
    assert sum(sizes.values()) < 150_000, sizes


def test_the_program_can_be_installed_and_opens_from_the_home_screen(own, phones):
    page = phones()
    made = new_register(own.server)
    open_and_keep(page, made)
    session = page.context.new_cdp_session(page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"].endswith(".webmanifest") or "manifest" in manifest["url"]
    hindrances = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # A private profile, as tests have one, cannot install anything; nothing else may stand in the way.
    assert [one["errorId"] for one in hindrances if one["errorId"] != "in-incognito"] == []
    own.kill()
    try:
        page.goto("/attendance/")  # the manifest's start_url
        page.get_by_role("link", name="Buổi thử điểm danh").click()
        page.locator(".register-list[data-ready]").wait_for(state="attached")
    finally:
        own.start()
