"""Documents (.docx) in the Party's layout: head left and right, number, title, blocks, recipients.

The layout follows Guidance 36-HD/VPTW as far as it could be read (number and symbol without the
year, "Nơi nhận", A4, Times New Roman); margins and heads are values of the issuing unit. Nothing
comes from a file of somebody else: python-docx's own empty document is filled.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

from docx import Document
from docx.enum.section import WD_ORIENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_BREAK, WD_TAB_ALIGNMENT, WD_TAB_LEADER
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from docx.text.paragraph import Paragraph

from gateways.document_charts import Drawn, add_chart
from gateways.document_tables import table_xml, widths_for_words
from rules.paperwork import party_date

TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
FONT = "Times New Roman"
BODY_SIZE, TABLE_SIZE, SMALL_SIZE = 14, 12, 11
ALIGNMENTS = {
    "left": WD_ALIGN_PARAGRAPH.LEFT,
    "center": WD_ALIGN_PARAGRAPH.CENTER,
    "right": WD_ALIGN_PARAGRAPH.RIGHT,
    "justify": WD_ALIGN_PARAGRAPH.JUSTIFY,
}
A4_WIDTH, A4_HEIGHT = 210, 297
LINES_WITH_SIGNATURE = 3
DRAFT = "DỰ THẢO"


@dataclass(frozen=True)
class HeadTexts:
    """What is written at the head and the foot of a unit's documents, each on a line of its own.

    `motto` stands on the right; a Political Centre may have another than the Party's.
    """

    superior: str = ""
    issuer: str = ""
    motto: str = ""
    place: str = ""
    symbol: str = ""
    authority: str = ""
    post: str = ""
    signer: str = ""


@dataclass(frozen=True)
class Letterhead(HeadTexts):
    """How one unit heads its documents; lengths in millimetres."""

    motto: str = "ĐẢNG CỘNG SẢN VIỆT NAM"
    recipients: tuple[str, ...] = ()
    top: int = 25
    bottom: int = 25
    left: int = 35
    right: int = 15


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    bold: bool = False
    italic: bool = False
    align: str = "justify"
    indent: bool = True
    size: int = BODY_SIZE


@dataclass(frozen=True)
class Grid:
    """A table: its head is repeated on every page and no row is broken. `widths` are shares.

    `numbers` are the places of columns aligned right; a row that has one cell runs over all.
    """

    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    widths: tuple[int, ...]
    numbers: frozenset[int] = frozenset()
    centred: frozenset[int] = frozenset()
    size: int = TABLE_SIZE
    row_height: int = 0
    """The least height of a row in millimetres: rows to sign in need room."""
    shades: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """Grounds by (row, column), as six hexadecimal digits."""


@dataclass(frozen=True)
class Picture:
    """A picture (PNG bytes) over so many millimetres, with the text that says what it shows."""

    content: bytes
    width: int
    alternative: str


@dataclass(frozen=True)
class Drawing:
    """A chart over the whole width of the text, as high as its lines are many."""

    chart: Drawn


@dataclass(frozen=True)
class Blank:
    """Dotted lines for what only people can write."""

    lines: int


@dataclass(frozen=True)
class PageBreak:
    """What follows begins on a new page."""


Block = Text | Grid | Picture | Drawing | Blank | PageBreak
FieldValue: TypeAlias = "str | Sequence[Mapping[str, str]] | tuple[Block, ...]"
"""A text, the lines of a list by column, or what the program lays out itself."""


@dataclass(frozen=True)
class Paper:
    """One document: `kind` and `subject` are its title; the system only ever prints drafts."""

    letterhead: Letterhead
    kind: str
    subject: str
    blocks: tuple[Block, ...]
    on: date | None = None
    symbol: str = ""
    addressee: str = ""
    is_draft: bool = True
    landscape: bool = False
    foot: str = ""
    """Who exported it and when."""
    signs: bool = True
    recipients: tuple[str, ...] = field(default=())
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    """What a template may ask for by name beside the head's fields (`rules.document_templates`)."""
    number_line: str | None = None
    day_line: str | None = None
    draft_line: str | None = None
    """In place of what follows from symbol, day and draft; only starters of templates set them."""


def docx(papers: Sequence[Paper]) -> bytes:
    """The papers in one file, each on a new page (a mail merge is a list of papers)."""
    document = Document()
    _prepare_styles(document)
    for place, paper in enumerate(papers):
        section = document.sections[0] if place == 0 else document.add_section()
        _set_page(section, paper)
        _write(document, paper)
    properties = document.core_properties
    properties.author = properties.last_modified_by = ""
    properties.title = f"{papers[0].kind} {papers[0].subject}".strip()[:200] if papers else ""
    properties.language = "vi-VN"
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _prepare_styles(document: Any) -> None:
    style = document.styles["Normal"]
    style.font.name, style.font.size = FONT, Pt(BODY_SIZE)
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for script in ("w:ascii", "w:hAnsi", "w:eastAsia", "w:cs"):
        fonts.set(qn(script), FONT)
    style.paragraph_format.space_after = Pt(0)


