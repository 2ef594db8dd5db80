"""The whole main job by hand: a roster becomes a campaign, a meeting, mails, a register, a figure.

One story over its own new cell, so that every figure is known whatever else the demonstration
holds. The clock that sends the mails is a real process of its own.
"""

import re
import signal
import subprocess
import sys
import time as clock
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from rules.days import LOCAL
from tests.browser.conftest import DESKTOP, ROOT, Server

CELL = "Chi bộ Buổi Sớm Mai"
TOPIC = "Quán triệt nghị quyết ở chi bộ mới"
CAMPAIGN = "Đợt thử từ danh sách đến báo cáo"
CODE = "THU-MAIN"
HEAD = ["Mã", "Họ và tên", "Chi bộ", "Năm sinh", "SĐT", "Email", "Diện miễn"]
MEMBERS = (
    ("BSM01", "Đinh Thị Hiền", "1971", "hien@test.invalid", ""),
    ("BSM02", "Lò Văn Bảy", "1968", "bay@test.invalid", ""),
    ("BSM03", "Nguyễn Thị Út Tám", "1990", "tam@test.invalid", ""),
    ("BSM04", "Trần Quốc Chín", "1985", "", ""),
    ("BSM05", "Phạm Thị Mười Hai", "1979", "", ""),
    ("BSM06", "Vũ Văn Cao Tuổi", "1936", "", "x"),
)
MAIL_SECONDS = 40


def workbook(folder: Path, name: str, rows: list[list[str]]) -> Path:
    """A roster as offices keep it: two title rows, then the header, then the people."""
    book: Any = openpyxl.Workbook()
    book.active.append(["ĐẢNG BỘ PHƯỜNG"])
    book.active.append(["DANH SÁCH ĐẢNG VIÊN"])
    for row in [HEAD, *rows]:
        book.active.append(row)
    book.save(folder / name)
    return folder / name


def roster_rows() -> list[list[str]]:
    return [
        [code, name, CELL, born, f"09120000{code[-2:]}", email, exempt]
        for code, name, born, email, exempt in MEMBERS
    ]


def meeting_time() -> tuple[datetime, datetime]:
    """A sitting whose register is open now, within one day of the calendar."""
    begins = datetime.now(LOCAL).replace(second=0, microsecond=0) + timedelta(minutes=20)
    if begins.time() > time(23, 25):
        begins = datetime.combine(begins.date() + timedelta(days=1), time(0, 5), LOCAL)
    last = datetime.combine(begins.date(), time(23, 59), LOCAL)
    return begins, min(begins + timedelta(hours=2), last)


@dataclass(frozen=True)
class Desk:
    """A member of the board's staff at the desk."""

    page: Page
    folder: Path
    accessible: Callable[[Page], None]

    def heading(self, text: str) -> Locator:
        return self.page.get_by_role("heading", name=text)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name).first.click()

    def download(self, name: str) -> Any:
        """The workbook behind a link, opened."""
        with self.page.expect_download() as waiting:
            self.follow(name)
        path = self.folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return openpyxl.load_workbook(path)


@pytest.fixture
def desk(
    server: Server,
    new_context: Callable[..., BrowserContext],
    tmp_path: Path,
    assert_no_serious_violations: Callable[[Page], None],
) -> Desk:
    page = new_context(viewport=DESKTOP, accept_downloads=True).new_page()
    link = server.run("account", "create", "viec-chinh@test.invalid", "--role", "staff")
    page.goto(link.strip())
    page.locator("main form button").click()
    page.wait_for_url("**/coverage/**")
    return Desk(page, tmp_path, assert_no_serious_violations)


