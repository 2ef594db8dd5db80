"""Documents of the work over HTTP: each to look at and print, and as a file."""

from flask import Blueprint, make_response, render_template
from flask.typing import ResponseReturnValue

from rules.paperwork import party_date
from services import paperwork
from web.identity import current_actor, now, requires

bp = Blueprint("documents", __name__, url_prefix="/documents")

MOST_SHOWN = 60
"""Papers of a mail merge that a page shows; the file has them all."""
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@bp.get("/<kind>/<key>")
@requires("staff", "reader")
def show(kind: str, key: str) -> str:
    """The document on screen, made to be printed."""
    made = paperwork.document(kind, key, now=now(), by=current_actor())
    return render_template(
        "documents/show.html",
        made=made,
        kind=kind,
        key=key,
        shown=MOST_SHOWN,
        party_date=party_date,
    )


@bp.get("/<kind>/<key>/file")
@requires("staff", "reader")
def download(kind: str, key: str) -> ResponseReturnValue:
    """The same as a file; its leaving is logged."""
    content, name = paperwork.document_file(kind, key, now=now(), by=current_actor())
    answer = make_response(content)
    answer.headers["Content-Type"] = DOCX
    answer.headers["Content-Disposition"] = f'attachment; filename="{ascii_name(name)}"'
    return answer


def ascii_name(name: str) -> str:
    """A file's name without what a header may not hold; codes are somebody's own text."""
    kept = (sign if sign.isascii() and (sign.isalnum() or sign in "-_.") else "-" for sign in name)
    return "".join(kept)
