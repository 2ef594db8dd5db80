"""Members' own pages about their data, the staff's queue of requests, retention and breaches."""

from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from wtforms import BooleanField, RadioField, SelectField, StringField, TextAreaField

from rules.days import LOCAL
from rules.privacy import CHANNELS, CORRECTABLE, NOTICE
from rules.refusals import N_, Malformed
from services import breach, erasure, own_data, privacy, privacy_desk, retention
from services.privacy import NOTICE_PARTS
from web.fields import at_most, attempt, choices, needed, said
from web.form_sentences import Form
from web.identity import current_actor, now, requires

bp = Blueprint("privacy", __name__)

KIND_NAMES = {
    "correction": said(N_("Sửa điều chưa đúng")),
    "objection": said(N_("Phản đối việc dùng dữ liệu của tôi")),
    "restriction": said(N_("Hạn chế: chỉ giữ, không gửi và không dùng thêm")),
    "deletion": said(N_("Xoá dữ liệu của tôi")),
    "access": said(N_("Xin một bản đầy đủ bằng giấy")),
}
FIELD_NAMES = {
    "": said(N_("Chọn điều chưa đúng")),
    "name": said(N_("Họ và tên")),
    "birth_year": said(N_("Năm sinh")),
    "phone": said(N_("Điện thoại")),
    "email": said(N_("E-mail")),
    "unit": said(N_("Chi bộ")),
    "standing": said(N_("Chính thức hay dự bị")),
    "exemption": said(N_("Thời gian được miễn")),
    "study": said(N_("Buổi đã dự, đợt đã học")),
    "attendance": said(N_("Điểm danh")),
}
STATE_NAMES = {
    "new": said(N_("mới gửi")),
    "answered": said(N_("đang làm")),
    "done": said(N_("đã xong")),
    "refused": said(N_("không nhận")),
}
STEP_NAMES = {
    "received": said(N_("Đã nhận yêu cầu")),
    "answered": said(N_("Đã trả lời")),
    "extended": said(N_("Gia hạn 15 ngày")),
    "done": said(N_("Đã xong")),
    "refused": said(N_("Không nhận")),
}
STEPS: dict[str, Callable[..., None]] = {
    "answered": privacy_desk.answer,
    "extended": privacy_desk.extend,
    "done": privacy_desk.finish,
    "refused": privacy_desk.refuse,
}
SEEN_NAMES = {
    "viewed": said(N_("mở xem")),
    "exported": said(N_("xuất ra")),
    "changed": said(N_("sửa")),
    "data_link_made": said(N_("tạo đường xem dữ liệu")),
}
CHANNEL_NAMES = {
    "mail": said(N_("Thư mời và thư báo thay đổi qua e-mail")),
    "reminders": said(N_("Thư nhắc trước buổi")),
}


class RequestForm(Form):
    """What a person asks; no reason is asked for."""

    kind = RadioField(said(N_("Tôi muốn")), [needed()], choices=choices(KIND_NAMES.items()))
    field = SelectField(
        said(N_("Điều chưa đúng")),
        choices=choices((name, FIELD_NAMES[name]) for name in ("", *CORRECTABLE)),
        default="",
    )
    proposed = StringField(said(N_("Viết cho đúng là")), [at_most(200)])


class ChannelForm(Form):
    """Which letters the person wants; nothing is ticked beforehand."""

    mail = BooleanField(CHANNEL_NAMES["mail"])
    reminders = BooleanField(CHANNEL_NAMES["reminders"])


class StepForm(Form):
    """One step of a request, and what the person is told."""

    step = RadioField(
        said(N_("Việc làm")),
        [needed()],
        choices=choices((name, STEP_NAMES[name]) for name in STEPS),
    )
    told = TextAreaField(said(N_("Báo cho người yêu cầu")), [needed(), at_most(500)])


class EmptyForm(Form):
    """Only the protection against forgery."""


class BreachForm(Form):
    """The span in which data may have got out."""

    first = StringField(said(N_("Từ lúc")), [needed()])
    last = StringField(said(N_("Đến lúc")), [needed()])
    found = StringField(said(N_("Phát hiện lúc")), [needed()])
    account = StringField(said(N_("Chỉ của tài khoản (tên)")), [at_most(180)])


@bp.get("/my-data/<token>")
def own(token: str) -> str:
    """Everything kept on the holder of a secret link, and what they may ask."""
    return _own_page(token, RequestForm(None), _channels(token))


