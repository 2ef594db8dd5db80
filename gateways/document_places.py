"""Where fields stand in a template: braces found, put into one piece, and compared with what is known."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from docx.oxml.ns import qn

from rules.document_templates import TemplateKind, canonical, missing, nearest
from rules.refusals import N_, Malformed, Refusal

UNKNOWN_NEAR = N_("Trường «%(name)s» không có; có phải «%(near)s»?")
UNKNOWN = N_("Trường «%(name)s» không có. Hãy chọn trong danh sách trường của loại văn bản này.")
COMMAND = N_(
    "Lệnh «%(name)s» không dùng được: mẫu chỉ nhận tên trường, không chạy lệnh hay vòng lặp. "
    "Muốn lặp một dòng của bảng, hãy đặt vào dòng đó một trường của danh sách."
)
BRACES = N_(
    "Dấu ngoặc {{ }} chưa đủ đôi ở đoạn «%(place)s». Hãy viết tên trường giữa {{ và }} "
    "trong cùng một đoạn."
)
ALONE = N_(
    "Trường «%(name)s» là cả một bảng hoặc nhiều đoạn: hãy để nó đứng một mình trong một đoạn, "
    "ngoài bảng, ngoài đầu trang và chân trang."
)
NEEDS_COLUMN = N_("Trường «%(name)s» là một danh sách. Hãy ghi rõ cột, như «%(example)s».")
TWO_LISTS = N_(
    "Một dòng chỉ lặp theo một danh sách, nhưng «%(name)s» và «%(other)s» ở chung một dòng. "
    "Hãy tách thành hai bảng."
)
NOT_IN_MARGIN = N_(
    "Trường «%(name)s» không đặt được ở đầu trang, chân trang hay chú thích. "
    "Hãy đưa vào phần thân của mẫu."
)
MISSING = N_("Mẫu thiếu trường bắt buộc «%(name)s». Hãy thêm vào mẫu rồi tải lên lại.")
MISSING_ONE = N_("Mẫu thiếu nội dung chính: cần ít nhất một trong các trường %(names)s.")

TOKEN = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
STATEMENT = re.compile(r"\{[%#].*?(?:[%#]\}|$)", re.DOTALL)
PLACE_LETTERS = 60
MARK = "field"
"""The attribute that tells the template's own text from what was put in."""
MOST_FAULTS = 12
P, T, TR, TC, BODY = (qn(f"w:{name}") for name in ("p", "t", "tr", "tc", "body"))


@dataclass(frozen=True)
class Wanted:
    """A name in braces as a field, and of a list as its column."""

    field: str
    column: str = ""


@lru_cache(maxsize=1_000)
def wanted(written: str) -> Wanted:
    """What stands between two braces."""
    name, _, column = written.partition(".")
    return Wanted(canonical(name), canonical(column))


def paragraphs(root: Any) -> list[Any]:
    """Every paragraph, those within tables and text boxes included."""
    return list(root.iter(P))


def texts_of(paragraph: Any) -> list[Any]:
    """The pieces of text of a paragraph itself, not of a text box within it."""
    return [piece for piece in paragraph.iter(T) if next(piece.iterancestors(P), None) is paragraph]


def text_of(paragraph: Any) -> str:
    """What a reader sees of a paragraph."""
    return "".join(piece.text or "" for piece in texts_of(paragraph))


def names_in(paragraph: Any) -> list[Wanted]:
    """The fields that a paragraph asks for."""
    return [wanted(found) for found in TOKEN.findall(text_of(paragraph))]


def join_pieces(root: Any) -> None:
    """Put every name in braces into one piece of text: Word cuts words wherever it likes.

    The name takes the look of the piece in which it begins.
    """
    for paragraph in paragraphs(root):
        pieces = texts_of(paragraph)
        whole = "".join(piece.text or "" for piece in pieces)
        if "{{" not in whole or len(pieces) < 2:
            continue
        owners = [index for index, piece in enumerate(pieces) for _ in piece.text or ""]
        for token in TOKEN.finditer(whole):
            owners[token.start() : token.end()] = [owners[token.start()]] * len(token[0])
        for index, piece in enumerate(pieces):
            piece.text = "".join(
                letter for letter, owner in zip(whole, owners, strict=True) if owner == index
            )


