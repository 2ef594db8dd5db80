"""Imports against a real database: what is written, what is refused, what stays."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import func, select

from models import AuditEntry, Exemption, Household, Membership, Person, RosterImport, db
from rules.permissions import Actor, Grant
from rules.refusals import Malformed, NotFound, Refusal
from services import roster
from services.office import office
from tests.world import NOW, TODAY, World, build_world

QUAN = Actor("Quản", grants=(Grant("admin"),))
HEADER: list[Any] = ["Mã", "Họ và tên", "Chi bộ", "Năm sinh", "SĐT", "Email", "Diện miễn"]
WARD_ONE: list[list[Any]] = [
    ["DV001", "Đỗ Thị Kim Chi", "CB1", 1970, None, "chi@test.invalid", None],
    ["DV002", "Nguyễn Thị Hiền", "CB1", None, "0912345678", None, None],
    ["DV003", "Vũ Ánh", "Chi bộ 1", 1948, None, None, None],
    ["DV004", "Lò Văn Đạt", "Chi bộ 2", None, None, None, None],
]


@pytest.fixture
def world(db: Any) -> World:
    return build_world()


def workbook(folder: Path, rows: Sequence[Sequence[Any]], name: str = "ds.xlsx") -> Path:
    book: Any = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(folder / name)
    return folder / name


def imported(path: Path, by: Actor = QUAN, **more: Any) -> roster.Report:
    values: dict[str, Any] = {
        "kind": "members", "unit_code": "DB1", "dry_run": False, "effective_on": None,
    } | more  # fmt: skip
    return roster.import_file(path, now=NOW, by=by, **values)


def counts(report: roster.Report) -> tuple[int, ...]:
    names = ("new", "changed", "unchanged", "missing_from_file", "errors")
    return tuple(report.counts[name] for name in names)


def an(world: World) -> Actor:
    grants = (Grant("staff", world.units["ward-1"].id),)
    return Actor("An", world.accounts["an"].id, grants)


def membership(code: str) -> list[tuple[int, date, date | None]]:
    rows = db.session.execute(
        select(Membership.unit_id, Membership.valid_from, Membership.valid_to)
        .join(Person, Person.id == Membership.person_id)
        .where(Person.code == code)
        .order_by(Membership.valid_from)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def test_the_same_list_changes_nothing(world: World, tmp_path: Path) -> None:
    report = imported(workbook(tmp_path, [HEADER, *WARD_ONE]))
    assert counts(report) == (0, 0, 4, 0, 0)


def test_a_new_person_is_written_and_found_unchanged_the_second_time(
    world: World, tmp_path: Path
) -> None:
    row = [None, "LÊ THỊ MỚI", "Chi bộ 2", "12/03/1980", 912345679, "Moi@Test.invalid", "x"]
    path = workbook(tmp_path, [HEADER, *WARD_ONE, row])
    assert counts(imported(path)) == (1, 0, 4, 0, 0)
    person = db.session.scalars(select(Person).where(Person.full_name == "Lê Thị Mới")).one()
    assert (person.birth_year, person.phone, person.email) == (
        1980, "+84912345679", "Moi@test.invalid",
    )  # fmt: skip
    assert membership(person.code) == [(world.units["cell-2"].id, TODAY, None)]
    exemption = db.session.scalars(select(Exemption)).one()
    assert (exemption.person_id, exemption.valid_from) == (person.id, TODAY)
    assert counts(imported(path)) == (0, 0, 5, 0, 0)


def test_a_move_ends_one_membership_and_begins_the_next_on_the_day(
    world: World, tmp_path: Path
) -> None:
    moved = [[*WARD_ONE[0][:2], "CB2", *WARD_ONE[0][3:]], *WARD_ONE[1:]]
    report = imported(workbook(tmp_path, [HEADER, *moved]), effective_on=date(2026, 11, 1))
    assert counts(report) == (0, 1, 3, 0, 0)
    first, second = membership("DV001")
    assert first[2] == date(2026, 11, 1)
    assert second == (world.units["cell-2"].id, date(2026, 11, 1), None)


def test_a_move_mended_the_same_day_leaves_no_empty_membership(
    world: World, tmp_path: Path
) -> None:
    for cell in ("CB2", "CB1"):
        rows = [[*WARD_ONE[0][:2], cell, *WARD_ONE[0][3:]], *WARD_ONE[1:]]
        imported(workbook(tmp_path, [HEADER, *rows]))
    assert [row[0] for row in membership("DV001")] == [
        world.units["cell-1"].id,
        world.units["cell-1"].id,
    ]


def test_an_exemption_that_is_no_longer_marked_ends_on_the_day(
    world: World, tmp_path: Path
) -> None:
    person = world.people["anh"]
    db.session.add(Exemption(person_id=person.id, valid_from=date(2024, 1, 1)))
    db.session.commit()
    assert counts(imported(workbook(tmp_path, [HEADER, *WARD_ONE]))) == (0, 1, 3, 0, 0)
    assert db.session.scalars(select(Exemption.valid_to)).one() == TODAY


def test_people_missing_from_the_file_are_listed_and_kept(world: World, tmp_path: Path) -> None:
    report = imported(workbook(tmp_path, [HEADER, *WARD_ONE[:3]]))
    assert counts(report) == (0, 0, 3, 1, 0)
    assert report.missing == (("DV004", "Lò Văn Đạt", "Chi bộ 2"),)
    assert membership("DV004")[0][2] is None


def test_one_error_and_nothing_is_written_but_the_file_with_errors(
    world: World, tmp_path: Path
) -> None:
    bad = ["DV009", "Lê Văn Năm", "Chi bộ lạ", "32/13/1980", None, None, None]
    good = ["DV008", "Lê Văn Bốn", "CB1", 1980, None, None, None]
    path = workbook(tmp_path, [HEADER, *WARD_ONE, good, bad])
    report = imported(path)
    assert counts(report)[-1] == 2
    assert not report.written
    assert db.session.scalar(select(func.count()).where(Person.code.in_(["DV008", "DV009"]))) == 0
    assert db.session.scalar(select(func.count(RosterImport.id))) == 0
    page: Any = openpyxl.load_workbook(tmp_path / "ds-loi.xlsx").active
    assert page.cell(1, 8).value == "Lỗi cần sửa"
    assert "Chi bộ lạ" in page.cell(7, 8).value
    assert page.cell(6, 8).value is None


def test_a_dry_run_writes_nothing(world: World, tmp_path: Path) -> None:
    good = ["DV008", "Lê Văn Bốn", "CB1", 1980, None, None, None]
    report = imported(workbook(tmp_path, [HEADER, *WARD_ONE, good]), dry_run=True)
    assert counts(report) == (1, 0, 4, 0, 0)
    assert db.session.scalar(select(func.count()).where(Person.code == "DV008")) == 0


def test_staff_cannot_name_another_wards_cells_nor_touch_its_people(
    world: World, tmp_path: Path
) -> None:
    rows: list[list[Any]] = [
        ["DV009", "Lê Văn Năm", "Chi bộ 3", 1980, None, None, None],
        ["DV005", "Trương Hoà", "Chi bộ 1", None, None, None, None],
    ]
    report = imported(workbook(tmp_path, [HEADER, *rows]), by=an(world), unit_code=None)
    assert {(error.row, error.column) for error in report.errors} == {(2, "Chi bộ"), (3, "Mã")}
    assert membership("DV005")[0][0] == world.units["cell-3"].id


def test_an_administrator_brings_a_person_over_from_another_ward(
    world: World, tmp_path: Path
) -> None:
    row: list[Any] = ["DV005", "Trương Hoà", "Chi bộ 1", None, None, None, None]
    assert counts(imported(workbook(tmp_path, [HEADER, *WARD_ONE, row]))) == (0, 1, 4, 0, 0)
    assert membership("DV005")[-1][0] == world.units["cell-1"].id


def test_every_import_and_every_change_is_an_audit_entry(world: World, tmp_path: Path) -> None:
    rows: list[list[Any]] = [[*WARD_ONE[0][:4], "0987654321", *WARD_ONE[0][5:]], *WARD_ONE[1:]]
    imported(workbook(tmp_path, [HEADER, *rows]))
    entries = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(entry.action, entry.entity) for entry in entries] == [
        ("changed", "person"), ("imported", "roster_import"),
    ]  # fmt: skip
    assert entries[0].details["fields"] == ["phone"]
    assert "987654321" not in str(entries[0].details)


def test_households_are_added_by_number_within_their_group(world: World, tmp_path: Path) -> None:
    rows: list[list[Any]] = [["Khối phố", "Số hộ", "Chủ hộ"]]
    rows += [["Khối 1", number, None] for number in range(1, 6)]
    rows += [["Khối 1", "6A", "TRẦN THỊ SÁU"]]
    path = workbook(tmp_path, rows)
    values: dict[str, Any] = {"kind": "households", "unit_code": "P1"}
    assert counts(imported(path, **values)) == (1, 0, 5, 0, 0)
    added = db.session.scalars(select(Household).where(Household.number == "6A")).one()
    assert (added.code, added.representative) == ("K1-06A", "Trần Thị Sáu")
    assert counts(imported(path, **values)) == (0, 0, 6, 0, 0)


def uploaded(world: World, path: Path, by: Actor, **more: Any) -> int:
    values: dict[str, Any] = {
        "kind": "members", "unit_id": world.units["ward-1"].id, "effective_on": None,
    } | more  # fmt: skip
    return roster.store_upload(path.read_bytes(), path.name, now=NOW, by=by, **values)


def checked(import_id: int, by: Actor) -> roster.ImportView:
    assert roster.begin_check(import_id, now=NOW, by=by)
    roster.check(import_id, now=NOW, by=by)
    return roster.roster_import(import_id, now=NOW, by=by)


def test_on_screen_the_file_is_checked_shown_and_then_written(world: World, tmp_path: Path) -> None:
    by = an(world)
    row: list[Any] = ["DV008", "Lê Văn Bốn", "CB1", 1980, None, None, None]
    import_id = uploaded(world, workbook(tmp_path, [HEADER, *WARD_ONE, row]), by)
    view = checked(import_id, by)
    assert (view.state, view.counts["new"]) == ("checked", 1)
    assert db.session.scalar(select(func.count()).where(Person.code == "DV008")) == 0
    assert roster.begin_import(import_id, now=NOW, by=by)
    assert not roster.begin_import(import_id, now=NOW, by=by)
    roster.apply_import(import_id, now=NOW, by=by)
    assert roster.roster_import(import_id, now=NOW, by=by).state == "imported"
    assert db.session.scalar(select(func.count()).where(Person.code == "DV008")) == 1


def test_what_changed_since_the_preview_must_be_looked_at_again(
    world: World, tmp_path: Path
) -> None:
    by = an(world)
    row: list[Any] = ["DV008", "Lê Văn Bốn", "CB1", 1980, None, None, None]
    path = workbook(tmp_path, [HEADER, *WARD_ONE, row])
    import_id = uploaded(world, path, by)
    checked(import_id, by)
    imported(path)
    roster.begin_import(import_id, now=NOW, by=by)
    roster.apply_import(import_id, now=NOW, by=by)
    view = roster.roster_import(import_id, now=NOW, by=by)
    assert view.state == "checked"
    assert view.message is not None
    assert view.counts["new"] == 0


def test_an_import_with_errors_cannot_be_confirmed(world: World, tmp_path: Path) -> None:
    by = an(world)
    path = workbook(tmp_path, [HEADER, ["DV9", "Lê Năm", "Chi bộ lạ", None, None, None, None]])
    import_id = uploaded(world, path, by)
    view = checked(import_id, by)
    assert view.counts["errors"] == 1
    with pytest.raises(Refusal):
        roster.begin_import(import_id, now=NOW, by=by)
    copy = roster.record_download(import_id, now=NOW, by=by)
    assert copy.exists()


def test_a_namesake_is_settled_by_the_user(world: World, tmp_path: Path) -> None:
    rows: list[list[Any]] = [["Họ và tên", "Chi bộ", "Năm sinh"], ["Đỗ Thị Kim Chi", "CB2", 1970]]
    import_id = uploaded(world, workbook(tmp_path, rows), QUAN)
    view = checked(import_id, QUAN)
    (asked,) = view.result["namesakes"]
    assert asked["candidates"][0]["code"] == "DV001"
    chi = world.people["chi"].id
    roster.answer_namesakes(import_id, {2: chi}, now=NOW, by=QUAN)
    assert checked(import_id, QUAN).counts["changed"] == 1


def test_another_persons_import_is_not_found(world: World, tmp_path: Path) -> None:
    import_id = uploaded(world, workbook(tmp_path, [HEADER, *WARD_ONE]), an(world))
    dung = Actor("Dũng", world.accounts["dung"].id, (Grant("staff", world.units["ward-2"].id),))
    with pytest.raises(NotFound):
        roster.roster_import(import_id, now=NOW, by=dung)
    with pytest.raises(NotFound):
        uploaded(world, workbook(tmp_path, [HEADER, *WARD_ONE]), dung)


def test_a_file_that_is_no_workbook_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    path = tmp_path / "ds.xlsx"
    path.write_bytes(b"%PDF-1.7")
    before = set(office().uploads.glob("*")) if office().uploads.exists() else set()
    with pytest.raises(Malformed, match="PDF"):
        uploaded(world, path, QUAN)
    assert set(office().uploads.glob("*")) == before


def test_uploads_are_deleted_after_a_day_and_only_the_counts_stay(
    world: World, tmp_path: Path
) -> None:
    import_id = uploaded(world, workbook(tmp_path, [HEADER, *WARD_ONE]), QUAN)
    checked(import_id, QUAN)
    stored = db.session.get_one(RosterImport, import_id).stored_name
    assert roster.delete_old_uploads(now=NOW + timedelta(hours=23)) == 0
    assert roster.delete_old_uploads(now=NOW + timedelta(hours=25)) == 1
    assert list(office().uploads.glob(f"{stored}*")) == []
    view = roster.roster_import(import_id, now=NOW, by=QUAN)
    assert view.result == {"counts": view.counts}
    assert view.state == "failed"


def test_work_that_stopped_half_way_is_told(world: World, tmp_path: Path) -> None:
    import_id = uploaded(world, workbook(tmp_path, [HEADER, *WARD_ONE]), QUAN)
    roster.begin_check(import_id, now=NOW, by=QUAN)
    later = NOW + timedelta(hours=1)
    assert roster.roster_import(import_id, now=later, by=QUAN).state == "failed"
    assert roster.begin_check(import_id, now=later, by=QUAN)
