"""Ticks through a night in which clocks change, in a process whose TIMEZONE has such nights.

`python -m torture.dst_ticks FROM TO` (moments with their offset) ticks two clocks in turn every
twenty minutes and delivers what is due; everything it did stands in the database.
"""

import sys
from datetime import datetime, timedelta

from app import create_app
from models import db
from scheduler.__main__ import Clock
from services import delivery, sending

STEP = timedelta(minutes=20)


def main() -> None:
    """Tick from the one moment to the other."""
    shown, until = (datetime.fromisoformat(word) for word in sys.argv[1:3])
    moments = [shown]

    def now() -> datetime:
        return moments[-1]

    app = create_app()
    clocks = [Clock(app, now=now, goes_by_database=False) for _ in range(2)]
    transport = delivery.transport()
    turn = 0
    while moments[-1] <= until:
        clocks[turn % 2].tick()
        with app.app_context():
            sending.send_due(transport, clock=now)
            db.session.remove()
        moments.append(moments[-1] + STEP)
        turn += 1
    transport.close()


if __name__ == "__main__":
    main()
