"""Accounts: who may use the screens, in which roles, and until when a browser stays signed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from gateways.mail import is_address
from gateways.passwords import hash_password, password_matches
from models import Account, RoleGrant, SignIn, SignInLink, Unit
from rules import passwords
from rules.permissions import ROLES, Actor, Grant
from rules.refusals import N_, Malformed, NotAllowed, NotFound, Refusal
from rules.text import clean, fold, matches
from services import audit
from services.access import granted_unit_ids
from services.sign_ins import (
    FIRST_LINK_LASTS,
    IDLE_LASTS,
    IDLE_LASTS_AT_DESK,
    SIGN_IN_LASTS,
    clean_email,
    end_browsers_of,
    end_sign_ins_of,
    make_link,
)
from services.tokens import new_token, token_hash
from services.transaction import reading, writing

SEEN_EVERY = timedelta(minutes=1)
LANGUAGES = ("vi", "en")


@dataclass(frozen=True)
class AccountRow:
    """An account in the list: its roles with the names of their units ("" for everything)."""

    id: int
    email: str
    name: str
    is_active: bool
    has_password: bool
    grants: tuple[tuple[str, str], ...]
    last_seen_at: datetime | None


@dataclass(frozen=True)
class AccountDetails:
    """One account as the form needs it."""

    id: int
    email: str
    name: str
    language: str
    is_active: bool
    has_password: bool
    grants: tuple[Grant, ...]


def open_sign_in(account_id: int, *, now: datetime, device: str = "") -> str:
    """Start a sign-in for an account and return its token, which only the browser keeps."""
    token = new_token()
    with writing() as session:
        session.add(
            SignIn(
                token_hash=token_hash(token),
                account_id=account_id,
                device=device[:120],
                created_at=now,
                last_seen_at=now,
            )
        )
    return token


def actor_of_sign_in(token: str, *, now: datetime) -> Actor | None:
    """Who a sign-in's token stands for now; None when unknown, ended, too old or switched off.

    Notes when the sign-in was last seen, at most once a minute.
    """
    session = reading()
    row = session.execute(
        select(Account, SignIn)
        .join(SignIn, SignIn.account_id == Account.id)
        .where(
            SignIn.token_hash == token_hash(token),
            SignIn.ended_at.is_(None),
            SignIn.created_at > now - SIGN_IN_LASTS,
            SignIn.last_seen_at > now - IDLE_LASTS,
            Account.is_active,
        )
    ).one_or_none()
    if row is None:
        return None
    account, sign_in = row
    actor = _actor(account)
    if actor.has_any("staff") and sign_in.last_seen_at <= now - IDLE_LASTS_AT_DESK:
        return None
    if sign_in.last_seen_at < now - SEEN_EVERY:
        _note_seen(sign_in.id, now)
    return actor


def _actor(account: Account) -> Actor:
    grants = reading().execute(
        select(RoleGrant.role, RoleGrant.unit_id).where(RoleGrant.account_id == account.id)
    )
    return Actor(
        name=account.name,
        account_id=account.id,
        grants=tuple(Grant(role, unit_id) for role, unit_id in grants),
        language=account.language,
    )


def _note_seen(sign_in_id: int, now: datetime) -> None:
    try:
        with writing() as session:
            session.execute(update(SignIn).where(SignIn.id == sign_in_id).values(last_seen_at=now))
    except OperationalError:
        # A long import may hold the database; when somebody was seen is not worth their page.
        reading().rollback()


def end_sign_in(token: str, *, now: datetime) -> None:
    """Sign out: the token is worth nothing from now on."""
    with writing() as session:
        row = session.scalar(select(SignIn).where(SignIn.token_hash == token_hash(token)))
        if row is not None and row.ended_at is None:
            row.ended_at = now


def device_of(token: str) -> str:
    """What a sign-in's browser called itself."""
    found = select(SignIn.device).where(SignIn.token_hash == token_hash(token))
    return reading().scalar(found) or ""


def create_account(
    *,
    email: str,
    name: str,
    grants: Sequence[Grant],
    language: str = "vi",
    now: datetime,
    by: Actor,
) -> tuple[int, str]:
    """Open an account with its roles; gives its id and a first sign-in link's token (7 days)."""
    _require_administrator(by)
    email, name = _checked_email(email), _checked_name(name or email.partition("@")[0])
    with writing() as session:
        if session.scalar(select(Account.id).where(Account.email == email)):
            raise Refusal(
                N_("E-mail %(email)s đã có tài khoản. Hãy sửa tài khoản ấy ở trang Tài khoản."),
                email=email,
            )
        wanted = _checked_grants(session, grants)
        account = Account(email=email, name=name, language=language, created_at=now)
        session.add(account)
        session.flush()
        _set_grants(session, account.id, wanted)
        token = make_link(session, account.id, now=now, lasts=FIRST_LINK_LASTS)
        audit.record(
            session,
            now=now,
            by=by,
            action="created",
            entity="account",
            entity_id=account.id,
            grants=_told(wanted),
        )
        account_id = account.id
    return account_id, token


