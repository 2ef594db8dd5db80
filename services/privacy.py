"""A person's own page: what is kept on them, what they ask, what they choose; and links to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gateways.holidays import DEFAULT_OVERRIDES, WORKING_SATURDAY, Override, day_notes
from gateways.mail import Button, Letter, Mailbox
from models import (
    AuditEntry,
    CalendarDay,
    ChannelChoice,
    DataLink,
    DataRequest,
    DataRequestStep,
    FeedToken,
    Membership,
    NoticeText,
    Person,
)
from rules.days import local_day
from rules.permissions import Actor
from rules.privacy import CHANNELS, CORRECTABLE, DAYS_BY_KIND, NOTICE, Purpose, clocks
from rules.refusals import N_, Malformed, NotAllowed, NotFound, Refusal
from rules.text import clean
from services import audit, outbox
from services.access import granted_unit_ids
from services.attempts import Limit, count_attempt
from services.office import office
from services.people import person_for
from services.tokens import new_token, token_hash
from services.transaction import reading, writing

LINK_LASTS = timedelta(days=90)
DAY = timedelta(days=1)
HOLDER = Actor(name="Chính người có dữ liệu")
"""Who acts on the page of a secret link: the person whose data it is, without an account."""


@dataclass(frozen=True)
class LinkRow:
    """One address of a person's own page, as staff see it: never the address itself."""

    id: int
    created_at: datetime
    expires_at: datetime
    last_used_on: date | None


def working_days(session: Session, first: date) -> Callable[[date], bool]:
    """Whether a day from then on is a working one, by the holidays and the board's own days."""
    last = first + timedelta(days=60)
    overrides = list(DEFAULT_OVERRIDES)
    for row in session.scalars(select(CalendarDay).where(CalendarDay.on.between(first, last))):
        overrides.append(Override(row.on, "holiday" if row.kind == "off" else row.kind, row.name))
    notes = day_notes(first, last, overrides)
    return lambda day: day not in notes or notes[day].kind == WORKING_SATURDAY


def make_link(person_id: int, *, now: datetime, by: Actor) -> str:
    """Make an address of a person's own page for staff to hand over; shown this once, 90 days."""
    with writing() as session:
        person, unit_id = person_for(session, by, person_id, local_day(now), "staff")
        return _new_link(session, person, unit_id, now=now, by=by)


def _new_link(
    session: Session, person: Person, unit_id: int | None, *, now: datetime, by: Actor
) -> str:
    if person.anonymised_at is not None:
        raise Refusal(N_("Dữ liệu của người này đã được ẩn danh, không còn gì để xem."))
    token = new_token()
    session.add(
        DataLink(
            token_hash=token_hash(token),
            person_id=person.id,
            created_at=now,
            created_by_id=by.account_id,
            expires_at=now + LINK_LASTS,
        )
    )
    _record(session, now, by, person.id, "data_link_made", unit_id=unit_id)
    return f"{office().public_url}/my-data/{token}"


def revoke_link(link_id: int, *, now: datetime, by: Actor) -> int:
    """End one address at once and give the person's id."""
    with writing() as session:
        link = session.get(DataLink, link_id)
        if link is None or link.revoked_at is not None:
            raise NotFound(N_("Đường liên kết này đã thu hồi rồi."))
        _person, unit_id = person_for(session, by, link.person_id, local_day(now), "staff")
        link.revoked_at = now
        _record(session, now, by, link.person_id, "data_link_revoked", unit_id=unit_id)
        return link.person_id


def mail_link_by_feed(feed_token: str, *, now: datetime) -> None:
    """Send the holder of a calendar address a link to their own page, to the address on file.

    Whoever holds the calendar address need not be that person; only who reads their mail gets the
    page. Says the same whether or not there is an address. At most 3 a day for a person.
    """
    with writing() as session:
        row = session.scalar(
            select(FeedToken).where(
                FeedToken.token_hash == token_hash(feed_token),
                FeedToken.revoked_at.is_(None),
                FeedToken.person_id.is_not(None),
            )
        )
        person = session.get(Person, row.person_id) if row else None
        if person is None:
            raise NotFound(N_("Đường liên kết này không còn dùng được."))
        count_attempt(session, [Limit(f"data_link:{person.id}", 3, DAY)], now=now)
        if person.email and person.anonymised_at is None:
            url = _new_link(session, person, unit_of(session, person.id, now), now=now, by=HOLDER)
            _enqueue(session, person, url, now)


