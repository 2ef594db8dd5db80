"""Checks and fills a template in a child process that may not take much memory or time.

Run as `python -m gateways.document_filler`; standard input holds one line of JSON (the job) and then
the template's bytes. The answer is one line of JSON, and after {"done": true} the filled document.
What is put in is never read again: a name that looks like a field is printed as it is.
"""

import copy
import io
import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from docx import Document
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from gateways.children import limit_this_process
from gateways.document_blocks import block_of
from gateways.document_parts import check_parts, root_of
from gateways.document_places import (
    BODY,
    MARK,
    TC,
    TOKEN,
    TR,
    P,
    T,
    faults_of,
    join_pieces,
    lists_in,
    mark_pieces,
    marked,
    paragraphs,
    repeated,
    text_of,
    texts_of,
    wanted,
)
from gateways.document_safety import TOO_MUCH, check_docx
from gateways.document_tables import TWIPS_PER_MM
from gateways.documents import Space, printable, write_blocks
from rules.document_templates import KINDS, TemplateKind
from rules.refusals import Refusal

MAX_MEMORY_BYTES = 768 * 1024 * 1024
MAX_CPU_SECONDS = 20
MARGINS, NOTES = ("header", "footer"), ("footnotes", "endnotes", "comments")
MOST_HEADER_ROWS = 3
A4_TEXT, LINE_MM = Space(160.0, 230.0), 10
SPACE = "{http://www.w3.org/XML/1998/namespace}space"

Filling = Mapping[str, Any]
"""The texts, the lists and the blocks of one sheet, by the names of their fields."""


def main() -> int:
    """Limit this process, read the job, answer. Refusals are answers too, so the exit code is 0."""
    limit_this_process(MAX_MEMORY_BYTES, MAX_CPU_SECONDS)
    job = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    try:
        made = answer(job, content)
    except Refusal as refusal:
        _say([refusal])
    except MemoryError:
        _say([Refusal(TOO_MUCH)])
    else:
        if isinstance(made, bytes):
            sys.stdout.buffer.write(b'{"done": true}\n' + made)
        else:
            _say(made)
    return 0


def _say(refusals: list[Refusal]) -> None:
    said = [[refusal.sentence, refusal.params] for refusal in refusals]
    sys.stdout.buffer.write(json.dumps({"refused": said}).encode() + b"\n")


def answer(job: Mapping[str, Any], content: bytes) -> bytes | list[Refusal]:
    """The filled document, or what is wrong with the template."""
    check_docx(content)
    kind = KINDS[job["kind"]]
    document = Document(io.BytesIO(content))
    package = document.part.package
    check_parts(package)
    body = document.element.body
    margins, notes = _beside(document, MARGINS), _beside(document, NOTES)
    for root in (body, *margins, *notes):
        join_pieces(root)
        mark_pieces(root)
    if faults := faults_of(kind, body, margins, notes):
        return faults
    _prepare_tables(kind, body)
    fillings: list[Filling] = job["fillings"]
    for root in margins:
        _fill_texts(root, fillings[0]["texts"])
    _fill_body(kind, document, fillings)
    _name(document, job["title"])
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _beside(document: Any, names: tuple[str, ...]) -> list[Any]:
    """The trees of what stands outside the body: headers and footers, or notes and comments."""
    return [
        root_of(part)
        for part in document.part.package.iter_parts()
        if part.content_type.rpartition(".")[2].removesuffix("+xml") in names
    ]


def _name(document: Any, title: str) -> None:
    """A template's own author does not travel with every document made from it."""
    properties = document.core_properties
    properties.author = properties.last_modified_by = properties.comments = ""
    properties.title, properties.language = title[:200], "vi-VN"


def _prepare_tables(kind: TemplateKind, body: Any) -> None:
    """Rows above a repeated row head the table on every page, and no repeated row is broken."""
    for paragraph in paragraphs(body):
        for name in lists_in(kind, paragraph):
            row = repeated(kind, name, paragraph)
            if row.tag != TR:
                continue
            _set_row(row, "w:cantSplit")
            above = list(row.itersiblings(TR, preceding=True))
            for other in above if len(above) <= MOST_HEADER_ROWS else ():
                _set_row(other, "w:tblHeader")


