"""Calendar feeds: the secret addresses by which phones subscribe, and the calendar behind each."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from gateways.calendar import Method, checked_feed, feed
from gateways.feed_store import FeedStore
from gateways.feed_store import KeptFeed as KeptFeed
from models import FeedToken, Membership, Person, Speaker, Unit, Venue
from rules.calendar import ALARM_MINUTES
from rules.days import local_day
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotFound
from services import access, audit
from services.feed_expiry import expires_on, expiry_days
from services.feed_meetings import NAME, Feed, blocks_of, state_of
from services.feed_memory import is_at_its_limit, is_hurried, remember, remembered
from services.feed_tokens import TokenRow, kind_of, titles_are_neutral, token_row
from services.letters import Writer, occasion_of, person_guest
from services.meeting_facts import OFF_STATES, organizer_of, written_block
from services.office import office
from services.settings import setting_text
from services.tokens import new_token, token_hash
from services.transaction import DATABASE_FAILURES, glance, reading, writing

FOLDERS = {
    "member": "feeds",
    "unit": "feeds/units",
    "speaker": "feeds/speakers",
    "venue": "feeds/venues",
}


@dataclass(frozen=True)
class Subscription:
    """One feed address as staff see it: never the token itself."""

    id: int
    created_at: datetime
    last_used_on: date | None
    expires_on: date


@dataclass(frozen=True)
class OwnFeed:
    """A subscription as its holder sees it: its address, its name and what is chosen.

    It ends when nothing has fetched it for `expiry_days`.
    """

    url: str
    name: str
    kind: str
    alarm_minutes: int | None
    is_neutral: bool
    expiry_days: int


def feed_state(token: str, *, kind: str, now: datetime) -> Feed:
    """Look a feed up by its token and say what state it is in, without touching any event.

    Unknown, revoked, and of another kind look alike: NotFound. The day of use is noted,
    unless somebody else writes for so long that this would keep a subscriber waiting in vain.
    """
    hashed = token_hash(token)
    row = _token_row(hashed)
    if row is None:
        _store().forget(hashed)
    if row is None or kind_of(row)[0] != kind:
        raise _unknown_feed()
    if row.last_used_on != local_day(now):
        with suppress(*DATABASE_FAILURES):
            row = _note_use(row, local_day(now))
    state = remembered(row, now)
    if state is None:
        state = state_of(reading(), row, now)
        remember(row, state, now)
    return state


def _note_use(row: TokenRow, on: date) -> TokenRow:
    with writing() as session:
        session.get_one(FeedToken, row.id).last_used_on = on
    return row._replace(last_used_on=on)


def polled_state(token: str, *, kind: str, now: datetime) -> Feed | None:
    """Give the state of a feed for a quick answer, over a connection of its own without a session.

    None for what the page itself must see to: an address unknown, or of another kind, or that asks
    all the time; the first fetch of a day, which is noted; and a unit's feed that may have changed.
    Who answers by it notes the ask: `note_ask`.
    """
    hashed = token_hash(token)
    if is_at_its_limit(hashed, now):
        return None
    with glance() as wire:
        row = token_row(wire, hashed)
        if row is None or row.last_used_on != local_day(now) or kind_of(row)[0] != kind:
            return None
        state = remembered(row, now)
        if state is None and kind != "unit":
            state = state_of(wire, row, now)
            remember(row, state, now)
        return state


def note_ask(state: Feed, *, now: datetime) -> None:
    """Count an ask that was answered by `polled_state` alone."""
    is_hurried(state.token_hash, now)


def feed_content(state: Feed) -> bytes:
    """Join the kept events of a feed into a whole calendar, checked before it goes out.

    The answer is kept on disk: for those who ask for the same state again without saying what they
    hold, and for the time when the database is away.
    """
    known = _store().kept(state.token_hash)
    if known is not None and (known.kind, known.etag) == (state.kind, state.etag):
        return known.content
    blocks = blocks_of(reading(), state)
    content = checked_feed(feed(state.name, blocks), len(blocks))
    _store().keep(state.token_hash, KeptFeed(state.kind, state.etag, state.modified_at, content))
    return content


def last_good(token: str, *, kind: str) -> KeptFeed | None:
    """Give the answer this feed had last, without the database; one taken back has none.

    A feed that answers with an error is switched off by Thunderbird until somebody restarts it.
    """
    kept = _store().kept(token_hash(token))
    return kept if kept is not None and kept.kind == kind else None


def hurried_feed(token: str, *, kind: str, now: datetime) -> KeptFeed | None:
    """Give the last answer again, without a look at the database, to who asks all the time.

    Never an error: that would switch the calendar off, or empty it.
    """
    return last_good(token, kind=kind) if is_hurried(token_hash(token), now) else None


def own_feed(token: str) -> OwnFeed:
    """Give a subscription to whoever holds its address; NotFound when it is unknown or ended."""
    session = reading()
    row = _token_row(token_hash(token))
    if row is None:
        raise _unknown_feed()
    kind = kind_of(row)[0]
    name = f"{NAME} – {row.owner}" if row.owner else NAME
    neutral = titles_are_neutral(row, setting_text(session, "neutral_titles"))
    address, days = _address(kind, token), expiry_days(session)
    return OwnFeed(address, name, kind, row.alarm_minutes, neutral, days)


def choose(token: str, *, alarm_minutes: int | None, is_neutral: bool, now: datetime) -> None:
    """Keep what the holder of a feed's address wants in it: an alarm or none, and which titles."""
    if alarm_minutes is not None and alarm_minutes not in ALARM_MINUTES:
        raise Malformed(N_("Hãy chọn một mức nhắc trong danh sách."))
    with writing() as session:
        row = session.scalar(
            select(FeedToken).where(
                FeedToken.token_hash == token_hash(token), FeedToken.revoked_at.is_(None)
            )
        )
        if row is None:
            raise _unknown_feed()
        row.alarm_minutes, row.neutral_titles, row.chosen_at = alarm_minutes, is_neutral, now
        _record(session, row, "chose", now, Actor("Người dùng lịch"))


