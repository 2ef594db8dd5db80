"""Members and households on screen: lists, one of each, and the forms that change them."""

from collections.abc import Callable
from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import BooleanField, IntegerField, SelectField, StringField

from rules.days import local_day
from rules.refusals import N_
from services import households as household_service
from services import people, people_lists, privacy, settings, units
from services.households import HouseholdFacts
from services.people import PersonFacts
from services.people_lists import Filters
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

bp = Blueprint("people", __name__)

STANDING_NAMES = {"full": said(N_("Chính thức")), "probationary": said(N_("Dự bị"))}


class PersonForm(Form):
    """Who somebody is."""

    full_name = StringField(said(N_("Họ và tên")), [needed(), at_most(180)])
    birth_year = IntegerField(said(N_("Năm sinh")), [may_be_empty(), between(1900, 2100)])
    code = StringField(said(N_("Mã")), [at_most(40)])
    phone = StringField(said(N_("Điện thoại")), [at_most(60)])
    email = StringField(said(N_("E-mail")), [at_most(254)])
    language = SelectField(
        said(N_("Ngôn ngữ thư")), choices={"vi": "Tiếng Việt", "en": "English"}, default="vi"
    )
    neutral_titles = BooleanField(said(N_("Tên buổi trung tính trong lịch điện thoại")))
    wants_reminders = BooleanField(said(N_("Nhận lời nhắc")))

    def facts(self) -> PersonFacts:
        """What the form says."""
        return PersonFacts(
            full_name=self.full_name.data,
            code=self.code.data or "",
            birth_year=self.birth_year.data,
            phone=self.phone.data or "",
            email=self.email.data or "",
            language=self.language.data,
            neutral_titles=self.neutral_titles.data,
            wants_reminders=self.wants_reminders.data,
        )


class NewPersonForm(PersonForm):
    """Who somebody is, and the cell they join."""

    unit = SelectField(said(N_("Chi bộ")), [needed()], coerce=id_or_none)
    standing = SelectField(said(N_("Tư cách")), choices=choices(STANDING_NAMES.items()))
    joined_on = DayField(said(N_("Từ ngày")), [needed()])


class UnitFromForm(Form):
    """Another cell or group from a day on."""

    unit = SelectField(said(N_("Chuyển đến")), coerce=id_or_none)
    from_on = DayField(said(N_("Từ ngày")), [needed()])


class StandingForm(Form):
    """Full or probationary from a day on."""

    standing = SelectField(said(N_("Tư cách")), choices=choices(STANDING_NAMES.items()))
    from_on = DayField(said(N_("Từ ngày")), [needed()])


class ExemptionForm(Form):
    """Exempt from a day to another by a decision."""

    decision_number = StringField(said(N_("Số quyết định")), [at_most(60)])
    from_on = DayField(said(N_("Từ ngày")), [needed()])
    until_on = DayField(said(N_("Đến hết ngày")), [may_be_empty()])


class LeavingForm(Form):
    """The first day without the person."""

    kind = SelectField(
        said(N_("Vì sao")),
        choices=choices(
            [
                ("left", said(N_("Chuyển đi nơi khác, thôi sinh hoạt"))),
                ("died", said(N_("Từ trần"))),
            ]
        ),
    )
    on = DayField(said(N_("Từ ngày")), [needed()])
    reason = StringField(said(N_("Lý do, số quyết định")), [at_most(300)])


class HouseholdForm(Form):
    """What is kept of a household."""

    number = StringField(said(N_("Số hộ")), [needed(), at_most(20)])
    representative = StringField(said(N_("Người đại diện")), [at_most(180)])
    phone = StringField(said(N_("Điện thoại")), [at_most(60)])
    code = StringField(said(N_("Mã")), [at_most(40)])

    def facts(self) -> HouseholdFacts:
        """What the form says."""
        return HouseholdFacts(
            number=self.number.data,
            code=self.code.data or "",
            representative=self.representative.data or "",
            phone=self.phone.data or "",
        )


class NewHouseholdForm(HouseholdForm):
    """A household and its residential group."""

    unit = SelectField(said(N_("Khối, tổ, thôn")), [needed()], coerce=id_or_none)
    joined_on = DayField(said(N_("Từ ngày")), [needed()])


def today() -> date:
    """The door's day."""
    return local_day(now())


def _page_asked() -> int:
    return max(1, id_or_none(request.args.get("page")) or 1)


def _places(field: SelectField, tree: str, none_label: str = "") -> None:
    options = units.unit_options(
        current_actor(), today(), tree=tree, holding_people=True, roles=("staff",)
    )
    field.choices = choices([("", none_label or _("– chọn –")), *options])


def _unit_filter(tree: str) -> list[tuple[object, str]]:
    return [("", _("Mọi đơn vị")), *units.unit_options(current_actor(), today(), tree=tree)]


