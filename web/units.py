"""The units' pages: both trees on any day, one unit and its history, and the forms that change it."""

from dataclasses import fields
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField

from rules.days import local_day, written_day
from rules.refusals import N_, Malformed, NotFound
from services import letterheads, unit_changes, units
from services.letterheads import LetterheadFields
from services.unit_changes import KindFacts
from web.fields import DayField, at_most, attempt, between, choices, id_or_none, needed, said
from web.form_sentences import Form
from web.identity import current_actor, now, requires
from web.unit_decisions import KIND_NAMES

bp = Blueprint("units", __name__, url_prefix="/units")

TREE_NAMES = {"party": said(N_("Tổ chức đảng")), "residential": said(N_("Địa bàn dân cư"))}


class FirstUnitForm(Form):
    """The first unit of a tree, which stood before this program did."""

    kind = SelectField(said(N_("Loại đơn vị")), [needed()])
    name = StringField(said(N_("Tên")), [needed(), at_most(200)])
    code = StringField(said(N_("Mã")), [needed(), at_most(40)])
    valid_from = DayField(said(N_("Hoạt động từ ngày")), [needed()])


class CorrectionForm(Form):
    """What of a unit has no history."""

    kind = SelectField(said(N_("Loại đơn vị")), [needed()])
    code = StringField(said(N_("Mã")), [needed(), at_most(40)])
    position = IntegerField(said(N_("Thứ tự trong danh sách")), [between(0, 9999)], default=0)


class ParentForm(Form):
    """Another unit above from a day on."""

    parent = SelectField(said(N_("Trực thuộc")), coerce=id_or_none)
    from_on = DayField(said(N_("Từ ngày")), [needed()])


class KindForm(Form):
    """A level of a tree."""

    tree = SelectField(said(N_("Thuộc cây")), choices=choices(TREE_NAMES.items()))
    code = StringField(said(N_("Mã loại")), [at_most(40)])
    name = StringField(said(N_("Tên gọi")), [needed(), at_most(80)])
    name_en = StringField(said(N_("Tên tiếng Anh")), [needed(), at_most(80)])
    rank = IntegerField(said(N_("Thứ bậc")), [between(1, 99)])
    is_grassroots = BooleanField(said(N_("Là cấp báo cáo chỉ tiêu (tổ chức cơ sở đảng)")))
    holds_people = BooleanField(said(N_("Đảng viên hoặc hộ thuộc thẳng cấp này")))


def asked_day() -> date:
    """The day a page is shown for: `?on=`, else today."""
    text = request.args.get("on", "").strip()
    if not text:
        return local_day(now())
    try:
        return written_day(text)
    except ValueError:
        raise Malformed(N_("Ngày trong địa chỉ trang chưa đúng. Hãy chọn lại ngày.")) from None


@bp.get("")
@requires("staff", "reader")
def index() -> str:
    """A tree as of a day, or the units found by name."""
    on, by, query = asked_day(), current_actor(), request.args.get("q", "").strip()
    tree = "residential" if request.args.get("tree") == "residential" else "party"
    under = id_or_none(request.args.get("under"))
    branches = [] if query else units.unit_branches(on=on, by=by, tree=tree, under=under)
    return render_template(
        "units/index.html",
        on=on,
        tree=tree,
        tree_names=TREE_NAMES,
        query=query,
        found=units.found_units(query, on=on, by=by) if query else [],
        branches=branches,
        today=local_day(now()),
    )


@bp.get("/<int:unit_id>")
@requires("staff", "reader", "instructor")
def show(unit_id: int) -> str:
    """One unit and its history."""
    on = asked_day()
    unit = units.unit_page(unit_id, on=on, by=current_actor())
    return render_template("units/show.html", unit=unit, on=on, today=local_day(now()))


@bp.get("/new")
@requires("staff")
def new() -> ResponseReturnValue:
    """The form for the first unit of a tree; every other is founded by a decision."""
    if request.args.get("parent") or not _empty_trees():
        parent = id_or_none(request.args.get("parent"))
        return redirect(url_for("unit_decisions.new_founding", parent=parent), 303)
    return _new_page(FirstUnitForm(valid_from=local_day(now())), 200)


def _empty_trees() -> set[str]:
    rows = units.kind_rows()
    return {row.tree for row in rows} - {row.tree for row in rows if row.units}


