"""Templates of documents that a unit uploads: tried before they are kept, put into use, taken out again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session, undefer

from gateways.document_templates import filled
from gateways.documents import Paper, docx
from models import DocumentTemplate
from rules.document_templates import KINDS, MAX_FILE_BYTES, TOO_LARGE, TemplateKind
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound, Refusal
from rules.text import clean
from services import audit, document_samples
from services.letterheads import letterhead_of, require_headed_unit
from services.transaction import reading, writing

KEPT_VERSIONS = 20
"""Of a unit and kind; older ones that are not in use go when another comes."""
DAMAGED = N_("Mẫu lưu trong cơ sở dữ liệu không khớp mã kiểm tra. Hãy tải mẫu lên lại.")
FAILED = N_(
    "Mẫu riêng của đơn vị không điền được vào văn bản này nên chưa có gì được tải về. "
    "Hãy tải theo mẫu có sẵn, hoặc sửa mẫu."
)


class TemplateFailed(Refusal):
    """A unit's template could not be filled with a real document; `why` has the reason."""

    def __init__(self, row: DocumentTemplate, why: Refusal) -> None:
        self.unit_id, self.kind, self.version = row.unit_id, row.kind, row.version
        self.why = why
        super().__init__(FAILED)


@dataclass(frozen=True)
class Written:
    """A file, and the version of the unit's template it was made from; none for the built-in form."""

    content: bytes
    template: int | None = None


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
class KindLine:
    """A kind of document and the version in use; none means the built-in form."""

    kind: TemplateKind
    in_use: VersionLine | None
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
    """A document's file: in the issuing unit's template when it has one in use, else built in."""
    kind = kind_for(kind_key)
    row = session.scalar(
        _of(unit_id, kind)
        .where(DocumentTemplate.is_active)
        .options(undefer(DocumentTemplate.content))
    )
    if built_in or row is None:
        return Written(docx(papers))
    try:
        content = filled(_whole(row), kind, papers)
    except Refusal as why:
        raise TemplateFailed(row, why) from why
    return Written(content, row.version)


def _whole(row: DocumentTemplate) -> bytes:
    if hashlib.sha256(row.content).hexdigest() != row.digest:
        raise Malformed(DAMAGED)
    return row.content


def template_in_use(unit_id: int, kind_key: str) -> VersionLine | None:
    """The version in which a unit's documents of a kind are printed; none means the built-in form.

    For whoever may see the document itself.
    """
    row = reading().scalar(_of(unit_id, kind_for(kind_key)).where(DocumentTemplate.is_active))
    return None if row is None else _line(row)


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
    rows = session.scalars(
        select(DocumentTemplate)
        .where(DocumentTemplate.unit_id == unit_id)
        .order_by(DocumentTemplate.version)
    ).all()
    found: dict[str, list[VersionLine]] = {key: [] for key in KINDS}
    for row in rows:
        found.setdefault(row.kind, []).append(_line(row))
    return [
        KindLine(kind, next((one for one in found[key] if one.is_active), None), len(found[key]))
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
