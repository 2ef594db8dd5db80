"""Closed reports on screen: closing one, reading it as it was, and closing a supplement."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import RadioField, StringField

from rules.days import local_day
from rules.refusals import N_, NotFound
from services import report_snapshots, reports
from services.document_templates import TemplateFailed
from services.report_places import AS_WAS
from web.downloads import DOCX, XLSX, built_in_asked, failed_page, given
from web.fields import DayField, at_most, attempt, choices, needed, said
from web.form_sentences import Form
from web.identity import current_actor, now, requires
from web.reports import VIEW_NAMES, cells, tabs_of

bp = Blueprint("closed_reports", __name__, url_prefix="/reports/closed")


class ClosingForm(Form):
    """What is closed: its name, its days, its view of units."""

    title = StringField(said(N_("Tên báo cáo")), [needed(), at_most(180)])
    first_on = DayField(said(N_("Từ ngày")), [needed()])
    last_on = DayField(said(N_("Đến ngày")), [needed()])
    view = RadioField(said(N_("Cách xem đơn vị")), [needed()], default=AS_WAS)

    def offer_choices(self) -> None:
        """Fill the list of views."""
        self.view.choices = choices((key, _(label)) for key, label in VIEW_NAMES.items())


class SupplementForm(Form):
    """Why figures have changed since."""

    reason = StringField(said(N_("Vì sao số liệu thay đổi")), [needed(), at_most(300)])


@bp.get("/")
@requires("staff", "reader")
def index() -> ResponseReturnValue:
    """The closed reports, and the form that closes one."""
    last = reports.last_full_period(local_day(now()))
    return _index_page(ClosingForm(first_on=last.first_on, last_on=last.last_on), 200)


@bp.post("/")
@requires("staff")
def create() -> ResponseReturnValue:
    """Close the report of these days."""
    form = ClosingForm()
    form.offer_choices()
    made: list[int] = []
    if not form.validate() or not attempt(
        form,
        lambda: made.append(
            report_snapshots.close_report(
                form.title.data,
                form.first_on.data,
                form.last_on.data,
                form.view.data,
                now=now(),
                by=current_actor(),
            )
        ),
    ):
        return _index_page(form, 422)
    flash(_("Đã chốt báo cáo. Từ nay số liệu của nó không đổi."), "good")
    return redirect(url_for("closed_reports.show", snapshot_id=made[0]), 303)


@bp.get("/<int:snapshot_id>")
@requires("staff", "reader")
def show(snapshot_id: int) -> ResponseReturnValue:
    """A closed report, as it was closed."""
    return _show_page(snapshot_id, SupplementForm(), 200)


@bp.post("/<int:snapshot_id>/supplements")
@requires("staff")
def supplement(snapshot_id: int) -> ResponseReturnValue:
    """Close a supplementary report that says what changed."""
    form = SupplementForm()
    made: list[int] = []
    if not form.validate() or not attempt(
        form,
        lambda: made.append(
            report_snapshots.supplement_report(
                snapshot_id, form.reason.data, now=now(), by=current_actor()
            )
        ),
    ):
        return _show_page(snapshot_id, form, 422)
    flash(_("Đã chốt báo cáo bổ sung."), "good")
    return redirect(url_for("closed_reports.show", snapshot_id=made[0]), 303)


@bp.get("/<int:snapshot_id>/report.<form>")
@requires("staff", "reader")
def file(snapshot_id: int, form: str) -> ResponseReturnValue:
    """A closed report as a workbook or a document; the export is logged."""
    if form not in ("xlsx", "docx"):
        raise NotFound(N_("Không có dạng tệp này."))
    try:
        content = report_snapshots.snapshot_file(
            snapshot_id, form, now=now(), by=current_actor(), built_in=built_in_asked()
        )
    except TemplateFailed as failure:
        return failed_page(
            failure,
            f"{url_for('closed_reports.file', snapshot_id=snapshot_id, form=form)}?form=built-in",
        )
    name = f"bao-cao-da-chot-{snapshot_id}.{form}"
    return given(content, XLSX if form == "xlsx" else DOCX, name)


def _index_page(form: ClosingForm, status: int) -> ResponseReturnValue:
    form.offer_choices()
    page = render_template(
        "reports/closed.html",
        closing=form,
        lines=report_snapshots.snapshots(today=local_day(now()), by=current_actor()),
        may_write=current_actor().has_any("staff"),
        **tabs_of(),
    )
    return page, status


def _show_page(snapshot_id: int, form: SupplementForm, status: int) -> ResponseReturnValue:
    found = report_snapshots.snapshot(snapshot_id, today=local_day(now()), by=current_actor())
    page = render_template(
        "reports/closed_report.html",
        found=found,
        supplementing=form,
        may_write=current_actor().has_any("staff"),
        **tabs_of(),
        **cells(),
    )
    return page, status
