"""Meetings on screen: the list, one meeting, its form, and every step from draft to held."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import segno
from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from rules.clashes import Clash
from rules.days import local_day, written_day, written_moment
from rules.refusals import N_, Malformed, NotFound, Refusal
from services import campaigns, meeting_links, meeting_lists, meetings, units
from services.meeting_fields import MeetingFields
from services.meeting_lists import MeetingChoices, MeetingFilter
from web.errors import sentence_of
from web.fields import id_or_none
from web.identity import current_actor, now, requires
from web.meeting_form import KINDS, MeetingForm, empty_fields, seen, typed

bp = Blueprint("meetings", __name__, url_prefix="/meetings")

VIEWS = ("upcoming", "past", "untaken", "drafts", "all")
FIRST_TIME, LAST_TIME = time(7, 30), time(11)


@bp.get("/")
@requires()
def index() -> str:
    """The list, from today on unless asked otherwise."""
    view = request.args.get("view", "upcoming")
    wanted = _filter(view if view in VIEWS else "upcoming")
    actor, moment = current_actor(), now()
    page = meeting_lists.meeting_page(wanted, page=_number("page") or 1, now=moment, by=actor)
    return render_template(
        "meetings/index.html",
        page=page,
        view=view,
        moment=moment,
        wanted=wanted,
        kinds=KINDS,
        campaigns=[
            (line.code, f"{line.code} · {line.title}")
            for line in campaigns.campaign_list(today=local_day(moment), by=actor)
        ],
        units=units.unit_options(actor, local_day(moment)),
        may_plan=actor.has_any("staff"),
    )


def _filter(view: str) -> MeetingFilter:
    today = local_day(now())
    args = request.args
    wanted = MeetingFilter(
        first_on=_day("first"),
        last_on=_day("last"),
        kind=args.get("kind", ""),
        state=args.get("state", ""),
        campaign=args.get("campaign", ""),
        course=args.get("course", ""),
        unit_id=_number("unit"),
        series_id=_number("series"),
        words=args.get("q", ""),
    )
    if view == "past":
        return replace(wanted, last_on=wanted.last_on or today, newest_first=True)
    if view == "untaken":
        return replace(wanted, register_missing=True, newest_first=True)
    if view == "drafts":
        return replace(wanted, state="draft")
    if view == "upcoming" and not wanted.series_id:
        return replace(wanted, first_on=wanted.first_on or today)
    return wanted


def _day(name: str) -> date | None:
    text = request.args.get(name, "")
    try:
        return written_day(text) if text else None
    except ValueError:
        raise Malformed(N_("Ngày chưa đúng. Hãy viết như 26/11/2026.")) from None


def _number(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


@bp.get("/<int:meeting_id>")
@requires()
def show(meeting_id: int) -> str:
    """One meeting."""
    view = meeting_lists.meeting_view(meeting_id, now=now(), by=current_actor())
    return render_template("meetings/show.html", meeting=view, line=view.line, moment=now())


@bp.get("/new")
@requires("staff")
def new() -> ResponseReturnValue:
    """An empty form; a copy of a meeting with its guests; or the slot that was clicked."""
    source = _number("from")
    fields = _copied(source) if source else _asked_for()
    choices = meeting_lists.meeting_choices(fields, now=now(), by=current_actor())
    form = MeetingForm(typed(fields, choices, cloned_from=str(source or "")))
    return _form_page(form, choices, None, 200)


def _copied(source: int) -> MeetingFields:
    """The same a week later, from today on, with the same guests; points become new ones."""
    fields = meetings.meeting_fields(source, now=now(), by=current_actor())
    week = timedelta(days=7)
    weeks = max(1, -(-(now() - fields.starts_at) // week))
    points = tuple(replace(point, id=None) for point in fields.points)
    return replace(
        fields,
        starts_at=fields.starts_at + weeks * week,
        ends_at=fields.ends_at + weeks * week,
        points=points,
    )


def _asked_for() -> MeetingFields:
    args = request.args
    actor, today = current_actor(), local_day(now())
    organisers = units.unit_options(actor, today, tree="party", roles=("staff",))
    fields = empty_fields(
        organisers[0][0] if organisers else 0,
        _day("on") or today + timedelta(days=1),
        _clock("starts", FIRST_TIME),
        _clock("ends", LAST_TIME),
    )
    campaign = next(
        (
            line.id
            for line in campaigns.campaign_list(today=today, by=actor)
            if line.code == args.get("campaign")
        ),
        None,
    )
    kind = args.get("kind", "study")
    return replace(
        fields,
        campaign_id=campaign,
        course_id=_number("course"),
        kind="class" if _number("course") else kind if kind in dict(KINDS) else "study",
    )


def _clock(name: str, otherwise: time) -> time:
    try:
        return time.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return otherwise


def _form_page(
    form: MeetingForm, choices: MeetingChoices, meeting_id: int | None, status: int
) -> ResponseReturnValue:
    form.offer(choices)
    return (
        render_template(
            "meetings/form.html",
            form=form,
            choices=choices,
            meeting_id=meeting_id,
            clashes=_clashes_of(form, meeting_id),
        ),
        status,
    )


def _clashes_of(form: MeetingForm, meeting_id: int | None) -> list[Clash]:
    if not (form.on.data and form.starts.data and form.ends.data):
        return []
    try:
        fields = form.fields()
        if fields.ends_at <= fields.starts_at:
            return []
        return meetings.planned_clashes(fields, meeting_id, now=now(), by=current_actor())
    except Refusal:
        return []


@bp.post("/")
@requires("staff")
def create() -> ResponseReturnValue:
    """Save a new draft."""
    choices = meeting_lists.meeting_choices(now=now(), by=current_actor())
    form = MeetingForm()
    form.offer(choices)
    if not form.validate():
        return _form_page(form, choices, None, 422)
    try:
        meeting_id = meetings.create_meeting(
            form.fields(),
            cloned_from=id_or_none(form.cloned_from.data),
            now=now(),
            by=current_actor(),
        )
    except Refusal as refusal:
        form.form_errors.append(sentence_of(refusal))
        return _form_page(form, choices, None, _status(refusal))
    flash(_("Đã lưu bản nháp. Chưa ai được báo."), "good")
    return redirect(url_for("meetings.show", meeting_id=meeting_id), 303)


def _status(refusal: Refusal) -> int:
    """A form whose content is refused is shown again; what is not there stays not there."""
    if isinstance(refusal, NotFound):
        raise refusal
    return 422


@bp.get("/<int:meeting_id>/edit")
@requires("staff")
def edit(meeting_id: int) -> ResponseReturnValue:
    """The form of a meeting."""
    fields = meetings.meeting_fields(meeting_id, now=now(), by=current_actor())
    view = meeting_lists.meeting_view(meeting_id, now=now(), by=current_actor())
    choices = meeting_lists.meeting_choices(fields, now=now(), by=current_actor())
    form = MeetingForm(typed(fields, choices, seen_at=view.modified_at.isoformat()))
    return _form_page(form, choices, meeting_id, 200)


@bp.post("/<int:meeting_id>")
@requires("staff")
def save(meeting_id: int) -> ResponseReturnValue:
    """Save a draft; show what a published meeting's change would mean, and save when confirmed."""
    actor = current_actor()
    view = meeting_lists.meeting_view(meeting_id, now=now(), by=actor)
    kept = meetings.meeting_fields(meeting_id, now=now(), by=actor)
    choices = meeting_lists.meeting_choices(kept, now=now(), by=actor)
    form = MeetingForm()
    form.offer(choices)
    if not form.validate():
        return _form_page(form, choices, meeting_id, 422)
    try:
        if view.line.state == "published" and "confirmed" not in request.form:
            return _review_page(meeting_id, form.fields(), choices, form.seen_at.data or "")
        changed = meetings.save_meeting(
            meeting_id,
            form.fields(),
            tell=request.form.get("tell") != "no",
            override_reason=request.form.get("override_reason", ""),
            seen_at=seen(form.seen_at.data),
            now=now(),
            by=actor,
        )
    except Refusal as refusal:
        form.form_errors.append(sentence_of(refusal))
        return _form_page(form, choices, meeting_id, _status(refusal))
    flash(_("Đã lưu thay đổi.") if changed else _("Không có gì thay đổi."), "good")
    return redirect(url_for("meetings.show", meeting_id=meeting_id), 303)


