"""Templates of documents that a unit uploads: tried before they are kept, put into use, taken out again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

from sqlalchemy import CTE, Select, delete, func, literal, select
from sqlalchemy.orm import Session, undefer

from gateways.document_templates import filled
from gateways.documents import Paper, docx
from models import DocumentTemplate, Unit
from rules.days import local_day
from rules.document_templates import KINDS, MAX_FILE_BYTES, TOO_LARGE, TemplateKind
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.text import clean
from services import audit, document_samples
from services.letterheads import letterhead_of, require_headed_unit
from services.transaction import reading, writing
from services.units import unit_names_on

KEPT_VERSIONS = 20
"""Of a unit and kind; older ones that are not in use go when another comes."""
HIGHEST = 20
"""More levels than any tree has; a circle of units must not turn for ever."""
DAMAGED = N_("Mẫu lưu trong cơ sở dữ liệu không khớp mã kiểm tra. Hãy tải mẫu lên lại.")
FAILED = N_(
    "Mẫu riêng của đơn vị không điền được vào văn bản này nên chưa có gì được tải về. "
    "Hãy tải theo mẫu có sẵn, hoặc sửa mẫu."
)


class TemplateFailed(Refusal):
    """A template could not be filled with a unit's real document; `why` has the reason."""

    def __init__(self, unit_id: int, row: DocumentTemplate, why: Refusal) -> None:
        self.unit_id, self.kind, self.version = unit_id, row.kind, row.version
        self.why = why
        super().__init__(FAILED)


@dataclass(frozen=True)
class Written:
    """A file, and the version of the template it was made from; none for the built-in form.

    `template_unit` says whose template it was when it came from a unit above.
    """

    content: bytes
    template: int | None = None
    template_unit: int | None = None

    def source(self) -> dict[str, Any]:
        """What the log says of it."""
        inherited = {"template_unit": self.template_unit} if self.template_unit else {}
        return {"template": self.template, **inherited}


@dataclass(frozen=True)
class VersionLine:
    """One uploaded version."""

    version: int
    is_active: bool
    file_name: str
    size: int
    digest: str
    uploaded_at: datetime
    by_name: str


@dataclass(frozen=True)
class InUse:
    """The version in which a unit's documents are printed, and which unit's it is."""

    line: VersionLine
    unit_id: int
    unit_name: str
    is_own: bool


@dataclass(frozen=True)
class KindLine:
    """A kind of document and the version in use; none means the built-in form."""

    kind: TemplateKind
    in_use: InUse | None
    versions: int


def store_template(
    unit_id: int, kind_key: str, content: bytes, file_name: str, *, now: datetime, by: Actor
) -> int:
    """Keep a template that fills without a fault; the number of its version. It is not in use yet.

    Raises `Malformed` (`WrongTemplate` with every fault of its fields) and keeps nothing otherwise.
    """
    kind = kind_for(kind_key)
    if len(content) > MAX_FILE_BYTES:
        raise Malformed(TOO_LARGE)
    _sampled(unit_id, kind, content, now, by)
    with writing() as session:
        require_headed_unit(session, unit_id, now, by, "staff")
        newest = _of(unit_id, kind).with_only_columns(func.max(DocumentTemplate.version))
        version = 1 + (session.scalar(newest) or 0)
        session.add(
            DocumentTemplate(
                unit_id=unit_id,
                kind=kind.key,
                version=version,
                is_active=False,
                file_name=_plain_name(file_name),
                content=content,
                size=len(content),
                digest=hashlib.sha256(content).hexdigest(),
                uploaded_at=now,
                by_account_id=by.account_id,
                by_name=by.name,
            )
        )
        _forget_oldest(session, unit_id, kind, version)
        _log(session, "uploaded", unit_id, kind, version, now, by)
    return version


def use_template(unit_id: int, kind_key: str, version: int, *, now: datetime, by: Actor) -> None:
    """Print the unit's documents of this kind in this version from now on."""
    kind = kind_for(kind_key)
    with writing() as session:
        require_headed_unit(session, unit_id, now, by, "staff")
        row = _version(session, unit_id, kind, version)
        _put_out_of_use(session, unit_id, kind)
        row.is_active = True
        _log(session, "put_in_use", unit_id, kind, version, now, by)


