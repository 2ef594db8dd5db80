"""The year's other work on screen: plans, histories and their steps, commendations, leaders' visits."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import IntegerField, RadioField, SelectField, SelectMultipleField, StringField

from rules.days import local_day
from rules.refusals import N_, Malformed
from rules.works import STATES, progress
from services import campaigns, units, works
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

bp = Blueprint("works", __name__, url_prefix="/works")

LEVELS = {
    "province": N_("Cấp tỉnh"),
    "city": N_("Cấp thành phố, phường"),
    "grassroots": N_("Cấp cơ sở"),
}
RECIPIENTS = {"collective": N_("Tập thể"), "individual": N_("Cá nhân")}
STATE_NAMES = {"overdue": N_("Quá hạn"), "due": N_("Chưa làm"), "done": N_("Đã làm")}
HOME = {
    "action_plan": "works.index",
    "history_step": "works.histories",
    "leader_visit": "works.visits",
}


def _campaigns() -> list[tuple[str, str]]:
    lines = campaigns.campaign_list(
        today=local_day(now()), by=current_actor(), states=("open", "closed")
    )
    return [(line.code, line.title) for line in lines]


def _units() -> list[tuple[int, str]]:
    return works.units_that_report(today=local_day(now()), by=current_actor())


class ActionPlanForm(Form):
    """A unit's plan after a campaign."""

    campaign = SelectField(said(N_("Đợt học tập")), [needed()])
    unit_id = SelectField(said(N_("Đơn vị")), coerce=id_or_none)
    due_on = DayField(said(N_("Hạn ban hành")), [needed()])
    issued_number = StringField(said(N_("Số văn bản")), [at_most(80)])
    issued_on = DayField(said(N_("Ngày ban hành")), [may_be_empty()])

    def offer_choices(self) -> None:
        """Fill the lists from what this person answers for."""
        self.campaign.choices = choices(_campaigns())
        self.unit_id.choices = choices([("", _("– mọi đơn vị của đợt –")), *_units()])


class DueForm(Form):
    """The day a work is due, and the day it was done."""

    due_on = DayField(said(N_("Hạn")), [needed()])
    done_on = DayField(said(N_("Ngày làm xong")), [may_be_empty()])
    reference = StringField(said(N_("Số văn bản")), [at_most(80)])


class VisitForm(Form):
    """A leader is to attend meetings of cells."""

    leader = StringField(said(N_("Người dự (họ tên, chức vụ)")), [needed(), at_most(180)])
    unit_ids = SelectMultipleField(said(N_("Chi bộ")), [needed()], coerce=id_or_none)
    due_on = DayField(said(N_("Dự trước ngày")), [needed()])

    def offer_choices(self) -> None:
        """Fill the list with the cells within scope."""
        offered = units.unit_options(
            current_actor(), local_day(now()), tree="party", holding_people=True, roles=("staff",)
        )
        self.unit_ids.choices = choices(offered)


class HistoryForm(Form):
    """A unit's writing of its history."""

    unit_id = SelectField(said(N_("Đơn vị")), [needed()], coerce=id_or_none)
    title = StringField(said(N_("Tên công trình")), [needed(), at_most(300)])
    started_on = DayField(said(N_("Bắt đầu")), [needed()])
    published_on = DayField(said(N_("Ngày xuất bản, nếu đã xuất bản")), [may_be_empty()])

    def offer_choices(self) -> None:
        """Fill the list of units; the one of a project stays on offer though it ended."""
        offered = _units()
        if self.unit_id.data and self.unit_id.data not in dict(offered):
            offered.append((self.unit_id.data, _("(đơn vị hiện ghi)")))
        self.unit_id.choices = choices(offered)

    def plan(self) -> works.HistoryPlan:
        """What was filled in."""
        return works.HistoryPlan(
            self.unit_id.data, self.title.data, self.started_on.data, self.published_on.data
        )


class StepForm(Form):
    """A step of a history."""

    name = StringField(said(N_("Bước")), [needed(), at_most(200)])
    due_on = DayField(said(N_("Hạn")), [needed()])


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
        offered: list[tuple[object, object]] = [("", _("– toàn hệ thống –")), *_units()]
        if self.unit_id.data and self.unit_id.data not in dict(offered):
            offered.append((self.unit_id.data, _("(đơn vị hiện ghi)")))
        self.unit_id.choices = choices(offered)
        self.level.choices = choices((value, _(label)) for value, label in LEVELS.items())
        self.recipient_kind.choices = choices(
            (value, _(label)) for value, label in RECIPIENTS.items()
        )

    def plan(self) -> works.CommendationPlan:
        """What was filled in."""
        return works.CommendationPlan(
            self.decided_on.data,
            self.decision_number.data,
            self.level.data,
            self.recipient_kind.data,
            self.recipients.data,
            self.unit_id.data,
        )