@bp.get("/<int:meeting_id>/change")
@requires("staff")
def change(meeting_id: int) -> ResponseReturnValue:
    """What moving a published meeting (dragged on the calendar) would mean, before it is done."""
    actor = current_actor()
    view = meeting_lists.meeting_view(meeting_id, now=now(), by=actor)
    fields = meetings.meeting_fields(meeting_id, now=now(), by=actor)
    fields = replace(fields, starts_at=_moment("starts_at"), ends_at=_moment("ends_at"))
    choices = meeting_lists.meeting_choices(fields, now=now(), by=actor)
    return _review_page(meeting_id, fields, choices, view.modified_at.isoformat())


def _moment(name: str) -> datetime:
    try:
        return written_moment(request.args.get(name, "").replace(" ", "+"))
    except ValueError:
        raise Malformed(N_("Giờ của buổi chưa đúng. Hãy chọn lại trên lịch.")) from None


def _review_page(
    meeting_id: int, fields: MeetingFields, choices: MeetingChoices, seen_at: str
) -> ResponseReturnValue:
    preview = meetings.change_preview(meeting_id, fields, now=now(), by=current_actor())
    hidden = typed(fields, choices, seen_at=seen_at, confirmed="1")
    return render_template(
        "meetings/review.html",
        meeting_id=meeting_id,
        fields=fields,
        preview=preview,
        hidden=list(hidden.items(multi=True)),
    )


