"""The register as a hand uses it: a real Chromium of a phone's size over the demonstration."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import ROOT, Server


def new_register(server: Server, members: int = 40, counting: str = "roll") -> dict[str, Any]:
    """A meeting about to begin, with its link."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.browser.new_registers", str(members), counting],
        cwd=ROOT,
        env=server.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def open_register(page: Page, made: dict[str, Any], link: str = "link") -> None:
    page.goto(made[link])
    page.get_by_role("button", name="Mở sổ điểm danh").click()
    page.locator(".register-list[data-ready]").wait_for(state="attached")


def stored(page: Page, made: dict[str, Any], token: str = "link_token") -> Any:
    """The register as the server has it, read by the link's token."""
    answer = page.request.get(
        f"/attendance/{made['id']}/register",
        headers={"Authorization": f"Bearer {made[token]}"},
    )
    return answer.json()


def wait_until_saved(page: Page) -> None:
    expect(page.locator('.save-state[data-state="saved"] span')).to_contain_text("Đã lưu lúc")


@pytest.fixture
def register(server: Server, page: Page) -> dict[str, Any]:
    made = new_register(server)
    open_register(page, made)
    return made


def test_a_tap_marks_present_and_a_second_takes_it_back(page, register):
    row = page.locator(".person").first
    row.locator(".person-main").click()
    expect(row).to_have_attribute("data-status", "present")
    expect(row.locator(".person-note")).to_have_text("Có mặt")
    wait_until_saved(page)
    assert stored(page, register)["counts"]["present"] == 1
    row.locator(".person-main").click()
    expect(row).to_have_attribute("data-status", "not_marked")
    page.wait_for_timeout(600)
    wait_until_saved(page)
    assert stored(page, register)["counts"]["present"] == 0


def test_rows_are_large_enough_for_a_thumb(page, register):
    for selector in (".person-main", ".person-more", ".count-chip", ".foot-button"):
        box = page.locator(selector).first.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 56


def test_the_second_control_tells_late_and_absent(page, register):
    for place, (choice, status) in enumerate(
        (("Đến muộn", "late"), ("Về sớm", "left_early"), ("Vắng không lý do", "unexcused"))
    ):
        row = page.locator(".person").nth(place)
        row.locator(".person-more").click()
        page.locator("#register-choices").get_by_role("button", name=choice).click()
        expect(row).to_have_attribute("data-status", status)
    wait_until_saved(page)
    counts = stored(page, register)["counts"]
    assert (counts["late"], counts["left_early"], counts["unexcused"]) == (1, 1, 1)


def test_the_search_needs_no_marks_and_no_order(page, register):
    names = page.locator(".person-name").all_inner_texts()
    name = next(one for one in names if len(one.split()) > 2)
    words = name.split()
    search = page.locator("#register-search")
    search.fill(f"{words[-1]} {words[0]}".lower().replace("đ", "d"))
    shown = page.locator(".person:not([hidden]) .person-name").all_inner_texts()
    assert name in shown
    search.fill("h")
    some = page.locator(".person:not([hidden])").count()
    assert 0 < some < len(names)
    search.fill("không ai tên thế này")
    expect(page.locator(".nobody-found")).to_be_visible()


def test_hien_finds_hiền(page, server):
    made = new_register(server, members=1200)
    open_register(page, made)
    page.locator("#register-search").fill("hien")
    shown = page.locator(".person:not([hidden]) .person-name").all_inner_texts()
    assert shown
    assert any("Hiền" in name or "Hiển" in name or "Hiến" in name for name in shown)


def test_everyone_present_then_one_is_taken_out_and_all_is_undone(page, register):
    total = page.locator(".person").count()
    page.locator("#register-all").click()
    expect(page.locator('.person[data-status="present"]')).to_have_count(total)
    page.locator(".person-main").first.click()
    wait_until_saved(page)
    page.wait_for_timeout(400)
    wait_until_saved(page)
    assert stored(page, register)["counts"]["present"] == total - 1
    page.locator("#register-undo").click()
    page.locator("#register-undo").click()
    expect(page.locator('.person[data-status="not_marked"]')).to_have_count(total)
    page.wait_for_timeout(600)
    wait_until_saved(page)
    assert stored(page, register)["counts"]["not_marked"] == total


