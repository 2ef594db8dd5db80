"""Cells as people really fill them in."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.roster_cells import (
    CellFault,
    Exemption,
    birth_year,
    calendar_date,
    cell_text,
    code,
    email_address,
    exemption,
    household_number,
    person_name,
    probationary,
)

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Nguyễn Văn An", "Nguyễn Văn An"),
        ("  Nguyễn  Văn\u00a0An ", "Nguyễn Văn An"),
        (unicodedata.normalize("NFD", "Nguyễn Văn An"), "Nguyễn Văn An"),
        ("NGUYỄN VĂN AN", "Nguyễn Văn An"),
        ("nguyễn văn an", "Nguyễn Văn An"),
        ("ĐẶNG THỊ ÁNH", "Đặng Thị Ánh"),
        ("Ðặng Thị Ánh", "Đặng Thị Ánh"),
        ("K'BRÔI NIÊ", "K'Brôi Niê"),
        ("Y-Bhăm Êban", "Y-Bhăm Êban"),
        ("H’Hen Niê", "H'Hen Niê"),
        ("Đ/c Lê Thị Hoa", "Lê Thị Hoa"),
        ("đc. Lê Thị Hoa", "Lê Thị Hoa"),
        ("Nguyễn\u200b Văn\u202e An", "Nguyễn Văn An"),
    ],
)
def test_a_name_is_cleaned_and_kept_in_its_own_letters(written, name):
    assert person_name(written)[0] == name


def test_changed_capitals_are_told():
    _, notes = person_name("NGUYỄN VĂN AN")
    assert "Nguyễn Văn An" in notes[0].text


@pytest.mark.parametrize("written", ["NguyÔn V¨n An", "TrÇn ThÞ Hµ"])
def test_a_name_in_an_old_font_is_explained(written):
    with pytest.raises(CellFault, match="phông chữ cũ"):
        person_name(written)


@pytest.mark.parametrize(
    "written", ["An", "Nguyễn Văn 5", "Nguyễn Văn An (bé)", "x" * 60 + " " + "y" * 60]
)
def test_what_is_no_whole_name_is_refused(written):
    with pytest.raises(CellFault):
        person_name(written)


@pytest.mark.parametrize(
    ("cell", "year"),
    [
        ("12/03/1965", 1965),
        ("1/3/1965", 1965),
        ("12-3-65", 1965),
        ("12.03.1965", 1965),
        ("1965", 1965),
        (1965, 1965),
        (1965.0, 1965),
        (23813.0, 1965),
        ("23813", 1965),
        (date(1965, 3, 12), 1965),
        ("1965-03-12", 1965),
        ("03/1965", 1965),
        ("ngày 12 tháng 3 năm 1965", 1965),
        ("5/5/05", 2005),
        ("00/00/1965", 1965),
        ("", None),
        ("không rõ", None),
        (None, None),
    ],
)
def test_only_the_year_of_birth_is_kept(cell, year):
    assert birth_year(cell, TODAY) == year


@pytest.mark.parametrize(
    "cell",
    ["31/02/1965", "32/13/1980", "05/25/1980", "abc", 3000, "1/1/1850", 2020, True],
)
def test_an_impossible_birthday_is_refused(cell):
    with pytest.raises(CellFault):
        birth_year(cell, TODAY)


def test_a_serial_and_a_written_date_are_the_same_day():
    assert calendar_date(45000, TODAY) == calendar_date("15/03/2023", TODAY) == date(2023, 3, 15)


@pytest.mark.parametrize(
    ("cell", "address"),
    [
        (" An.Nguyen@GMAIL.com ", "An.Nguyen@gmail.com"),
        ("mailto:an@coquan.vn", "an@coquan.vn"),
        ("an@coquan.vn; binh@coquan.vn", "an@coquan.vn"),
        ("không có", None),
        ("-", None),
    ],
)
def test_an_address_is_trimmed(cell, address):
    assert email_address(cell)[0] == address


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("an.gmail.com", "thiếu ký tự @"),
        ("an@@gmail.com", "hai ký tự @"),
        ("an@gmail,com", "dấu phẩy"),
        ("an nguyen@gmail.com", "dấu cách"),
        ("nguyễn@gmail.com", "chữ có dấu"),
        ("an@gmail.con", "@gmail.com chăng"),
        ("an@gmail", "sai dạng"),
        ("an..b@gmail.com", "sai dạng"),
        ("a\r\nBcc: x@y.vn", "dấu cách"),
    ],
)
def test_an_obvious_fault_of_an_address_is_explained(cell, advice):
    with pytest.raises(CellFault) as fault:
        email_address(cell)
    assert advice in fault.value.said.text


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("x", Exemption()),
        ("X", Exemption()),
        ("có", Exemption()),
        (True, Exemption()),
        ("Miễn SH", Exemption()),
        ("", None),
        (None, None),
        ("không", None),
        ("Chưa miễn", None),
        (0, None),
        (
            "từ 01/01/2026 đến 31/12/2026",
            Exemption(date(2026, 1, 1), date(2026, 12, 31)),
        ),
        ("Miễn đến 6/2027", Exemption(None, date(2027, 6, 30))),
        ("Miễn từ năm 2024", Exemption(date(2024, 1, 1))),
        ("Miễn theo QĐ 12-QĐ/CB", Exemption(decision="12-QĐ/CB")),
    ],
)
def test_an_exemption_is_yes_or_no_with_dates_and_decision(cell, found):
    assert exemption(cell, TODAY)[0] == found


def test_the_reason_of_an_exemption_is_never_kept():
    found, notes = exemption("ốm nặng, chữa bệnh", TODAY)
    assert found == Exemption()
    assert "không lưu lý do" in notes[0].text


@pytest.mark.parametrize(
    "cell", ["abc", "từ 31/02/2026 đến 1/3/2026", "từ 01/02/2026 đến 01/01/2026"]
)
def test_an_exemption_that_is_not_understood_is_refused(cell):
    with pytest.raises(CellFault):
        exemption(cell, TODAY)


@pytest.mark.parametrize(
    ("cell", "value"), [("Dự bị", True), ("DB", True), ("Chính thức", False), ("", None)]
)
def test_probation_is_read(cell, value):
    assert probationary(cell) is value


def test_codes_and_household_numbers_are_one_word():
    assert code(12.0) == "12"
    assert code(" DV 001 ") == "DV001"
    assert household_number("Hộ số 12") == "12"
    assert household_number("12A") == "12A"
    with pytest.raises(CellFault):
        code("DV<1>")


CELLS = st.one_of(
    st.none(), st.text(max_size=40), st.integers(), st.booleans(),
    st.floats(allow_nan=True), st.dates(),
)  # fmt: skip


@given(CELLS)
def test_no_cell_breaks_a_reader(cell):
    for read in (
        lambda: birth_year(cell, TODAY),
        lambda: calendar_date(cell, TODAY),
        lambda: email_address(cell),
        lambda: exemption(cell, TODAY),
        lambda: probationary(cell),
        lambda: code(cell),
        lambda: person_name(cell_text(cell)),
    ):
        try:
            read()
        except CellFault as fault:
            assert fault.said.text