def _list_page(
    template: str, form: Form, kind: str, status: int, **more: object
) -> ResponseReturnValue:
    """A list of works that are due, with how many are done, and the form to add one."""
    campaign, state = request.args.get("campaign", ""), request.args.get("state", "")
    every = works.dues(kind, today=local_day(now()), by=current_actor(), campaign=campaign)
    page = render_template(
        template,
        form=form,
        lines=[line for line in every if state in ("", line.state)],
        progress=progress(line.state for line in every),
        states=[(value, _(STATE_NAMES[value])) for value in STATES],
        may_write=current_actor().has_any("staff"),
        today=local_day(now()),
        **more,
    )
    return page, status


@bp.get("/")
@requires("staff", "reader")
def index() -> ResponseReturnValue:
    """Which units have issued their plans after a campaign."""
    form = ActionPlanForm(due_on=local_day(now()), campaign=request.args.get("campaign"))
    return _plans_page(form, 200)


def _plans_page(form: ActionPlanForm, status: int) -> ResponseReturnValue:
    form.offer_choices()
    return _list_page("works/index.html", form, "action_plan", status, campaigns=_campaigns())


@bp.post("/action-plans")
@requires("staff")
def save_action_plan() -> ResponseReturnValue:
    """Write a unit's plan down, due or issued; without a unit, every unit owes one."""
    form = ActionPlanForm()
    form.offer_choices()
    if not form.validate() or not attempt(form, lambda: _save_plan(form)):
        return _plans_page(form, 422)
    return redirect(url_for("works.index", campaign=form.campaign.data), 303)


def _save_plan(form: ActionPlanForm) -> None:
    if form.unit_id.data is None:
        if form.issued_on.data or form.issued_number.data:
            raise Malformed(N_("Số và ngày văn bản là của một đơn vị. Hãy chọn đơn vị."))
        count = works.ask_for_action_plans(
            form.campaign.data, form.due_on.data, now=now(), by=current_actor()
        )
        flash(_("Đã ghi hạn cho %(count)s đơn vị.", count=count), "good")
        return
    works.save_action_plan(
        form.campaign.data,
        form.unit_id.data,
        form.due_on.data,
        issued_on=form.issued_on.data,
        issued_number=form.issued_number.data or "",
        now=now(),
        by=current_actor(),
    )
    flash(_("Đã ghi kế hoạch hành động."), "good")


@bp.get("/visits")
@requires("staff", "reader")
def visits() -> ResponseReturnValue:
    """Which leaders attend which cells' meetings, and have."""
    form = VisitForm(due_on=local_day(now()))
    form.offer_choices()
    return _list_page("works/visits.html", form, "leader_visit", 200)


@bp.post("/visits")
@requires("staff")
def add_visits() -> ResponseReturnValue:
    """Assign a leader to cells."""
    form = VisitForm()
    form.offer_choices()
    if not form.validate() or not attempt(
        form,
        lambda: works.assign_leader(
            form.leader.data,
            [unit for unit in form.unit_ids.data if unit is not None],
            form.due_on.data,
            now=now(),
            by=current_actor(),
        ),
    ):
        return _list_page("works/visits.html", form, "leader_visit", 422)
    flash(_("Đã phân công."), "good")
    return redirect(url_for("works.visits"), 303)


@bp.get("/dues/<kind>/<int:work_id>")
@requires("staff")
def edit_due(kind: str, work_id: int) -> ResponseReturnValue:
    """The form of one work that is due."""
    line = works.due_line(kind, work_id, today=local_day(now()), by=current_actor())
    return _due_page(DueForm(obj=line), line, 200)


def _due_page(form: DueForm, line: works.Due, status: int) -> ResponseReturnValue:
    if line.kind != "action_plan":
        del form.reference
    page = render_template("works/due.html", form=form, line=line, back=url_for(HOME[line.kind]))
    return page, status


@bp.post("/dues/<kind>/<int:work_id>")
@requires("staff")
def save_due(kind: str, work_id: int) -> ResponseReturnValue:
    """Change a work, or write down that it is done."""
    line = works.due_line(kind, work_id, today=local_day(now()), by=current_actor())
    form = DueForm()
    if not form.validate() or not attempt(
        form,
        lambda: works.save_due(
            kind,
            work_id,
            due_on=form.due_on.data,
            done_on=form.done_on.data,
            reference=form.reference.data or "",
            now=now(),
            by=current_actor(),
        ),
    ):
        return _due_page(form, line, 422)
    flash(_("Đã lưu."), "good")
    return redirect(url_for(HOME[kind]), 303)


@bp.get("/histories")
@requires("staff", "reader")
def histories() -> ResponseReturnValue:
    """The history projects and their steps."""
    return _histories_page(HistoryForm(started_on=local_day(now())), 200)


def _histories_page(form: HistoryForm, status: int) -> ResponseReturnValue:
    form.offer_choices()
    projects = works.histories(today=local_day(now()), by=current_actor())
    return _list_page("works/histories.html", form, "history_step", status, projects=projects)


