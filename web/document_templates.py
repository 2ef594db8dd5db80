"""Templates of documents over HTTP: a unit's kinds, one kind with its fields and versions, its files."""

from collections.abc import Sequence

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.file import FileField, FileRequired

from rules.days import local_day
from rules.document_templates import NAME_RULES, TOO_LARGE, WrongTemplate
from rules.refusals import N_, Refusal
from services import document_templates, units
from services.document_templates import KEPT_VERSIONS
from web.downloads import DOCX, given
from web.errors import sentence_of
from web.fields import said
from web.form_sentences import Form
from web.identity import current_actor, now, requires

bp = Blueprint("document_templates", __name__, url_prefix="/units/<int:unit_id>/templates")

UPLOAD_BYTES = 2_100_000
"""The largest template and what a form adds to it."""


class UploadForm(Form):
    """A template made in Word."""

    template = FileField(said(N_("Tệp mẫu (.docx)")), [FileRequired(said(N_("Hãy chọn tệp.")))])


@bp.get("")
@requires("staff")
def index(unit_id: int) -> str:
    """Every kind of document, with the form that the unit uses for it."""
    return render_template(
        "document_templates/index.html",
        unit=units.unit_page(unit_id, on=local_day(now()), by=current_actor()),
        lines=document_templates.template_kinds(unit_id, now=now(), by=current_actor()),
    )


@bp.get("/<kind>")
@requires("staff")
def show(unit_id: int, kind: str) -> ResponseReturnValue:
    """One kind: the fields it knows, the versions kept, and where another is uploaded."""
    return _page(unit_id, kind, UploadForm(None), 200)


def _page(
    unit_id: int, kind: str, form: UploadForm, status: int, faults: Sequence[str] = ()
) -> ResponseReturnValue:
    page = render_template(
        "document_templates/show.html",
        unit=units.unit_page(unit_id, on=local_day(now()), by=current_actor()),
        kind=document_templates.kind_for(kind),
        versions=document_templates.template_versions(unit_id, kind, now=now(), by=current_actor()),
        in_use=document_templates.template_in_use(unit_id, kind, today=local_day(now())),
        form=form,
        faults=faults,
        name_rules=NAME_RULES,
        kept=KEPT_VERSIONS,
        word=_,
    )
    return page, status


@bp.post("/<kind>")
@requires("staff")
def create(unit_id: int, kind: str) -> ResponseReturnValue:
    """Keep a template that can be filled; one that cannot is explained here and not kept."""
    if (request.content_length or 0) > UPLOAD_BYTES:
        # Its body is not read at all: a page that shows what was there before changes nothing.
        form = UploadForm(None)
        form.template.errors = [_(TOO_LARGE)]
        return _page(unit_id, kind, form, 422)
    request.max_content_length = UPLOAD_BYTES
    if current_app.config["WTF_CSRF_ENABLED"]:
        current_app.extensions["csrf"].protect()
    form = UploadForm()
    if not form.validate():
        return _page(unit_id, kind, form, 422)
    try:
        version = document_templates.store_template(
            unit_id,
            kind,
            form.template.data.read(),
            form.template.data.filename or "",
            now=now(),
            by=current_actor(),
        )
    except Refusal as refusal:
        if refusal.status != 422:
            raise
        faults = refusal.faults if isinstance(refusal, WrongTemplate) else (refusal,)
        said_of = [sentence_of(fault) for fault in faults]
        above = _("Mẫu có %(count)s chỗ sai, ghi ở trên.", count=len(said_of))
        form.template.errors = [above] if len(said_of) > 1 else said_of
        return _page(unit_id, kind, form, 422, said_of)
    flash(_("Đã nhận bản %(version)s. Hãy xem thử rồi đưa vào dùng.", version=version), "good")
    return redirect(url_for("document_templates.show", unit_id=unit_id, kind=kind), 303)


# A template is larger than other requests may be: the token, which stands in the same body, can
# only be checked once the view has raised the limit.
CSRF_EXEMPT = (create,)


@bp.get("/<kind>/starter")
@requires("staff")
def starter(unit_id: int, kind: str) -> ResponseReturnValue:
    """A template with every field in its place, to begin with."""
    content = document_templates.template_starter(unit_id, kind, now=now(), by=current_actor())
    return given(content, DOCX, f"mau-{kind}.docx")


@bp.get("/<kind>/versions/<int:version>/file")
@requires("staff")
def file(unit_id: int, kind: str, version: int) -> ResponseReturnValue:
    """A version as it was uploaded."""
    content, _name = document_templates.template_file(
        unit_id, kind, version, now=now(), by=current_actor()
    )
    return given(content, DOCX, f"mau-{kind}-ban-{version}.docx")


@bp.get("/<kind>/versions/<int:version>/preview")
@requires("staff")
def preview(unit_id: int, kind: str, version: int) -> ResponseReturnValue:
    """A version filled with invented data."""
    content = document_templates.template_preview(
        unit_id, kind, version, now=now(), by=current_actor()
    )
    return given(content, DOCX, f"xem-thu-{kind}-ban-{version}.docx")


@bp.post("/<kind>/versions/<int:version>/use")
@requires("staff")
def use(unit_id: int, kind: str, version: int) -> ResponseReturnValue:
    """Print the unit's documents in this version from now on."""
    document_templates.use_template(unit_id, kind, version, now=now(), by=current_actor())
    flash(_("Từ nay văn bản loại này của đơn vị in theo bản %(version)s.", version=version), "good")
    return redirect(url_for("document_templates.show", unit_id=unit_id, kind=kind), 303)


@bp.post("/<kind>/built-in")
@requires("staff")
def use_built_in(unit_id: int, kind: str) -> ResponseReturnValue:
    """Print the unit's documents without a template of its own again."""
    document_templates.use_built_in_form(unit_id, kind, now=now(), by=current_actor())
    above = document_templates.template_in_use(unit_id, kind, today=local_day(now()))
    if above is None:
        flash(_("Từ nay văn bản loại này của đơn vị in theo mẫu có sẵn."), "good")
    else:
        flash(_("Từ nay văn bản loại này in theo mẫu của %(unit)s.", unit=above.unit_name), "good")
    return redirect(url_for("document_templates.show", unit_id=unit_id, kind=kind), 303)
