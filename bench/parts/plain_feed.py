"""What bench/feed.py measures against: a feed built by icalendar per request, and bare answers."""

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask, Response, request
from flask_sqlalchemy import SQLAlchemy
from icalendar import Calendar, Event, Timezone, vCalAddress
from sqlalchemy import text

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
EVENTS = int(os.environ.get("EVENTS", "200"))
ROWS = [
    {
        "uid": f"{number:05d}@bench.invalid",
        "starts_at": datetime.now(UTC).replace(microsecond=0) + timedelta(hours=7 * number),
        "title": f"Học tập nghị quyết, chuyên đề {number}",
    }
    for number in range(EVENTS)
]


def built() -> bytes:
    """The feed as most programs make it: every event written anew for every request."""
    calendar = Calendar()
    calendar.add("PRODID", "-//plain//VI")
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", "PUBLISH")
    calendar.add_component(Timezone.from_tzid(ZONE.key))
    for row in ROWS:
        starts_at = row["starts_at"]
        assert isinstance(starts_at, datetime)
        event = Event()
        event.add("UID", row["uid"])
        event.add("SEQUENCE", 0)
        event.add("DTSTAMP", starts_at)
        event.add("LAST-MODIFIED", starts_at)
        event.add("DTSTART", starts_at.astimezone(ZONE))
        event.add("DTEND", (starts_at + timedelta(hours=2)).astimezone(ZONE))
        event.add("SUMMARY", row["title"])
        event.add("LOCATION", "Hội trường phường Một")
        event.add("ORGANIZER", vCalAddress("mailto:lich@bench.invalid"))
        event.add("STATUS", "CONFIRMED")
        calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


KEPT = built()
KNOWN = text("SELECT id FROM feed_token WHERE token_hash = :digest AND revoked_at IS NULL")


def create_app() -> Flask:
    """`/plain.ics` builds, `/floor.ics` gives bytes that lie ready, or 304; `/token/…` does so only
    when the token is in the database, by one look-up, as the least that a real feed must do."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    database = SQLAlchemy(app)

    @app.get("/token/<token>.ics")
    def looked_up(token: str) -> Response:
        digest = hashlib.sha256(token.encode()).hexdigest()
        if database.session.execute(KNOWN, {"digest": digest}).first() is None:
            return Response(status=404)
        return floor()

    @app.get("/plain.ics")
    def plain() -> Response:
        return Response(built(), content_type="text/calendar; charset=utf-8")

    @app.get("/floor.ics")
    def floor() -> Response:
        if "If-None-Match" in request.headers:
            return Response(status=304)
        response = Response(KEPT, content_type="text/calendar; charset=utf-8")
        response.set_etag("same")
        return response

    @app.get("/rows.json")
    def rows() -> Response:
        return Response(json.dumps(len(ROWS)), content_type="application/json")

    return app
