"""Documents from templates that staff made in Word: checked and filled in a limited child process."""

import json
from collections.abc import Mapping, Sequence
from typing import IO, Any

from gateways.children import Endings, in_child
from gateways.document_blocks import block_json
from gateways.document_safety import BROKEN, STOPPED, TOO_MUCH
from gateways.documents import Paper, day_line, draft_line, number_line
from rules.document_templates import TemplateKind, WrongTemplate
from rules.refusals import Malformed

WALL_SECONDS = 60


def filled(content: bytes, kind: TemplateKind, papers: Sequence[Paper]) -> bytes:
    """The template with these papers' fields in their places; raises `Malformed` for a wrong one.

    The papers after the first of a kind that is not of many are the annex.
    """
    fillings = [filling_of(kind, one) for one in papers] if kind.is_many else [whole(kind, papers)]
    title = f"{papers[0].kind} {papers[0].subject}".strip()
    job = json.dumps({"kind": kind.key, "title": title, "fillings": fillings}).encode()
    return in_child(
        "gateways.document_filler",
        [],
        _document_of,
        job + b"\n" + content,
        seconds=WALL_SECONDS,
        endings=Endings(STOPPED, TOO_MUCH, BROKEN),
    )


def _document_of(answer: IO[bytes]) -> bytes | None:
    first = answer.readline()
    if not first:
        return None
    said = json.loads(first)
    if "refused" in said:
        faults = [Malformed(sentence, **params) for sentence, params in said["refused"]]
        raise WrongTemplate(faults)
    return answer.read()


def whole(kind: TemplateKind, papers: Sequence[Paper]) -> dict[str, Any]:
    """The fields of a document of one sheet, its annex included."""
    filling = filling_of(kind, papers[0])
    annex: list[Any] = []
    for paper in papers[1:]:
        annex += [block_json(one) for one in paper.blocks]
    return filling | {"blocks": {"phu_luc": annex} | filling["blocks"]}


def filling_of(kind: TemplateKind, paper: Paper) -> dict[str, Any]:
    """Every field of a kind from a paper: texts, lists and blocks."""
    values = {**_head(paper), **paper.fields}
    texts, lists, blocks = {}, {}, {"noi_dung": [block_json(one) for one in paper.blocks]}
    for name, one in kind.fields.items():
        value: Any = values.get(name, "")
        if one.sort == "list":
            lists[name] = [dict(line) for line in value]
        elif one.sort == "text":
            texts[name] = str(value)
        elif value:
            blocks[name] = [block_json(part) for part in value]
    return {"texts": texts, "lists": lists, "blocks": blocks}


def _head(paper: Paper) -> Mapping[str, object]:
    head = paper.letterhead
    recipients = paper.recipients or head.recipients
    return {
        "co_quan_cap_tren": head.superior,
        "don_vi": head.issuer,
        "so_ky_hieu": number_line(paper),
        "tieu_ngu": head.motto,
        "dia_danh_ngay_thang": day_line(paper),
        "du_thao": draft_line(paper),
        "loai_van_ban": paper.kind,
        "trich_yeu": paper.subject,
        "kinh_gui": paper.addressee,
        "quyen_han": head.authority,
        "chuc_vu": head.post,
        "nguoi_ky": head.signer,
        "noi_nhan": [{"ten": one} for one in recipients],
        "nguoi_xuat": paper.foot,
    }