def _unknown_feed() -> NotFound:
    return NotFound(N_("Không có lịch này. Hãy xin lại đường liên kết lịch."))


def create_member_feed(code: str, *, now: datetime, by: Actor, rotate: bool = False) -> str:
    """Make a feed address for a member and return it, once; `rotate` ends the earlier ones."""
    with writing() as session:
        person = _member(session, code, now, by)
        return _create(session, now=now, by=by, rotate=rotate, person_id=person.id)


def create_unit_feed(code: str, *, now: datetime, by: Actor, rotate: bool = False) -> str:
    """Make a feed address for a unit and all below it, and return it, once."""
    with writing() as session:
        unit = _unit(session, code, now, by)
        return _create(session, now=now, by=by, rotate=rotate, unit_id=unit.id)


def create_speaker_feed(speaker_id: int, *, now: datetime, by: Actor, rotate: bool = False) -> str:
    """Make a feed address of all that a speaker speaks at, and return it, once."""
    with writing() as session:
        speaker = _speaker(session, speaker_id, now, by)
        return _create(session, now=now, by=by, rotate=rotate, speaker_id=speaker.id)


def create_venue_feed(venue_id: int, *, now: datetime, by: Actor, rotate: bool = False) -> str:
    """Make a feed address of all that is held at a venue, and return it, once."""
    with writing() as session:
        venue = _venue(session, venue_id, now, by)
        return _create(session, now=now, by=by, rotate=rotate, venue_id=venue.id)


def revoke_feed(feed_id: int, *, now: datetime, by: Actor) -> tuple[str, str | int]:
    """End one feed address, so that it looks as if it had never been; gives whose it was."""
    with writing() as session:
        row = session.get(FeedToken, feed_id)
        if row is None or row.revoked_at is not None:
            raise NotFound(N_("Không có đường liên kết lịch này."))
        kind, subject_id = kind_of(row)
        owner: str | int = subject_id
        if kind == "member":
            owner = _member(session, session.get_one(Person, subject_id).code, now, by).code
        elif kind == "unit":
            owner = _unit(session, session.get_one(Unit, subject_id).code, now, by).code
        elif kind == "speaker":
            _speaker(session, subject_id, now, by)
        else:
            _venue(session, subject_id, now, by)
        row.revoked_at = now
        _store().forget(row.token_hash)
        _record(session, row, "revoked", now, by)
        return kind, owner


def member_feeds(code: str, *, now: datetime, by: Actor) -> tuple[str, list[Subscription]]:
    """Give a member's name and the feed addresses that are alive."""
    session = reading()
    person = _member(session, code, now, by)
    return person.full_name, _alive(session, FeedToken.person_id == person.id)


def unit_feeds(code: str, *, now: datetime, by: Actor) -> tuple[str, list[Subscription]]:
    """Give a unit's name and the feed addresses that are alive."""
    session = reading()
    unit = _unit(session, code, now, by)
    return unit.name, _alive(session, FeedToken.unit_id == unit.id)


def speaker_feeds(speaker_id: int, *, now: datetime, by: Actor) -> tuple[str, list[Subscription]]:
    """Give a speaker's name and the feed addresses that are alive."""
    session = reading()
    speaker = _speaker(session, speaker_id, now, by)
    return speaker.name, _alive(session, FeedToken.speaker_id == speaker.id)


def venue_feeds(venue_id: int, *, now: datetime, by: Actor) -> tuple[str, list[Subscription]]:
    """Give a venue's name and the feed addresses that are alive."""
    session = reading()
    venue = _venue(session, venue_id, now, by)
    return venue.name, _alive(session, FeedToken.venue_id == venue.id)


