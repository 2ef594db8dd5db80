"""Who is new, who is the same, who moved, who is missing."""

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from rules.roster import HouseholdRow, MemberRow
from rules.roster_cells import Exemption
from rules.roster_changes import (
    KnownHousehold,
    KnownMember,
    exemption_wanted,
    plan_households,
    plan_members,
)

ON = date(2026, 11, 23)
AN = KnownMember(1, "DV1", "Nguyễn Văn An", 10, 1965, "+84912345678", "an@b.vn")
ROW = MemberRow(2, "Nguyễn Văn An", 10, birth_year=1965)


def plan(rows, known, **more):
    return plan_members(rows, known, on=ON, **more)


def test_the_same_person_again_changes_nothing():
    result = plan([ROW], [AN])
    assert result.count("unchanged") == 1
    assert result.missing == []


def test_a_person_is_found_by_code_even_after_a_move():
    (change,) = plan([replace(ROW, code="dv1", unit_id=11)], [AN]).changes
    assert change.known_id == 1
    assert [(f.name, f.old, f.new) for f in change.fields] == [("unit_id", 10, 11)]


def test_marks_and_case_do_not_make_another_person():
    (change,) = plan([replace(ROW, name="Nguyễn văn An")], [AN]).changes
    assert (change.outcome, change.known_id) == ("changed", 1)


def test_an_empty_cell_never_erases_what_is_recorded():
    assert plan([replace(ROW, birth_year=None)], [AN]).count("unchanged") == 1


def test_a_namesake_of_another_year_is_new_and_shown_beside_the_first():
    result = plan([replace(ROW, birth_year=1980)], [AN])
    assert result.count("new") == 1
    assert result.namesakes[0].candidates == (1,)
    assert result.missing == [1]


def test_the_user_says_that_a_namesake_elsewhere_is_the_same_person():
    moved = replace(ROW, unit_id=11)
    question = plan([moved], [AN])
    assert question.count("new") == 1
    assert question.namesakes[0].candidates == (1,)
    answered = plan([moved], [AN], choices={2: 1})
    assert answered.changes[0].known_id == 1
    assert answered.namesakes == []


def test_two_recorded_namesakes_in_one_cell_must_be_told_apart():
    second = replace(AN, id=2, code="DV2", birth_year=1970)
    unclear = plan([replace(ROW, birth_year=None)], [AN, second])
    assert unclear.errors[0].row == 2
    assert unclear.namesakes[0].candidates == (1, 2)
    clear = plan([replace(ROW, birth_year=None)], [AN, second], choices={2: 2})
    assert clear.errors == []
    assert clear.changes[0].known_id == 2


def test_one_code_in_two_rows_is_an_error():
    rows = [replace(ROW, code="A"), replace(ROW, row=3, code="A", name="Lê Thị Hoa")]
    assert [error.row for error in plan(rows, []).errors] == [3]


def test_the_very_same_row_twice_counts_once():
    result = plan([ROW, replace(ROW, row=3)], [])
    assert result.count("new") == 1
    assert result.errors == []
    assert "dòng 2" in result.notes[0].said.text


def test_two_of_one_name_in_one_cell_without_year_or_code_are_an_error():
    bare = replace(ROW, birth_year=None)
    result = plan([bare, replace(bare, row=3)], [])
    assert [error.row for error in result.errors] == [3]


def test_namesakes_of_different_years_in_one_file_are_two_people():
    assert plan([ROW, replace(ROW, row=3, birth_year=1970)], []).count("new") == 2


def test_a_code_that_belongs_to_somebody_else_is_an_error():
    result = plan([replace(ROW, code="DV1", name="Lê Thị Hoa", birth_year=1990)], [AN])
    assert "Nguyễn Văn An" in result.errors[0].said.text


def test_a_code_made_here_gives_way_to_the_files_own():
    (change,) = plan([replace(ROW, code="T01")], [replace(AN, code="DV-000001")]).changes
    assert ("code", "DV-000001", "T01") in [(f.name, f.old, f.new) for f in change.fields]


def test_people_missing_from_the_file_are_listed():
    assert plan([], [AN]).missing == [1]


def test_an_exemption_begins_today_and_stays_when_the_file_says_so_again():
    begun = exemption_wanted(None, Exemption(), ON)
    assert begun == Exemption(ON)
    assert exemption_wanted(begun, Exemption(), date(2027, 1, 1)) == begun


def test_an_empty_cell_in_the_column_of_exemptions_ends_it():
    exempt = replace(AN, exemption=Exemption(date(2020, 1, 1)))
    (change,) = plan([replace(ROW, says_exempt=True)], [exempt]).changes
    assert change.fields[0].name == "exemption"
    assert change.fields[0].new is None


def test_a_household_is_known_by_its_number_in_its_group():
    known = [KnownHousehold(1, "12", 5, "Trần Thị Bình"), KnownHousehold(2, "13", 5)]
    rows = [HouseholdRow(2, "12", 5, "Trần Văn Tư"), HouseholdRow(3, "12", 6)]
    result = plan_households(rows, known)
    assert [change.outcome for change in result.changes] == ["changed", "new"]
    assert result.missing == [2]


def test_one_household_number_twice_in_a_group_is_an_error():
    result = plan_households([HouseholdRow(2, "12", 5), HouseholdRow(3, "12", 5)], [])
    assert [error.row for error in result.errors] == [3]


NAMES = st.sampled_from(["Nguyễn Văn An", "Lê Thị Hoa", "Trần Văn Bình"])
ROWS = st.lists(
    st.tuples(
        NAMES, st.integers(1, 2), st.sampled_from([None, 1960, 1970]),
        st.sampled_from([None, "A", "B", "C"]),
    ),
    max_size=8,
)  # fmt: skip


@given(ROWS)
def test_what_was_imported_without_errors_is_unchanged_the_second_time(drawn):
    rows = [
        MemberRow(index + 2, name, unit, code, year)
        for index, (name, unit, year, code) in enumerate(drawn)
    ]
    first = plan(rows, [])
    if first.errors:
        return
    by_row = {row.row: row for row in rows}
    known = [
        KnownMember(
            change.row, by_row[change.row].code or f"DV-{change.row}", by_row[change.row].name,
            by_row[change.row].unit_id, by_row[change.row].birth_year,
        )
        for change in first.changes
    ]  # fmt: skip
    second = plan(rows, known)
    assert second.errors == []
    assert second.count("unchanged") == len(first.changes)
    assert second.missing == []
