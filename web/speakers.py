"""The speakers' pages: the list, one with the meetings to come, and the form."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import BooleanField, SelectField, StringField

from rules.days import local_day
from rules.refusals import N_
from services import speakers, units
from services.speakers import SpeakerFacts
from web.fields import at_most, attempt, choices, id_or_none, needed, said
from web.form_sentences import Form
from web.identity import current_actor, now, requires

bp = Blueprint("speakers", __name__, url_prefix="/speakers")

LEVEL_NAMES = {
    "central": said(N_("Trung ương")),
    "province": said(N_("Cấp tỉnh")),
    "ward": said(N_("Cấp xã, phường")),
    "grassroots": said(N_("Cơ sở")),
}


class SpeakerForm(Form):
    """A speaker."""

    name = StringField(said(N_("Họ và tên")), [needed(), at_most(180)])
    title = StringField(said(N_("Chức danh, đơn vị công tác")), [at_most(200)])
    level = SelectField(said(N_("Báo cáo viên cấp")), choices=choices(LEVEL_NAMES.items()))
    unit = SelectField(said(N_("Đơn vị quản lý")), coerce=id_or_none)
    phone = StringField(said(N_("Điện thoại")), [at_most(60)])
    email = StringField(said(N_("E-mail nhận thư mời")), [at_most(254)])
    account_email = StringField(said(N_("Tài khoản đăng nhập (e-mail)")), [at_most(254)])
    is_active = BooleanField(said(N_("Còn tham gia báo cáo")), default=True)

    def facts(self) -> SpeakerFacts:
        """What the form says."""
        return SpeakerFacts(
            name=self.name.data,
            title=self.title.data or "",
            level=self.level.data,
            unit_id=self.unit.data,
            phone=self.phone.data or "",
            email=self.email.data or "",
            account_email=self.account_email.data or "",
            is_active=self.is_active.data,
        )


@bp.get("")
@requires("staff", "reader")
def index() -> str:
    """The speakers."""
    rows = speakers.speaker_rows(
        query=request.args.get("q", ""),
        everybody=request.args.get("all") == "yes",
        now=now(),
        by=current_actor(),
    )
    return render_template("speakers/index.html", rows=rows, level_names=LEVEL_NAMES)


@bp.get("/<int:speaker_id>")
@requires("staff", "reader")
def show(speaker_id: int) -> str:
    """One speaker and the meetings to come."""
    speaker, meetings, is_changeable = speakers.speaker_page(
        speaker_id, now=now(), by=current_actor()
    )
    return render_template(
        "speakers/show.html",
        speaker=speaker,
        meetings=meetings,
        is_changeable=is_changeable,
        level_names=LEVEL_NAMES,
    )


@bp.get("/new")
@requires("staff")
def new() -> ResponseReturnValue:
    """The form for a new speaker."""
    return _form_page(SpeakerForm(), None, 200)


def _form_page(form: SpeakerForm, speaker_id: int | None, status: int) -> ResponseReturnValue:
    offer_units(form.unit)
    return render_template("speakers/form.html", form=form, speaker_id=speaker_id), status


def offer_units(field: SelectField) -> None:
    """The units that may own a speaker or a venue."""
    options = units.unit_options(current_actor(), local_day(now()), tree="party", roles=("staff",))
    field.choices = choices([("", _("Dùng chung toàn hệ thống")), *options])


@bp.get("/<int:speaker_id>/edit")
@requires("staff")
def edit(speaker_id: int) -> ResponseReturnValue:
    """The form for a speaker."""
    speaker, _meetings, _is_changeable = speakers.speaker_page(
        speaker_id, now=now(), by=current_actor()
    )
    return _form_page(SpeakerForm(obj=speaker, unit=speaker.unit_id), speaker_id, 200)


@bp.post("")
@requires("staff")
def create() -> ResponseReturnValue:
    """Add a speaker."""
    return _save(None)


@bp.post("/<int:speaker_id>")
@requires("staff")
def save(speaker_id: int) -> ResponseReturnValue:
    """Change a speaker."""
    return _save(speaker_id)


def _save(speaker_id: int | None) -> ResponseReturnValue:
    form = SpeakerForm()
    offer_units(form.unit)
    saved: list[int] = []
    if not form.validate() or not attempt(
        form,
        lambda: saved.append(
            speakers.save_speaker(speaker_id, form.facts(), now=now(), by=current_actor())
        ),
    ):
        return _form_page(form, speaker_id, 422)
    flash(_("Đã lưu."), "good")
    return redirect(url_for("speakers.show", speaker_id=saved[0]), 303)
