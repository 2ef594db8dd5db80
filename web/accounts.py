"""Signing in and out, one's own account, and the accounts an administrator looks after."""

import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from wtforms import BooleanField, FieldList, FormField, PasswordField, SelectField, StringField

from rules.days import local_day
from rules.permissions import ROLES, Grant
from rules.refusals import N_, TooBusy, TooManyAttempts
from services import accounts, sign_ins, units
from web import identity
from web.errors import sentence_of
from web.fields import Part, at_most, attempt, choices, id_or_none, needed, said
from web.form_sentences import Form
from web.identity import current_actor, now, requires

bp = Blueprint("accounts", __name__)

VOUCHED_FOR = timedelta(minutes=15)
LINK_USED = "link_used_at"
# What stands in every calendar object: who was invited opens it without an account.
MEETING_PAGE = re.compile(r"/meetings/\d+")
ROLE_NAMES = {
    "admin": said(N_("Quản trị viên")),
    "staff": said(N_("Cán bộ của ban")),
    "instructor": said(N_("Báo cáo viên")),
    "reader": said(N_("Người xem")),
}
BROWSERS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


class SignInForm(Form):
    """An e-mail, and a password unless a link is asked for."""

    email = StringField(said(N_("E-mail")), [needed(), at_most(254)])
    password = PasswordField(said(N_("Mật khẩu")), [at_most(1000)])


class ProfileForm(Form):
    """One's own name and language."""

    name = StringField(said(N_("Họ và tên")), [needed(), at_most(180)])
    language = SelectField(
        said(N_("Ngôn ngữ")), [needed()], choices={"vi": "Tiếng Việt", "en": "English"}
    )


class PasswordForm(Form):
    """A new password, and the one in use."""

    current = PasswordField(said(N_("Mật khẩu đang dùng")), [at_most(1000)])
    new = PasswordField(said(N_("Mật khẩu mới")), [needed(), at_most(200)])


class GrantForm(Part):
    """A role and over which unit; an empty role is an empty line."""

    role = SelectField(said(N_("Vai trò")))
    unit = SelectField(said(N_("Phụ trách đơn vị")), coerce=id_or_none)


class AccountForm(Form):
    """An account as an administrator writes it."""

    email = StringField(said(N_("E-mail")), [needed(), at_most(254)])
    name = StringField(said(N_("Họ và tên")), [needed(), at_most(180)])
    grants = FieldList(FormField(GrantForm), label=said(N_("Vai trò")), max_entries=20)
    is_active = BooleanField(said(N_("Được đăng nhập")), default=True)

    def offer_choices(self) -> None:
        """Fill the lists of roles and units."""
        actor = current_actor()
        roles = [("", _("– không –")), *((role, ROLE_NAMES[role]) for role in ROLES)]
        everything = [("", _("Toàn hệ thống"))]
        offered = [*everything, *units.unit_options(actor, local_day(now()))]
        for line in self.grants:
            line.form.role.flags.required = line.form.unit.flags.required = True
            line.form.role.choices = choices(roles)
            line.form.unit.choices = choices(offered)

    def wanted_grants(self) -> list[Grant]:
        """The lines that name a role."""
        lines = [line.form for line in self.grants]
        return [Grant(line.role.data, line.unit.data) for line in lines if line.role.data]


@bp.get("/sign-in")
def sign_in_form() -> ResponseReturnValue:
    """The sign-in page."""
    if current_user.is_authenticated:
        return redirect(_way_on())
    return _sign_in_page(SignInForm(), 200)


def _sign_in_page(form: SignInForm, status: int) -> ResponseReturnValue:
    next_address = request.values.get("next", "")
    form.password.flags.required = True
    page = render_template(
        "accounts/sign_in.html",
        form=form,
        next_address=next_address,
        is_from_calendar=bool(MEETING_PAGE.fullmatch(next_address)),
    )
    return page, status