def _set_row(row: Any, name: str) -> None:
    properties = row.get_or_add_trPr()
    if properties.find(qn(name)) is None:
        properties.append(OxmlElement(name))


def _fill_body(kind: TemplateKind, document: Any, fillings: list[Filling]) -> None:
    """One copy of the template's body for every sheet, each sheet after the first in a new section."""
    body = document.element.body
    pattern = copy.deepcopy(body)
    last = pattern.find(qn("w:sectPr"))
    if last is not None:
        pattern.remove(last)
    for child in list(body):
        if child.tag != qn("w:sectPr"):
            body.remove(child)
    for place, filling in enumerate(fillings):
        if place:
            _end_section(body)
        sheet = copy.deepcopy(pattern)
        _repeat(kind, sheet, filling)
        blocks = [(one, name) for one in sheet.iterchildren(P) if (name := _block_at(kind, one))]
        for paragraph, _name_of_block in blocks:
            _empty(paragraph)
        _fill_texts(sheet, filling["texts"])
        _append(body, list(sheet))
        for paragraph, name in blocks:
            _lay_block(document, paragraph, last, filling["blocks"].get(name, []))
    if len(fillings) > 1:
        _start_anew(_last_section(body))


def _last_section(body: Any) -> Any:
    """The layout at the body's end, where the format wants it; looked for from the end."""
    last = next(body.iterchildren(reversed=True), None)
    return last if last is not None and last.tag == qn("w:sectPr") else None


def _append(body: Any, children: list[Any]) -> None:
    end = _last_section(body)
    for child in children:
        if end is None:
            body.append(child)
        else:
            end.addprevious(child)


def _end_section(body: Any) -> None:
    """What stands so far becomes a section of its own, which begins a page and counts from one."""
    end = _last_section(body)
    if end is None:
        body.append(_page_break())
        return
    section = copy.deepcopy(end)
    _start_anew(section)
    before = end.getprevious()
    if (
        before is None
        or before.tag != P
        or before.find(f"{qn('w:pPr')}/{qn('w:sectPr')}") is not None
    ):
        before = OxmlElement("w:p")
        end.addprevious(before)
    before.get_or_add_pPr().append(section)


def _page_break() -> Any:
    """What parts two sheets of a body without a layout of its own."""
    paragraph, run, mark = (OxmlElement(name) for name in ("w:p", "w:r", "w:br"))
    mark.set(qn("w:type"), "page")
    run.append(mark)
    paragraph.append(run)
    return paragraph


def _start_anew(section: Any) -> None:
    if section is None:
        return
    kinds = section.find(qn("w:type"))
    if kinds is not None:
        section.remove(kinds)
    numbering = section.find(qn("w:pgNumType"))
    if numbering is None:
        numbering = OxmlElement("w:pgNumType")
        margin = section.find(qn("w:pgMar"))
        if margin is None:
            section.append(numbering)
        else:
            margin.addnext(numbering)
    numbering.set(qn("w:start"), "1")


def _repeat(kind: TemplateKind, sheet: Any, filling: Filling) -> None:
    """Repeat every row (or paragraph) that asks for a list's columns; without lines it goes."""
    seen: dict[Any, str] = {}
    for paragraph in paragraphs(sheet):
        for name in lists_in(kind, paragraph):
            seen.setdefault(repeated(kind, name, paragraph), name)
    for pattern, name in seen.items():
        for line in filling["lists"].get(name, []):
            one = copy.deepcopy(pattern)
            columns = {f"{name}.{column}": value for column, value in line.items()}
            _fill_texts(one, {**filling["texts"], **columns})
            pattern.addprevious(one)
        _drop(pattern)


def _drop(element: Any) -> None:
    """Take an element away; a cell keeps a paragraph, or Word takes the file for damaged."""
    parent = element.getparent()
    if parent.tag == TC and element.tag == P and len(parent.findall(P)) == 1:
        _empty(element)
        return
    parent.remove(element)
    if element.tag == TR and parent.find(TR) is None:
        parent.getparent().remove(parent)


