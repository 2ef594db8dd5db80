"""The list of doors: every blueprint of the program."""

from flask import Flask, abort, request
from flask_wtf import CSRFProtect
from werkzeug.routing import IntegerConverter, ValidationError

from web import (
    accounts,
    attendance,
    attendance_report,
    audit,
    busy,
    campaigns,
    closed_reports,
    courses,
    coverage,
    document_templates,
    documents,
    door,
    feeds,
    health,
    home,
    invitations,
    meetings,
    monitoring,
    offline,
    paper,
    people,
    planning,
    preferences,
    privacy,
    quick_report,
    register_links,
    reminders,
    replies,
    reply_review,
    reports,
    roster,
    settings,
    speakers,
    unit_decisions,
    units,
    venues,
    works,
)
from web.fields import LARGEST_ID

BLUEPRINTS: tuple[object, ...] = (
    home,
    health,
    accounts,
    invitations,
    feeds,
    preferences,
    privacy,
    replies,
    reply_review,
    reminders,
    units,
    unit_decisions,
    people,
    speakers,
    venues,
    busy,
    settings,
    monitoring,
    audit,
    campaigns,
    coverage,
    closed_reports,
    reports,
    works,
    meetings,
    quick_report,
    documents,
    document_templates,
    courses,
    planning,
    offline,
    attendance,
    door,
    paper,
    attendance_report,
    register_links,
    roster,
)


UPLOADS = frozenset({"roster.create", "document_templates.create"})


class RowId(IntegerConverter):
    """A row's number in an address; one that no database could hold is an unknown address."""

    def to_python(self, value: str) -> int:
        """Read the number; ValidationError makes the answer a 404."""
        number = int(super().to_python(value))
        if number > LARGEST_ID:
            raise ValidationError
        return number


def init_app(app: Flask, csrf: CSRFProtect) -> None:
    """Register every feature's pages; a blueprint named in a module's `CSRF_EXEMPT` checks its own
    token (the attendance endpoint takes a bearer token from phones)."""
    app.url_map.converters["int"] = RowId
    app.before_request(_refuse_nul)
    for module in BLUEPRINTS:
        app.register_blueprint(module.bp)  # type: ignore[attr-defined]  # every feature module has one
        for view in getattr(module, "CSRF_EXEMPT", ()):
            csrf.exempt(view)


def _refuse_nul() -> None:
    """A NUL letter, which PostgreSQL keeps in no text, is nothing that a person typed."""
    typed = [request.path, *request.args.values()]
    # Reading the form here would hold an upload to the usual limit; its view raises that first,
    # and takes nothing from the form but choices and a day.
    if not request.is_json and request.endpoint not in UPLOADS:
        typed += request.form.values()
    if any("\0" in text for text in typed):
        abort(400)