def save_account(
    account_id: int,
    *,
    name: str,
    grants: Sequence[Grant],
    is_active: bool = True,
    now: datetime,
    by: Actor,
) -> None:
    """Change an account's name, roles and whether it may sign in.

    Locking ends its sign-ins and spends its links; other roles end its sign-ins, so that no
    browser goes on with what it held before.
    """
    _require_administrator(by)
    name = _checked_name(name)
    with writing() as session:
        account = _account_for(session, account_id)
        wanted = _checked_grants(session, grants)
        before = _grants_of(session, account.id)
        _refuse_losing_yourself(by, account, wanted, is_active)
        _refuse_losing_the_last_administrator(session, account, wanted, is_active)
        changes: dict[str, object] = {}
        if name != account.name:
            changes["name"] = "changed"
        if set(wanted) != set(before):
            changes["grants"] = {"before": _told(before), "after": _told(wanted)}
        if is_active != account.is_active:
            changes["is_active"] = is_active
        account.name, account.is_active = name, is_active
        _set_grants(session, account.id, wanted)
        if not is_active:
            end_sign_ins_of(session, account.id, now=now)
        elif "grants" in changes and account.id != by.account_id:
            end_browsers_of(session, account.id, now=now)
        if changes:
            _record(session, now, by, account.id, "changed", changes)


def new_sign_in_link(account_id: int, *, now: datetime, by: Actor) -> str:
    """A new first sign-in link (7 days) for somebody who cannot get in; earlier links are spent."""
    _require_administrator(by)
    with writing() as session:
        account = _account_for(session, account_id)
        if not account.is_active:
            raise Refusal(N_("Tài khoản này đang khoá. Hãy mở lại trước khi tạo đường đăng nhập."))
        session.execute(
            update(SignInLink)
            .where(SignInLink.account_id == account.id, SignInLink.used_at.is_(None))
            .values(used_at=now)
        )
        token = make_link(session, account.id, now=now, lasts=FIRST_LINK_LASTS)
        _record(session, now, by, account.id, "link_made", {})
    return token


def save_profile(*, name: str, language: str, now: datetime, by: Actor) -> None:
    """Change one's own name and language."""
    name = _checked_name(name)
    if language not in LANGUAGES:
        raise Malformed(N_("Hãy chọn tiếng Việt hoặc tiếng Anh."))
    with writing() as session:
        account = _account_for(session, by.account_id)
        if (account.name, account.language) != (name, language):
            account.name, account.language = name, language
            _record(session, now, by, account.id, "changed", {"profile": True})


def set_password(
    new: str, *, current: str, is_vouched: bool, token: str, now: datetime, by: Actor
) -> None:
    """Set one's own password and end every other sign-in.

    The current one is asked for, unless there is none yet or a sign-in link was used just now
    (`is_vouched`). At least 10 characters, any characters.
    """
    account = _account_for(reading(), by.account_id)
    _check_password(new, account.email, account.name)
    needs_current = account.password_hash is not None and not is_vouched
    if needs_current and not password_matches(account.password_hash, current):
        raise Malformed(
            N_("Mật khẩu đang dùng chưa đúng. Nếu quên, hãy đăng nhập bằng đường gửi qua thư.")
        )
    new_hash = hash_password(new)
    with writing() as session:
        account = _account_for(session, by.account_id)
        account.password_hash = new_hash
        end_sign_ins_of(session, account.id, now=now, except_token=token)
        _record(session, now, by, account.id, "password_set", {})


def _check_password(password: str, email: str, name: str) -> None:
    if len(password) < passwords.AT_LEAST:
        raise Malformed(
            N_("Mật khẩu cần ít nhất %(least)s ký tự. Một câu dài dễ nhớ là tốt nhất."),
            least=passwords.AT_LEAST,
        )
    if len(password) > passwords.AT_MOST:
        raise Malformed(
            N_("Mật khẩu dài quá %(most)s ký tự. Hãy rút ngắn lại."), most=passwords.AT_MOST
        )
    if passwords.is_easy(password, name, email):
        raise Malformed(N_("Mật khẩu này quá dễ đoán. Hãy dùng một câu dài chỉ mình bạn nhớ."))


def _require_administrator(by: Actor) -> None:
    if granted_unit_ids(by, "admin") is not None:
        raise NotAllowed(N_("Chỉ quản trị viên làm được việc này. Hãy hỏi quản trị viên."))


def _account_for(session: Session, account_id: int | None) -> Account:
    account = session.get(Account, account_id) if account_id is not None else None
    if account is None:
        raise NotFound(N_("Không tìm thấy tài khoản này."))
    return account


def _checked_email(email: str) -> str:
    email = clean_email(email)
    if not is_address(email) or len(email) > 254:
        raise Malformed(
            N_("“%(email)s” không phải địa chỉ thư. Hãy viết như ten@example.vn."), email=email[:80]
        )
    return email