def use_built_in_form(unit_id: int, kind_key: str, *, now: datetime, by: Actor) -> None:
    """Print the unit's documents of this kind in the program's own form again."""
    kind = kind_for(kind_key)
    with writing() as session:
        require_headed_unit(session, unit_id, now, by, "staff")
        version = _put_out_of_use(session, unit_id, kind)
        if version is None:
            raise Refusal(N_("Loại văn bản này đang dùng mẫu có sẵn rồi."))
        _log(session, "put_out_of_use", unit_id, kind, version, now, by)


def _log(
    session: Session,
    action: str,
    unit_id: int,
    kind: TemplateKind,
    version: int,
    now: datetime,
    by: Actor,
) -> None:
    row = _version(session, unit_id, kind, version)
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="document_template",
        entity_id=f"{kind.key} {version}",
        unit_id=unit_id,
        file_name=row.file_name,
        size=row.size,
        digest=row.digest,
    )


def _put_out_of_use(session: Session, unit_id: int, kind: TemplateKind) -> int | None:
    row = session.scalar(_of(unit_id, kind).where(DocumentTemplate.is_active))
    if row is None:
        return None
    row.is_active = False
    session.flush()
    return row.version


def _forget_oldest(session: Session, unit_id: int, kind: TemplateKind, newest: int) -> None:
    session.flush()
    session.execute(
        delete(DocumentTemplate).where(
            DocumentTemplate.unit_id == unit_id,
            DocumentTemplate.kind == kind.key,
            DocumentTemplate.version <= newest - KEPT_VERSIONS,
            DocumentTemplate.is_active.is_(False),
        )
    )


def _plain_name(name: str) -> str:
    """The file's name as it is shown and given back: no folders, nothing invisible."""
    return clean(PurePath(name.replace("\\", "/")).name)[:200] or "mau.docx"


def write_document(
    session: Session,
    kind_key: str,
    unit_id: int,
    papers: Sequence[Paper],
    *,
    built_in: bool = False,
) -> Written:
    """A document's file: in the issuing unit's template when it has one in use, else in that of the
    nearest unit above which has, else built in.
    """
    kind = kind_for(kind_key)
    row = None if built_in else _nearest(session, unit_id, kind, with_content=True)
    if row is None:
        return Written(docx(papers))
    try:
        content = filled(_whole(row), kind, papers)
    except Refusal as why:
        raise TemplateFailed(unit_id, row, why) from why
    return Written(content, row.version, None if row.unit_id == unit_id else row.unit_id)


def _nearest(
    session: Session, unit_id: int, kind: TemplateKind, *, with_content: bool = False
) -> DocumentTemplate | None:
    """The template in use of a unit, or of the nearest unit above it that has one."""
    line = _line_above(unit_id)
    return session.scalar(
        select(DocumentTemplate)
        .join(line, line.c.id == DocumentTemplate.unit_id)
        .where(DocumentTemplate.kind == kind.key, DocumentTemplate.is_active)
        .order_by(line.c.height)
        .limit(1)
        .options(*([undefer(DocumentTemplate.content)] if with_content else []))
    )


def _line_above(unit_id: int) -> CTE:
    """A unit and those above it today, each with how far above it stands."""
    own = select(Unit.id, Unit.parent_id, literal(0).label("height")).where(Unit.id == unit_id)
    line = own.cte(recursive=True)
    return line.union_all(
        select(Unit.id, Unit.parent_id, line.c.height + 1).where(
            Unit.id == line.c.parent_id, line.c.height < HIGHEST
        )
    )


def _whole(row: DocumentTemplate) -> bytes:
    if hashlib.sha256(row.content).hexdigest() != row.digest:
        raise Malformed(DAMAGED)
    return row.content


def template_in_use(unit_id: int, kind_key: str, *, today: date) -> InUse | None:
    """The version in which a unit's documents of a kind are printed; none means the built-in form.

    For whoever may see the document itself.
    """
    session = reading()
    row = _nearest(session, unit_id, kind_for(kind_key))
    return None if row is None else _used_by(session, unit_id, row, today)