def mark_pieces(root: Any) -> None:
    """Remember which pieces of text are the template's own: only those are ever filled, once."""
    for piece in root.iter(T):
        piece.attrib.pop(MARK, None)
        if TOKEN.search(piece.text or ""):
            piece.set(MARK, "1")


def marked(paragraph: Any) -> list[Any]:
    """The template's own pieces of a paragraph that are still to be filled."""
    return [piece for piece in texts_of(paragraph) if piece.get(MARK)]


def faults_of(kind: TemplateKind, body: Any, margins: list[Any], notes: list[Any]) -> list[Refusal]:
    """What is wrong with a template's fields, each with its sentence; empty when nothing is.

    `margins` are headers and footers; `notes` is what stands beside the text, where none may be.
    """
    faults: list[Refusal] = []
    used: set[str] = set()
    for root in notes:
        for paragraph in paragraphs(root):
            for written in TOKEN.findall(text_of(paragraph)):
                faults.append(Malformed(NOT_IN_MARGIN, name=_short(written)))
    for root in (body, *margins):
        for paragraph in paragraphs(root):
            faults += _faults_of_braces(paragraph)
            for written in TOKEN.findall(text_of(paragraph)):
                one = wanted(written)
                fault = _fault_of(kind, one, written.strip(), paragraph, root is body)
                faults += [fault] if fault else []
                used.add(one.field)
    if not faults:
        faults += [*_mixed_rows(kind, body), *_faults_of_needs(kind, used)]
    told: dict[str, Refusal] = {str(fault): fault for fault in faults}
    return list(told.values())[:MOST_FAULTS]


def _faults_of_braces(paragraph: Any) -> Iterator[Refusal]:
    rest = TOKEN.sub("", text_of(paragraph))
    if command := STATEMENT.search(rest):
        yield Malformed(COMMAND, name=_short(command[0]))
    elif "{{" in rest or "}}" in rest:
        yield Malformed(BRACES, place=_short(text_of(paragraph)))


def _fault_of(
    kind: TemplateKind, one: Wanted, written: str, paragraph: Any, in_body: bool
) -> Refusal | None:
    field = kind.fields.get(one.field)
    columns = {column.name for column in field.columns} if field else set()
    if field is None or (one.column and one.column not in columns):
        near = nearest(written, kind)
        if near is None:
            return Malformed(UNKNOWN, name=_short(written))
        return Malformed(UNKNOWN_NEAR, name=_short(written), near=near)
    if field.sort == "list" and not one.column:
        return Malformed(NEEDS_COLUMN, name=field.name, example=next(iter(field.written()))[0])
    if not in_body and (field.sort != "text" or kind.differs(field.name)):
        return Malformed(NOT_IN_MARGIN, name=_short(written))
    if field.sort == "block" and not _stands_alone(paragraph):
        return Malformed(ALONE, name=field.name)
    return None


def _stands_alone(paragraph: Any) -> bool:
    return TOKEN.fullmatch(text_of(paragraph).strip()) is not None and (
        paragraph.getparent().tag == BODY
    )


def repeated(kind: TemplateKind, name: str, paragraph: Any) -> Any:
    """What is repeated for a list's field in this paragraph: its row, else the paragraph itself."""
    if not kind.fields[name].by_row:
        return paragraph
    return next(paragraph.iterancestors(TR), paragraph)


def lists_in(kind: TemplateKind, paragraph: Any) -> list[str]:
    """The lists whose columns a paragraph asks for."""
    return [
        one.field
        for one in names_in(paragraph)
        if one.field in kind.fields and kind.fields[one.field].sort == "list"
    ]


def _mixed_rows(kind: TemplateKind, body: Any) -> Iterator[Refusal]:
    taken: dict[Any, str] = {}
    for paragraph in paragraphs(body):
        for name in lists_in(kind, paragraph):
            first = taken.setdefault(repeated(kind, name, paragraph), name)
            if first != name:
                yield Malformed(TWO_LISTS, name=first, other=name)


def _faults_of_needs(kind: TemplateKind, used: set[str]) -> Iterator[Refusal]:
    for group in missing(kind, used):
        if len(group) == 1:
            yield Malformed(MISSING, name=group[0])
        else:
            yield Malformed(MISSING_ONE, names=", ".join(f"«{name}»" for name in group))


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= PLACE_LETTERS else plain[: PLACE_LETTERS - 1] + "…"
