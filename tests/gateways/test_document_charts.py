"""Charts in documents, read back by other readers: the XML by hand, the workbook by openpyxl."""

import io
import zipfile
from datetime import date
from typing import Any
from xml.etree import ElementTree

import pytest
from defusedxml.ElementTree import fromstring
from openpyxl import load_workbook

from gateways.document_charts import Drawn, chart_parts, height_of
from gateways.documents import Drawing, Grid, Letterhead, Paper, Text, docx
from rules.charts import Day, Pair, PairChart, Voice, bar, bar_chart
from rules.coverage import Figure
from rules.day_charts import DaysSoFar, day_chart

C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
VOICE = Voice()


def bars(*found: tuple[str, int, int, int]) -> Drawn:
    made = [
        bar(VOICE, name, Figure(main + makeup, eligible, 95), (main, makeup))
        for name, main, makeup, eligible in found
    ]
    parts = ("Đợt chính", "Học bù")
    return bar_chart(VOICE, "x", "Theo <đơn vị>", "%", parts, made, noun="đơn vị", whole=None)


def days() -> Drawn:
    known = DaysSoFar(
        (Day(date(2026, 11, 2), 40, 40), Day(date(2026, 11, 4), 50, 70)),
        Figure(70, 100, 95),
        date(2026, 11, 1),
        date(2026, 11, 10),
        date(2026, 11, 5),
    )
    return day_chart(VOICE, "y", "Tiến độ", "người", known, by_rounds=True)


def months(*, is_time: bool = True) -> Drawn:
    pairs = (Pair("10/2026", 1234, 5, "1.234", "5"), Pair("11/2026", 0, 0, "0", "0"))
    return PairChart("z", "Tháng", "buổi", "Kỳ này", "Trước", pairs, is_time, "Cộng 1.234.")


CHARTS = [bars(("A", 50, 20, 100)), days(), months(), months(is_time=False)]


def series(chart: Drawn) -> dict[str, list[tuple[str, float]]]:
    """The chart's own numbers by series: (category, value)."""
    found = {}
    for one in fromstring(chart_parts(chart)[0]).iter(f"{C}ser"):
        name, names, values = (_points(one, part) for part in ("tx", "cat", "val"))
        found[name[0]] = [(names[place], float(value)) for place, value in values.items()]
    return found


def _points(one: ElementTree.Element, part: str) -> dict[int, str]:
    points = one.iterfind(f"{C}{part}//{C}pt")
    return {int(point.get("idx", "")): point.findtext(f"{C}v", "") for point in points}


def package(*charts: Drawn, **values: Any) -> zipfile.ZipFile:
    blocks = tuple(Drawing(chart) for chart in charts)
    paper = Paper(Letterhead(**values), "BÁO CÁO", "", (Text("Đoạn."), *blocks), landscape=True)
    return zipfile.ZipFile(io.BytesIO(docx([paper])))


def test_a_bar_is_its_parts_and_what_is_missing_to_the_target_in_cut_percent() -> None:
    found = series(bars(("A", 4495, 331, 4947), ("B", 1, 0, 3)))
    (first, main), (second, _) = found["Đợt chính"]
    assert (first, main) == ("A: 97,5% · 4.826/4.947, đạt", 90.8)
    assert second == "B: 33,3% · 1/3, thiếu 2"
    assert [round(value, 1) for _, value in found["Học bù"]] == [6.7, 0]
    assert [value for _, value in found["Còn thiếu đến chỉ tiêu"]] == [0, 61.7]


def test_more_than_everybody_is_a_series_of_its_own_beyond_the_hundred() -> None:
    chart = bars(("A", 123, 0, 100))
    found = series(chart)
    assert [value for _, value in found["Đợt chính"]] == [100]
    assert [value for _, value in found["Quá 100%: số liệu sai"]] == [23]
    axis = fromstring(chart_parts(chart)[0]).find(f".//{C}valAx/{C}scaling/{C}max")
    assert axis is not None
    assert axis.get("val") == "130"


def test_days_go_on_to_the_deadline_but_are_known_only_so_far() -> None:
    found = series(days())
    assert found["Đợt chính: 50"] == [
        ("01/11", 0),
        ("02/11", 40),
        ("03/11", 40),
        ("04/11", 50),
        ("05/11", 50),
    ]
    assert [value for _, value in found["Luỹ kế: 70,0% · 70/100"]] == [0, 40, 40, 70, 70]
    assert {value for _, value in found["Chỉ tiêu 95%: 95"]} == {95}
    pace = found["Cần 5 người mỗi ngày"]
    assert (pace[0], pace[-1]) == (("05/11", 70), ("10/11", 95))


def test_lines_are_straight_and_days_to_come_are_not_nothing() -> None:
    root = fromstring(chart_parts(days())[0])
    assert {one.get("val") for one in root.iter(f"{C}smooth")} == {"0"}
    assert [one.get("val") for one in root.iter(f"{C}dispBlanksAs")] == ["gap"]


