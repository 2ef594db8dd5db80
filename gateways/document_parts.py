"""What a document's parts may hold: nothing that leads out, fetches, embeds or runs."""

from collections.abc import Iterator
from typing import Any

from docx.oxml import parse_xml

from gateways.document_safety import EMBEDDED
from rules.refusals import N_, Malformed

OUTSIDE = N_(
    "Mẫu liên kết ra ngoài («%(target)s»). "
    "Hãy bỏ liên kết đó: ảnh thì chèn hẳn vào tệp; khuôn đính kèm thì gỡ ở thẻ Nhà phát triển → "
    "Mẫu tài liệu, rồi lưu lại."
)
LIVE_FIELD = N_(
    "Mẫu có trường Word «%(field)s» lấy dữ liệu từ nơi khác. "
    "Hãy xoá trường đó (chọn rồi nhấn Delete) và lưu lại."
)
LINKS = ("http://", "https://", "mailto:")
OBJECTS = frozenset({"object", "control", "altChunk", "subDoc", "OLEObject"})
LIVE = frozenset(
    {
        "AUTOTEXT",
        "DATABASE",
        "DDE",
        "DDEAUTO",
        "GETFIELD",
        "IMPORT",
        "INCLUDE",
        "INCLUDEPICTURE",
        "INCLUDETEXT",
        "LINK",
        "MACROBUTTON",
        "RD",
    }
)
"""Word's fields that read other files, ask other programs or run something."""


def check_parts(package: Any) -> None:
    """Raises `Malformed` for a link out, a thing embedded, or a field that fetches."""
    _refuse_outside(package.rels)
    for part in package.iter_parts():
        _refuse_outside(part.rels)
        root = root_of(part)
        if root is not None:
            _refuse_objects(root)
            for instruction in _instructions(root):
                words = instruction.split(maxsplit=1)
                if words and words[0].upper() in LIVE:
                    raise Malformed(LIVE_FIELD, field=words[0].upper())


def root_of(part: Any) -> Any:
    """The tree of a part that is XML, else None."""
    if hasattr(part, "element"):
        return part.element
    return parse_xml(part.blob) if part.content_type.endswith("xml") else None


def _refuse_outside(rels: Any) -> None:
    """Only a hyperlink to the web or to a mailbox may lead out: it does nothing until clicked."""
    for relation in rels.values():
        if not relation.is_external:
            continue
        where = str(relation.target_ref)
        if relation.reltype.endswith("/hyperlink") and where.lower().startswith(LINKS):
            continue
        raise Malformed(OUTSIDE, target=where[:120])


def _refuse_objects(root: Any) -> None:
    for element in root.iter():
        if local(element) in OBJECTS:
            raise Malformed(EMBEDDED, part=local(element))


def _instructions(root: Any) -> Iterator[str]:
    """What every field of Word asks for; one instruction may be cut over several elements."""
    said = ""
    for element in root.iter():
        name = local(element)
        if name == "fldSimple":
            yield _attribute(element, "instr")
        elif name == "instrText":
            said += element.text or ""
        elif name == "fldChar":
            yield said
            said = ""
    yield said


def _attribute(element: Any, name: str) -> str:
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), "")


def local(element: Any) -> str:
    """An element's name without its namespace; comments and instructions have none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