@bp.post("/my-data/<token>/requests")
def ask(token: str) -> ResponseReturnValue:
    """Put a request in the queue."""
    form = RequestForm()
    if not (form.validate() and attempt(form, lambda: _ask(token, form), form.kind)):
        return _own_page(token, form, _channels(token)), 422
    flash(_("Đã nhận yêu cầu. Trả lời của cơ quan sẽ hiện ở trang này."), "good")
    return redirect(url_for("privacy.own", token=token, _anchor="requests"), 303)


def _ask(token: str, form: RequestForm) -> int:
    return privacy.ask(
        token,
        kind=form.kind.data or "",
        field=form.field.data or "",
        proposed=form.proposed.data or "",
        now=now(),
    )


@bp.post("/my-data/<token>/channels")
def choose(token: str) -> ResponseReturnValue:
    """Keep which letters the person wants."""
    form = ChannelForm()
    privacy.choose(token, {name: form[name].data for name in CHANNELS}, now=now())
    flash(_("Đã ghi lựa chọn của đồng chí."), "good")
    return redirect(url_for("privacy.own", token=token, _anchor="channels"), 303)


@bp.post("/my-data/<token>/revocation")
def close(token: str) -> ResponseReturnValue:
    """End this link at its holder's wish."""
    privacy.close_own_link(token, now=now())
    return render_template("privacy/closed.html")


@bp.post("/subscriptions/<token>/my-data")
def mail_link(token: str) -> ResponseReturnValue:
    """From the calendar's page: send the link to the address on file, to nobody else."""
    privacy.mail_link_by_feed(token, now=now())
    flash(
        _("Nếu đồng chí có e-mail trong danh sách, đường xem dữ liệu đã được gửi tới đó."), "good"
    )
    return redirect(url_for("feeds.show", token=token), 303)


def _channels(token: str) -> ChannelForm:
    data = own_data.own_data(token, now=now())
    has_chosen = data.wants_mail is not None
    ticked = {"mail": data.wants_mail is True, "reminders": has_chosen and data.wants_reminders}
    return ChannelForm(None, data=ticked)


def _own_page(token: str, form: RequestForm, channels: ChannelForm) -> str:
    return render_template(
        "privacy/own.html",
        data=own_data.own_data(token, now=now()),
        token=token,
        form=form,
        channels=channels,
        **_names(),
    )


def _names() -> dict[str, object]:
    return {
        "kind_names": KIND_NAMES,
        "field_names": FIELD_NAMES,
        "request_states": STATE_NAMES,
        "step_names": STEP_NAMES,
        "seen_names": SEEN_NAMES,
        "channel_names": CHANNEL_NAMES,
    }


@bp.get("/privacy/notice")
def notice() -> str:
    """What data is used for, on what basis, who gets it and how long: for everybody to read."""
    return render_template("privacy/notice.html", purposes=privacy.notice())


@bp.get("/privacy/notice/edit")
@requires("admin")
def edit_notice() -> str:
    """The notice's texts as a form."""
    return _edit_notice(EmptyForm())


@bp.post("/privacy/notice/edit")
@requires("admin")
def save_notice() -> ResponseReturnValue:
    """Keep the board's own words."""
    form = EmptyForm()
    texts = {
        purpose.key: {name: request.form.get(f"{purpose.key}-{name}", "") for name in NOTICE_PARTS}
        for purpose in privacy.notice()
    }
    if not attempt(form, lambda: privacy.save_notice(texts, now=now(), by=current_actor())):
        return _edit_notice(form), 422
    flash(_("Đã lưu thông báo."), "good")
    return redirect(url_for("privacy.notice"), 303)


def _edit_notice(form: Form) -> str:
    purposes = list(zip(privacy.notice(), NOTICE, strict=True))
    return render_template("privacy/edit_notice.html", purposes=purposes, form=form)


@bp.get("/privacy/requests")
@requires("staff")
def index() -> str:
    """The queue of requests, the most urgent first."""
    is_open = request.args.get("show") != "closed"
    rows = privacy_desk.queue(is_open=is_open, now=now(), by=current_actor())
    return render_template("privacy/index.html", rows=rows, is_open=is_open, **_names())


@bp.get("/privacy/requests/<int:request_id>")
@requires("staff")
def show(request_id: int) -> str:
    """One request with its clocks and answers."""
    return _request_page(request_id, StepForm(None))


@bp.post("/privacy/requests/<int:request_id>/steps")
@requires("staff")
def step(request_id: int) -> ResponseReturnValue:
    """Answer, extend, finish or refuse."""
    form = StepForm()
    if not (form.validate() and attempt(form, lambda: _take_step(request_id, form), form.told)):
        return _request_page(request_id, form), 422
    flash(_("Đã ghi. Người yêu cầu thấy trả lời ở trang của họ."), "good")
    return redirect(url_for("privacy.show", request_id=request_id), 303)


