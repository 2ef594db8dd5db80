"""The import in a real browser: a workbook, its progress, its preview, and no page too wide."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Server

PEOPLE = [["X001", "NGUYỄN VĂN MƯỜI", 1970], ["X002", "Lê Thị Mười Một", 1980]]


def workbook(folder: Path, cell: str) -> Path:
    book: Any = openpyxl.Workbook()
    book.active.append(["DANH SÁCH ĐẢNG VIÊN"])
    book.active.append(["Mã", "Họ và tên", "Chi bộ", "Năm sinh", "CCCD"])
    for code, name, year in PEOPLE:
        book.active.append([code, name, cell, year, "0123"])
    book.save(folder / "danh-sach.xlsx")
    return folder / "danh-sach.xlsx"


def fits_and_is_accessible(page: Page, accessible: Callable[[Page], None]) -> None:
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)  # type: ignore[arg-type]  # a plain dict of the two sides
        assert page.locator("html").evaluate("e => e.scrollWidth <= e.clientWidth")
    accessible(page)


@pytest.mark.slow
def test_a_workbook_becomes_members_and_the_second_time_nothing(
    server: Server,
    page: Page,
    tmp_path: Path,
    assert_no_serious_violations: Callable[[Page], None],
) -> None:
    page.goto(server.run("account", "create", "nhap@test.invalid", "--role", "admin").strip())
    page.locator("main form button").click()
    for first_time in (True, False):
        page.goto(f"{server.url}/roster")
        fits_and_is_accessible(page, assert_no_serious_violations)
        page.set_input_files("input[type=file]", workbook(tmp_path, "CB0001"))
        page.get_by_role("button", name="Đọc tệp").click()
        expect(page.get_by_role("heading", name="Nối cột")).to_be_visible()
        fits_and_is_accessible(page, assert_no_serious_violations)
        page.get_by_role("button", name="Kiểm tra từng dòng").click()
        expect(page.get_by_role("heading", name="Xem trước")).to_be_visible(timeout=20_000)
        fits_and_is_accessible(page, assert_no_serious_violations)
        if first_time:
            page.get_by_role("button", name="Nhập danh sách").click()
            expect(page.get_by_text("Đã ghi vào hệ thống")).to_be_visible(timeout=20_000)
            fits_and_is_accessible(page, assert_no_serious_violations)
        else:
            expect(page.get_by_text("đã giống hệt tệp này")).to_be_visible()
