"""Reports on screen: the term report, and the lists of other work that it counts."""

from datetime import date

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import IntegerField, RadioField, SelectField, StringField

from rules.days import local_day
from rules.refusals import N_, Malformed
from rules.reports import LABELS, Period, check_period, period_around
from services import campaigns, reports
from web.fields import (
    DayField,
    at_most,
    attempt,
    between,
    choices,
    id_or_none,
    may_be_empty,
    needed,
    said,
)
from web.form_sentences import Form
from web.identity import current_actor, now, requires

bp = Blueprint("reports", __name__, url_prefix="/reports")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LEVELS = {
    "province": N_("Cấp tỉnh"),
    "city": N_("Cấp thành phố, phường"),
    "grassroots": N_("Cấp cơ sở"),
}
RECIPIENTS = {"collective": N_("Tập thể"), "individual": N_("Cá nhân")}


class ActionPlanForm(Form):
    """A unit's plan after a campaign."""

    campaign = SelectField(said(N_("Đợt học tập")), [needed()])
    unit_id = SelectField(said(N_("Đơn vị")), [needed()], coerce=id_or_none)
    due_on = DayField(said(N_("Hạn ban hành")), [needed()])
    issued_number = StringField(said(N_("Số văn bản")), [at_most(80)])
    issued_on = DayField(said(N_("Ngày ban hành")), [may_be_empty()])

    def offer_choices(self) -> None:
        """Fill the lists from what this person answers for."""
        actor, today = current_actor(), local_day(now())
        lines = campaigns.campaign_list(today=today, by=actor, states=("open", "closed"))
        self.campaign.choices = choices((line.code, line.title) for line in lines)
        self.unit_id.choices = choices(reports.units_for_reports(today=today, by=actor))


class HistoryForm(Form):
    """A unit's writing of its history."""

    unit_id = SelectField(said(N_("Đơn vị")), [needed()], coerce=id_or_none)
    title = StringField(said(N_("Tên công trình")), [needed(), at_most(300)])
    started_on = DayField(said(N_("Bắt đầu")), [needed()])
    published_on = DayField(said(N_("Ngày xuất bản, nếu đã xuất bản")), [may_be_empty()])

    def offer_choices(self) -> None:
        """Fill the list of units."""
        offered = reports.units_for_reports(today=local_day(now()), by=current_actor())
        self.unit_id.choices = choices(offered)


class PublicationForm(Form):
    """The day a history was published."""

    published_on = DayField(said(N_("Ngày xuất bản")), [needed()])


class CommendationForm(Form):
    """A decision that commends; recipients are counted, never named."""

    decided_on = DayField(said(N_("Ngày quyết định")), [needed()])
    decision_number = StringField(said(N_("Số quyết định")), [needed(), at_most(80)])
    level = RadioField(said(N_("Cấp khen")), [needed()], default="city")
    recipient_kind = RadioField(said(N_("Khen ai")), [needed()], default="collective")
    recipients = IntegerField(said(N_("Số lượt")), [needed(), between(1, 100_000)])
    unit_id = SelectField(said(N_("Đơn vị")), coerce=id_or_none)

    def offer_choices(self) -> None:
        """Fill the lists."""
        offered = reports.units_for_reports(today=local_day(now()), by=current_actor())
        self.unit_id.choices = choices([("", _("– toàn hệ thống –")), *offered])
        self.level.choices = choices((value, _(label)) for value, label in LEVELS.items())
        self.recipient_kind.choices = choices(
            (value, _(label)) for value, label in RECIPIENTS.items()
        )


@bp.get("/")
@requires("staff", "reader")
def index() -> str:
    """The term report of the chosen days, this quarter unless asked otherwise."""
    chosen = _period()
    today = local_day(now())
    return render_template(
        "reports/index.html",
        report=reports.term_report(
            chosen.first_on, chosen.last_on, today=today, by=current_actor()
        ),
        periods=[
            (_(label), period_around(kind, today), period_around(kind, today) == chosen)
            for kind, label in LABELS.items()
        ],
    )


@bp.get("/term.xlsx")
@requires("staff", "reader")
def workbook() -> ResponseReturnValue:
    """The same as a workbook; the export is logged."""
    chosen = _period()
    answer = make_response(
        reports.term_workbook(chosen.first_on, chosen.last_on, now=now(), by=current_actor())
    )
    answer.headers["Content-Type"] = XLSX
    name = f"bao-cao-{chosen.first_on:%Y%m%d}-{chosen.last_on:%Y%m%d}.xlsx"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@bp.get("/action-plans")
