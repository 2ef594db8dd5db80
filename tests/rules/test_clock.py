"""When scheduled work is due, and when it is too late."""

from datetime import UTC, datetime, time, timedelta

import pytest

from rules.clock import Daily, is_silent, reminder_slot

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DAY, HOUR = 24 * 60, 60


def test_a_daily_slot_is_a_local_time_and_is_made_up_for_within_its_bound() -> None:
    seven = Daily(time(7, 0), catch_up=timedelta(hours=12))
    slot = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
    assert list(seven.slots(slot - timedelta(seconds=1))) == []
    assert list(seven.slots(slot)) == [slot]
    assert list(seven.slots(slot + timedelta(hours=12))) == [slot]
    assert list(seven.slots(slot + timedelta(hours=13))) == []


def test_a_weekly_slot_comes_on_its_day_only() -> None:
    monday = Daily(time(7, 0), catch_up=timedelta(days=2), weekday=0)
    slot = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
    assert list(monday.slots(slot + timedelta(days=1, hours=5))) == [slot]
    assert list(monday.slots(slot + timedelta(days=3))) == []


def test_a_long_silence_brings_every_slot_within_the_bound_once() -> None:
    daily = Daily(time(7, 0), catch_up=timedelta(days=3))
    assert len(list(daily.slots(NOW))) == 3 or len(list(daily.slots(NOW))) == 4


@pytest.mark.parametrize(
    ("before", "late", "due"),
    [
        (7 * DAY, timedelta(0), True),
        (7 * DAY, timedelta(seconds=-1), False),
        (7 * DAY, timedelta(hours=23), True),
        (7 * DAY, timedelta(hours=25), False),
        (2 * HOUR, timedelta(minutes=59), True),
        (2 * HOUR, timedelta(minutes=61), False),
        (2 * HOUR, timedelta(hours=3), False),
    ],
)
def test_a_reminder_is_due_from_its_moment_until_half_its_distance_or_a_day(
    before: int, late: timedelta, due: bool
) -> None:
    starts_at = NOW + timedelta(days=10)
    slot = starts_at - timedelta(minutes=before)
    found = reminder_slot(starts_at, before, published_at=None, now=slot + late)
    assert found == (slot if due else None)


def test_nobody_is_reminded_of_what_they_have_just_been_invited_to() -> None:
    starts_at = NOW + timedelta(hours=20)
    published = NOW - timedelta(minutes=1)
    assert reminder_slot(starts_at, DAY, published_at=published, now=NOW) is None
    earlier = NOW - timedelta(days=3)
    assert reminder_slot(starts_at, DAY, published_at=earlier, now=NOW) is not None


def test_a_clock_is_silent_after_two_minutes() -> None:
    assert is_silent(None, NOW)
    assert not is_silent(NOW - timedelta(minutes=1), NOW)
    assert is_silent(NOW - timedelta(minutes=3), NOW)
