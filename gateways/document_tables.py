"""Tables of documents, written as WordprocessingML at once: hundreds of rows take no time to set."""

from collections.abc import Mapping, Sequence
from html import escape

NAMESPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
TWIPS_PER_MM = 1440 / 25.4
FONT = "Times New Roman"
LINES = "".join(
    f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="000000"/>'
    for side in ("top", "left", "bottom", "right", "insideH", "insideV")
)
LETTER_MM = 0.62 * 25.4 / 72
PLAIN_LETTER_MM, DAY_LETTERS = 0.52 * 25.4 / 72, 10
"""The width of a bold letter, and of a plain one, for each point of its size, on the safe side; and
the letters of a day, the longest word of a cell that must not be cut."""
TIGHT_LINES = '<w:spacing w:before="0" w:after="0" w:line="240" w:lineRule="auto"/>'
"""Whatever spacing a template gives its paragraphs, a table's rows stay as high as their text."""
TIGHT_FROM_COLUMNS, TIGHT, ROOMY = 11, 28, 85
"""Room beside a cell's text in twips: half a millimetre where columns are many, else 1,5."""


def widths_for_words(
    header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float], size: int
) -> Sequence[float]:
    """The widths in millimetres, changed so that no word of the head and no day or number is cut.

    Too narrow columns grow, the others give in proportion to what they can spare. Unchanged where
    that is not possible.
    """
    room = (TIGHT if len(header) >= TIGHT_FROM_COLUMNS else ROOMY) * 2 / TWIPS_PER_MM
    plain = [0] * len(header)
    for row in rows:
        for place, value in enumerate(row if len(row) == len(header) else ()):
            short = [len(word) for word in value.split() if len(word) <= DAY_LETTERS]
            plain[place] = max([plain[place], *short])
    bold = [max((len(word) for word in label.split()), default=0) for label in header]
    least = [
        max(head * LETTER_MM, body * PLAIN_LETTER_MM) * size + room
        for head, body in zip(bold, plain, strict=True)
    ]
    spare = [max(0.0, width - needed) for width, needed in zip(widths, least, strict=True)]
    lacking = [max(0.0, needed - width) for width, needed in zip(widths, least, strict=True)]
    if not any(lacking) or sum(lacking) > sum(spare):
        return widths
    given = sum(lacking) / sum(spare)
    return [
        width + lack - can * given for width, lack, can in zip(widths, lacking, spare, strict=True)
    ]


def table_xml(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[float],
    *,
    size: int,
    aligned: Sequence[str],
    row_height_mm: int = 0,
    shades: Mapping[tuple[int, int], str] | None = None,
) -> str:
    """A table over widths in millimetres: its head repeats on every page, no row breaks.

    `aligned` says left, right or center by column; a row of one cell runs over all. Texts are
    escaped here; what XML cannot hold must be gone already. `shades` are grounds (RRGGBB) by row
    and column.
    """
    twips = [round(width * TWIPS_PER_MM) for width in widths]
    room = TIGHT if len(header) >= TIGHT_FROM_COLUMNS else ROOMY
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in twips)
    head = _row(header, twips, size, ["center"] * len(header), bold=True, settings="<w:tblHeader/>")
    height = round(row_height_mm * TWIPS_PER_MM)
    tall = f'<w:trHeight w:val="{height}" w:hRule="atLeast"/>' if height else ""
    fills = _by_row(shades or {})
    body = "".join(
        _row(row, twips, size, aligned, bold=False, settings=tall, fills=fills.get(place))
        for place, row in enumerate(rows)
    )
    return (
        f'<w:tbl {NAMESPACE}><w:tblPr><w:tblW w:w="{sum(twips)}" w:type="dxa"/>'
        f'<w:jc w:val="center"/><w:tblBorders>{LINES}</w:tblBorders><w:tblLayout w:type="fixed"/>'
        f'<w:tblCellMar><w:left w:w="{room}" w:type="dxa"/><w:right w:w="{room}" w:type="dxa"/>'
        f"</w:tblCellMar></w:tblPr><w:tblGrid>{grid}</w:tblGrid>{head}{body}</w:tbl>"
    )


def _by_row(shades: Mapping[tuple[int, int], str]) -> dict[int, dict[int, str]]:
    fills: dict[int, dict[int, str]] = {}
    for (row, column), fill in shades.items():
        fills.setdefault(row, {})[column] = fill
    return fills


def _row(
    values: Sequence[str],
    widths: Sequence[int],
    size: int,
    aligned: Sequence[str],
    *,
    bold: bool,
    settings: str,
    fills: Mapping[int, str] | None = None,
) -> str:
    if len(values) == 1 and len(widths) > 1:
        cells = _cell(values[0], sum(widths), size, "left", bold=True, span=len(widths))
    else:
        cells = "".join(
            _cell(value, width, size, align, bold=bold, fill=(fills or {}).get(place, ""))
            for place, (value, width, align) in enumerate(zip(values, widths, aligned, strict=True))
        )
    return f"<w:tr><w:trPr><w:cantSplit/>{settings}</w:trPr>{cells}</w:tr>"


def _cell(
    value: str, width: int, size: int, align: str, *, bold: bool, span: int = 1, fill: str = ""
) -> str:
    shade = f'<w:shd w:val="clear" w:color="auto" w:fill="{fill}"/>' if fill else ""
    over = f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    thick = "<w:b/>" if bold else ""
    fonts = f'<w:rFonts w:ascii="{FONT}" w:hAnsi="{FONT}" w:eastAsia="{FONT}" w:cs="{FONT}"/>'
    run = f'<w:rPr>{fonts}{thick}<w:sz w:val="{size * 2}"/><w:szCs w:val="{size * 2}"/></w:rPr>'
    # A line over all columns heads what follows: it never stands alone at a page's foot.
    kept = "<w:keepNext/>" if span > 1 else ""
    lines = "".join(
        f'<w:p><w:pPr>{kept}{TIGHT_LINES}<w:jc w:val="{align}"/></w:pPr>'
        f'<w:r>{run}<w:t xml:space="preserve">{escape(text, quote=False)}</w:t></w:r></w:p>'
        for text in value.split("\n")
    )
    return f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{over}{shade}</w:tcPr>{lines}</w:tc>'
