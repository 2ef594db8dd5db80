"""The calendar, the printed week, meetings made by a rule, clashes and proposals."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import (
    BooleanField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from rules.days import LOCAL, local_day, written_day, written_moment
from rules.recurrence import Rule
from rules.refusals import N_, Malformed, Refusal
from services import campaigns, meeting_lists, meetings, planning, units
from services.meeting_lists import MeetingFilter, MeetingLine
from services.planning import BulkPlan, proposed_key
from web.errors import sentence_of
from web.fields import DayField, choices, id_or_none
from web.form_sentences import Form
from web.identity import current_actor, now, requires
from web.meeting_form import COUNTINGS, KINDS, empty_fields

bp = Blueprint("planning", __name__, url_prefix="/planning")

WEEKDAYS = (
    (0, _l("Thứ Hai")),
    (1, _l("Thứ Ba")),
    (2, _l("Thứ Tư")),
    (3, _l("Thứ Năm")),
    (4, _l("Thứ Sáu")),
    (5, _l("Thứ Bảy")),
    (6, _l("Chủ nhật")),
)
FREQUENCIES = (
    ("weekly", _l("Hằng tuần")),
    ("monthly_weekday", _l("Hằng tháng, theo thứ")),
    ("monthly_day", _l("Hằng tháng, theo ngày")),
)
NTHS = (
    (1, _l("tuần đầu")),
    (2, _l("tuần thứ hai")),
    (3, _l("tuần thứ ba")),
    (4, _l("tuần thứ tư")),
    (-1, _l("tuần cuối")),
)
SPREADS = (
    ("every", _l("Mỗi ngày, mỗi đơn vị một buổi")),
    ("turn", _l("Lần lượt, mỗi ngày một đơn vị")),
    ("together", _l("Các đơn vị dự chung một buổi")),
)
CLASH_DAYS = 60


class BulkForm(Form):
    """A rule and what its meetings share."""

    topic = StringField(_l("Chuyên đề"), [InputRequired(), Length(max=300)])
    kind = RadioField(
        _l("Loại buổi"), [InputRequired()], choices=choices(KINDS), default="outreach"
    )
    campaign_id = SelectField(_l("Đợt học tập"), coerce=id_or_none, validate_choice=False)
    course_id = SelectField(_l("Lớp"), coerce=id_or_none, validate_choice=False)
    periods = IntegerField(_l("Số tiết mỗi buổi"), [Optional(), NumberRange(min=0, max=24)])
    organiser_id = SelectField(
        _l("Đơn vị tổ chức"), [InputRequired()], coerce=id_or_none, validate_choice=False
    )
    frequency = RadioField(
        _l("Lặp"), [InputRequired()], choices=choices(FREQUENCIES), default="weekly"
    )
    weekdays = SelectMultipleField(_l("Vào các thứ"), coerce=int, choices=choices(WEEKDAYS))
    nth = SelectField(_l("Tuần trong tháng"), coerce=int, choices=choices(NTHS), default=1)
    month_day = IntegerField(_l("Ngày trong tháng"), [Optional(), NumberRange(min=1, max=31)])
    interval = IntegerField(
        _l("Cách mấy tuần hoặc tháng"), [InputRequired(), NumberRange(min=1, max=52)], default=1
    )
    from_on = DayField(_l("Từ ngày"), [InputRequired()])
    until_on = DayField(_l("Đến ngày"), [Optional()])
    count = IntegerField(_l("Hoặc số ngày"), [Optional(), NumberRange(min=1, max=200)])
    starts = TimeField(_l("Bắt đầu"), [InputRequired()])
    ends = TimeField(_l("Kết thúc"), [InputRequired()])
    skip_holidays = BooleanField(_l("Bỏ qua ngày lễ, Tết"), default=True)
    excluded = TextAreaField(_l("Các ngày loại trừ"), [Length(max=4000)])
    spread = RadioField(
        _l("Chia buổi cho đơn vị"), [InputRequired()], choices=choices(SPREADS), default="every"
    )
    unit_ids = SelectMultipleField(_l("Đơn vị được mời"), coerce=int, validate_choice=False)
    venue_id = SelectField(_l("Địa điểm"), coerce=id_or_none, validate_choice=False)
    own_venue = BooleanField(_l("Mỗi đơn vị họp tại địa điểm của mình nếu có"))
    speaker_ids = SelectMultipleField(_l("Báo cáo viên"), coerce=int, validate_choice=False)
    counting = RadioField(
        _l("Cách tính"), [InputRequired()], choices=choices(COUNTINGS), default="roll"
    )

    def offer(self, offered: meeting_lists.MeetingChoices) -> None:
        """Fill the lists."""
        self.campaign_id.choices = choices([(None, _l("Không thuộc đợt nào")), *offered.campaigns])
        self.course_id.choices = choices([(None, _l("Không thuộc lớp nào")), *offered.courses])
        self.organiser_id.choices = choices(offered.organisers)
        self.venue_id.choices = choices([(None, _l("– chọn địa điểm –")), *offered.venues])
        self.speaker_ids.choices = choices(offered.speakers)
        self.unit_ids.choices = choices((unit.id, unit.name) for unit in offered.units)

    def plan(self) -> BulkPlan:
        """The form as the services take it."""
        if self.organiser_id.data is None:
            raise Malformed(N_("Hãy chọn đơn vị tổ chức."))
        shared = empty_fields(
            self.organiser_id.data, self.from_on.data, self.starts.data, self.ends.data
        )
        return BulkPlan(
            fields=replace(
                shared,
                kind=self.kind.data,
                topic=self.topic.data,
                campaign_id=self.campaign_id.data,
                course_id=self.course_id.data,
                periods=self.periods.data,
                venue_id=self.venue_id.data,
                speaker_ids=tuple(self.speaker_ids.data or ()),
                counting=self.counting.data,
            ),
            rule=self._rule(),
            unit_ids=tuple(self.unit_ids.data or ()),
            in_turn=self.spread.data == "turn",
            each_unit=self.spread.data != "together",
            excluded=frozenset(_days(self.excluded.data or "")),
            skip_holidays=self.skip_holidays.data,
            own_venue=self.own_venue.data,
        )

    def _rule(self) -> Rule:
        frequency = self.frequency.data
        return Rule(
            frequency="weekly" if frequency == "weekly" else "monthly",
            from_on=self.from_on.data,
            starts=self.starts.data,
            ends=self.ends.data,
            weekdays=frozenset(self.weekdays.data or ()),
            nth=self.nth.data if frequency == "monthly_weekday" else None,
            month_day=self.month_day.data if frequency == "monthly_day" else None,
            interval=self.interval.data,
            until_on=self.until_on.data,
            count=self.count.data,
        )


def _days(text: str) -> list[date]:
    """Days as people write them, one after another: 30/4/2027 or 2027-04-30."""
    found = []
    for word in text.replace(",", " ").replace(";", " ").split():
        try:
            parts = [int(part) for part in word.replace("-", "/").split("/")]
            year, month, day = parts if parts[0] > 31 else reversed(parts)
            found.append(date(year, month, day))
        except (ValueError, IndexError):
            raise Malformed(
                N_("Ngày loại trừ “%(day)s” chưa đúng. Hãy viết như 26/11/2026."), day=word[:20]
            ) from None
    return found


@bp.get("/")
@requires()
def index() -> str:
    """The calendar; without script, the week of the chosen day as a list."""
    actor, today = current_actor(), local_day(now())
    chosen = _day("on") or today
    monday = chosen - timedelta(days=chosen.weekday())
    view = planning.calendar_view(_filter(monday, monday + timedelta(days=6)), now=now(), by=actor)
    return render_template(
        "planning/index.html",
        days=_by_day(view, monday),
        monday=monday,
        one_week=timedelta(weeks=1),
        chosen=chosen,
        today=today,
        kinds=KINDS,
        campaigns=[
            (line.code, f"{line.code} · {line.title}")
            for line in campaigns.campaign_list(today=today, by=actor)
        ],
        units=units.unit_options(actor, today),
        may_plan=actor.has_any("staff"),
    )


def _filter(first: date, last: date) -> MeetingFilter:
    unit = request.args.get("unit", "")
    return MeetingFilter(
        first_on=first,
        last_on=last,
        kind=request.args.get("kind", ""),
        state=request.args.get("state", ""),
        campaign=request.args.get("campaign", ""),
        unit_id=id_or_none(unit),
    )


def _day(name: str) -> date | None:
    text = request.args.get(name, "")[:10]
    try:
        return written_day(text) if text else None
    except ValueError:
        raise Malformed(N_("Ngày chưa đúng. Hãy viết như 26/11/2026.")) from None


def _by_day(
    view: planning.CalendarView, monday: date
) -> list[tuple[date, str, list[MeetingLine], list[MeetingLine]]]:
    """Each day of the week with its note, and its meetings before noon and after."""
    days = []
    for place in range(7):
        day = monday + timedelta(days=place)
        lines = [
            line
            for line in view.meetings
            if local_day(line.starts_at) == day and line.state != "cancelled"
        ]
        morning = [line for line in lines if line.starts_at.astimezone(LOCAL).hour < 12]
        note = view.days.get(day)
        name = note.name if note is not None and note.kind != "weekend" else ""
        days.append((day, name, morning, [line for line in lines if line not in morning]))
    return days


@bp.get("/meetings")
@requires()
def feed() -> ResponseReturnValue:
    """The calendar's data: meetings, and days that are not ordinary, between two days."""
    first, last = _day("start"), _day("end")
    if first is None or last is None:
        raise Malformed(N_("Khoảng ngày của lịch chưa đúng. Hãy chọn lại."))
    actor = current_actor()
    view = planning.calendar_view(_filter(first, last), now=now(), by=actor)
    mine = planning.movable_meetings([line.id for line in view.meetings], now=now(), by=actor)
    return jsonify(
        ok=True,
        meetings=[_as_json(line, line.id in mine) for line in view.meetings],
        days=[
            {"on": day.isoformat(), "kind": note.kind, "name": note.name}
            for day, note in view.days.items()
            if note.kind != "weekend"
        ],
    )


