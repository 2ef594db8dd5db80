"""Decisions that change units, on screen: written down, looked at with what follows, confirmed."""

from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import BooleanField, SelectField, SelectMultipleField, StringField

from rules.days import local_day
from rules.refusals import N_, NotFound
from rules.unit_changes import KINDS, Plan, Successor
from services import unit_decisions, units
from web.errors import sentence_of
from web.fields import DayField, at_most, attempt, choices, id_or_none, needed, said
from web.form_sentences import Form
from web.identity import current_actor, now, requires

bp = Blueprint("unit_decisions", __name__, url_prefix="/unit-decisions")

KIND_NAMES = {
    "merge": N_("Sáp nhập"),
    "split": N_("Chia tách"),
    "rename": N_("Đổi tên"),
    "move": N_("Chuyển trực thuộc"),
    "found": N_("Thành lập mới"),
    "dissolve": N_("Giải thể"),
}
PARTS = range(1, 5)
REQUIRED = {
    "merge": ("sources",),
    "rename": ("name",),
    "found": ("name", "code", "kind_code"),
}
"""What a form of that kind cannot do without; the rule itself is checked by the service."""


class DecisionForm(Form):
    """A decision; which of the lower fields are asked for depends on its kind."""

    number = StringField(said(N_("Số quyết định")), [needed(), at_most(80)])
    decided_on = DayField(said(N_("Ngày quyết định")), [needed()])
    effective_on = DayField(said(N_("Có hiệu lực từ ngày")), [needed()])
    sources = SelectMultipleField(said(N_("Đơn vị sáp nhập")), coerce=id_or_none)
    into = SelectField(said(N_("Nhập thành")), coerce=id_or_none)
    name = StringField(said(N_("Tên đơn vị mới")), [at_most(200)])
    code = StringField(said(N_("Mã đơn vị mới")), [at_most(40)])
    kind_code = SelectField(said(N_("Loại đơn vị")))
    parent = SelectField(said(N_("Trực thuộc")), coerce=id_or_none)
    goes_on = BooleanField(said(N_("Đơn vị cũ vẫn hoạt động, chỉ tách một phần")))
    name_1 = StringField(said(N_("Tên phần thứ nhất")), [at_most(200)])
    code_1 = StringField(said(N_("Mã")), [at_most(40)])
    name_2 = StringField(said(N_("Tên phần thứ hai")), [at_most(200)])
    code_2 = StringField(said(N_("Mã")), [at_most(40)])
    name_3 = StringField(said(N_("Tên phần thứ ba, nếu có")), [at_most(200)])
    code_3 = StringField(said(N_("Mã")), [at_most(40)])
    name_4 = StringField(said(N_("Tên phần thứ tư, nếu có")), [at_most(200)])
    code_4 = StringField(said(N_("Mã")), [at_most(40)])

    def offer(self, kind: str, unit_id: int | None) -> None:
        """Fill the lists with what this person answers for."""
        actor, today = current_actor(), local_day(now())
        rows = units.kind_rows()
        tree = None
        offered: list[tuple[int, str]] = []
        if unit_id is not None:
            page = units.unit_page(unit_id, on=today, by=actor)
            tree = page.tree
            offered = unit_decisions.candidates(unit_id, today=today, by=actor)
            if not self.is_submitted():
                self.kind_code.data = page.kind_code
                self.parent.data = page.path[-1][0] if page.path else None
        self.sources.choices = choices(offered)
        self.into.choices = choices([("", _("– một đơn vị mới –")), *offered])
        kinds: list[tuple[str, object]] = [
            (row.code, row.name) for row in rows if tree in (None, row.tree)
        ]
        if kind == "found":
            kinds.insert(0, ("", _("– chọn loại đơn vị –")))
        self.kind_code.choices = choices(kinds)
        for name in REQUIRED.get(kind, ()):
            self[name].flags.required = True
        above = units.unit_options(actor, today, tree=tree, roles=("staff",))
        self.parent.choices = choices([("", _("– Đứng đầu cây –")), *above])

    def plan(self, kind: str, unit_id: int | None) -> Plan:
        """What the form asks for."""
        on: date = self.effective_on.data
        own = (unit_id,) if unit_id is not None else ()
        fresh = Successor(
            None,
            self.code.data or "",
            self.name.data or "",
            self.kind_code.data or "",
            self.parent.data,
        )
        if kind == "merge":
            into = self.into.data
            chosen = tuple(unit for unit in self.sources.data if unit is not None)
            return Plan(kind, on, chosen, (Successor(into) if into is not None else fresh,))
        if kind == "split":
            return Plan(kind, on, own, self._parts(unit_id))
        if kind == "rename":
            return Plan(kind, on, own, (Successor(unit_id, name=self.name.data or ""),))
        if kind == "move":
            return Plan(kind, on, own, (Successor(unit_id, parent_id=self.parent.data),))
        return Plan(kind, on, own, (fresh,) if kind == "found" else ())

    def _parts(self, unit_id: int | None) -> tuple[Successor, ...]:
        named = [
            (self[f"name_{place}"].data or "", self[f"code_{place}"].data or "") for place in PARTS
        ]
        fresh = [
            Successor(None, code, name, self.kind_code.data or "", self.parent.data)
            for name, code in named
            if name.strip() or code.strip()
        ]
        return (Successor(unit_id), *fresh) if self.goes_on.data else tuple(fresh)


