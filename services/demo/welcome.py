"""What a newcomer needs to try the demonstration: sign-ins, a phone link and a feed.

Their secrets follow from the program's own secret key, so that they stay the same at every start
and the database still keeps nothing but hashes. Only the demonstration's accounts have such.
"""

import hashlib
import hmac
from datetime import datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateways.passwords import hash_password, password_matches
from models import Account, FeedToken, Invitation, Meeting, MeetingLink, Person
from rules.days import instant, local_day
from services.demo.loading import ADMIN, INSTRUCTOR, READER, STAFF, WARD_STAFF, demo_is_loaded
from services.office import office
from services.tokens import token_hash
from services.transaction import writing


def welcome_lines(base_url: str, secret_key: str, *, now: datetime) -> list[str]:
    """The lines `make run` prints; empty when the database is not the demonstration's."""
    if not demo_is_loaded():
        return []
    password = _secret(secret_key, "password")[:12]
    with writing() as session:
        _set_passwords(session, password)
        meeting_token = _meeting_link(session, secret_key, now)
        feed_token = _feed_token(session, secret_key, now)
    lines = ["Dữ liệu minh hoạ: mọi tên người, đơn vị và số liệu đều hư cấu.", ""]
    lines += [
        f"Đăng nhập      {base_url}/sign-in   mật khẩu: {password}",
        f"  cán bộ       {STAFF.email}",
        f"  quản trị     {ADMIN.email}",
        f"  thường trực  {READER.email}",
        f"  cán bộ phường {WARD_STAFF.email}",
        f"  giảng viên   {INSTRUCTOR.email}",
    ]
    if meeting_token:
        lines.append(f"Điểm danh      {base_url}/attendance/link/{meeting_token}")
    if feed_token:
        lines.append(f"Lịch đảng viên {base_url}/feeds/{feed_token}.ics")
    if office().smtp is None:
        lines.append(f"Thư đi         {base_url}/mailbox   (sau khi đăng nhập)")
    return lines


def _secret(secret_key: str, purpose: str) -> str:
    return hmac.new(secret_key.encode(), f"demo {purpose}".encode(), hashlib.sha256).hexdigest()


def _set_passwords(session: Session, password: str) -> None:
    emails = [role.email for role in (ADMIN, STAFF, INSTRUCTOR, READER, WARD_STAFF)]
    for account in session.scalars(select(Account).where(Account.email.in_(emails))):
        if not password_matches(account.password_hash, password):
            account.password_hash = hash_password(password)


def _meeting_link(session: Session, secret_key: str, now: datetime) -> str | None:
    """A link to the register of the meeting nearest to now, today's or the next."""
    coming = session.execute(
        select(Meeting.id, Meeting.starts_at, Meeting.ends_at)
        .where(
            Meeting.state == "published",
            Meeting.counting == "roll",
            Meeting.ends_at > instant(local_day(now), time(0, 0)),
            Meeting.id.in_(select(Invitation.meeting_id)),
        )
        .order_by(Meeting.starts_at)
        .limit(20)
    ).all()
    if not coming:
        return None
    meeting = min(coming, key=lambda row: abs(row.starts_at - now))
    token = _secret(secret_key, f"meeting {meeting.id}")[:43]
    if not session.scalar(
        select(MeetingLink.id).where(MeetingLink.token_hash == token_hash(token))
    ):
        session.add(
            MeetingLink(
                token_hash=token_hash(token),
                meeting_id=meeting.id,
                label=INSTRUCTOR.name,
                created_at=now,
                valid_from=now - timedelta(days=1),
                expires_at=meeting.ends_at + timedelta(days=1),
            )
        )
    return token


def _feed_token(session: Session, secret_key: str, now: datetime) -> str | None:
    """The feed of the member with most meetings still to come."""
    person_id = session.scalar(
        select(Invitation.person_id)
        .join(Meeting, Meeting.id == Invitation.meeting_id)
        .join(Person, Person.id == Invitation.person_id)
        .where(Meeting.starts_at > now, Meeting.state == "published", Person.email.is_not(None))
        .group_by(Invitation.person_id)
        .order_by(func.count().desc(), Invitation.person_id)
        .limit(1)
    )
    if person_id is None:
        return None
    token = _secret(secret_key, f"feed {person_id}")[:43]
    if not session.scalar(select(FeedToken.id).where(FeedToken.token_hash == token_hash(token))):
        session.add(FeedToken(token_hash=token_hash(token), person_id=person_id, created_at=now))
    return token