def test_a_stranger_is_written_down_by_name(page, register):
    page.locator("#register-add-open").click()
    page.locator("#add-name").fill("Lê Thị Khách Lạ")
    page.locator("#add-unit").fill("Khối 99")
    page.get_by_role("button", name="Ghi như người dự ngoài").click()
    guest = page.locator(".person", has_text="Lê Thị Khách Lạ")
    expect(guest).to_have_attribute("data-status", "present")
    wait_until_saved(page)
    assert stored(page, register)["subjects"][-1]["name"] == "Lê Thị Khách Lạ"


def test_counts_filter_the_list(page, register):
    page.locator(".person-main").first.click()
    page.get_by_role("button", name="Có mặt").first.click()
    expect(page.locator(".person:not([hidden])")).to_have_count(1)
    page.get_by_role("button", name="Có mặt").first.click()
    assert page.locator(".person:not([hidden])").count() > 1


def test_handing_in_shows_who_is_not_marked(page, register):
    page.locator(".person-main").first.click()
    wait_until_saved(page)
    page.locator("#register-submit-open").click()
    expect(page.locator(".missing li").first).to_be_visible()
    page.locator("#register-submit-now").click()
    expect(page.get_by_text("Sổ đã nộp")).to_be_visible()
    assert stored(page, register)["state"] == "submitted"
    page.get_by_text("Điểm danh tiếp", exact=True).click()
    page.get_by_label("Lý do điểm danh tiếp").fill("Ghi sót người đến muộn")
    page.get_by_role("button", name="Mở lại để điểm danh").click()
    expect(page.locator("#register-submit-open")).to_be_visible()


def test_without_a_network_nothing_is_lost_and_the_page_says_so(page, register):
    page.context.set_offline(True)
    for place in range(5):
        page.locator(".person-main").nth(place).click()
    expect(page.locator(".save-state")).to_contain_text("Chưa gửi: 5")
    page.context.set_offline(False)
    wait_until_saved(page)
    assert stored(page, register)["counts"]["present"] == 5


def test_an_answer_lost_on_the_way_counts_nobody_twice(page, register):
    lost: list[int] = []

    def lose_once(route):
        if lost:
            route.fallback()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/marks", lose_once)
    for place in range(3):
        page.locator(".person-main").nth(place).click()
    wait_until_saved(page)
    assert lost == [200]
    assert stored(page, register)["counts"]["present"] == 3


def test_two_phones_see_each_others_marks(
    page, register, new_context: Callable[..., BrowserContext]
):
    other = new_context().new_page()
    open_register(other, register, "helper_link")
    assert other.locator("#register-submit-open").count() == 0
    other.locator(".person-main").nth(1).click()
    wait_until_saved(other)
    page.locator(".person-main").nth(0).click()
    expect(page.locator(".person").nth(1)).to_have_attribute("data-status", "present")
    assert stored(page, register)["counts"]["present"] == 2


def test_what_two_phones_say_differently_is_settled_by_the_owner_with_one_tap(
    page, register, new_context: Callable[..., BrowserContext], assert_no_serious_violations
):
    helper = new_context().new_page()
    open_register(helper, register, "helper_link")
    for one in (page, helper):
        one.context.set_offline(True)
    page.locator(".person-main").nth(0).click()
    page.locator(".person-main").nth(1).click()
    helper.locator(".person-main").nth(1).click()
    helper.locator(".person-more").nth(0).click()
    helper.get_by_role("button", name="Vắng có lý do").click()
    helper.context.set_offline(False)
    wait_until_saved(helper)
    page.context.set_offline(False)
    wait_until_saved(page)
    to_settle = page.locator(".conflicts li")
    expect(to_settle).to_have_count(1)
    expect(to_settle.locator("button")).to_have_count(2)
    expect(to_settle).to_contain_text("Người giúp điểm danh")
    assert_no_serious_violations(page)
    to_settle.get_by_role("button", name="Vắng có lý do").click()
    expect(page.locator(".conflicts")).to_be_hidden()
    wait_until_saved(page)
    found = stored(page, register)["subjects"]
    assert [one["status"] for one in found[:2]] == ["excused", "present"]
    assert not [one for one in found if "said" in one]
    assert helper.locator(".conflicts").count() == 0


def test_a_phone_with_a_wrong_clock_is_told_so(register, new_context):
    other = new_context().new_page()
    other.clock.install(time=datetime.now(UTC) - timedelta(hours=7))
    open_register(other, register)
    other.locator(".person-main").first.click()
    wait_until_saved(other)
    expect(other.locator('[data-kind="clock"]')).to_contain_text("Đồng hồ máy này sai")
    assert stored(other, register)["subjects"][0]["status"] == "present"