@pytest.mark.parametrize("is_time", [True, False])
def test_pairs_have_their_labels_as_they_are_read(is_time: bool) -> None:
    chart = months(is_time=is_time)
    assert series(chart)["Kỳ này"] == [("10/2026", 1234), ("11/2026", 0)]
    labels = [one.text for one in fromstring(chart_parts(chart)[0]).iter(f"{A}t")]
    assert {"1.234", "5"} <= set(labels)


@pytest.mark.parametrize("chart", CHARTS)
def test_series_are_told_apart_without_colour(chart: Drawn) -> None:
    looks = set()
    for one in fromstring(chart_parts(chart)[0]).iter(f"{C}ser"):
        shape = one.find(f"{C}spPr")
        assert shape is not None
        text = ElementTree.tostring(shape, encoding="unicode")
        for colour in shape.iter(f"{A}srgbClr"):
            value = colour.get("val", "")
            assert value[:2] == value[2:4] == value[4:], "grey only"
        looks.add(text)
    assert len(looks) == len(series(chart))


@pytest.mark.parametrize("chart", CHARTS)
def test_the_workbook_behind_holds_the_same_numbers_and_no_formula(chart: Drawn) -> None:
    sheet = load_workbook(io.BytesIO(chart_parts(chart)[1])).active
    assert sheet is not None
    head, *rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    for name, points in series(chart).items():
        column = head.index(name)
        written = [(row[0], row[column]) for row in rows if row[column] is not None]
        assert [(one, float(str(value))) for one, value in written] == points


def test_a_name_like_a_formula_stays_a_name() -> None:
    content = chart_parts(bars(("=HYPERLINK(1)", 1, 0, 2)))[1]
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert sheet["A2"].data_type == "s"
    assert str(sheet["A2"].value).startswith("=HYPERLINK(1): ")


def test_a_document_holds_each_chart_with_its_workbook_and_its_alternative() -> None:
    with package(*CHARTS) as found:
        root = fromstring(found.read("word/document.xml"))
        relations = {
            one.get("Id"): one.get("Target")
            for one in fromstring(found.read("word/_rels/document.xml.rels"))
        }
        shown = [one.get(f"{R}id") for one in root.iter(f"{C}chart")]
        assert len(shown) == len(set(shown)) == len(CHARTS)
        for relation in shown:
            part = f"word/{relations[relation]}"
            chart = fromstring(found.read(part))
            behind = chart.find(f"{C}externalData")
            assert behind is not None
            name = part.rpartition("/")[2]
            own = fromstring(found.read(f"word/charts/_rels/{name}.rels"))
            [target] = [
                one.get("Target", "") for one in own if one.get("Id") == behind.get(f"{R}id")
            ]
            load_workbook(io.BytesIO(found.read("word/" + target.removeprefix("../"))))
        told = [(one.get("title"), one.get("descr")) for one in root.iter(f"{WP}docPr")]
        assert told == [(chart.title, chart.message) for chart in CHARTS]
        ids = [one.get("id") for one in root.iter(f"{WP}docPr")]
        assert len(set(ids)) == len(ids)
        kinds = found.read("[Content_Types].xml").decode()
        assert kinds.count("drawingml.chart+xml") == len(CHARTS)


def test_a_chart_is_as_wide_as_the_text_and_never_higher_than_the_page() -> None:
    with package(CHARTS[1], left=30, right=20, top=60, bottom=60) as found:
        extent = next(fromstring(found.read("word/document.xml")).iter(f"{WP}extent"))
    width, height = (int(extent.get(side, "0")) / 36000 for side in ("cx", "cy"))
    assert width == pytest.approx(297 - 50, abs=0.1)
    assert height == pytest.approx(210 - 120 - 10, abs=0.1)


@pytest.mark.parametrize("count", [1, 5, 27])
def test_bars_leave_room_for_title_and_legend_however_few_they_are(count: int) -> None:
    chart = bars(*(("A", 1, 0, 2) for _ in range(count)))
    layout = fromstring(chart_parts(chart)[0]).find(f".//{C}plotArea/{C}layout/{C}manualLayout")
    assert layout is not None
    top, share = (float(layout.find(f"{C}{side}").get("val")) for side in ("y", "h"))  # type: ignore[union-attr, arg-type]  # None would fail here
    high = height_of(chart)
    assert top * high >= 12
    assert (1 - top - share) * high >= 20
    assert share * high >= 4 * count


def test_cells_of_a_grid_may_have_grounds() -> None:
    grid = Grid(("Giờ", "T2"), [("7h", "90%"), ("8h", "")], (1, 1), shades={(0, 1): "CCCCCC"})
    paper = Paper(Letterhead(), "", "", (grid,))
    with zipfile.ZipFile(io.BytesIO(docx([paper]))) as found:
        root = fromstring(found.read("word/document.xml"))
    cells = [one for one in root.iter(f"{W}tc") if one.find(f".//{W}shd") is not None]
    assert ["".join(text.text or "" for text in one.iter(f"{W}t")) for one in cells] == ["90%"]
    [shade] = cells[0].iter(f"{W}shd")
    assert shade.get(f"{W}fill") == "CCCCCC"
