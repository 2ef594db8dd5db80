"""The settings' pages: the board's choices, days off and working days, and reminder rules."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import IntegerField, SelectField, StringField

from rules.days import local_day, written_day
from rules.refusals import N_, Malformed
from services import settings
from web.fields import DayField, at_most, attempt, between, choices, needed, said
from web.form_sentences import Form
from web.identity import current_actor, now, requires

bp = Blueprint("settings", __name__, url_prefix="/settings")

MINUTES = {"minutes": 1, "hours": 60, "days": 24 * 60}
KIND_NAMES = {
    "": said(N_("Mọi loại buổi")),
    "study": said(N_("Học nghị quyết")),
    "class": said(N_("Lớp lý luận")),
    "outreach": said(N_("Tuyên truyền")),
    "cell": said(N_("Sinh hoạt chi bộ")),
}
DAY_NAMES = {"off": said(N_("Nghỉ")), "working": said(N_("Làm việc"))}


class ValuesForm(Form):
    """Only the protection against forgery: the fields come from the list of settings."""


class DayForm(Form):
    """A day that differs from the official calendar."""

    on = DayField(said(N_("Ngày")), [needed()])
    kind = SelectField(said(N_("Ngày này")), choices=choices(DAY_NAMES.items()))
    name = StringField(said(N_("Lý do")), [needed(), at_most(200)])


class ReminderForm(Form):
    """A reminder some time before a meeting of a kind."""

    amount = IntegerField(said(N_("Trước")), [needed(), between(1, 10_000)])
    unit = SelectField(
        said(N_("Tính theo")),
        choices=choices(
            [
                ("days", said(N_("ngày"))),
                ("hours", said(N_("giờ"))),
                ("minutes", said(N_("phút"))),
            ]
        ),
    )
    kind = SelectField(said(N_("Loại buổi")), choices=choices(KIND_NAMES.items()))


@bp.get("")
@requires("admin")
def index() -> ResponseReturnValue:
    """Everything that can be chosen."""
    return _page(200)


def _page(
    status: int,
    values: dict[str, str] | None = None,
    values_form: ValuesForm | None = None,
    day: DayForm | None = None,
    reminder: ReminderForm | None = None,
) -> ResponseReturnValue:
    year = _year_asked()
    page = render_template(
        "settings/index.html",
        specs=settings.SPECS.values(),
        values=values or settings.settings_now(),
        values_form=values_form or ValuesForm(None),
        day=day or DayForm(None),
        reminder=reminder or ReminderForm(None),
        year=year,
        own_days=settings.days_of(year),
        holidays=settings.holidays_of(year),
        rules=settings.reminder_rules(),
        kind_names=KIND_NAMES,
        day_names=DAY_NAMES,
    )
    return page, status


def _year_asked() -> int:
    text = request.args.get("year", "")
    year = int(text) if text.isdecimal() and len(text) == 4 else local_day(now()).year
    return year if 2000 <= year <= 2100 else local_day(now()).year


@bp.post("")
@requires("admin")
def save() -> ResponseReturnValue:
    """Change the settings."""
    form = ValuesForm()
    values = {
        spec.key: request.form.get(spec.key, "0" if spec.kind == "flag" else "")
        for spec in settings.SPECS.values()
    }
    if not form.validate() or not attempt(
        form, lambda: settings.save_settings(values, now=now(), by=current_actor())
    ):
        return _page(422, values=values, values_form=form)
    flash(_("Đã lưu thiết lập."), "good")
    return redirect(url_for("settings.index"), 303)


@bp.post("/days")
@requires("admin")
def save_day() -> ResponseReturnValue:
    """Say that a day is off, or a working day."""
    form = DayForm()
    if not form.validate() or not attempt(
        form,
        lambda: settings.save_day(
            form.on.data,
            kind=form.kind.data,
            name=form.name.data,
            now=now(),
            by=current_actor(),
        ),
    ):
        return _page(422, day=form)
    flash(_("Đã lưu ngày."), "good")
    return redirect(url_for("settings.index", year=form.on.data.year, _anchor="days"), 303)


@bp.post("/days/<day>/removal")
@requires("admin")
def remove_day(day: str) -> ResponseReturnValue:
    """Let the official calendar decide about that day again."""
    try:
        on = written_day(day)
    except ValueError:
        raise Malformed(N_("Ngày chưa đúng. Hãy tải lại trang.")) from None
    settings.remove_day(on, now=now(), by=current_actor())
    flash(_("Đã bỏ ngày này khỏi bảng chỉnh sửa."), "good")
    return redirect(url_for("settings.index", year=on.year, _anchor="days"), 303)


@bp.post("/reminders")
@requires("admin")
def create_reminder() -> ResponseReturnValue:
    """Add a reminder rule."""
    form = ReminderForm()
    if not form.validate() or not attempt(
        form,
        lambda: settings.add_reminder_rule(
            kind=form.kind.data or None,
            minutes_before=form.amount.data * MINUTES[form.unit.data],
            now=now(),
            by=current_actor(),
        ),
    ):
        return _page(422, reminder=form)
    flash(_("Đã thêm lời nhắc."), "good")
    return redirect(url_for("settings.index", _anchor="reminders"), 303)


@bp.post("/reminders/<int:rule_id>")
@requires("admin")
def switch_reminder(rule_id: int) -> ResponseReturnValue:
    """Turn a reminder rule on or off."""
    settings.switch_reminder_rule(
        rule_id,
        is_active=request.form.get("is_active") == "1",
        now=now(),
        by=current_actor(),
    )
    return redirect(url_for("settings.index", _anchor="reminders"), 303)
