"""Which backups stay: the newest of the last hours, days and months that have any."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rules.backups import Keep, superfluous

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def hourly(hours: int) -> set[datetime]:
    return {NOW - timedelta(hours=number) for number in range(hours)}


def test_of_two_years_of_hourly_backups_hours_days_and_months_stay() -> None:
    taken = hourly(2 * 365 * 24)
    kept = sorted(taken - superfluous(taken, Keep()), reverse=True)
    assert kept[:24] == sorted(hourly(24), reverse=True)
    assert 24 + 28 + 10 <= len(kept) <= 24 + 30 + 12
    # Vietnamese days end at 17:00 UTC; the newest of a day is the one of 16:00.
    assert all(moment.hour == 16 for moment in kept[24:])
    assert NOW - kept[-1] > timedelta(days=330)


def test_a_machine_that_stood_still_keeps_its_last_days() -> None:
    """Thirty days before a summer without any, and one backup after it."""
    before = {NOW - timedelta(days=90 + number) for number in range(30)}
    assert superfluous(before | {NOW}, Keep(hourly=1, daily=31, monthly=1)) == set()


@given(
    st.sets(st.integers(0, 20_000).map(lambda n: NOW - timedelta(minutes=13 * n)), max_size=80),
    st.builds(Keep, st.integers(0, 30), st.integers(0, 30), st.integers(0, 14)),
)
def test_the_newest_always_stays_and_deleting_again_deletes_nothing(
    taken: set[datetime], keep: Keep
) -> None:
    left = taken - superfluous(taken, keep)
    assert (max(taken) in left) if taken else not left
    assert superfluous(left, keep) == set()