@bp.get("/")
@requires("staff", "reader")
def index() -> str:
    """The decisions, drafts first."""
    lines = unit_decisions.decisions(today=local_day(now()), by=current_actor())
    return render_template("unit_decisions/index.html", lines=lines, kind_names=_names())


def _names() -> dict[str, str]:
    return {kind: _(name) for kind, name in KIND_NAMES.items()}


@bp.get("/new")
@requires("staff")
def new_founding() -> ResponseReturnValue:
    """The form of a decision that founds a unit."""
    form = DecisionForm(
        effective_on=local_day(now()), parent=id_or_none(request.args.get("parent"))
    )
    return _form_page(form, "found", None, 200)


@bp.get("/<kind>/new/<int:unit_id>")
@requires("staff")
def new(kind: str, unit_id: int) -> ResponseReturnValue:
    """The form of one kind of decision on one unit."""
    _check_kind(kind)
    form = DecisionForm(effective_on=local_day(now()), sources=[unit_id])
    return _form_page(form, kind, unit_id, 200)


def _check_kind(kind: str) -> None:
    if kind not in KINDS or kind == "found":
        raise NotFound(N_("Hãy mở trang một đơn vị rồi chọn loại thay đổi ở đó."))


def _form_page(
    form: DecisionForm, kind: str, unit_id: int | None, status: int
) -> ResponseReturnValue:
    form.offer(kind, unit_id)
    today = local_day(now())
    unit = units.unit_page(unit_id, on=today, by=current_actor()) if unit_id is not None else None
    page = render_template(
        "unit_decisions/form.html", form=form, kind=kind, kind_names=_names(), unit=unit
    )
    return page, status


@bp.post("/")
@requires("staff")
def create_founding() -> ResponseReturnValue:
    """Write down as a draft that a unit is founded."""
    return _create("found", None)


@bp.post("/<kind>/of/<int:unit_id>")
@requires("staff")
def create(kind: str, unit_id: int) -> ResponseReturnValue:
    """Write the decision on a unit down as a draft."""
    _check_kind(kind)
    return _create(kind, unit_id)


def _create(kind: str, unit_id: int | None) -> ResponseReturnValue:
    form = DecisionForm()
    form.offer(kind, unit_id)
    made: list[int] = []

    def draft() -> None:
        made.append(
            unit_decisions.draft_decision(
                form.plan(kind, unit_id),
                number=form.number.data,
                decided_on=form.decided_on.data,
                now=now(),
                by=current_actor(),
            )
        )

    if not form.validate() or not attempt(form, draft):
        return _form_page(form, kind, unit_id, 422)
    flash(_("Đã ghi bản dự thảo. Chưa có gì thay đổi; hãy xem rồi xác nhận."), "good")
    return redirect(url_for("unit_decisions.show", change_id=made[0]), 303)


@bp.get("/<int:change_id>")
@requires("staff", "reader")
def show(change_id: int) -> str:
    """One decision: what it does, what follows."""
    return _page(change_id)


def _page(change_id: int, error: str = "") -> str:
    view = unit_decisions.decision_view(change_id, now=now(), by=current_actor())
    return render_template(
        "unit_decisions/show.html",
        view=view,
        line=view.line,
        kind_names=_names(),
        error=error or (sentence_of(view.refusal) if view.refusal else ""),
        may_write=current_actor().has_any("staff"),
    )


@bp.post("/<int:change_id>/allotments")
@requires("staff")
def allot(change_id: int) -> ResponseReturnValue:
    """Say who and what goes to which part."""
    unit_decisions.allot(
        change_id,
        units=_places("unit"),
        people=_places("person"),
        households=_places("household"),
        now=now(),
        by=current_actor(),
    )
    flash(_("Đã ghi cách chia."), "good")
    return redirect(url_for("unit_decisions.show", change_id=change_id), 303)


def _places(kind: str) -> dict[int, int]:
    """Row ids and the places chosen, from fields named like `person-12`."""
    found = {}
    for name, value in request.form.items():
        label, _dash, number = name.partition("-")
        row_id = id_or_none(number)
        if label == kind and row_id is not None and value.isdecimal() and len(value) < 3:
            found[row_id] = int(value)
    return found


@bp.post("/<int:change_id>/confirmation")
@requires("staff")
def confirm(change_id: int) -> ResponseReturnValue:
    """Carry the decision out."""
    if not attempt(
        form := Form(),
        lambda: unit_decisions.confirm_decision(change_id, now=now(), by=current_actor()),
    ):
        return _page(change_id, " ".join(map(str, form.form_errors))), 409
    flash(_("Đã xác nhận quyết định. Số liệu trước ngày có hiệu lực giữ nguyên."), "good")
    return redirect(url_for("unit_decisions.show", change_id=change_id), 303)


@bp.post("/<int:change_id>/discarding")
@requires("staff")
def discard(change_id: int) -> ResponseReturnValue:
    """Throw the draft away."""
    unit_decisions.discard_decision(change_id, now=now(), by=current_actor())
    flash(_("Đã bỏ bản dự thảo; không có gì thay đổi."), "good")
    return redirect(url_for("unit_decisions.index"), 303)
