"""Ways in: a password, a one-time link by mail or command; and the sign-ins that are alive."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from gateways.passwords import hash_password, is_outdated, password_matches, place_to_check
from models import Account, SignIn, SignInLink
from rules.permissions import Actor
from rules.refusals import N_, NotFound, Refusal, TooBusy
from services.attempts import Limit, count_attempt, forget_attempts, network_of
from services.office import office
from services.outbox import enqueue_sign_in
from services.tokens import new_token, token_hash
from services.transaction import reading, writing

SIGN_IN_LASTS = timedelta(days=30)
IDLE_LASTS = timedelta(days=14)
IDLE_LASTS_AT_DESK = timedelta(hours=8)
"""How long a browser may rest: administrators and staff sign in anew each day; an instructor's
phone may lie between two meetings. Thirty days after signing in every browser asks again."""
MAIL_LINK_LASTS = timedelta(minutes=10)
FIRST_LINK_LASTS = timedelta(days=7)
HOUR = timedelta(hours=1)


class SignInFailed(Refusal):
    """The e-mail and password do not belong together; says the same whichever is unknown."""

    status = 422
    reason = "sign_in_failed"


class LinkSpent(Refusal):
    """The one-time link is unknown, used or too old; the three look alike."""

    status = 410
    reason = "link_spent"


@dataclass(frozen=True)
class OpenSignIn:
    """One browser that is signed in."""

    id: int
    device: str
    created_at: datetime
    last_seen_at: datetime
    is_this_one: bool


def clean_email(email: str) -> str:
    """An e-mail as it is kept and compared."""
    return email.strip().lower()


def check_password(email: str, password: str, *, address: str, now: datetime) -> int:
    """The account's id when the password is right, else the same refusal for every reason.

    At most 10 tries an hour for an e-mail and 30 for an address, counted before the answer is
    known. Somebody locked out by a stranger's tries still gets in by a link sent by mail. A flood
    is refused before anything is read or counted, and its owner's tries are not used up by it.
    """
    with place_to_check() as has_room:
        if not has_room:
            raise TooBusy(N_("Nhiều người đang đăng nhập cùng lúc. Hãy đợi vài giây rồi bấm lại."))
        return _checked_password(clean_email(email), password, address=address, now=now)


def _checked_password(email: str, password: str, *, address: str, now: datetime) -> int:
    with writing() as session:
        limits = (
            Limit(f"password:email:{email}", 10, HOUR),
            Limit(f"password:address:{network_of(address)}", 30, HOUR),
        )
        count_attempt(session, limits, now=now)
    account = reading().scalar(select(Account).where(Account.email == email, Account.is_active))
    kept_hash = account.password_hash if account is not None else None
    if not password_matches(kept_hash, password) or account is None:
        raise SignInFailed(
            N_("E-mail hoặc mật khẩu không đúng. Hãy thử lại, hoặc nhận đường đăng nhập qua thư.")
        )
    account_id = account.id
    renewed = hash_password(password) if kept_hash and is_outdated(kept_hash) else None
    with writing() as session:
        forget_attempts(session, f"password:email:{email}")
        if renewed:
            session.execute(
                update(Account)
                .where(Account.id == account_id, Account.password_hash == kept_hash)
                .values(password_hash=renewed)
            )
    return account_id


def make_link(session: Session, account_id: int, *, now: datetime, lasts: timedelta) -> str:
    """Add a one-time link in the caller's transaction and give its token, kept only as a hash."""
    token = new_token()
    session.add(
        SignInLink(
            token_hash=token_hash(token),
            account_id=account_id,
            created_at=now,
            expires_at=now + lasts,
        )
    )
    return token