@bp.post("/clashes")
@requires("staff")
def clashes() -> ResponseReturnValue:
    """The clashes of a form as it is being typed."""
    choices = meeting_lists.meeting_choices(now=now(), by=current_actor())
    form = MeetingForm()
    form.offer(choices)
    found = _clashes_of(form, _meeting_of_form())
    return jsonify(ok=True, html=render_template("meetings/_clashes.html", clashes=found))


def _meeting_of_form() -> int | None:
    return id_or_none(request.form.get("meeting_id"))


@bp.get("/publications")
@requires("staff")
def publication() -> ResponseReturnValue:
    """What publishing the chosen drafts says, to whom, and what stands in the way."""
    return _publication_page(request.args.getlist("id"), None, 200)


def _publication_page(ids: list[str], refusal: Refusal | None, status: int) -> ResponseReturnValue:
    chosen = [one for one in map(id_or_none, ids) if one is not None]
    previews = meetings.publish_previews(chosen, now=now(), by=current_actor())
    page = render_template(
        "meetings/publication.html",
        previews=previews,
        error=sentence_of(refusal) if refusal else None,
        blocked=any(preview.is_blocked for preview in previews),
        refused=any(preview.refusal for preview in previews),
    )
    return page, status


@bp.post("/publications")
@requires("staff")
def publish() -> ResponseReturnValue:
    """Publish the chosen drafts, all or none."""
    ids = request.form.getlist("id")
    try:
        count = meetings.publish_meetings(
            [one for one in map(id_or_none, ids) if one is not None],
            override_reason=request.form.get("override_reason", ""),
            now=now(),
            by=current_actor(),
        )
    except Refusal as refusal:
        return _publication_page(ids, refusal, _status(refusal))
    flash(_("Đã công bố %(count)s buổi; thư mời đang được gửi.", count=count), "good")
    if len(ids) == 1:
        return redirect(url_for("meetings.show", meeting_id=int(ids[0])), 303)
    return redirect(url_for("meetings.index"), 303)


@bp.get("/<int:meeting_id>/cancellation")
@requires("staff")
def cancellation(meeting_id: int) -> ResponseReturnValue:
    """The question before calling a meeting off."""
    return _reason_page(meeting_id, "cancel", None, 200)


@bp.post("/<int:meeting_id>/cancellation")
@requires("staff")
def cancel(meeting_id: int) -> ResponseReturnValue:
    """Call a meeting off."""
    try:
        meetings.cancel_meeting(
            meeting_id, request.form.get("reason", ""), now=now(), by=current_actor()
        )
    except Refusal as refusal:
        return _reason_page(meeting_id, "cancel", refusal, _status(refusal))
    flash(_("Đã huỷ buổi. Người đã được mời sẽ nhận thư báo huỷ."), "good")
    return redirect(url_for("meetings.show", meeting_id=meeting_id), 303)