@pytest.mark.parametrize("width", [360, 390, 768])
def test_twice_as_large_text_fits_the_screen(page, register, width):
    page.set_viewport_size({"width": width, "height": 844})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    for opener in (None, "#register-add-open", "#register-submit-open", ".person-more"):
        if opener:
            page.locator(opener).first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for part in (".register-tools", ".register-list", ".phone-bottom", "dialog[open]"):
            for box in page.locator(part).all():
                assert box.evaluate("one => one.scrollWidth <= one.clientWidth"), part
        page.keyboard.press("Escape")


def test_heads_are_counted_with_big_buttons(page, server):
    made = new_register(server, members=0, counting="heads")
    open_register(page, made)
    page.get_by_role("button", name="+10").click()
    page.get_by_role("button", name="+1 Số người dự").click()
    page.get_by_role("button", name="−1").click()
    expect(page.locator(".heads-number")).to_have_text("10")
    wait_until_saved(page)
    assert stored(page, made)["counts"]["heads"] == 10


def test_five_hundred_names_are_searched_by_one_letter(page, server):
    made = new_register(server, members=500)
    open_register(page, made)
    assert page.locator(".person").count() >= 400
    found = page.evaluate(
        """() => {
            const search = document.querySelector("#register-search");
            search.value = "h";
            search.dispatchEvent(new Event("input"));
            return [...document.querySelectorAll(".person:not([hidden]) .person-name")]
                .map((name) => name.textContent);
        }"""
    )
    assert 0 < len(found) < page.locator(".person").count()
    # In the same task as the typing, and every one of them has a word that begins so.
    assert all(any(word[0] in "hH" for word in name.split()) for name in found)


def test_the_page_without_script_offers_a_plain_form(
    server, new_context: Callable[..., BrowserContext]
):
    page = new_context(java_script_enabled=False).new_page()
    made = new_register(server)
    page.goto(made["link"])
    page.get_by_role("button", name="Mở sổ điểm danh").click()
    page.get_by_role("link", name="Mở sổ dạng biểu mẫu").click()
    page.locator("select").first.select_option("present")
    page.get_by_role("button", name="Lưu").click()
    expect(page.locator("select").first).to_have_value("present")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_register_has_no_serious_barrier(
    server, new_context: Callable[..., BrowserContext], assert_no_serious_violations, scheme
):
    page = new_context(color_scheme=scheme).new_page()
    made = new_register(server)
    page.goto(made["link"])
    assert_no_serious_violations(page)
    page.get_by_role("button", name="Mở sổ điểm danh").click()
    page.locator(".register-list[data-ready]").wait_for(state="attached")
    page.locator(".person-main").first.click()
    wait_until_saved(page)
    assert_no_serious_violations(page)
    page.locator(".person-more").nth(1).click()
    assert_no_serious_violations(page)
    page.get_by_role("button", name="Vắng có lý do").click()
    page.locator("#register-add-open").click()
    assert_no_serious_violations(page)
    page.locator("#register-add [data-close]").click()
    page.locator("#register-submit-open").click()
    assert_no_serious_violations(page)
    page.locator("#register-submit-now").click()
    expect(page.get_by_text("Sổ đã nộp")).to_be_visible()
    assert_no_serious_violations(page)
    page.goto(f"/attendance/{made['id']}/history")
    assert_no_serious_violations(page)


@pytest.mark.parametrize(
    "change",
    [
        "document.querySelector('.register-list').style.paddingTop = '200px'",
        "document.querySelector('.register-list').replaceChildren()",
    ],
    ids=["slides away", "is drawn anew"],
)
def test_a_tap_is_for_the_name_under_the_finger_even_when_it(page, register, change):
    row = page.locator(".person").nth(2)
    subject = row.get_attribute("data-subject")
    row.locator(".person-main").scroll_into_view_if_needed()
    box = row.locator(".person-main").bounding_box()
    assert box
    page.mouse.move(box["x"] + 40, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.evaluate(change)
    page.mouse.up()
    wait_until_saved(page)
    marked = [one for one in stored(page, register)["subjects"] if one["status"] == "present"]
    assert [one["subject"] for one in marked] == [subject]


def test_what_cannot_take_a_tap_yet_does_not_look_alive(page, register):
    page.route("**/js/attendance.js*", lambda route: route.abort())
    page.reload()
    for name in ("#register-undo", "#register-all", "#register-add-open", "[data-filter=present]"):
        expect(page.locator(name)).to_be_disabled()
    page.unroute("**/js/attendance.js*")
    page.reload()
    for name in ("#register-all", "#register-add-open", "[data-filter=present]"):
        expect(page.locator(name)).to_be_enabled()
