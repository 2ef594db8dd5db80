"""The year's other work on screen: plans, histories and their steps, commendations, leaders' visits."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from rules.days import local_day
from rules.refusals import N_, Malformed
from rules.works import SOON_DAYS
from services import work_lists, works
from web.fields import attempt, id_or_none
from web.form_sentences import Form
from web.identity import current_actor, now, requires
from web.work_forms import (
    LEVELS,
    RECIPIENTS,
    ActionPlanForm,
    CommendationForm,
    DueForm,
    HistoryForm,
    PublicationForm,
    StepForm,
    VisitForm,
    campaigns_on_offer,
)

bp = Blueprint("works", __name__, url_prefix="/works")

FILTERS = {
    "overdue": N_("Quá hạn"),
    "soon": N_("Sắp đến hạn"),
    "due": N_("Chưa đến hạn"),
    "done": N_("Đã làm"),
}
HOME = {
    "action_plan": "works.index",
    "history_step": "works.histories",
    "leader_visit": "works.visits",
}


def _page_asked() -> int:
    return max(1, id_or_none(request.args.get("page")) or 1)


def _list_page(
    template: str, form: Form, kind: str, status: int, **more: object
) -> ResponseReturnValue:
    """A page of works that are due, with how many are done, and the form to add one."""
    wanted = work_lists.Wanted(
        campaign=request.args.get("campaign", ""),
        state=request.args.get("state", ""),
        query=request.args.get("q", ""),
    )
    page = render_template(
        template,
        form=form,
        listed=work_lists.due_page(
            kind, wanted, page=_page_asked(), today=local_day(now()), by=current_actor()
        ),
        wanted=wanted,
        states=[(value, _(label)) for value, label in FILTERS.items()],
        soon_days=SOON_DAYS,
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
    return _list_page(
        "works/index.html", form, "action_plan", status, campaigns=campaigns_on_offer()
    )


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
    line = work_lists.due_line(kind, work_id, today=local_day(now()), by=current_actor())
    return _due_page(DueForm(obj=line), line, 200)


def _due_page(form: DueForm, line: work_lists.Due, status: int) -> ResponseReturnValue:
    if line.kind != "action_plan":
        del form.reference
    page = render_template("works/due.html", form=form, line=line, back=url_for(HOME[line.kind]))
    return page, status


@bp.post("/dues/<kind>/<int:work_id>")
@requires("staff")
def save_due(kind: str, work_id: int) -> ResponseReturnValue:
    """Change a work, or write down that it is done."""
    line = work_lists.due_line(kind, work_id, today=local_day(now()), by=current_actor())
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
    projects = work_lists.histories(
        page=id_or_none(request.args.get("projects")) or 1,
        today=local_day(now()),
        by=current_actor(),
    )
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
    plan = work_lists.history_plan(history_id, now=now(), by=current_actor())
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
        plan = work_lists.history_plan(history_id, now=now(), by=current_actor())
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
        listed=work_lists.commendations(
            page=_page_asked(), today=local_day(now()), by=current_actor()
        ),
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
    plan = work_lists.commendation_plan(commendation_id, now=now(), by=current_actor())
    return _commendation_page(CommendationForm(obj=plan), commendation_id, 200)


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