def _empty(paragraph: Any) -> None:
    for piece in texts_of(paragraph):
        piece.text = ""
        piece.attrib.pop(MARK, None)


def _block_at(kind: TemplateKind, paragraph: Any) -> str:
    """The field of several paragraphs that stands alone here, or nothing."""
    found = TOKEN.fullmatch(text_of(paragraph).strip())
    name = wanted(found[1]).field if found and marked(paragraph) else ""
    return name if name in kind.fields and kind.fields[name].sort == "block" else ""


def _lay_block(document: Any, paragraph: Any, last: Any, blocks: list[Any]) -> None:
    """Put the blocks in a paragraph's place. They are written at the body's end and moved, so that
    numbers of drawings are counted over the whole document."""
    body = document.element.body
    end = _last_section(body)
    start = next(body.iterchildren(reversed=True), None) if end is None else end.getprevious()
    write_blocks(document, [block_of(one) for one in blocks], _space_at(paragraph, last))
    written = () if start is None else start.itersiblings()
    for element in [one for one in written if one is not end]:
        paragraph.addprevious(element)
    if paragraph.find(f"{qn('w:pPr')}/{qn('w:sectPr')}") is None:
        body.remove(paragraph)


def _space_at(paragraph: Any, last: Any) -> Space:
    """The room for text, in millimetres, of the section in which a paragraph stands."""
    own = f"{qn('w:pPr')}/{qn('w:sectPr')}"
    sections = (one.find(own) for one in (paragraph, *paragraph.itersiblings(P)))
    section = next((found for found in sections if found is not None), last)
    size = None if section is None else section.find(qn("w:pgSz"))
    margin = None if section is None else section.find(qn("w:pgMar"))
    if size is None or margin is None:
        return A4_TEXT

    def between(whole: str, *sides: str) -> float:
        taken = sum(float(margin.get(qn(f"w:{side}")) or 0) for side in sides)
        return (float(size.get(qn(f"w:{whole}")) or 0) - taken) / TWIPS_PER_MM

    width, height = between("w", "left", "right"), between("h", "top", "bottom")
    return Space(max(20.0, width), max(20.0, height - LINE_MM))


def _fill_texts(root: Any, values: Mapping[str, str]) -> None:
    """Put the values in; a paragraph that held nothing but empty fields goes."""
    own = [root] if root.tag == P else []
    for paragraph in own + [one for one in paragraphs(root) if one is not root]:
        pieces, before = marked(paragraph), text_of(paragraph)
        for piece in pieces:
            piece.attrib.pop(MARK)
            _write(piece, printable(TOKEN.sub(lambda found: _value(found[1], values), piece.text)))
        if pieces and paragraph is not root and _is_bare(paragraph, before):
            _drop(paragraph)


def _value(written: str, values: Mapping[str, str]) -> str:
    one = wanted(written)
    return values.get(f"{one.field}.{one.column}" if one.column else one.field, "")


def _is_bare(paragraph: Any, before: str) -> bool:
    """Whether only empty fields stood here, and nothing else hangs on the paragraph."""
    holds = {qn("w:drawing"), qn("w:sectPr"), qn("w:pict"), qn("w:fldChar"), qn("w:br")}
    return (
        not TOKEN.sub("", before).strip()
        and not text_of(paragraph).strip()
        and not any(element.tag in holds for element in paragraph.iter())
        and paragraph.getparent().tag in (BODY, TC)
    )


def _write(piece: Any, text: str) -> None:
    """The text in place of a piece's; a new line and a tabulator have elements of their own."""
    first, *rest = re.split(r"([\t\n])", text)
    piece.text = first
    piece.set(SPACE, "preserve")
    at = piece
    for part in rest:
        if part:
            more = OxmlElement({"\t": "w:tab", "\n": "w:br"}.get(part, "w:t"))
            if more.tag == T:
                more.text = part
                more.set(SPACE, "preserve")
            at.addnext(more)
            at = more


if __name__ == "__main__":
    sys.exit(main())