def _set_page(section: Any, paper: Paper) -> None:
    head = paper.letterhead
    width, height = (A4_HEIGHT, A4_WIDTH) if paper.landscape else (A4_WIDTH, A4_HEIGHT)
    section.orientation = WD_ORIENT.LANDSCAPE if paper.landscape else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = Mm(width), Mm(height)
    section.top_margin, section.bottom_margin = Mm(head.top), Mm(head.bottom)
    section.left_margin, section.right_margin = Mm(head.left), Mm(head.right)
    section.different_first_page_header_footer = True
    section.header.is_linked_to_previous = section.footer.is_linked_to_previous = False
    section.first_page_footer.is_linked_to_previous = False
    _write_page_number(section)
    for footer in (section.footer, section.first_page_footer):
        line = footer.paragraphs[0]
        line.alignment = WD_ALIGN_PARAGRAPH.LEFT
        _run(line, paper.foot, size=9, italic=True)


def _write_page_number(section: Any) -> None:
    """Centred at the top from the second page on; each paper counts from one."""
    line = section.header.paragraphs[0]
    line.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        run = line.add_run()
        if kind:
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
        else:
            mark = OxmlElement("w:instrText")
            mark.text = text
        run._r.append(mark)
    numbering = OxmlElement("w:pgNumType")
    numbering.set(qn("w:start"), "1")
    section._sectPr.append(numbering)


def _write(document: Any, paper: Paper) -> None:
    _write_head(document, paper)
    if paper.kind:
        title = _line(document, paper.kind, bold=True, align="center", size=16, before=12)
        title.paragraph_format.keep_with_next = True
    if paper.kind and paper.subject:
        _line(document, paper.subject, bold=True, align="center", after=6)
        _line(document, "–––––––––", align="center", after=6)
    if paper.addressee:
        _line(document, paper.addressee, align="center", after=6)
    write_blocks(document, paper.blocks, Space(_usable_width(paper), _usable_height(paper)))
    if paper.signs:
        _write_signature(document, paper)


def number_line(paper: Paper) -> str:
    """Room for the number, and the symbol without a year; nothing where there is no symbol."""
    if paper.number_line is not None:
        return paper.number_line
    return f"Số      -{paper.symbol}" if paper.symbol else ""


def day_line(paper: Paper) -> str:
    """Place and day."""
    if paper.day_line is not None:
        return paper.day_line
    return party_date(paper.letterhead.place, paper.on)


def draft_line(paper: Paper) -> str:
    """What marks a draft; nothing on what is no draft."""
    if paper.draft_line is not None:
        return paper.draft_line
    return DRAFT if paper.is_draft else ""


def _usable_width(paper: Paper) -> float:
    width = A4_HEIGHT if paper.landscape else A4_WIDTH
    return width - paper.letterhead.left - paper.letterhead.right


def _usable_height(paper: Paper) -> float:
    """Less a line, so that what heads or follows a full-page drawing does not push it away."""
    height = A4_WIDTH if paper.landscape else A4_HEIGHT
    return height - paper.letterhead.top - paper.letterhead.bottom - 10


def _write_head(document: Any, paper: Paper) -> None:
    """Left who issues, with a star and the number; right the motto, a line, place and day."""
    head, width = paper.letterhead, _usable_width(paper)
    table = _plain_table(document, (width * 0.46, width * 0.54))
    left, right = table.rows[0].cells
    if head.superior:
        _cell_line(left, head.superior, first=True)
    _cell_line(left, head.issuer, first=not head.superior, bold=True)
    _cell_line(left, "*")
    if number := number_line(paper):
        _cell_line(left, number)
    if not paper.kind and paper.subject:
        # An official letter has no title: what it is about stands under its number.
        _cell_line(left, paper.subject, italic=True, size=12)
    _cell_line(right, head.motto, first=True, bold=True, size=15, underline=True)
    _cell_line(right, day_line(paper), italic=True)
    if draft := draft_line(paper):
        _cell_line(right, draft, bold=True, size=12)


def _write_signature(document: Any, paper: Paper) -> None:
    """Recipients on the left, who signs on the right; the two stay on one page."""
    head, width = paper.letterhead, _usable_width(paper)
    if not (head.authority or head.post or head.signer or head.recipients or paper.recipients):
        return
    _keep_with_next(_line(document, "", size=6))
    table = _plain_table(document, (width * 0.5, width * 0.5))
    left, right = table.rows[0].cells
    recipients = paper.recipients or head.recipients
    if recipients:
        line = _cell_line(left, "Nơi nhận:", first=True, align="left", size=12, underline=True)
        line.paragraph_format.keep_with_next = True
        for recipient in recipients:
            _cell_line(left, f"- {recipient}", align="left", size=SMALL_SIZE)
    _cell_line(right, head.authority, first=True, bold=True)
    _cell_line(right, head.post, bold=True)
    for _space in range(4):
        _cell_line(right, "")
    _cell_line(right, head.signer, bold=True)