def _take_step(request_id: int, form: StepForm) -> None:
    STEPS[str(form.step.data)](request_id, form.told.data or "", now=now(), by=current_actor())


def _request_page(request_id: int, form: StepForm) -> str:
    page = privacy_desk.request_page(request_id, now=now(), by=current_actor())
    return render_template("privacy/show.html", page=page, form=form, **_names())


@bp.get("/privacy/people/<int:person_id>")
@requires("staff")
def links(person_id: int) -> str:
    """The addresses of one person's own page, and the way to erase them."""
    return _links_page(person_id)


@bp.post("/privacy/people/<int:person_id>/links")
@requires("staff")
def create_link(person_id: int) -> ResponseReturnValue:
    """Make an address and show it this once."""
    url = privacy.make_link(person_id, now=now(), by=current_actor())
    return _links_page(person_id, url=url), 201


@bp.post("/privacy/links/<int:link_id>/revocation")
@requires("staff")
def revoke_link(link_id: int) -> ResponseReturnValue:
    """End one address."""
    person_id = privacy.revoke_link(link_id, now=now(), by=current_actor())
    flash(_("Đã thu hồi đường liên kết."), "good")
    return redirect(url_for("privacy.links", person_id=person_id), 303)


def _links_page(person_id: int, url: str = "") -> str:
    actor = current_actor()
    return render_template(
        "privacy/links.html",
        rows=privacy.links_of(person_id, now=now(), by=actor),
        view=erasure.erasure_view(person_id, now=now(), by=actor),
        url=url,
    )


@bp.post("/privacy/people/<int:person_id>/erasure")
@requires("staff")
def erase(person_id: int) -> ResponseReturnValue:
    """Erase a person after the name was typed once more."""
    view = erasure.erasure_view(person_id, now=now(), by=current_actor())
    if " ".join(request.form.get("name", "").split()) != view.name:
        raise Malformed(N_("Tên gõ lại chưa khớp, nên chưa xoá gì. Hãy quay lại và thử lại."))
    left = erasure.erase_person(person_id, now=now(), by=current_actor())
    return render_template("privacy/erased.html", left=left)


@bp.get("/privacy/retention")
@requires("admin")
def retention_page() -> str:
    """What is due to lose its names: a look before anything is done."""
    plan = retention.retention_plan(now=now(), by=current_actor())
    return render_template("privacy/retention.html", plan=plan)


@bp.post("/privacy/retention")
@requires("admin")
def run_retention() -> ResponseReturnValue:
    """Do it now."""
    retention.run_retention(now=now(), by=current_actor())
    flash(_("Đã thay tên bằng mã ẩn danh ở những nơi hết thời hạn."), "good")
    return redirect(url_for("privacy.retention_page"), 303)


@bp.get("/privacy/breach")
@requires("admin")
def breach_form() -> str:
    """Where a breach is looked into."""
    return render_template("privacy/breach.html", form=BreachForm(None), report=None)


@bp.post("/privacy/breach")
@requires("admin")
def breach_report() -> ResponseReturnValue:
    """Who was affected, and a first text of the notification."""
    form = BreachForm()
    found: list[breach.BreachReport] = []
    if not (form.validate() and attempt(form, lambda: found.append(_breach(form)), form.first)):
        return render_template("privacy/breach.html", form=form, report=None), 422
    hours_left = (found[0].notify_by - now()).total_seconds() / 3600
    return render_template(
        "privacy/breach.html",
        form=form,
        report=found[0],
        hours_left=int(hours_left),
        field_names=FIELD_NAMES,
        notification=_notification(found[0]),
    )


def _notification(report: breach.BreachReport) -> str:
    fields = sorted({field for one in report.people for field in one.fields})
    names = [str(FIELD_NAMES[field]) for field in fields]
    return render_template("privacy/notification.txt", report=report, fields=names)


def _breach(form: BreachForm) -> breach.BreachReport:
    return breach.breach_report(
        _moment(form.first.data),
        _moment(form.last.data),
        found_at=_moment(form.found.data),
        account_name=(form.account.data or "").strip(),
        now=now(),
        by=current_actor(),
    )


def _moment(text: str | None) -> datetime:
    """A local date and time as the browser's picker writes it."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        raise Malformed(N_("Ngày giờ chưa đúng. Hãy chọn lại.")) from None
    if not 2000 <= moment.year <= 2100:
        raise Malformed(N_("Ngày giờ chưa đúng. Hãy chọn lại."))
    return moment if moment.tzinfo else moment.replace(tzinfo=LOCAL)
