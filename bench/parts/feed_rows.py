"""Fills the database of the settings for bench/feed.py and prints the path of the one feed in it."""

import sys
from datetime import UTC, datetime, timedelta

from app import create_app
from models import Invitation, Meeting, db
from rules.permissions import SYSTEM
from services.feeds import create_member_feed
from tests.world import NOW, build_world


def main(events: int) -> str:
    """Write so many published meetings with one guest; gives the path of that guest's feed."""
    with create_app().app_context():
        db.create_all()
        world = build_world()
        first = datetime.now(UTC).replace(microsecond=0)
        meetings = [
            Meeting(
                uid=f"{number:05d}@bench.invalid",
                kind="study",
                topic=f"Học tập nghị quyết, chuyên đề {number}",
                state="published",
                organiser_id=world.units["ward-1"].id,
                starts_at=first + timedelta(hours=7 * number),
                ends_at=first + timedelta(hours=7 * number + 2),
                venue_id=world.venue.id,
                created_at=NOW,
                modified_at=NOW,
            )
            for number in range(events)
        ]
        guest = world.people["chi"]
        guest.neutral_titles = False
        db.session.add_all(meetings)
        db.session.flush()
        db.session.add_all(
            Invitation(meeting_id=one.id, person_id=guest.id, created_at=NOW) for one in meetings
        )
        db.session.commit()
        url = create_member_feed(guest.code, now=first - timedelta(hours=1), by=SYSTEM)
        return "/" + url.split("/", 3)[3]


if __name__ == "__main__":
    print(main(int(sys.argv[1])))
