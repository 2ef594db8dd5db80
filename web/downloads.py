"""Files that are given to be kept, and what is shown when a unit's own template cannot be filled."""

from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue

from services.document_templates import TemplateFailed
from web.errors import sentence_of

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def given(content: bytes, kind: str, name: str) -> ResponseReturnValue:
    """A file to be kept, under a name of plain letters."""
    answer = make_response(content)
    answer.headers["Content-Type"] = kind
    answer.headers["Content-Disposition"] = f'attachment; filename="{ascii_name(name)}"'
    return answer


def ascii_name(name: str) -> str:
    """A file's name without what a header may not hold; codes are somebody's own text."""
    kept = (sign if sign.isascii() and (sign.isalnum() or sign in "-_.") else "-" for sign in name)
    return "".join(kept)


def built_in_asked() -> bool:
    """Whether the address asks for the program's own form, whatever template is in use."""
    return request.args.get("form") == "built-in"


def failed_page(failure: TemplateFailed, built_in_href: str) -> ResponseReturnValue:
    """Why a template could not be filled, and the way to the built-in form: nothing has left."""
    page = render_template(
        "document_templates/failed.html",
        failure=failure,
        sentence=sentence_of(failure),
        why=sentence_of(failure.why),
        built_in_href=built_in_href,
    )
    return page, failure.status