def _new_page(form: FirstUnitForm, status: int) -> ResponseReturnValue:
    _offer_first_kinds(form.kind)
    return render_template("units/new.html", form=form), status


def _offer_first_kinds(field: SelectField) -> None:
    empty = _empty_trees()
    field.choices = choices((row.code, row.name) for row in units.kind_rows() if row.tree in empty)


def _offer_kinds(field: SelectField, tree: str | None = None) -> None:
    rows = [row for row in units.kind_rows() if tree in (None, row.tree)]
    field.choices = choices((row.code, row.name) for row in rows)


def _offer_parents(field: SelectField, tree: str | None = None) -> None:
    options = units.unit_options(current_actor(), local_day(now()), tree=tree, roles=("staff",))
    field.choices = choices([("", _("– Đứng đầu cây –")), *options])


@bp.post("")
@requires("staff")
def create() -> ResponseReturnValue:
    """Enter the first unit of a tree; another is refused with the way to its decision."""
    form = FirstUnitForm()
    _offer_kinds(form.kind)
    made: list[int] = []
    if not form.validate() or not attempt(form, lambda: made.append(_create(form))):
        return _new_page(form, 422)
    flash(_("Đã thêm đơn vị."), "good")
    return redirect(url_for("units.show", unit_id=made[0]), 303)


def _create(form: FirstUnitForm) -> int:
    return unit_changes.set_up_tree(
        code=form.code.data,
        kind_code=form.kind.data,
        name=form.name.data,
        valid_from=form.valid_from.data,
        now=now(),
        by=current_actor(),
    )


@bp.get("/<int:unit_id>/edit")
@requires("staff")
def edit(unit_id: int) -> ResponseReturnValue:
    """The forms that rename, move, link, correct and end a unit."""
    return _edit_page(unit_id, {}, 200)


def _edit_page(unit_id: int, filled: dict[str, Form], status: int) -> ResponseReturnValue:
    today = local_day(now())
    unit = units.unit_page(unit_id, on=today, by=current_actor())
    answering = [link for link in unit.links if link.valid_to is None]
    forms: dict[str, Form] = {
        "link": ParentForm(
            None,
            prefix="link",
            parent=answering[0].unit_id if answering else None,
            from_on=today,
        ),
        "correction": CorrectionForm(
            None,
            prefix="correction",
            code=unit.code,
            kind=unit.kind_code,
            position=unit.position,
        ),
    }
    forms |= filled
    _offer_kinds(forms["correction"].kind, unit.tree)
    _offer_parents(forms["link"].parent, "party")
    kinds = [(kind, _(name)) for kind, name in KIND_NAMES.items() if kind != "found"]
    page = render_template("units/edit.html", unit=unit, forms=forms, decision_kinds=kinds)
    return page, status


def _done(unit_id: int, sentence: str) -> ResponseReturnValue:
    flash(sentence, "good")
    return redirect(url_for("units.show", unit_id=unit_id), 303)


@bp.post("/<int:unit_id>/links")
@requires("staff")
def link(unit_id: int) -> ResponseReturnValue:
    """Say which Party unit answers for a residential unit from a day on."""
    form = ParentForm(prefix="link")
    _offer_parents(form.parent, "party")
    if not form.validate() or not attempt(
        form,
        lambda: unit_changes.link_unit(
            unit_id,
            party_id=form.parent.data,
            from_on=form.from_on.data,
            now=now(),
            by=current_actor(),
        ),
    ):
        return _edit_page(unit_id, {"link": form}, 422)
    return _done(unit_id, _("Đã ghi tổ chức đảng phụ trách."))


@bp.post("/<int:unit_id>/corrections")
@requires("staff")
def correct(unit_id: int) -> ResponseReturnValue:
    """Correct what has no history."""
    form = CorrectionForm(prefix="correction")
    _offer_kinds(form.kind)
    if not form.validate() or not attempt(
        form,
        lambda: unit_changes.correct_unit(
            unit_id,
            code=form.code.data,
            kind_code=form.kind.data,
            position=form.position.data or 0,
            now=now(),
            by=current_actor(),
        ),
    ):
        return _edit_page(unit_id, {"correction": form}, 422)
    return _done(unit_id, _("Đã sửa đơn vị."))


