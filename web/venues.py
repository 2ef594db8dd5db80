"""The venues' pages: the list and the form."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import BooleanField, IntegerField, SelectField, StringField

from rules.refusals import N_
from services import venues
from services.venues import MOST_SEATS, VenueFacts
from web.fields import at_most, attempt, between, id_or_none, may_be_empty, needed, said
from web.form_sentences import Form
from web.identity import current_actor, now, requires
from web.speakers import offer_units

bp = Blueprint("venues", __name__, url_prefix="/venues")


class VenueForm(Form):
    """A venue."""

    name = StringField(said(N_("Tên địa điểm")), [needed(), at_most(200)])
    address = StringField(said(N_("Địa chỉ")), [at_most(300)])
    unit = SelectField(said(N_("Đơn vị quản lý")), coerce=id_or_none)
    capacity = IntegerField(said(N_("Sức chứa (chỗ)")), [may_be_empty(), between(1, MOST_SEATS)])
    is_shared = BooleanField(said(N_("Nhiều buổi cùng lúc được (toà nhà nhiều phòng)")))
    is_active = BooleanField(said(N_("Còn dùng")), default=True)

    def facts(self) -> VenueFacts:
        """What the form says."""
        return VenueFacts(
            name=self.name.data,
            address=self.address.data or "",
            unit_id=self.unit.data,
            capacity=self.capacity.data,
            is_shared=self.is_shared.data,
            is_active=self.is_active.data,
        )


@bp.get("")
@requires("staff", "reader")
def index() -> str:
    """The venues."""
    rows = venues.venue_rows(
        query=request.args.get("q", ""),
        everything=request.args.get("all") == "yes",
        now=now(),
        by=current_actor(),
    )
    return render_template("venues/index.html", rows=rows)


@bp.get("/new")
@requires("staff")
def new() -> ResponseReturnValue:
    """The form for a new venue."""
    return _form_page(VenueForm(), None, 200)


def _form_page(form: VenueForm, venue_id: int | None, status: int) -> ResponseReturnValue:
    offer_units(form.unit)
    return render_template("venues/form.html", form=form, venue_id=venue_id), status


@bp.get("/<int:venue_id>")
@requires("staff")
def edit(venue_id: int) -> ResponseReturnValue:
    """The form for a venue."""
    venue = venues.venue_row(venue_id, now=now(), by=current_actor())
    return _form_page(VenueForm(obj=venue, unit=venue.unit_id), venue_id, 200)


@bp.post("")
@requires("staff")
def create() -> ResponseReturnValue:
    """Add a venue."""
    return _save(None)


@bp.post("/<int:venue_id>")
@requires("staff")
def save(venue_id: int) -> ResponseReturnValue:
    """Change a venue."""
    return _save(venue_id)


def _save(venue_id: int | None) -> ResponseReturnValue:
    form = VenueForm()
    offer_units(form.unit)
    if not form.validate() or not attempt(
        form,
        lambda: venues.save_venue(venue_id, form.facts(), now=now(), by=current_actor()),
    ):
        return _form_page(form, venue_id, 422)
    flash(_("Đã lưu địa điểm."), "good")
    return redirect(url_for("venues.index"), 303)