def request_link(email: str, *, address: str, now: datetime) -> None:
    """Mail a one-time link (10 minutes) if the e-mail has an account; says nothing either way.

    At most 5 an hour for an e-mail and 20 for an address.
    """
    email = clean_email(email)
    with writing() as session:
        limits = (
            Limit(f"link:email:{email}", 5, HOUR),
            Limit(f"link:address:{network_of(address)}", 20, HOUR),
        )
        count_attempt(session, limits, now=now)
        account = session.scalar(select(Account).where(Account.email == email, Account.is_active))
        if account is not None:
            token = make_link(session, account.id, now=now, lasts=MAIL_LINK_LASTS)
            enqueue_sign_in(
                session,
                address=account.email,
                name=account.name,
                url=sign_in_link_url(token),
                now=now,
                expires_at=now + MAIL_LINK_LASTS,
                account_id=account.id,
                language=account.language,
            )


def sign_in_link_url(token: str) -> str:
    """The whole address of a one-time link, from the configured address of the site only."""
    return f"{office().public_url}/sign-in/{token}"


def use_link(token: str, *, now: datetime) -> int:
    """Spend a one-time link and give its account's id; exactly one of many parallel uses wins."""
    with writing() as session:
        account_id: int | None = session.scalar(
            update(SignInLink)
            .where(
                SignInLink.token_hash == token_hash(token),
                SignInLink.used_at.is_(None),
                SignInLink.expires_at > now,
                exists().where(Account.id == SignInLink.account_id, Account.is_active),
            )
            .values(used_at=now)
            .returning(SignInLink.account_id)
        )
        if account_id is None:
            raise LinkSpent(
                N_("Đường đăng nhập này đã dùng hoặc đã hết hạn. Hãy xin một đường mới.")
            )
    return account_id


def end_one(sign_in_id: int, *, now: datetime, by: Actor) -> None:
    """End one of the actor's own sign-ins."""
    with writing() as session:
        ended = session.scalar(
            update(SignIn)
            .where(
                SignIn.id == sign_in_id,
                SignIn.account_id == by.account_id,
                SignIn.ended_at.is_(None),
            )
            .values(ended_at=now)
            .returning(SignIn.id)
        )
        if ended is None:
            raise NotFound(N_("Lần đăng nhập này đã kết thúc rồi."))


def end_all(*, now: datetime, by: Actor, except_token: str = "") -> None:
    """End the actor's sign-ins everywhere, or everywhere but here."""
    with writing() as session:
        end_sign_ins_of(session, by.account_id, now=now, except_token=except_token)


def end_sign_ins_of(
    session: Session, account_id: int | None, *, now: datetime, except_token: str = ""
) -> None:
    """End an account's sign-ins and spend its links, in the caller's transaction."""
    end_browsers_of(session, account_id, now=now, except_token=except_token)
    session.execute(
        update(SignInLink)
        .where(SignInLink.account_id == account_id, SignInLink.used_at.is_(None))
        .values(used_at=now)
    )


def end_browsers_of(
    session: Session, account_id: int | None, *, now: datetime, except_token: str = ""
) -> None:
    """End an account's sign-ins alone, in the caller's transaction."""
    session.execute(
        update(SignIn)
        .where(
            SignIn.account_id == account_id,
            SignIn.ended_at.is_(None),
            SignIn.token_hash != token_hash(except_token),
        )
        .values(ended_at=now)
    )


def open_sign_ins(*, now: datetime, by: Actor, token: str = "") -> list[OpenSignIn]:
    """The actor's sign-ins that are alive, the latest seen first."""
    rows = reading().scalars(
        select(SignIn)
        .where(
            SignIn.account_id == by.account_id,
            SignIn.ended_at.is_(None),
            SignIn.created_at > now - SIGN_IN_LASTS,
            SignIn.last_seen_at > now - IDLE_LASTS,
        )
        .order_by(SignIn.last_seen_at.desc(), SignIn.id.desc())
    )
    here = token_hash(token)
    return [
        OpenSignIn(row.id, row.device, row.created_at, row.last_seen_at, row.token_hash == here)
        for row in rows
    ]