def _used_by(session: Session, unit_id: int, row: DocumentTemplate, today: date) -> InUse:
    name = unit_names_on(session, [row.unit_id], today)[row.unit_id]
    return InUse(_line(row), row.unit_id, name, row.unit_id == unit_id)


def kind_for(key: str) -> TemplateKind:
    """The kind of that key; NotFound when there is none."""
    kind = KINDS.get(key)
    if kind is None:
        raise NotFound(N_("Không có loại văn bản này."))
    return kind


def template_kinds(unit_id: int, *, now: datetime, by: Actor) -> list[KindLine]:
    """Every kind of document, with what a unit uses for it."""
    session = reading()
    require_headed_unit(session, unit_id, now, by, "staff")
    kept: dict[str, int] = {
        row[0]: row[1]
        for row in session.execute(
            select(DocumentTemplate.kind, func.count())
            .where(DocumentTemplate.unit_id == unit_id)
            .group_by(DocumentTemplate.kind)
        )
    }
    line = _line_above(unit_id)
    nearest: dict[str, DocumentTemplate] = {}
    for row in session.scalars(
        select(DocumentTemplate)
        .join(line, line.c.id == DocumentTemplate.unit_id)
        .where(DocumentTemplate.is_active)
        .order_by(line.c.height)
    ):
        nearest.setdefault(row.kind, row)
    today = local_day(now)
    return [
        KindLine(
            kind,
            _used_by(session, unit_id, nearest[key], today) if key in nearest else None,
            kept.get(key, 0),
        )
        for key, kind in KINDS.items()
    ]


def template_versions(
    unit_id: int, kind_key: str, *, now: datetime, by: Actor
) -> list[VersionLine]:
    """The kept versions of a unit's template for a kind, newest first."""
    session = reading()
    require_headed_unit(session, unit_id, now, by, "staff")
    rows = session.scalars(
        _of(unit_id, kind_for(kind_key)).order_by(DocumentTemplate.version.desc())
    )
    return [_line(row) for row in rows]


def template_file(
    unit_id: int, kind_key: str, version: int, *, now: datetime, by: Actor
) -> tuple[bytes, str]:
    """A version as it was uploaded, with its file's name."""
    session = reading()
    require_headed_unit(session, unit_id, now, by, "staff")
    row = _version(session, unit_id, kind_for(kind_key), version)
    return _whole(row), row.file_name


def template_preview(
    unit_id: int, kind_key: str, version: int, *, now: datetime, by: Actor
) -> bytes:
    """A version filled with invented data under the unit's own head."""
    content, _name = template_file(unit_id, kind_key, version, now=now, by=by)
    return _sampled(unit_id, kind_for(kind_key), content, now, by)


def template_starter(unit_id: int, kind_key: str, *, now: datetime, by: Actor) -> bytes:
    """A template with every field of a kind in its place, to be changed in Word."""
    require_headed_unit(reading(), unit_id, now, by, "staff")
    return document_samples.starter(kind_for(kind_key))


def _sampled(unit_id: int, kind: TemplateKind, content: bytes, now: datetime, by: Actor) -> bytes:
    session = reading()
    require_headed_unit(session, unit_id, now, by, "staff")
    head = letterhead_of(session, unit_id, now)
    papers = document_samples.sample_papers(kind, head, audit.watermark(by, now))
    # The child may take its time: no transaction stays open while it works.
    session.rollback()
    return filled(content, kind, papers)


def _of(unit_id: int, kind: TemplateKind) -> Select[DocumentTemplate]:
    return select(DocumentTemplate).where(
        DocumentTemplate.unit_id == unit_id, DocumentTemplate.kind == kind.key
    )


def _version(session: Session, unit_id: int, kind: TemplateKind, version: int) -> DocumentTemplate:
    row = session.scalar(_of(unit_id, kind).where(DocumentTemplate.version == version))
    if row is None:
        raise NotFound(N_("Không tìm thấy bản mẫu này. Có thể bản cũ đã được dọn."))
    return row


def _line(row: DocumentTemplate) -> VersionLine:
    return VersionLine(
        version=row.version,
        is_active=row.is_active,
        file_name=row.file_name,
        size=row.size,
        digest=row.digest,
        uploaded_at=row.uploaded_at,
        by_name=row.by_name,
    )
