"""What a feed's address opens: the one look-up of every poll, as plain values."""

from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, extract, func, inspect, select

from models import AuditEntry, FeedToken, Person, RollEntry, Speaker, Unit, Venue
from services.prepared import Connected, Prepared

KINDS = ("member", "unit", "speaker", "venue")
# Plain tables, not objects: this is asked at every poll of every subscriber.
_token: Any = inspect(FeedToken).local_table.c
_person: Any = inspect(Person).local_table.c
_unit: Any = inspect(Unit).local_table.c
_speaker: Any = inspect(Speaker).local_table.c
_venue: Any = inspect(Venue).local_table.c
_audit: Any = inspect(AuditEntry).local_table.c
_roll: Any = inspect(RollEntry).local_table.c


class TokenRow(NamedTuple):
    """A living address and whose it is, what its holder chose, and what tells that nothing changed.

    `newest_id` and `newest_at` are of the newest entry of the audit log; the last two sums stand for
    the study that a member has done.
    """

    id: int
    token_hash: str
    person_id: int | None
    unit_id: int | None
    speaker_id: int | None
    venue_id: int | None
    alarm_minutes: int | None
    own_titles: bool | None
    chosen_at: datetime | None
    created_at: datetime
    last_used_on: date | None
    neutral_titles: bool | None
    owner: str | None
    newest_id: int | None
    newest_at: datetime | None
    covered_campaigns: Any
    covered_days: Any


def _covered(summed: Any) -> Any:
    return (
        select(func.sum(summed))
        .where(_roll.person_id == _token.person_id, _roll.covered_on.is_not(None))
        .scalar_subquery()
    )


_NEWEST_ID = select(_audit.id).order_by(_audit.id.desc()).limit(1).scalar_subquery()
_NEWEST_AT = select(_audit.at).order_by(_audit.id.desc()).limit(1).scalar_subquery()
_ALIVE = Prepared(
    lambda _: (
        select(
            _token.id,
            _token.token_hash,
            _token.person_id,
            _token.unit_id,
            _token.speaker_id,
            _token.venue_id,
            _token.alarm_minutes,
            _token.neutral_titles,
            _token.chosen_at,
            _token.created_at,
            _token.last_used_on,
            _person.neutral_titles,
            func.coalesce(_unit.name, _speaker.name, _venue.name),
            _NEWEST_ID,
            _NEWEST_AT,
            _covered(_roll.campaign_id * _roll.campaign_id),
            _covered(extract("epoch", _roll.covered_on)),
        )
        .select_from(inspect(FeedToken).local_table)
        .outerjoin(inspect(Person).local_table, _person.id == _token.person_id)
        .outerjoin(inspect(Unit).local_table, _unit.id == _token.unit_id)
        .outerjoin(inspect(Speaker).local_table, _speaker.id == _token.speaker_id)
        .outerjoin(inspect(Venue).local_table, _venue.id == _token.venue_id)
        .where(_token.token_hash == bindparam("token_hash"), _token.revoked_at.is_(None))
    )
)


def token_row(session: Connected, hashed: str) -> TokenRow | None:
    """Give what an address opens; None for one that is unknown or ended, which look alike."""
    found = _ALIVE.rows(session, token_hash=hashed)
    return TokenRow(*found[0]) if found else None


def kind_of(row: Any) -> tuple[str, int]:
    """Tell whose feed a token opens: the kind, and the id of that kind."""
    ids = (row.person_id, row.unit_id, row.speaker_id, row.venue_id)
    return next((kind, one) for kind, one in zip(KINDS, ids, strict=True) if one is not None)


def titles_are_neutral(row: TokenRow, boards_choice: str) -> bool:
    """The subscription's own choice of titles, else the member's, else the board's."""
    for chosen in (row.own_titles, row.neutral_titles):
        if chosen is not None:
            return bool(chosen)
    return boards_choice == "1"
