"""Results as they are typed and pasted, absence that warns, half-days and running numbers."""

from datetime import datetime, timedelta

import pytest

from rules.courses import (
    Learner,
    certificate_numbers,
    half_days,
    is_absent_too_often,
    pasted_results,
    periods_shared,
    result_of,
    usual_periods,
)
from rules.days import LOCAL
from rules.refusals import Malformed

PEOPLE = [
    Learner(1, "DV001", "Đỗ Thị Kim Chi"),
    Learner(2, "DV002", "Nguyễn Thị Hoà"),
    Learner(3, "DV003", "Nguyễn Thị Hòa"),
]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Xuất sắc", "excellent"),
        ("xs", "excellent"),
        ("GIỎI", "good"),
        ("khá", "fair"),
        ("đ", "passed"),
        ("Không đạt", "failed"),
        ("", ""),
        ("8,5", None),
    ],
)
def test_results_are_words_or_their_letters(typed: str, meant: str | None) -> None:
    assert result_of(typed) == meant


def test_lines_are_read_by_code_or_by_a_name_only_one_bears() -> None:
    found = pasted_results("dv002\tgiỏi\t07/GCN\nđỗ thị kim chi;xs\n\n", PEOPLE)
    assert [(one.person_id, one.result, one.certificate_number) for one in found] == [
        (2, "good", "07/GCN"),
        (1, "excellent", ""),
    ]


@pytest.mark.parametrize(
    "text", ["", "DV009\tgiỏi", "Nguyễn Thị Hoà\tgiỏi", "DV001\t8,5", "DV001", "x" * 5000]
)
def test_one_line_not_understood_refuses_them_all(text: str) -> None:
    with pytest.raises(Malformed):
        pasted_results(f"DV001\tgiỏi\n{text}" if text else "", PEOPLE)


def test_absence_warns_only_above_the_limit() -> None:
    assert not is_absent_too_often(attended=8, held=10, most_percent=20)
    assert is_absent_too_often(attended=7, held=10, most_percent=20)
    assert not is_absent_too_often(attended=0, held=0, most_percent=20)


def test_a_whole_day_is_two_half_days() -> None:
    morning = datetime(2026, 11, 23, 7, 30, tzinfo=LOCAL)
    assert half_days([(morning, morning + timedelta(hours=4))]) == 1
    assert half_days([(morning, morning + timedelta(hours=9))] * 2) == 4


def test_numbers_run_on() -> None:
    assert certificate_numbers(9, "/GCN", 3) == ["09/GCN", "10/GCN", "11/GCN"]
    with pytest.raises(Malformed):
        certificate_numbers(0, "/GCN", 1)


def test_a_sittings_periods_follow_from_the_programme() -> None:
    assert usual_periods(50, 10) == 5
    assert usual_periods(10, 2) == 5
    assert usual_periods(0, 10) is None
    assert usual_periods(50, 0) is None
    assert usual_periods(3, 10) is None


def test_shared_periods_add_up() -> None:
    assert periods_shared(7, 3) == [3, 2, 2]
    assert periods_shared(0, 2) == [None, None]
    assert periods_shared(7, 0) == []
