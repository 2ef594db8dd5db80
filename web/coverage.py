"""The board of targets on screen: campaigns at a glance, units, missing people, make-up."""

from collections.abc import Callable, Sequence
from datetime import time, timedelta

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup
from wtforms import (
    BooleanField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TimeField,
)

from rules.charts import BarChart, Day, DayChart, Voice
from rules.coverage import Figure, HouseholdFigure, MemberFigure
from rules.day_charts import DaysSoFar
from rules.days import instant, local_day
from rules.refusals import N_
from rules.report_charts import (
    Row,
    household_course,
    households_by_group,
    lowest_first,
    member_course,
    members_by_unit,
)
from services import campaigns, coverage, coverage_board, exports, makeup, meeting_lists
from services.coverage_board import CampaignBoard
from services.makeup import MakeupCall, MakeupCandidates
from web import charts
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
from web.filters import number
from web.form_sentences import Form
from web.identity import current_actor, now, requires
from web.preferences import chosen_language

bp = Blueprint("coverage", __name__, url_prefix="/coverage")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BARS_SHOWN = 12
USUAL_START, USUAL_END = time(7, 30), time(11)


class MakeupForm(Form):
    """When, where and by whom the missing are taught."""

    topic = StringField(said(N_("Chuyên đề")), [needed(), at_most(300)])
    on = DayField(said(N_("Ngày")), [needed()])
    starts = TimeField(said(N_("Bắt đầu")), [needed()])
    ends = TimeField(said(N_("Kết thúc")), [needed()])
    organiser_id = SelectField(said(N_("Đơn vị tổ chức")), [needed()], coerce=id_or_none)
    venue_id = SelectField(said(N_("Địa điểm")), coerce=id_or_none)
    place = StringField(said(N_("Nơi khác hoặc phòng cụ thể")), [at_most(300)])
    online_url = StringField(said(N_("Đường dẫn trực tuyến")), [at_most(500)])
    speaker_ids = SelectMultipleField(said(N_("Báo cáo viên")), coerce=id_or_none)
    campaign_topic_id = SelectField(said(N_("Chuyên đề của đợt")), coerce=id_or_none)
    seats = IntegerField(said(N_("Số chỗ mỗi buổi")), [may_be_empty(), between(1, 100_000)])
    by_unit = BooleanField(said(N_("Mỗi tổ chức cơ sở đảng một buổi riêng")))
    days_between = IntegerField(
        said(N_("Các buổi cách nhau (ngày)")), [may_be_empty(), between(0, 60)], default=1
    )
    skip_invited = BooleanField(said(N_("Bỏ qua người đã có buổi học bù sắp tới")), default=True)
    publish = BooleanField(said(N_("Công bố ngay và gửi giấy mời")))
    override_reason = StringField(said(N_("Lý do vẫn tổ chức dù trùng lịch")), [at_most(300)])

    def offer_choices(self, code: str) -> None:
        """Fill the lists from what this person may use."""
        offered = meeting_lists.meeting_choices(now=now(), by=current_actor())
        nothing = [("", _("– chưa chọn –"))]
        self.organiser_id.choices = choices(offered.organisers)
        self.venue_id.choices = choices([*nothing, *offered.venues])
        self.speaker_ids.choices = choices(offered.speakers)
        topics = campaigns.campaign(code, today=local_day(now()), by=current_actor()).topics
        self.campaign_topic_id.choices = choices([*nothing, *topics])

    def call(self, unit: str | None) -> MakeupCall:
        """What was asked for."""
        return MakeupCall(
            starts_at=instant(self.on.data, self.starts.data),
            ends_at=instant(self.on.data, self.ends.data),
            organiser_id=self.organiser_id.data,
            topic=self.topic.data,
            unit=unit,
            venue_id=self.venue_id.data,
            place=self.place.data or "",
            online_url=self.online_url.data or "",
            speaker_ids=tuple(self.speaker_ids.data or ()),
            campaign_topic_id=self.campaign_topic_id.data,
            seats=self.seats.data,
            by_unit=self.by_unit.data,
            days_between=1 if self.days_between.data is None else self.days_between.data,
            skip_invited=self.skip_invited.data,
            publish=self.publish.data,
            override_reason=self.override_reason.data or "",
        )