def _as_json(line: MeetingLine, is_mine: bool) -> dict[str, object]:
    return {
        "id": line.id,
        "kind": line.kind,
        "topic": line.topic,
        "starts_at": line.starts_at.astimezone(LOCAL).isoformat(),
        "ends_at": line.ends_at.astimezone(LOCAL).isoformat(),
        "place": line.place,
        "speakers": line.speakers,
        "state": line.state,
        "register": line.register_state,
        "movable": is_mine and line.state in ("draft", "published"),
        "url": url_for("meetings.show", meeting_id=line.id),
        "change_url": url_for("meetings.change", meeting_id=line.id),
    }


@bp.post("/moves")
@requires("staff")
def move() -> ResponseReturnValue:
    """Put a draft at another time; answers with its clashes there."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("meeting"), int):
        raise Malformed(N_("Nội dung gửi lên chưa đúng. Hãy tải lại trang rồi thử lại."))
    found = meetings.move_meeting(
        body["meeting"],
        _moment(body.get("starts_at")),
        _moment(body.get("ends_at")),
        now=now(),
        by=current_actor(),
    )
    note = planning.note_of_day(local_day(_moment(body.get("starts_at"))))
    return jsonify(
        ok=True,
        clashes=[
            {"severity": clash.severity, "text": _(clash.sentence, **clash.params)}
            for clash in found
        ],
        day=note.name if note is not None and note.kind != "weekend" else None,
    )


def _moment(text: object) -> datetime:
    try:
        return written_moment(str(text))
    except ValueError:
        raise Malformed(N_("Giờ của buổi chưa đúng. Hãy chọn lại trên lịch.")) from None


@bp.get("/week")
@requires()
def week() -> ResponseReturnValue:
    """Where the printed week used to be: the week's document now, or the calendar's list of it."""
    chosen = _day("on") or local_day(now())
    if current_actor().has_any("staff", "reader"):
        return redirect(url_for("documents.show", kind="week", key=chosen.isoformat()))
    return redirect(url_for("planning.index", on=chosen.isoformat()))


@bp.get("/bulk")
@requires("staff")
def bulk() -> ResponseReturnValue:
    """The form of a rule."""
    form = BulkForm(
        from_on=local_day(now()) + timedelta(days=1), starts=time(19, 30), ends=time(21)
    )
    if request.args.get("course", "").isdecimal():
        form.course_id.data, form.kind.data = id_or_none(request.args["course"]), "class"
        form.spread.data = "together"
    return _bulk_page(form, 200)


def _bulk_page(form: BulkForm, status: int) -> ResponseReturnValue:
    offered = meeting_lists.meeting_choices(now=now(), by=current_actor())
    form.offer(offered)
    return render_template("planning/bulk.html", form=form, choices=offered), status


@bp.post("/bulk")
@requires("staff")
def create_bulk() -> ResponseReturnValue:
    """Preview the meetings of a rule; make the ticked ones when confirmed."""
    form = BulkForm()
    form.offer(meeting_lists.meeting_choices(now=now(), by=current_actor()))
    if not form.validate():
        return _bulk_page(form, 422)
    try:
        if "confirmed" not in request.form:
            return _preview_page(form.plan())
        keys = frozenset(request.form.getlist("row"))
        series, count = planning.create_in_bulk(form.plan(), keys, now=now(), by=current_actor())
    except Refusal as refusal:
        form.form_errors.append(sentence_of(refusal))
        return _bulk_page(form, 422)
    flash(_("Đã tạo %(count)s bản nháp. Hãy xem lại rồi công bố.", count=count), "good")
    return redirect(url_for("meetings.index", view="all", series=series), 303)


def _preview_page(plan: BulkPlan) -> ResponseReturnValue:
    preview = planning.bulk_preview(plan, now=now(), by=current_actor())
    skipped = {"csrf_token", "row", "confirmed"}
    hidden = [
        (name, value) for name, value in request.form.items(multi=True) if name not in skipped
    ]
    return render_template(
        "planning/preview.html", preview=preview, hidden=hidden, names=_place_names()
    )


def _place_names() -> dict[int, str]:
    return dict(meeting_lists.meeting_choices(now=now(), by=current_actor()).venues)


@bp.get("/clashes")
@requires("staff", "reader")
def clashes() -> str:
    """Every clash of the coming weeks on one page."""
    found = planning.coming_clashes(CLASH_DAYS, now=now(), by=current_actor())
    return render_template("planning/clashes.html", clashes=found, days=CLASH_DAYS)


@bp.get("/proposals/<code>")
@requires("staff")
def propose(code: str) -> str:
    """A proposal of meetings for those a campaign still misses."""
    seed = request.args.get("seed", "0")
    found = planning.proposal_for(
        code, seed=max(id_or_none(seed) or 0, 0), now=now(), by=current_actor()
    )
    return render_template("planning/proposal.html", found=found, key=proposed_key, seed=seed)


@bp.post("/proposals/<code>")
@requires("staff")
def create_proposed(code: str) -> ResponseReturnValue:
    """Make drafts of the ticked meetings of the proposal."""
    seed = request.form.get("seed", "0")
    count = planning.create_proposed(
        code,
        frozenset(request.form.getlist("row")),
        is_makeup="is_makeup" in request.form,
        seed=max(id_or_none(seed) or 0, 0),
        now=now(),
        by=current_actor(),
    )
    flash(_("Đã tạo %(count)s bản nháp. Hãy xem lại rồi công bố.", count=count), "good")
    return redirect(url_for("meetings.index", view="drafts", campaign=code), 303)