def invitation_object(
    meeting_id: int, *, now: datetime, by: Actor, member_code: str | None = None
) -> bytes:
    """Give a meeting's calendar object: as its invitation would be sent to a member now, else as
    feeds carry it."""
    session = reading()
    meeting = access.meeting_for(session, by, meeting_id, local_day(now))
    organizer = organizer_of(session)
    if member_code is None:
        return checked_feed(feed(NAME, [written_block(meeting, organizer)]), 1)
    person = session.scalar(select(Person).where(Person.code == member_code))
    if person is None:
        raise NotFound(N_("Không có đảng viên mã “%(code)s”."), code=member_code)
    guest = person_guest(session, meeting, person)
    method = Method.CANCEL if meeting.state in OFF_STATES else Method.REQUEST
    address = person.email or f"{person.id}@{office().domain}"
    occasion = occasion_of(meeting)
    return Writer().calendar_object(occasion, guest, address, method, now)


def _token_row(hashed: str) -> TokenRow | None:
    return token_row(reading(), hashed)


def _store() -> FeedStore:
    return FeedStore(office().feeds_folder)


def _address(kind: str, token: str) -> str:
    return f"{office().public_url}/{FOLDERS[kind]}/{token}.ics"


def _create(session: Session, *, now: datetime, by: Actor, rotate: bool, **subject: int) -> str:
    token = new_token()
    if rotate:
        for old in session.scalars(
            select(FeedToken).filter_by(**subject).where(FeedToken.revoked_at.is_(None))
        ):
            old.revoked_at = now
            _store().forget(old.token_hash)
            _record(session, old, "revoked", now, by)
    row = FeedToken(token_hash=token_hash(token), created_at=now, **subject)
    session.add(row)
    session.flush()
    _record(session, row, "created", now, by)
    return _address(kind_of(row)[0], token)


def _record(session: Session, row: FeedToken, action: str, now: datetime, by: Actor) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="feed",
        entity_id=row.id,
        unit_id=row.unit_id,
        person_id=row.person_id,
        speaker_id=row.speaker_id,
        venue_id=row.venue_id,
    )


def _member(session: Session, code: str, now: datetime, by: Actor) -> Person:
    """The member of this code, if a cell of theirs lies within the actor's scope."""
    access.require_role(by, "staff")
    person = session.scalar(select(Person).where(Person.code == code))
    if person is None or not _may_reach(session, person, now, by):
        raise NotFound(N_("Không có đảng viên mã “%(code)s” trong phạm vi của bạn."), code=code)
    return person


def _may_reach(session: Session, person: Person, now: datetime, by: Actor) -> bool:
    on = local_day(now)
    granted = access.granted_unit_ids(by, "staff")
    if granted is None:
        return True
    found = select(Membership.id).where(
        Membership.person_id == person.id,
        or_(Membership.valid_to.is_(None), Membership.valid_to > on),
        Membership.unit_id.in_(access.subtree(granted, on)),
    )
    return session.scalar(found.limit(1)) is not None


def _unit(session: Session, code: str, now: datetime, by: Actor) -> Unit:
    unit = session.scalar(select(Unit).where(Unit.code == code))
    if unit is None:
        raise NotFound(N_("Không có đơn vị mã “%(code)s” trong phạm vi của bạn."), code=code)
    access.require_unit(session, by, unit.id, local_day(now), "staff")
    return unit


def _speaker(session: Session, speaker_id: int, now: datetime, by: Actor) -> Speaker:
    access.require_role(by, "staff")
    own = access.within_scope(by, Speaker.unit_id, local_day(now), "staff")
    speaker = session.scalar(select(Speaker).where(Speaker.id == speaker_id, own))
    if speaker is None:
        raise NotFound(N_("Không tìm thấy báo cáo viên này trong phạm vi của bạn."))
    return speaker


def _venue(session: Session, venue_id: int, now: datetime, by: Actor) -> Venue:
    access.require_role(by, "staff")
    own = access.within_scope(by, Venue.unit_id, local_day(now), "staff")
    venue = session.scalar(select(Venue).where(Venue.id == venue_id, own))
    if venue is None:
        raise NotFound(N_("Không tìm thấy địa điểm này trong phạm vi của bạn."))
    return venue


def _alive(session: Session, subject: ColumnElement[bool]) -> list[Subscription]:
    rows = session.scalars(
        select(FeedToken)
        .where(subject, FeedToken.revoked_at.is_(None))
        .order_by(FeedToken.created_at)
    )
    days = expiry_days(session)
    return [
        Subscription(row.id, row.created_at, row.last_used_on, expires_on(row, days))
        for row in rows
    ]