def _keep_with_next(line: Any) -> None:
    """A signature never stands on a page alone: the last lines before it go along, or the last two
    rows of a table."""
    line.paragraph_format.keep_with_next = True
    for before in list(line._p.itersiblings(preceding=True))[:LINES_WITH_SIGNATURE]:
        rows = before.findall(qn("w:tr"))
        for paragraph in [one for row in rows[-2:] for one in row.iter(qn("w:p"))] or [before]:
            if paragraph.tag == qn("w:p"):
                Paragraph(paragraph, line._parent).paragraph_format.keep_with_next = True
        if rows:
            return


@dataclass(frozen=True)
class Space:
    """The room for text on a page, in millimetres."""

    width: float
    height: float


def write_blocks(document: Any, blocks: Sequence[Block], space: Space) -> None:
    """Add these at the document's end, over the width of the text."""
    for block in blocks:
        _write_block(document, space, block)


def _write_block(document: Any, space: Space, block: Block) -> None:
    if isinstance(block, Text):
        line = _line(
            document,
            block.text,
            bold=block.bold,
            italic=block.italic,
            align=block.align,
            size=block.size,
            after=6,
        )
        if block.indent:
            line.paragraph_format.first_line_indent = Mm(10)
        line.paragraph_format.keep_with_next = block.bold
    elif isinstance(block, Grid):
        _write_grid(document, space.width, block)
    elif isinstance(block, Picture):
        document.add_picture(io.BytesIO(block.content), width=Mm(block.width))
        document.paragraphs[-1].alignment = WD_ALIGN_PARAGRAPH.CENTER
        document.inline_shapes[-1]._inline.docPr.set("descr", block.alternative)
    elif isinstance(block, Drawing):
        add_chart(document, block.chart, width=space.width, tallest=space.height)
    elif isinstance(block, Blank):
        for _line_number in range(block.lines):
            dots = _line(document, "\t", after=6)
            dots.paragraph_format.tab_stops.add_tab_stop(
                Mm(space.width), WD_TAB_ALIGNMENT.RIGHT, WD_TAB_LEADER.DOTS
            )
    else:
        document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)


def _write_grid(document: Any, usable: float, grid: Grid) -> None:
    share = usable / sum(grid.widths)
    aligned = ["left"] * len(grid.header)
    for place in grid.centred:
        aligned[place] = "center"
    for place in grid.numbers - grid.centred:
        aligned[place] = "right"
    table = table_xml(
        [printable(text) for text in grid.header],
        [[printable(text) for text in row] for row in grid.rows],
        widths_for_words(
            grid.header, grid.rows, [width * share for width in grid.widths], grid.size
        ),
        size=grid.size,
        aligned=aligned,
        row_height_mm=grid.row_height,
        shades=grid.shades,
    )
    after = _line(document, "", size=6)
    after._p.addprevious(parse_xml(table))


def _plain_table(document: Any, widths: tuple[float, ...]) -> Any:
    """A table without lines, for what stands side by side."""
    table = document.add_table(rows=1, cols=len(widths))
    table.autofit = False
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    for column, width in zip(table.columns, widths, strict=True):
        column.width = Mm(width)
    for cell, width in zip(table.rows[0].cells, widths, strict=True):
        cell.width = Mm(width)
    return table


def _cell_line(
    cell: Any,
    text: str,
    *,
    first: bool = False,
    bold: bool = False,
    italic: bool = False,
    underline: bool = False,
    align: str = "center",
    size: int = BODY_SIZE,
) -> Any:
    line = cell.paragraphs[0] if first else cell.add_paragraph()
    line.alignment = ALIGNMENTS[align]
    _run(line, text, bold=bold, italic=italic, size=size, underline=underline)
    return line


def _line(
    document: Any,
    text: str,
    *,
    bold: bool = False,
    italic: bool = False,
    align: str = "left",
    size: int = BODY_SIZE,
    before: int = 0,
    after: int = 0,
) -> Any:
    line = document.add_paragraph()
    line.alignment = ALIGNMENTS[align]
    line.paragraph_format.space_before, line.paragraph_format.space_after = Pt(before), Pt(after)
    _run(line, text, bold=bold, italic=italic, size=size)
    return line


def _run(
    line: Any,
    text: str,
    *,
    bold: bool = False,
    italic: bool = False,
    underline: bool = False,
    size: int = BODY_SIZE,
) -> None:
    run = line.add_run(printable(text))
    run.bold, run.italic, run.underline = bold, italic, underline
    run.font.size = Pt(size)
    run.font.name = FONT


def printable(text: str) -> str:
    """The text without what XML cannot hold: a pasted control character must not break a file."""
    return "".join(
        sign
        for sign in text
        if sign in "\t\n" or (ord(sign) >= 32 and ord(sign) not in (0xFFFE, 0xFFFF))
    )