@requires("staff", "reader")
def action_plans() -> ResponseReturnValue:
    """Which units have issued their plans, and the form to write one down."""
    return _action_plans_page(ActionPlanForm(due_on=local_day(now())), 200)


@bp.post("/action-plans")
@requires("staff")
def save_action_plan() -> ResponseReturnValue:
    """Write a unit's plan down, due or issued."""
    form = ActionPlanForm()
    form.offer_choices()
    if not form.validate() or not attempt(
        form,
        lambda: reports.save_action_plan(
            form.campaign.data,
            form.unit_id.data,
            form.due_on.data,
            issued_on=form.issued_on.data,
            issued_number=form.issued_number.data or "",
            now=now(),
            by=current_actor(),
        ),
    ):
        return _action_plans_page(form, 422)
    flash(_("Đã ghi kế hoạch hành động."), "good")
    return redirect(url_for("reports.action_plans"), 303)


@bp.get("/histories")
@requires("staff", "reader")
def histories() -> ResponseReturnValue:
    """The history projects."""
    return _histories_page(HistoryForm(started_on=local_day(now())), 200)


@bp.post("/histories")
@requires("staff")
def add_history() -> ResponseReturnValue:
    """Write a history project down."""
    form = HistoryForm()
    form.offer_choices()
    if not form.validate() or not attempt(
        form,
        lambda: reports.add_history(
            reports.HistoryPlan(
                form.unit_id.data, form.title.data, form.started_on.data, form.published_on.data
            ),
            now=now(),
            by=current_actor(),
        ),
    ):
        return _histories_page(form, 422)
    flash(_("Đã ghi công trình lịch sử."), "good")
    return redirect(url_for("reports.histories"), 303)


@bp.post("/histories/<int:history_id>/publication")
@requires("staff")
def publish_history(history_id: int) -> ResponseReturnValue:
    """Write down the day it was published."""
    form = PublicationForm()
    if not form.validate():
        raise Malformed(N_("Hãy chọn ngày xuất bản."))
    reports.publish_history(history_id, form.published_on.data, now=now(), by=current_actor())
    flash(_("Đã ghi ngày xuất bản."), "good")
    return redirect(url_for("reports.histories"), 303)


@bp.get("/commendations")
@requires("staff", "reader")
def commendations() -> ResponseReturnValue:
    """The decisions that commend study."""
    return _commendations_page(CommendationForm(decided_on=local_day(now())), 200)


@bp.post("/commendations")
@requires("staff")
def add_commendation() -> ResponseReturnValue:
    """Write a decision down."""
    form = CommendationForm()
    form.offer_choices()
    if not form.validate() or not attempt(
        form,
        lambda: reports.add_commendation(
            reports.CommendationPlan(
                form.decided_on.data,
                form.decision_number.data,
                form.level.data,
                form.recipient_kind.data,
                form.recipients.data,
                form.unit_id.data,
            ),
            now=now(),
            by=current_actor(),
        ),
    ):
        return _commendations_page(form, 422)
    flash(_("Đã ghi quyết định khen thưởng."), "good")
    return redirect(url_for("reports.commendations"), 303)


def _period() -> Period:
    """The days in the address, or this quarter when none are given."""
    first, last = request.args.get("from"), request.args.get("to")
    if not first and not last:
        return period_around("quarter", local_day(now()))
    try:
        return check_period(date.fromisoformat(first or ""), date.fromisoformat(last or ""))
    except ValueError:
        raise Malformed(N_("Ngày chưa đúng. Hãy chọn lại khoảng thời gian.")) from None


def _action_plans_page(form: ActionPlanForm, status: int) -> ResponseReturnValue:
    form.offer_choices()
    lines = reports.action_plans(today=local_day(now()), by=current_actor())
    return _lists_page("reports/action_plans.html", form, lines, status)


def _histories_page(form: HistoryForm, status: int) -> ResponseReturnValue:
    form.offer_choices()
    lines = reports.histories(today=local_day(now()), by=current_actor())
    return _lists_page("reports/histories.html", form, lines, status)


def _commendations_page(form: CommendationForm, status: int) -> ResponseReturnValue:
    form.offer_choices()
    lines = reports.commendations(today=local_day(now()), by=current_actor())
    return _lists_page("reports/commendations.html", form, lines, status)


def _lists_page(template: str, form: Form, lines: object, status: int) -> ResponseReturnValue:
    page = render_template(
        template,
        form=form,
        lines=lines,
        today=local_day(now()),
        may_write=current_actor().has_any("staff"),
        levels={value: _(label) for value, label in LEVELS.items()},
        recipients={value: _(label) for value, label in RECIPIENTS.items()},
    )
    return page, status