def _enqueue(session: Session, person: Person, url: str, now: datetime) -> None:
    letter = Letter(
        greeting=f"Kính gửi đồng chí {person.full_name},",
        paragraphs=(
            "Đây là đường riêng để xem những gì hệ thống lưu về đồng chí, xin sửa, phản đối hoặc"
            " xin xoá. Đường này dùng được 90 ngày; đừng chuyển cho người khác.",
        ),
        buttons=(Button("Dữ liệu của tôi", url),),
        closing="Nếu đồng chí không yêu cầu, hãy bỏ qua thư này.",
    )
    outbox.enqueue_letter(
        session,
        letter,
        kind="notice",
        to=Mailbox(person.email or "", person.full_name),
        subject="Dữ liệu của đồng chí",
        dedup_key=f"data_link:{person.id}:{now.isoformat()}",
        now=now,
        person_id=person.id,
        expires_at=now + DAY,
    )


def link_for(session: Session, token: str, now: datetime) -> DataLink:
    """The link of a token; unknown, revoked and expired ones look alike."""
    link = session.scalar(
        select(DataLink).where(
            DataLink.token_hash == token_hash(token),
            DataLink.revoked_at.is_(None),
            DataLink.expires_at > now,
        )
    )
    if link is None:
        raise NotFound(
            N_("Đường này không còn dùng được. Hãy xin cán bộ tuyên giáo một đường mới.")
        )
    return link


def ask(token: str, *, kind: str, field: str = "", proposed: str = "", now: datetime) -> int:
    """Put a request in the queue with its two clocks, and give its number; at most 5 a day."""
    field, proposed = _checked_request(kind, field, proposed)
    with writing() as session:
        person_id = link_for(session, token, now).person_id
        count_attempt(session, [Limit(f"data_request:{person_id}", 5, DAY)], now=now)
        today = local_day(now)
        due = clocks(kind, today, working_days(session, today))
        request = DataRequest(
            person_id=person_id,
            unit_id=unit_of(session, person_id, now),
            kind=kind,
            field=field,
            proposed=proposed,
            received_at=now,
            answer_by=due.answer_by,
            done_by=due.done_by,
        )
        session.add(request)
        session.flush()
        session.add(DataRequestStep(request_id=request.id, at=now, step="received"))
        _record(
            session, now, HOLDER, person_id, "data_asked", unit_id=request.unit_id,
            request=request.id, kind=kind,
        )  # fmt: skip
        return request.id


def _checked_request(kind: str, field: str, proposed: str) -> tuple[str, str]:
    if kind not in DAYS_BY_KIND:
        raise Malformed(N_("Hãy chọn điều đồng chí yêu cầu."))
    if kind != "correction":
        return "", ""
    if field not in CORRECTABLE:
        raise Malformed(N_("Hãy chọn điều chưa đúng."))
    proposed = clean(proposed)
    if len(proposed) > 200:
        raise Malformed(N_("Hãy viết không quá 200 ký tự."))
    return field, proposed


def choose(token: str, wanted: Mapping[str, bool], *, now: datetime) -> None:
    """Keep which channels the person wants; each change is kept as proof, and holds at once."""
    with writing() as session:
        person = session.get_one(Person, link_for(session, token, now).person_id)
        before = {"mail": person.wants_mail, "reminders": person.wants_reminders}
        changed = [name for name in CHANNELS if wanted.get(name, False) != before[name]]
        person.wants_mail = wanted.get("mail", False)
        person.wants_reminders = wanted.get("reminders", False)
        session.add_all(
            ChannelChoice(
                person_id=person.id,
                channel=name,
                is_wanted=wanted.get(name, False),
                chosen_at=now,
            )
            for name in changed
        )
        if changed:
            unit_id = unit_of(session, person.id, now)
            _record(
                session, now, HOLDER, person.id, "channels_chosen", unit_id=unit_id,
                channels=changed,
            )  # fmt: skip


