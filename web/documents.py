"""Documents of the work over HTTP: each to look at and print, and as a file."""

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from rules.days import local_day
from rules.paperwork import party_date
from services import course_results, document_templates, paperwork
from services.document_templates import TemplateFailed
from web.downloads import DOCX, built_in_asked, failed_page, given
from web.identity import current_actor, now, requires

bp = Blueprint("documents", __name__, url_prefix="/documents")

MOST_SHOWN = 60
"""Papers of a mail merge that a page shows; the file has them all."""


@bp.get("/<kind>/<key>")
@requires("staff", "reader")
def show(kind: str, key: str) -> str:
    """The document on screen, made to be printed."""
    made = paperwork.document(kind, key, now=now(), by=current_actor())
    today, by = local_day(now()), current_actor()
    template = document_templates.template_in_use(made.unit_id, kind, today=today)
    is_bare_year = kind == "certificates" and not made.people
    return render_template(
        "documents/show.html",
        made=made,
        template=template,
        kind=kind,
        key=key,
        shown=MOST_SHOWN,
        party_date=party_date,
        years=course_results.certificate_years(today=today, by=by) if is_bare_year else (),
    )


@bp.get("/<kind>/<key>/file")
@requires("staff", "reader")
def download(kind: str, key: str) -> ResponseReturnValue:
    """The same as a file, in the unit's own template when it has one; its leaving is logged."""
    try:
        content, name = paperwork.document_file(
            kind, key, now=now(), by=current_actor(), built_in=built_in_asked()
        )
    except TemplateFailed as failure:
        return failed_page(
            failure, url_for("documents.download", kind=kind, key=key, form="built-in")
        )
    return given(content, DOCX, name)