@contextmanager
def running_clock(server: Server, log: Path) -> Iterator[None]:
    """`python -m scheduler` beside the server, ended by its own id."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "scheduler"],
            cwd=ROOT,
            env=server.environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(30)
    assert ended == 0, log.read_text(encoding="utf-8")


def upload(desk: Desk, path: Path) -> None:
    """Choose the file, accept how its columns are read, and wait for the preview."""
    desk.page.goto("/roster")
    desk.page.set_input_files("input[type=file]", path)
    desk.press("Đọc tệp")
    expect(desk.heading("Nối cột")).to_be_visible()
    desk.press("Kiểm tra từng dòng")
    expect(desk.heading("Xem trước")).to_be_visible(timeout=30_000)


def a_faulty_workbook_comes_back_marked(desk: Desk) -> None:
    rows = roster_rows()
    rows[2][1] = ""
    upload(desk, workbook(desk.folder, "co-loi.xlsx", rows))
    expect(desk.page.get_by_text("nên chưa nhập được")).to_be_visible()
    expect(desk.page.get_by_role("button", name="Nhập danh sách")).to_have_count(0)
    desk.accessible(desk.page)
    marked = desk.download("Tải tệp có cột lỗi").active
    header = [cell.value for cell in marked[3]]
    column = header.index("Lỗi cần sửa") + 1
    assert marked.cell(row=6, column=column).value
    desk.page.goto("/people?q=Dinh+Thi+Hien&state=")
    expect(desk.page.get_by_role("link", name="Đinh Thị Hiền", exact=True)).to_have_count(0)


def the_right_workbook_becomes_members(desk: Desk) -> None:
    upload(desk, workbook(desk.folder, "danh-sach.xlsx", roster_rows()))
    kind = desk.page.locator("select[name=kind]")
    kind.select_option(label="Chi bộ cơ sở")
    desk.press("Thêm đơn vị và kiểm tra lại")
    import_button = desk.page.get_by_role("button", name="Nhập danh sách")
    expect(import_button).to_be_visible(timeout=30_000)
    expect(desk.page.get_by_text("Thêm 6 người mới.")).to_be_visible()
    import_button.click()
    expect(desk.page.get_by_text("Đã ghi vào hệ thống")).to_be_visible(timeout=30_000)


def a_campaign_freezes_its_roll(desk: Desk) -> None:
    today = datetime.now(LOCAL).date()
    page = desk.page
    page.goto("/campaigns/new")
    page.get_by_label("Tên đợt").fill(CAMPAIGN)
    page.get_by_label("Mã đợt").fill(CODE)
    for name, day in (
        ("opens_on", today),
        ("deadline_on", today + timedelta(days=30)),
        ("cutoff_on", today),
    ):
        page.fill(f"[name={name}]", day.isoformat())
    page.get_by_label("Chỉ tiêu đảng viên (%)").fill("90")
    choose_last(page.locator("[name=party_unit_ids]"), CELL)
    page.get_by_label("Không tính hộ").check()
    desk.press("Lưu")
    expect(page.get_by_text("90%")).to_be_visible()
    desk.follow("Xem trước và mở đợt")
    expect(page.get_by_text("miễn 1, phải học 5")).to_be_visible()
    desk.press("Mở đợt")
    page.goto(f"/coverage/{CODE}")
    expect(page.locator(".tile", has_text="Đảng viên")).to_contain_text("0/5")


def choose_last(select: Locator, text: str) -> None:
    """Choose the option with this text; a tree shows depth with dashes before it."""
    option = select.locator("option", has_text=text).last
    select.select_option(value=option.get_attribute("value"))


def write_meeting(desk: Desk, topic: str, begins: datetime, ends: datetime) -> None:
    page = desk.page
    page.goto("/meetings/new")
    page.fill("[name=topic]", topic)
    choose_last(page.locator("[name=campaign_id]"), CAMPAIGN)
    set_time(page, begins, ends)
    page.fill("[name=place]", "Nhà sinh hoạt của chi bộ")
    page.locator("#unit_ids [data-picker-search]").fill("buoi som mai")
    page.get_by_role("checkbox", name=re.compile(CELL)).check()


def set_time(page: Page, begins: datetime, ends: datetime) -> None:
    page.fill("[name=on]", begins.date().isoformat())
    page.fill("[name=starts]", f"{begins:%H:%M}")
    page.fill("[name=ends]", f"{ends:%H:%M}")


def a_clash_is_shown_and_resolved(desk: Desk) -> None:
    tomorrow = datetime.now(LOCAL).date() + timedelta(days=1)
    taken = tuple(datetime.combine(tomorrow, time(hour), LOCAL) for hour in (13, 15))
    write_meeting(desk, "Sinh hoạt chi bộ ngày mai", *taken)
    desk.press("Lưu bản nháp")
    expect(desk.page.get_by_text("Chưa ai được báo")).to_be_visible()
    write_meeting(desk, TOPIC, *taken)
    clashes = desk.page.locator("[data-clashes]")
    expect(clashes).to_contain_text("Sinh hoạt chi bộ ngày mai")
    desk.accessible(desk.page)
    set_time(desk.page, *meeting_time())
    expect(clashes).to_contain_text("Không trùng")
    desk.press("Lưu bản nháp")


def publishing_says_who_is_told(desk: Desk) -> None:
    desk.follow("Công bố")
    page = desk.page
    expect(desk.heading("Ai sẽ được báo")).to_be_visible()
    expect(page.get_by_text("3 người nhận thư mời có lịch.")).to_be_visible()
    expect(page.get_by_text("người không có e-mail, vào danh sách gọi điện")).to_be_visible()
    desk.accessible(page)
    desk.press("Công bố và gửi thư mời")
    expect(page.get_by_text("Đã công bố 1 buổi")).to_be_visible()


def the_invitation_arrives(desk: Desk) -> None:
    page = desk.page
    mail = page.get_by_role("row").filter(has_text="hien@test.invalid").get_by_role("link")
    deadline = clock.monotonic() + MAIL_SECONDS
    page.goto("/mailbox/")
    while mail.count() == 0:
        assert clock.monotonic() < deadline, page.locator("main").inner_text()
        page.wait_for_timeout(500)
        page.reload()
    mail.first.click()
    expect(page.locator(".letter").first).to_contain_text("Đinh Thị Hiền")
    expect(desk.heading("Lịch kèm theo")).to_be_visible()
    desk.accessible(page)


def make_link(desk: Desk) -> str:
    page = desk.page
    page.goto("/meetings/?q=quan+triet+nghi+quyet+o+chi+bo+moi")
    desk.follow(TOPIC)
    page.locator("summary", has_text="Thao tác").click()
    desk.follow("Đường điểm danh và mã QR")
    desk.press("Tạo đường và mã QR")
    link: str = page.locator("[data-copy-text]").input_value()
    return link


def the_register_is_taken(phone: Page, link: str, accessible: Callable[[Page], None]) -> None:
    phone.goto(link)
    phone.get_by_role("button", name="Mở sổ điểm danh").click()
    phone.locator(".register-list[data-ready]").wait_for(state="attached")
    for name in ("Đinh Thị Hiền", "Lò Văn Bảy", "Trần Quốc Chín"):
        row = phone.locator(".person", has_text=name)
        row.locator(".person-main").click()
        expect(row).to_have_attribute("data-status", "present")
    expect(phone.locator('.save-state[data-state="saved"] span')).to_contain_text("Đã lưu lúc")
    accessible(phone)
    phone.locator("#register-submit-open").click()
    phone.locator("#register-submit-now").click()
    expect(phone.get_by_text("Sổ đã nộp")).to_be_visible()


def the_missing_are_called_in_one_action(desk: Desk) -> None:
    page = desk.page
    page.goto(f"/coverage/{CODE}")
    expect(page.locator(".tile", has_text="Đảng viên")).to_contain_text("3/5")
    desk.follow("Mời học bù")
    expect(page.get_by_text("Sẽ mời đúng 2 người chưa học")).to_be_visible()
    desk.accessible(page)
    day = datetime.now(LOCAL).date() + timedelta(days=3)
    page.fill("[name=on]", day.isoformat())
    page.fill("[name=place]", "Nhà sinh hoạt của chi bộ")
    page.locator("[name=publish]").check()
    desk.press("Mời học bù")
    expect(page.locator(".notice-good")).to_be_visible()
    page.goto(f"/coverage/{CODE}")
    expect(page.locator(".board-outlook")).to_contain_text("đủ chỗ để đạt")


def the_figures_are_printed_and_exported(desk: Desk) -> None:
    page = desk.page
    page.goto(f"/coverage/{CODE}/print")
    page.emulate_media(media="print")
    total = page.locator("table").first.locator("tr").last
    assert total.locator("td").all_inner_texts()[2:] == ["6", "1", "5", "3", "0", "3", "60,0%", "2"]
    expect(page.get_by_role("button", name="In trang này")).to_be_hidden()
    page.emulate_media(media="screen")
    page.goto("/reports/")
    book = desk.download("Tải XLSX")
    values = [cell for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row]
    assert CAMPAIGN in values


@pytest.mark.slow
def test_a_roster_becomes_a_met_target_step_by_step(server: Server, desk: Desk, page: Page) -> None:
    a_faulty_workbook_comes_back_marked(desk)
    the_right_workbook_becomes_members(desk)
    a_campaign_freezes_its_roll(desk)
    a_clash_is_shown_and_resolved(desk)
    with running_clock(server, desk.folder / "clock.log"):
        publishing_says_who_is_told(desk)
        the_invitation_arrives(desk)
    the_register_is_taken(page, make_link(desk), desk.accessible)
    the_missing_are_called_in_one_action(desk)
    the_figures_are_printed_and_exported(desk)