@bp.get("/people")
@requires("staff", "reader")
def index() -> str:
    """The members."""
    asked = request.args
    filters = Filters(
        query=asked.get("q", ""),
        unit_id=id_or_none(asked.get("unit")),
        standing=asked.get("standing", ""),
        exempt=asked.get("exempt", ""),
        contact=asked.get("contact", ""),
        state=asked.get("state", ""),
    )
    return render_template(
        "people/index.html",
        page=people_lists.people_page(filters, page=_page_asked(), on=today(), by=current_actor()),
        unit_choices=_unit_filter("party"),
        standing_names=STANDING_NAMES,
    )


@bp.get("/people/new")
@requires("staff")
def new() -> ResponseReturnValue:
    """The form for a new member."""
    form = NewPersonForm(
        unit=id_or_none(request.args.get("unit")),
        joined_on=today(),
        neutral_titles=settings.settings_now()["neutral_titles"] == "1",
        wants_reminders=True,
    )
    return _new_page(form, 200)


def _new_page(form: NewPersonForm, status: int) -> ResponseReturnValue:
    _places(form.unit, "party")
    return render_template("people/form.html", form=form, person=None), status


@bp.post("/people")
@requires("staff")
def create() -> ResponseReturnValue:
    """Add a member."""
    form = NewPersonForm()
    _places(form.unit, "party")
    made: list[int] = []
    if not form.validate() or not attempt(
        form,
        lambda: made.append(
            people.add_person(
                form.facts(),
                unit_id=form.unit.data,
                standing=form.standing.data,
                joined_on=form.joined_on.data,
                now=now(),
                by=current_actor(),
            )
        ),
    ):
        return _new_page(form, 422)
    flash(_("Đã thêm đảng viên."), "good")
    return redirect(url_for("people.show", person_id=made[0]), 303)


@bp.get("/people/<int:person_id>")
@requires("staff", "reader")
def show(person_id: int) -> ResponseReturnValue:
    """One person; who opened it is logged, and told to that person."""
    page = _person_page(person_id, {}, 200)
    privacy.note_view(person_id, now=now(), by=current_actor())
    return page


def _person_page(person_id: int, filled: dict[str, Form], status: int) -> ResponseReturnValue:
    person = people_lists.person_page(person_id, on=today(), by=current_actor())
    other = "full" if person.standing == "probationary" else "probationary"
    forms: dict[str, Form] = {
        "transfer": UnitFromForm(None, prefix="transfer", from_on=today()),
        "standing": StandingForm(None, prefix="standing", standing=other, from_on=today()),
        "exemption": ExemptionForm(None, prefix="exemption", from_on=today()),
        "leaving": LeavingForm(None, prefix="leaving", on=today()),
    }
    forms |= filled
    _places(forms["transfer"].unit, "party")
    page = render_template(
        "people/show.html",
        person=person,
        forms=forms,
        today=today(),
        standing_names=STANDING_NAMES,
        opened=next(iter(filled), ""),
    )
    return page, status


@bp.get("/people/<int:person_id>/edit")
@requires("staff")
def edit(person_id: int) -> ResponseReturnValue:
    """The form for who somebody is."""
    person = people_lists.person_page(person_id, on=today(), by=current_actor())
    return _edit_page(PersonForm(obj=person), person, 200)


def _edit_page(
    form: PersonForm, person: people_lists.PersonPage, status: int
) -> ResponseReturnValue:
    return render_template("people/form.html", form=form, person=person), status


@bp.post("/people/<int:person_id>")
@requires("staff")
def save(person_id: int) -> ResponseReturnValue:
    """Change who somebody is."""
    form = PersonForm()
    if not form.validate() or not attempt(
        form,
        lambda: people.save_person(person_id, form.facts(), now=now(), by=current_actor()),
    ):
        person = people_lists.person_page(person_id, on=today(), by=current_actor())
        return _edit_page(form, person, 422)
    flash(_("Đã lưu."), "good")
    return redirect(url_for("people.show", person_id=person_id), 303)


def _changed(
    person_id: int, name: str, form: Form, act: Callable[[], None], done: str
) -> ResponseReturnValue:
    if not form.validate() or not attempt(form, act):
        return _person_page(person_id, {name: form}, 422)
    flash(done, "good")
    return redirect(url_for("people.show", person_id=person_id), 303)


@bp.post("/people/<int:person_id>/memberships")
@requires("staff")
def transfer(person_id: int) -> ResponseReturnValue:
    """Move a member to another cell from a day on."""
    form = UnitFromForm(prefix="transfer")
    _places(form.unit, "party")

    def act() -> None:
        people.transfer_person(
            person_id,
            unit_id=form.unit.data or 0,
            from_on=form.from_on.data,
            now=now(),
            by=current_actor(),
        )

    return _changed(person_id, "transfer", form, act, _("Đã ghi việc chuyển sinh hoạt."))


@bp.post("/people/<int:person_id>/standings")
@requires("staff")
def change_standing(person_id: int) -> ResponseReturnValue:
    """Full or probationary from a day on."""
    form = StandingForm(prefix="standing")

    def act() -> None:
        people.change_standing(
            person_id,
            standing=form.standing.data,
            from_on=form.from_on.data,
            now=now(),
            by=current_actor(),
        )

    return _changed(person_id, "standing", form, act, _("Đã ghi tư cách mới."))