def close_own_link(token: str, *, now: datetime) -> None:
    """Let the holder end their own address, for a phone that was lost or a link passed on."""
    with writing() as session:
        link = link_for(session, token, now)
        link.revoked_at = now
        unit_id = unit_of(session, link.person_id, now)
        _record(session, now, HOLDER, link.person_id, "data_link_revoked", unit_id=unit_id)


def note_view(person_id: int, *, now: datetime, by: Actor) -> None:
    """Log that somebody opened a person's page, at most once an hour for each reader."""
    seen = select(AuditEntry.id).where(
        AuditEntry.entity == "person",
        AuditEntry.entity_id == str(person_id),
        AuditEntry.action == "viewed",
        AuditEntry.by_account_id == by.account_id,
        AuditEntry.at > now - timedelta(hours=1),
    )
    if reading().scalar(seen.limit(1)) is None:
        with writing() as session:
            unit_id = unit_of(session, person_id, now)
            _record(session, now, by, person_id, "viewed", unit_id=unit_id)


def save_notice(texts: Mapping[str, Mapping[str, str]], *, now: datetime, by: Actor) -> None:
    """Put the board's own words on the notice; an empty text gives the usual one back."""
    if granted_unit_ids(by, "admin") is not None:
        raise NotAllowed(N_("Chỉ quản trị viên sửa được thông báo này. Hãy hỏi quản trị viên."))
    with writing() as session:
        for purpose in NOTICE:
            words = texts.get(purpose.key)
            if words is None:
                continue
            own = {name: clean(words.get(name, "")) for name in NOTICE_PARTS}
            if any(len(text) > 1000 for text in own.values()):
                raise Malformed(N_("Mỗi ô không quá 1.000 ký tự."))
            session.merge(NoticeText(key=purpose.key, **own))
        audit.record(
            session, now=now, by=by, action="changed", entity="notice", entity_id="notice",
            parts=sorted(texts),
        )  # fmt: skip


NOTICE_PARTS = ("data", "purpose", "basis", "recipients", "kept")


def notice() -> list[Purpose]:
    """The notice in force: the usual words, with the board's own in their place.

    The texts are Vietnamese sentences that the door translates; the board's own stay as written.
    """
    own = {row.key: row for row in reading().scalars(select(NoticeText))}
    return [
        Purpose(
            usual.key,
            usual.title,
            **{
                name: (getattr(own.get(usual.key), name, "") or getattr(usual, name))
                for name in NOTICE_PARTS
            },
        )
        for usual in NOTICE
    ]


def links_of(person_id: int, *, now: datetime, by: Actor) -> list[LinkRow]:
    """The living addresses of a person's own page."""
    session = reading()
    person_for(session, by, person_id, local_day(now), "staff")
    rows = session.scalars(
        select(DataLink)
        .where(
            DataLink.person_id == person_id,
            DataLink.revoked_at.is_(None),
            DataLink.expires_at > now,
        )
        .order_by(DataLink.id.desc())
    )
    return [LinkRow(row.id, row.created_at, row.expires_at, row.last_used_on) for row in rows]


def unit_of(session: Session, person_id: int, now: datetime) -> int | None:
    """The cell a person belongs to, or belonged to last."""
    today = local_day(now)
    found: int | None = session.scalar(
        select(Membership.unit_id)
        .where(Membership.person_id == person_id, Membership.valid_from <= today)
        .order_by(Membership.valid_from.desc())
        .limit(1)
    )
    return found


def note_use(link_id: int, *, now: datetime) -> None:
    """Remember the day on which a link was last used, and nothing finer."""
    with writing() as session:
        session.execute(
            update(DataLink).where(DataLink.id == link_id).values(last_used_on=local_day(now))
        )


def _record(
    session: Session,
    now: datetime,
    by: Actor,
    person_id: int,
    action: str,
    *,
    unit_id: int | None,
    **details: Any,
) -> None:
    audit.record(
        session, now=now, by=by, action=action, entity="person", entity_id=person_id,
        unit_id=unit_id, **details,
    )  # fmt: skip