def _checked_name(name: str) -> str:
    name = clean(name)
    if not name or len(name) > 180:
        raise Malformed(N_("Hãy ghi họ tên, không quá 180 ký tự."))
    return name


def _checked_grants(session: Session, grants: Sequence[Grant]) -> list[Grant]:
    wanted = list(dict.fromkeys(grants))
    if not wanted:
        raise Malformed(N_("Hãy chọn ít nhất một vai trò."))
    for grant in wanted:
        if grant.role not in ROLES:
            raise Malformed(N_("Không có vai trò “%(role)s”."), role=grant.role[:40])
        if grant.role == "admin" and grant.unit_id is not None:
            raise Malformed(
                N_("Quản trị viên phụ trách toàn hệ thống; hãy bỏ đơn vị ở vai trò này.")
            )
        if grant.unit_id is not None and session.get(Unit, grant.unit_id) is None:
            raise Malformed(N_("Không có đơn vị đã chọn. Hãy tải lại trang rồi chọn lại."))
    return wanted


def _refuse_losing_yourself(
    by: Actor, account: Account, wanted: list[Grant], is_active: bool
) -> None:
    stays = is_active and Grant("admin") in wanted
    if account.id == by.account_id and not stays:
        raise Refusal(
            N_("Bạn không thể tự khoá mình hay tự bỏ vai trò quản trị. Hãy nhờ quản trị viên khác.")
        )


def _refuse_losing_the_last_administrator(
    session: Session, account: Account, wanted: list[Grant], is_active: bool
) -> None:
    if is_active and Grant("admin") in wanted:
        return
    administrators = set(
        session.scalars(
            select(Account.id)
            .join(RoleGrant, RoleGrant.account_id == Account.id)
            .where(Account.is_active, RoleGrant.role == "admin", RoleGrant.unit_id.is_(None))
        )
    )
    if administrators == {account.id}:
        raise Refusal(
            N_("Đây là quản trị viên duy nhất. Hãy giao vai trò ấy cho một tài khoản khác trước.")
        )


def _grants_of(session: Session, account_id: int) -> list[Grant]:
    rows = session.execute(
        select(RoleGrant.role, RoleGrant.unit_id)
        .where(RoleGrant.account_id == account_id)
        .order_by(RoleGrant.id)
    )
    return [Grant(role, unit_id) for role, unit_id in rows]


def _set_grants(session: Session, account_id: int, wanted: list[Grant]) -> None:
    if set(_grants_of(session, account_id)) == set(wanted):
        return
    session.execute(delete(RoleGrant).where(RoleGrant.account_id == account_id))
    session.add_all(
        RoleGrant(account_id=account_id, role=grant.role, unit_id=grant.unit_id) for grant in wanted
    )


def _told(grants: Sequence[Grant]) -> list[list[object]]:
    return [[grant.role, grant.unit_id] for grant in grants]


def _record(
    session: Session,
    now: datetime,
    by: Actor,
    account_id: int,
    action: str,
    details: dict[str, Any],
) -> None:
    audit.record(
        session, now=now, by=by, action=action, entity="account", entity_id=account_id, **details
    )


def account_rows(*, by: Actor, query: str = "", role: str = "") -> list[AccountRow]:
    """Every account with its roles, by e-mail; only for administrators. The query ignores marks."""
    _require_administrator(by)
    session = reading()
    seen = select(SignIn.account_id, func.max(SignIn.last_seen_at).label("at"))
    seen_at = seen.group_by(SignIn.account_id).subquery()
    rows = session.execute(
        select(Account, seen_at.c.at)
        .outerjoin(seen_at, seen_at.c.account_id == Account.id)
        .order_by(Account.is_active.desc(), Account.email)
    ).all()
    granted: dict[int, list[tuple[str, str]]] = {}
    for account_id, name, unit in session.execute(
        select(RoleGrant.account_id, RoleGrant.role, Unit.name)
        .outerjoin(Unit, Unit.id == RoleGrant.unit_id)
        .order_by(RoleGrant.id)
    ):
        granted.setdefault(account_id, []).append((name, unit or ""))
    return [
        AccountRow(
            account.id,
            account.email,
            account.name,
            account.is_active,
            account.password_hash is not None,
            tuple(granted.get(account.id, ())),
            at,
        )
        for account, at in rows
        if _is_asked_for(account, granted.get(account.id, ()), query, role)
    ]


def _is_asked_for(
    account: Account, grants: Sequence[tuple[str, str]], query: str, role: str
) -> bool:
    found = matches(query, fold(f"{account.name} {account.email}")) or fold(query) in account.email
    return found and (not role or any(name == role for name, _unit in grants))


def account_details(account_id: int, *, by: Actor) -> AccountDetails:
    """One account with its roles: an administrator sees any, everyone their own."""
    if account_id != by.account_id:
        _require_administrator(by)
    session = reading()
    account = _account_for(session, account_id)
    return AccountDetails(
        account.id,
        account.email,
        account.name,
        account.language,
        account.is_active,
        account.password_hash is not None,
        tuple(_grants_of(session, account.id)),
    )