@bp.post("/histories")
@requires("staff")
def add_history() -> ResponseReturnValue:
    """Write a history project down."""
    return _save_history(
        lambda plan: works.add_history(plan, now=now(), by=current_actor()), _histories_page
    )


def _save_history(
    keep: Callable[[works.HistoryPlan], object],
    again: Callable[[HistoryForm, int], ResponseReturnValue],
) -> ResponseReturnValue:
    form = HistoryForm()
    form.offer_choices()
    if not form.validate() or not attempt(form, lambda: keep(form.plan())):
        return again(form, 422)
    flash(_("Đã ghi công trình lịch sử."), "good")
    return redirect(url_for("works.histories"), 303)


@bp.get("/histories/<int:history_id>")
@requires("staff")
def edit_history(history_id: int) -> ResponseReturnValue:
    """The form of a project, and of its steps."""
    plan = works.history_plan(history_id, now=now(), by=current_actor())
    return _history_page(HistoryForm(obj=plan), history_id, 200)


def _history_page(
    form: HistoryForm, history_id: int, status: int, step: StepForm | None = None
) -> ResponseReturnValue:
    form.offer_choices()
    page = render_template(
        "works/history.html",
        form=form,
        step=step or StepForm(None, due_on=local_day(now())),
        history_id=history_id,
    )
    return page, status


@bp.post("/histories/<int:history_id>")
@requires("staff")
def save_history(history_id: int) -> ResponseReturnValue:
    """Change a project."""
    return _save_history(
        lambda plan: works.save_history(history_id, plan, now=now(), by=current_actor()),
        lambda form, status: _history_page(form, history_id, status),
    )


@bp.post("/histories/<int:history_id>/steps")
@requires("staff")
def add_history_step(history_id: int) -> ResponseReturnValue:
    """Add a step."""
    form = StepForm()
    if not form.validate() or not attempt(
        form,
        lambda: works.add_history_step(
            history_id, form.name.data, form.due_on.data, now=now(), by=current_actor()
        ),
    ):
        plan = works.history_plan(history_id, now=now(), by=current_actor())
        return _history_page(HistoryForm(None, obj=plan), history_id, 422, form)
    flash(_("Đã thêm bước."), "good")
    return redirect(url_for("works.edit_history", history_id=history_id), 303)


@bp.post("/histories/<int:history_id>/publication")
@requires("staff")
def publish_history(history_id: int) -> ResponseReturnValue:
    """Write down the day it was published."""
    form = PublicationForm()
    if not form.validate():
        raise Malformed(N_("Hãy chọn ngày xuất bản."))
    works.publish_history(history_id, form.published_on.data, now=now(), by=current_actor())
    flash(_("Đã ghi ngày xuất bản."), "good")
    return redirect(url_for("works.histories"), 303)


@bp.get("/commendations")
@requires("staff", "reader")
def commendations() -> ResponseReturnValue:
    """The decisions that commend study."""
    return _commendations_page(CommendationForm(decided_on=local_day(now())), 200)


def _commendations_page(form: CommendationForm, status: int) -> ResponseReturnValue:
    form.offer_choices()
    page = render_template(
        "works/commendations.html",
        form=form,
        lines=works.commendations(today=local_day(now()), by=current_actor()),
        may_write=current_actor().has_any("staff"),
        levels={value: _(label) for value, label in LEVELS.items()},
        recipients={value: _(label) for value, label in RECIPIENTS.items()},
    )
    return page, status


@bp.post("/commendations")
@requires("staff")
def add_commendation() -> ResponseReturnValue:
    """Write a decision down."""
    form = CommendationForm()
    form.offer_choices()
    if not form.validate() or not attempt(
        form, lambda: works.add_commendation(form.plan(), now=now(), by=current_actor())
    ):
        return _commendations_page(form, 422)
    flash(_("Đã ghi quyết định khen thưởng."), "good")
    return redirect(url_for("works.commendations"), 303)


@bp.get("/commendations/<int:commendation_id>")
@requires("staff")
def edit_commendation(commendation_id: int) -> ResponseReturnValue:
    """The form of one decision."""
    line = works.commendation(commendation_id, today=local_day(now()), by=current_actor())
    return _commendation_page(CommendationForm(obj=line), commendation_id, 200)


def _commendation_page(
    form: CommendationForm, commendation_id: int, status: int
) -> ResponseReturnValue:
    form.offer_choices()
    page = render_template("works/commendation.html", form=form, commendation_id=commendation_id)
    return page, status


@bp.post("/commendations/<int:commendation_id>")
@requires("staff")
def save_commendation(commendation_id: int) -> ResponseReturnValue:
    """Correct a decision."""
    form = CommendationForm()
    form.offer_choices()
    if not form.validate() or not attempt(
        form,
        lambda: works.save_commendation(
            commendation_id, form.plan(), now=now(), by=current_actor()
        ),
    ):
        return _commendation_page(form, commendation_id, 422)
    flash(_("Đã ghi quyết định khen thưởng."), "good")
    return redirect(url_for("works.commendations"), 303)