@bp.get("/<int:meeting_id>/failure")
@requires("staff")
def failure(meeting_id: int) -> ResponseReturnValue:
    """The question before saying that a meeting did not take place."""
    return _reason_page(meeting_id, "not_held", None, 200)


@bp.post("/<int:meeting_id>/failure")
@requires("staff")
def not_hold(meeting_id: int) -> ResponseReturnValue:
    """Say that a meeting did not take place, and why."""
    try:
        meetings.mark_not_held(
            meeting_id, request.form.get("reason", ""), now=now(), by=current_actor()
        )
    except Refusal as refusal:
        return _reason_page(meeting_id, "not_held", refusal, _status(refusal))
    flash(_("Đã ghi là không diễn ra."), "good")
    return redirect(url_for("meetings.show", meeting_id=meeting_id), 303)


def _reason_page(
    meeting_id: int, action: str, refusal: Refusal | None, status: int
) -> ResponseReturnValue:
    view = meeting_lists.meeting_view(meeting_id, now=now(), by=current_actor())
    page = render_template(
        "meetings/reason.html",
        meeting=view,
        line=view.line,
        action=action,
        error=sentence_of(refusal) if refusal else None,
        reason=request.form.get("reason", ""),
    )
    return page, status


@bp.post("/<int:meeting_id>/holding")
@requires("staff", "instructor")
def hold(meeting_id: int) -> ResponseReturnValue:
    """Say that a meeting took place."""
    meetings.mark_held(meeting_id, now=now(), by=current_actor())
    flash(_("Đã ghi là đã diễn ra."), "good")
    return redirect(url_for("meetings.show", meeting_id=meeting_id), 303)


@bp.post("/<int:meeting_id>/deletion")
@requires("staff")
def delete(meeting_id: int) -> ResponseReturnValue:
    """Remove a draft."""
    meetings.delete_draft(meeting_id, now=now(), by=current_actor())
    flash(_("Đã xoá bản nháp."), "good")
    return redirect(url_for("meetings.index"), 303)


@bp.get("/<int:meeting_id>/links")
@requires("staff", "instructor")
def links(meeting_id: int) -> str:
    """The register's links of a meeting."""
    return _links_page(meeting_id, None)


@bp.post("/<int:meeting_id>/links")
@requires("staff", "instructor")
def create_link(meeting_id: int) -> str:
    """Make a link; its address and its picture are shown this once."""
    made = meeting_links.create_meeting_link(
        meeting_id,
        label=request.form.get("label", ""),
        can_submit=request.form.get("can_submit") != "no",
        now=now(),
        by=current_actor(),
    )
    return _links_page(meeting_id, register_url(made.token))


def _links_page(meeting_id: int, made: str | None) -> str:
    actor, moment = current_actor(), now()
    view = meeting_lists.meeting_view(meeting_id, now=moment, by=actor)
    return render_template(
        "meetings/links.html",
        line=view.line,
        links=meeting_links.meeting_links(meeting_id, now=moment, by=actor),
        made=made,
        picture=qr_picture(made) if made else None,
    )


@bp.post("/<int:meeting_id>/links/<int:link_id>/revocation")
@requires("staff", "instructor")
def revoke_link(meeting_id: int, link_id: int) -> ResponseReturnValue:
    """Make a link worthless."""
    meeting_links.revoke_meeting_link(meeting_id, link_id, now=now(), by=current_actor())
    flash(_("Đã thu hồi đường điểm danh."), "good")
    return redirect(url_for("meetings.links", meeting_id=meeting_id), 303)


def register_url(token: str) -> str:
    """The address of a register's link."""
    return url_for("attendance.link", token=token, _external=True)


def qr_picture(text: str) -> Markup:
    """A QR code as an inline SVG that fills its box, without style attributes."""
    code = segno.make_qr(text, error="m")
    return Markup(code.svg_inline(border=4, light="#fff", omitsize=True))