@bp.get("/")
@requires("staff", "reader")
def index() -> str:
    """The board: every open campaign, both targets."""
    lines = coverage_board.board(now=now(), by=current_actor())
    return render_template("coverage/index.html", lines=lines, today=local_day(now()))


@bp.get("/<code>")
@requires("staff", "reader")
def show(code: str) -> str:
    """One campaign's board: its targets, charts, and a line for every unit and group."""
    board = coverage_board.campaign_board(code, now=now(), by=current_actor())
    return render_template(
        "coverage/show.html",
        board=board,
        line=board.line,
        figures=board.line.figures,
        today=local_day(now()),
        may_call=current_actor().has_any("staff") and board.line.figures.state == "open",
        unit_href=lambda unit: url_for("coverage.unit", code=code, unit_code=unit.code),
        **_pictures(board, limit=BARS_SHOWN),
    )


@bp.get("/<code>/print")
@requires("staff", "reader")
def paper(code: str) -> str:
    """The same figures on A4."""
    board = coverage_board.campaign_board(code, now=now(), by=current_actor())
    return render_template(
        "coverage/print.html",
        board=board,
        figures=board.line.figures,
        today=local_day(now()),
        **_pictures(board, limit=None),
    )


@bp.get("/<code>/units/<unit_code>")
@requires("staff", "reader")
def unit(code: str, unit_code: str) -> str:
    """A reporting unit's cells, and who in it is still missing."""
    actor, today = current_actor(), local_day(now())
    whole, cells = coverage.cell_figures(code, unit_code, by=actor, today=today)
    return render_template(
        "coverage/unit.html",
        campaign=campaigns.campaign(code, today=today, by=actor),
        whole=whole,
        cells=cells,
        people=coverage.missing_people(code, by=actor, today=today, unit=unit_code),
        may_call=actor.has_any("staff"),
        cell_href=lambda cell: url_for("coverage.missing", code=code, unit=cell.code),
    )


@bp.get("/<code>/groups/<group_code>")
@requires("staff", "reader")
def group(code: str, group_code: str) -> str:
    """The households of a residential group for which nobody has come."""
    actor, today = current_actor(), local_day(now())
    figures = coverage.campaign_figures(code, by=actor, today=today)
    found = next((one for one in figures.groups if one.code == group_code), None)
    return render_template(
        "coverage/group.html",
        figures=figures,
        group=found,
        group_code=group_code,
        campaign=campaigns.campaign(code, today=today, by=actor),
        households=coverage.missing_households(code, group_code, by=actor, today=today),
    )


@bp.get("/<code>/missing")
@requires("staff", "reader")
def missing(code: str) -> str:
    """Everybody still missing, or those of one unit."""
    actor, today = current_actor(), local_day(now())
    figures = coverage.campaign_figures(code, by=actor, today=today)
    chosen = request.args.get("unit") or None
    return render_template(
        "coverage/missing.html",
        figures=figures,
        people=coverage.missing_people(code, by=actor, today=today, unit=chosen),
        unit_code=chosen,
        may_call=actor.has_any("staff") and figures.state == "open",
    )


@bp.get("/<code>/missing.xlsx")
@requires("staff", "reader")
def missing_workbook(code: str) -> ResponseReturnValue:
    """The missing list as a workbook; the export is logged."""
    chosen = request.args.get("unit") or None
    answer = make_response(
        exports.missing_workbook(code, now=now(), by=current_actor(), unit=chosen)
    )
    answer.headers["Content-Type"] = XLSX
    answer.headers["Content-Disposition"] = f'attachment; filename="con-thieu-{code}.xlsx"'
    return answer


