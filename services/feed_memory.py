"""What state a feed was in when it was last asked for, good for as long as nothing is written down.

Every change leaves an entry in the audit log, in the transaction that makes it; marks alone leave
none, and what they change of a member's feed is asked for with its address. So a feed whose row,
newest audit entry, study done and day are the same is in the same state, and none of its meetings
has to be looked at to answer 304.
"""

from datetime import datetime, timedelta
from typing import Any

from rules.days import local_day
from services.feed_meetings import Feed
from services.feed_tokens import TokenRow
from services.office import office

MOST = 20_000
# No transaction is open for longer (statement and lock time-outs), so that none with an earlier
# entry can still be committed.
SETTLED = timedelta(seconds=90)

# A calendar program asks once an hour, a person pressing "refresh" some times a minute.
MOST_ASKS_A_MINUTE = 60

_asks: dict[str, int] = {}
_minute: list[int] = [0]
_known: dict[str, tuple[tuple[Any, ...], Feed]] = {}


def remembered(row: TokenRow, now: datetime) -> Feed | None:
    """The feed's state as it was found before, unless something may have changed since."""
    mark, state = _known.get(row.token_hash, ((), None))
    return state if mark == _mark(row, now) else None


def remember(row: TokenRow, state: Feed, now: datetime) -> None:
    """Keep a state, if nothing was written down in the last minute."""
    if row.newest_at is not None and row.newest_at > now - SETTLED:
        return
    if len(_known) >= MOST:
        _known.clear()
    _known[row.token_hash] = (_mark(row, now), state)


def _mark(row: TokenRow, now: datetime) -> tuple[Any, ...]:
    return (*row, local_day(now), office().mail_from)


def is_hurried(hashed: str, now: datetime) -> bool:
    """Whether this address was asked for more often in this minute than anybody needs."""
    _begin_minute(now)
    _asks[hashed] = _asks.get(hashed, 0) + 1
    return _asks[hashed] > MOST_ASKS_A_MINUTE


def is_at_its_limit(hashed: str, now: datetime) -> bool:
    """Whether the next ask of this address in this minute is one too many; counts none."""
    _begin_minute(now)
    return _asks.get(hashed, 0) >= MOST_ASKS_A_MINUTE


def _begin_minute(now: datetime) -> None:
    minute = int(now.timestamp()) // 60
    if _minute[0] != minute or len(_asks) >= MOST:
        _minute[0] = minute
        _asks.clear()
