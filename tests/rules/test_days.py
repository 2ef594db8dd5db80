"""The local day is that of the zone the board has set, for every rule that asks for it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ASK = """
from datetime import UTC, datetime, time
from rules.clock import Daily
from rules.days import instant, local_day
print(local_day(datetime(2027, 3, 27, 23, 30, tzinfo=UTC)))
print(instant(local_day(datetime(2027, 7, 1, 12, tzinfo=UTC)), time(7)).isoformat())
night = datetime(2027, 3, 28, 12, tzinfo=UTC)
print(*(slot.isoformat() for slot in Daily(time(2, 30)).slots(night)))
"""


def answers(zone: str) -> list[str]:
    """What the rules say in a process whose setting names this zone."""
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=ROOT,
        env=os.environ | {"TIMEZONE": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_days_follow_the_setting_and_a_missing_hour_is_no_missing_slot() -> None:
    assert answers("Europe/Berlin") == [
        "2027-03-28",
        "2027-07-01T05:00:00+00:00",
        "2027-03-28T01:30:00+00:00",
    ]


def test_without_a_setting_the_day_is_that_of_viet_nam() -> None:
    assert answers("")[:2] == ["2027-03-28", "2027-07-01T00:00:00+00:00"]