@bp.get("/<code>/makeup")
@requires("staff")
def makeup_form(code: str) -> ResponseReturnValue:
    """Who would be called, and the form that calls them."""
    campaign = campaigns.campaign(code, today=local_day(now()), by=current_actor())
    form = MakeupForm(
        topic=_("Học bù: %(title)s", title=campaign.title),
        on=local_day(now()) + timedelta(days=3),
        starts=USUAL_START,
        ends=USUAL_END,
    )
    return _makeup_page(code, form, 200)


@bp.post("/<code>/makeup")
@requires("staff")
def call_makeup(code: str) -> ResponseReturnValue:
    """Call the missing to make-up meetings, as drafts or published at once."""
    form = MakeupForm()
    form.offer_choices(code)
    chosen = request.args.get("unit") or None
    made: list[makeup.MakeupResult] = []
    if not form.validate() or not attempt(
        form,
        lambda: made.append(
            makeup.call_makeup(code, form.call(chosen), now=now(), by=current_actor())
        ),
    ):
        return _makeup_page(code, form, 422)
    flash(
        _(
            "Đã mời %(people)s người học bù, chia %(meetings)s buổi.",
            people=number(made[0].invited, chosen_language()),
            meetings=len(made[0].meeting_ids),
        ),
        "good",
    )
    if len(made[0].meeting_ids) == 1:
        return redirect(url_for("meetings.show", meeting_id=made[0].meeting_ids[0]), 303)
    return redirect(url_for("meetings.index", view="all", campaign=code), 303)


def _makeup_page(code: str, form: MakeupForm, status: int) -> ResponseReturnValue:
    chosen = request.args.get("unit") or None
    form.offer_choices(code)
    candidates: MakeupCandidates = makeup.makeup_candidates(
        code, now=now(), by=current_actor(), unit=chosen
    )
    page = render_template(
        "coverage/makeup.html",
        form=form,
        candidates=candidates,
        unit_code=chosen,
        campaign=campaigns.campaign(code, today=local_day(now()), by=current_actor()),
    )
    return page, status


def _pictures(board: CampaignBoard, *, limit: int | None) -> dict[str, Markup | None]:
    """The charts of a board: members by unit, households by group, and both over time.

    The lowest lines stand first, and those with nobody to count are left out.
    """
    figures, voice = board.line.figures, charts.voice()
    units = [
        (unit.name, unit.members.figure, (unit.members.covered_main, unit.members.covered_makeup))
        for unit in figures.units
    ]
    groups = [
        (
            " · ".join(filter(None, (group.name, board.areas.get(group.unit_id)))),
            group.households.figure,
            (group.households.covered,),
        )
        for group in figures.groups
    ]
    ids = ([unit.unit_id for unit in figures.units], [group.unit_id for group in figures.groups])
    members = members_by_unit(
        voice, "units", _remarked(board, units, ids[0]), figures.members.figure
    )
    households = households_by_group(
        voice, "groups", _remarked(board, groups, ids[1]), figures.households.figure
    )
    return {
        "units_chart": _drawn(lowest_first(members, limit)),
        "groups_chart": _drawn(lowest_first(households, limit)),
        "members_chart": _course(board, board.members_progress, figures.members, member_course),
        "households_chart": _course(
            board, board.households_progress, figures.households, household_course
        ),
    }


def _remarked(
    board: CampaignBoard, lines: Sequence[tuple[str, Figure, tuple[int, ...]]], ids: Sequence[int]
) -> list[Row]:
    return [
        (*line, _("chưa tổ chức") if board.sittings.get(unit_id) == "none" else "")
        for line, unit_id in zip(lines, ids, strict=True)
    ]


def _drawn(chart: BarChart) -> Markup | None:
    return charts.draw(chart) if chart.bars else None


def _course(
    board: CampaignBoard,
    days: tuple[Day, ...],
    figure: MemberFigure | HouseholdFigure,
    chart: Callable[[Voice, str, DaysSoFar], DayChart],
) -> Markup | None:
    if not figure.eligible:
        return None
    figures = board.line.figures
    known = DaysSoFar(days, figure.figure, figures.opens_on, figures.deadline_on, local_day(now()))
    return charts.draw(chart(charts.voice(), chart.__name__, known))