@bp.post("/people/<int:person_id>/exemptions")
@requires("staff")
def exempt(person_id: int) -> ResponseReturnValue:
    """Exempt a member for a time."""
    form = ExemptionForm(prefix="exemption")

    def act() -> None:
        people.exempt_person(
            person_id,
            decision_number=form.decision_number.data or "",
            from_on=form.from_on.data,
            until_on=form.until_on.data,
            now=now(),
            by=current_actor(),
        )

    return _changed(person_id, "exemption", form, act, _("Đã ghi việc miễn sinh hoạt."))


@bp.post("/people/<int:person_id>/exemptions/<int:exemption_id>/ending")
@requires("staff")
def end_exemption(person_id: int, exemption_id: int) -> ResponseReturnValue:
    """End an exemption today."""
    people.end_exemption(person_id, exemption_id, on=today(), now=now(), by=current_actor())
    flash(_("Đã kết thúc việc miễn từ hôm nay."), "good")
    return redirect(url_for("people.show", person_id=person_id), 303)


@bp.post("/people/<int:person_id>/leaving")
@requires("staff")
def leave(person_id: int) -> ResponseReturnValue:
    """A member died or left."""
    form = LeavingForm(prefix="leaving")

    def act() -> None:
        people.leave(
            person_id,
            on=form.on.data,
            died=form.kind.data == "died",
            reason=form.reason.data or "",
            now=now(),
            by=current_actor(),
        )

    return _changed(person_id, "leaving", form, act, _("Đã ghi."))


@bp.get("/households")
@requires("staff", "reader")
def households() -> str:
    """The households."""
    page = household_service.households_page(
        query=request.args.get("q", ""),
        unit_id=id_or_none(request.args.get("unit")),
        page=_page_asked(),
        on=today(),
        by=current_actor(),
    )
    return render_template(
        "people/households.html", page=page, unit_choices=_unit_filter("residential")
    )


@bp.get("/households/new")
@requires("staff")
def new_household() -> ResponseReturnValue:
    """The form for a new household."""
    form = NewHouseholdForm(unit=id_or_none(request.args.get("unit")), joined_on=today())
    return _new_household_page(form, 200)


def _new_household_page(form: NewHouseholdForm, status: int) -> ResponseReturnValue:
    _places(form.unit, "residential")
    return render_template("people/household_form.html", form=form, household=None), status


@bp.post("/households")
@requires("staff")
def create_household() -> ResponseReturnValue:
    """Add a household."""
    form = NewHouseholdForm()
    _places(form.unit, "residential")
    made: list[int] = []
    if not form.validate() or not attempt(
        form,
        lambda: made.append(
            household_service.add_household(
                form.facts(),
                unit_id=form.unit.data,
                from_on=form.joined_on.data,
                now=now(),
                by=current_actor(),
            )
        ),
    ):
        return _new_household_page(form, 422)
    flash(_("Đã thêm hộ."), "good")
    return redirect(url_for("people.household", household_id=made[0]), 303)


@bp.get("/households/<int:household_id>")
@requires("staff", "reader")
def household(household_id: int) -> ResponseReturnValue:
    """One household."""
    return _household_page(household_id, UnitFromForm(None, prefix="move", from_on=today()), 200)


def _household_page(household_id: int, move: UnitFromForm, status: int) -> ResponseReturnValue:
    found = household_service.household_page(household_id, on=today(), by=current_actor())
    _places(move.unit, "residential", _("– Chuyển khỏi địa bàn –"))
    return render_template("people/household.html", household=found, move=move), status


@bp.get("/households/<int:household_id>/edit")
@requires("staff")
def edit_household(household_id: int) -> ResponseReturnValue:
    """The form for a household."""
    found = household_service.household_page(household_id, on=today(), by=current_actor())
    form = HouseholdForm(obj=found)
    return render_template("people/household_form.html", form=form, household=found)


@bp.post("/households/<int:household_id>")
@requires("staff")
def save_household(household_id: int) -> ResponseReturnValue:
    """Change a household."""
    form = HouseholdForm()
    if not form.validate() or not attempt(
        form,
        lambda: household_service.save_household(
            household_id, form.facts(), now=now(), by=current_actor()
        ),
    ):
        found = household_service.household_page(household_id, on=today(), by=current_actor())
        return render_template("people/household_form.html", form=form, household=found), 422
    flash(_("Đã lưu."), "good")
    return redirect(url_for("people.household", household_id=household_id), 303)


@bp.post("/households/<int:household_id>/residences")
@requires("staff")
def move_household(household_id: int) -> ResponseReturnValue:
    """Move a household to another group, or away."""
    form = UnitFromForm(prefix="move")
    _places(form.unit, "residential", _("– Chuyển khỏi địa bàn –"))
    if not form.validate() or not attempt(
        form,
        lambda: household_service.move_household(
            household_id,
            unit_id=form.unit.data,
            from_on=form.from_on.data,
            now=now(),
            by=current_actor(),
        ),
    ):
        return _household_page(household_id, form, 422)
    flash(_("Đã ghi việc chuyển hộ."), "good")
    return redirect(url_for("people.household", household_id=household_id), 303)
