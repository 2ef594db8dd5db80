"""Accounts and sign-ins: who may use the screens, and until when a browser stays signed in."""

from datetime import datetime, timedelta

from sqlalchemy import select

from models import Account, RoleGrant, SignIn
from rules.permissions import Actor, Grant
from services.tokens import new_token, token_hash
from services.transaction import reading, writing

SIGN_IN_LASTS = timedelta(days=30)


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
    """Who a sign-in's token stands for now; None when unknown, ended, too old or switched off."""
    session = reading()
    row = session.execute(
        select(Account)
        .join(SignIn, SignIn.account_id == Account.id)
        .where(
            SignIn.token_hash == token_hash(token),
            SignIn.ended_at.is_(None),
            SignIn.created_at > now - SIGN_IN_LASTS,
            Account.is_active,
        )
    ).scalar_one_or_none()
    return _actor(row) if row is not None else None


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


def end_sign_in(token: str, *, now: datetime) -> None:
    """Sign out: the token is worth nothing from now on."""
    with writing() as session:
        row = session.scalar(select(SignIn).where(SignIn.token_hash == token_hash(token)))
        if row is not None and row.ended_at is None:
            row.ended_at = now