class LetterheadForm(Form):
    """How a unit heads and signs its documents; empty means what follows from its name."""

    superior = StringField(said(N_("Cơ quan cấp trên (dòng đầu bên trái)")), [at_most(200)])
    issuer = StringField(said(N_("Cơ quan ban hành")), [at_most(200)])
    motto = StringField(said(N_("Dòng đầu bên phải")), [at_most(200)])
    place = StringField(said(N_("Địa danh")), [at_most(80)])
    symbol = StringField(said(N_("Ký hiệu cơ quan trong số văn bản")), [at_most(40)])
    authority = StringField(said(N_("Thẩm quyền ký (T/M …)")), [at_most(120)])
    post = StringField(said(N_("Chức vụ người ký")), [at_most(120)])
    signer = StringField(said(N_("Họ tên người ký")), [at_most(120)])
    recipients = TextAreaField(said(N_("Nơi nhận, mỗi dòng một nơi")), [at_most(1000)])
    margin_top = IntegerField(said(N_("Lề trên (mm)")), [between(10, 60)])
    margin_bottom = IntegerField(said(N_("Lề dưới (mm)")), [between(10, 60)])
    margin_left = IntegerField(said(N_("Lề trái (mm)")), [between(10, 60)])
    margin_right = IntegerField(said(N_("Lề phải (mm)")), [between(10, 60)])


@bp.get("/<int:unit_id>/letterhead")
@requires("staff")
def edit_letterhead(unit_id: int) -> ResponseReturnValue:
    """The form of a unit's letterhead."""
    kept = letterheads.letterhead_fields(unit_id, now=now(), by=current_actor())
    return _letterhead_page(unit_id, LetterheadForm(obj=kept), 200)


def _letterhead_page(unit_id: int, form: LetterheadForm, status: int) -> ResponseReturnValue:
    unit = units.unit_page(unit_id, on=local_day(now()), by=current_actor())
    return render_template("units/letterhead.html", unit=unit, form=form), status


@bp.post("/<int:unit_id>/letterhead")
@requires("staff")
def save_letterhead(unit_id: int) -> ResponseReturnValue:
    """Keep a unit's letterhead."""
    form = LetterheadForm()
    names = [field.name for field in fields(LetterheadFields)]
    if not form.validate() or not attempt(
        form,
        lambda: letterheads.save_letterhead(
            unit_id,
            LetterheadFields(**{name: form[name].data for name in names}),
            now=now(),
            by=current_actor(),
        ),
    ):
        return _letterhead_page(unit_id, form, 422)
    return _done(unit_id, _("Đã ghi cách trình bày văn bản."))


@bp.get("/kinds")
@requires("admin")
def kinds() -> str:
    """The levels of both trees."""
    return render_template("units/kinds.html", kinds=units.kind_rows(), tree_names=TREE_NAMES)


@bp.get("/kinds/new")
@requires("admin")
def new_kind() -> ResponseReturnValue:
    """The form for another level."""
    return _kind_page(KindForm(), None, 200)


@bp.get("/kinds/<code>")
@requires("admin")
def edit_kind(code: str) -> ResponseReturnValue:
    """The form for a level."""
    kind = next((row for row in units.kind_rows() if row.code == code), None)
    if kind is None:
        raise NotFound(N_("Không có loại đơn vị này."))
    return _kind_page(KindForm(obj=kind), code, 200)


def _kind_page(form: KindForm, code: str | None, status: int) -> ResponseReturnValue:
    return render_template("units/kind.html", form=form, code=code), status


@bp.post("/kinds")
@requires("admin")
def create_kind() -> ResponseReturnValue:
    """Add a level."""
    form = KindForm()
    return _save_kind(form, None, form.code.data or "", form.tree.data)


@bp.post("/kinds/<code>")
@requires("admin")
def save_kind(code: str) -> ResponseReturnValue:
    """Change a level."""
    form = KindForm()
    del form.tree, form.code
    return _save_kind(form, code, code, None)


def _save_kind(
    form: KindForm, shown_code: str | None, code: str, tree: str | None
) -> ResponseReturnValue:
    def save() -> None:
        facts = KindFacts(
            form.name.data,
            form.name_en.data,
            form.rank.data,
            form.is_grassroots.data,
            form.holds_people.data,
        )
        unit_changes.save_kind(code, facts, tree=tree, now=now(), by=current_actor())

    if not form.validate() or not attempt(form, save):
        return _kind_page(form, shown_code, 422)
    flash(_("Đã lưu loại đơn vị."), "good")
    return redirect(url_for("units.kinds"), 303)