@bp.post("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Sign in with a password."""
    form = SignInForm()
    if not form.validate():
        return _sign_in_page(form, 422)
    try:
        account_id = sign_ins.check_password(
            form.email.data, form.password.data or "", address=_address(), now=now()
        )
    except (sign_ins.SignInFailed, TooBusy, TooManyAttempts) as refusal:
        form.form_errors.append(sentence_of(refusal))
        return _sign_in_page(form, refusal.status)
    identity.sign_in(account_id, _device())
    return redirect(_way_on(), 303)


@bp.post("/sign-in/links")
def request_link() -> ResponseReturnValue:
    """Ask for a one-time link; the answer is the same whether or not the account exists."""
    form = SignInForm()
    if not form.validate():
        return _sign_in_page(form, 422)
    try:
        sign_ins.request_link(form.email.data, address=_address(), now=now())
    except TooManyAttempts as refusal:
        form.form_errors.append(sentence_of(refusal))
        return _sign_in_page(form, refusal.status)
    flash(
        _(
            "Nếu e-mail này có tài khoản, một đường đăng nhập đã được gửi tới đó. "
            "Đường ấy dùng được trong 10 phút."
        ),
        "good",
    )
    return redirect(url_for("accounts.sign_in_form", next=request.form.get("next") or None), 303)


@bp.get("/sign-in/<token>")
def link(token: str) -> str:
    """A page with a button: mail scanners open links, only a person presses."""
    return render_template("accounts/link.html", token=token, refusal=None)


@bp.post("/sign-in/<token>")
def use_link(token: str) -> ResponseReturnValue:
    """Sign in with a one-time link."""
    try:
        account_id = sign_ins.use_link(token, now=now())
    except sign_ins.LinkSpent as refusal:
        page = render_template("accounts/link.html", token="", refusal=sentence_of(refusal))
        return page, refusal.status
    identity.sign_in(account_id, _device())
    session[LINK_USED] = now().isoformat()
    return redirect(url_for("home.index"), 303)


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this sign-in."""
    identity.sign_out()
    flash(_("Đã đăng xuất."), "good")
    return redirect(url_for("accounts.sign_in_form"), 303)


@bp.get("/me")
@requires()
def mine() -> ResponseReturnValue:
    """One's own account: name, language, password and sign-ins."""
    return _my_page(_profile_form(), PasswordForm(formdata=None), 200)


def _profile_form() -> ProfileForm:
    actor = current_actor()
    details = accounts.account_details(actor.account_id or 0, by=actor)
    return ProfileForm(formdata=None, name=details.name, language=details.language)


def _my_page(profile: ProfileForm, password: PasswordForm, status: int) -> ResponseReturnValue:
    actor = current_actor()
    password.current.flags.required = True
    page = render_template(
        "accounts/mine.html",
        profile=profile,
        password=password,
        account=accounts.account_details(actor.account_id or 0, by=actor),
        asks_current=not _is_vouched(),
        sign_ins=sign_ins.open_sign_ins(now=now(), by=actor, token=current_user.get_id()),
    )
    return page, status


@bp.post("/me")
@requires()
def save_mine() -> ResponseReturnValue:
    """Change one's own name and language."""
    form = ProfileForm()
    if not form.validate() or not attempt(
        form,
        lambda: accounts.save_profile(
            name=form.name.data, language=form.language.data, now=now(), by=current_actor()
        ),
    ):
        return _my_page(form, PasswordForm(formdata=None), 422)
    session["language"] = form.language.data
    flash(_("Đã lưu."), "good")
    return redirect(url_for("accounts.mine"), 303)


@bp.post("/me/password")
@requires()
def save_password() -> ResponseReturnValue:
    """Set one's own password; every other sign-in ends."""
    form = PasswordForm()
    if not form.validate() or not attempt(
        form,
        lambda: accounts.set_password(
            form.new.data,
            current=form.current.data or "",
            is_vouched=_is_vouched(),
            token=current_user.get_id(),
            now=now(),
            by=current_actor(),
        ),
    ):
        return _my_page(_profile_form(), form, 422)
    session.pop(LINK_USED, None)
    identity.renew()
    flash(_("Đã đặt mật khẩu. Các lần đăng nhập ở nơi khác đã kết thúc."), "good")
    return redirect(url_for("accounts.mine"), 303)


@bp.post("/me/sign-ins/<int:sign_in_id>/ending")
@requires()
def end_sign_in(sign_in_id: int) -> ResponseReturnValue:
    """End one of one's own sign-ins."""
    sign_ins.end_one(sign_in_id, now=now(), by=current_actor())
    flash(_("Đã kết thúc lần đăng nhập ấy."), "good")
    return redirect(url_for("accounts.mine"), 303)


@bp.post("/me/sign-ins/endings")
@requires()
def end_other_sign_ins() -> ResponseReturnValue:
    """End one's own sign-ins everywhere but here."""
    sign_ins.end_all(now=now(), by=current_actor(), except_token=current_user.get_id())
    flash(_("Đã kết thúc mọi lần đăng nhập ở nơi khác."), "good")
    return redirect(url_for("accounts.mine"), 303)


@bp.get("/accounts")
@requires("admin")
def index() -> str:
    """Every account."""
    query, role = request.args.get("q", ""), request.args.get("role", "")
    rows = accounts.account_rows(by=current_actor(), query=query, role=role)
    return render_template("accounts/index.html", rows=rows, role_names=ROLE_NAMES)


@bp.get("/accounts/new")
@requires("admin")
def new() -> ResponseReturnValue:
    """The form for a new account."""
    form = AccountForm(grants=[{}, {}])
    form.offer_choices()
    return _account_page(form, None, 200)


def _account_page(form: AccountForm, account_id: int | None, status: int) -> ResponseReturnValue:
    page = render_template("accounts/form.html", form=form, account_id=account_id)
    return page, status


@bp.post("/accounts")
@requires("admin")
def create() -> ResponseReturnValue:
    """Open an account and show its first sign-in link, once."""
    form = AccountForm()
    form.offer_choices()
    made: list[tuple[int, str]] = []
    if not form.validate() or not attempt(
        form,
        lambda: made.append(
            accounts.create_account(
                email=form.email.data,
                name=form.name.data,
                grants=form.wanted_grants(),
                now=now(),
                by=current_actor(),
            )
        ),
    ):
        return _account_page(form, None, 422)
    return _link_page(*made[0])


def _link_page(account_id: int, token: str) -> str:
    return render_template(
        "accounts/made.html",
        account=accounts.account_details(account_id, by=current_actor()),
        url=sign_ins.sign_in_link_url(token),
    )


@bp.get("/accounts/<int:account_id>")
@requires("admin")
def edit(account_id: int) -> ResponseReturnValue:
    """The form for an account."""
    account = accounts.account_details(account_id, by=current_actor())
    lines = [{"role": grant.role, "unit": grant.unit_id} for grant in account.grants]
    form = AccountForm(
        email=account.email, name=account.name, is_active=account.is_active, grants=[*lines, {}]
    )
    form.offer_choices()
    return _account_page(form, account_id, 200)


@bp.post("/accounts/<int:account_id>")
@requires("admin")
def save(account_id: int) -> ResponseReturnValue:
    """Change an account."""
    form = AccountForm()
    del form.email
    form.offer_choices()
    if not form.validate() or not attempt(
        form,
        lambda: accounts.save_account(
            account_id,
            name=form.name.data,
            grants=form.wanted_grants(),
            is_active=form.is_active.data,
            now=now(),
            by=current_actor(),
        ),
    ):
        return _account_page(form, account_id, 422)
    flash(_("Đã lưu tài khoản."), "good")
    return redirect(url_for("accounts.index"), 303)


@bp.post("/accounts/<int:account_id>/links")
@requires("admin")
def create_link(account_id: int) -> ResponseReturnValue:
    """A new first sign-in link for somebody who cannot get in, shown once."""
    token = accounts.new_sign_in_link(account_id, now=now(), by=current_actor())
    return _link_page(account_id, token)


def _address() -> str:
    return request.remote_addr or ""


def _device() -> str:
    agent = request.user_agent.string
    browser = next((name for sign, name in BROWSERS if sign in agent), "")
    system = next((name for sign, name in SYSTEMS if sign in agent), "")
    return " · ".join(part for part in (browser, system) if part)


def _is_vouched() -> bool:
    """Whether this browser came in by a one-time link just now."""
    used_at = session.get(LINK_USED)
    return bool(used_at) and now() - datetime.fromisoformat(str(used_at)) < VOUCHED_FOR


def _way_on() -> str:
    """Where the person wanted to go, if that is a page of this site."""
    address = request.values.get("next", "")
    parts = urlsplit(address.replace("\\", "/"))
    inside = not parts.scheme and not parts.netloc and address.startswith("/")
    return address if inside and not address.startswith("//") else url_for("home.index")
