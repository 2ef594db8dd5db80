"""`flask meeting`: the meetings of a day or a campaign, and the instructor's link to one."""

from datetime import date, datetime

import click
from flask import current_app, url_for
from flask.cli import AppGroup

from cli.answers import ROW_ID, now, print_json, refusing
from rules.days import LOCAL, local_day, written_day
from rules.permissions import SYSTEM
from rules.refusals import N_, Malformed
from services import campaigns, meeting_links, meeting_lists
from services.meeting_lists import MeetingFilter, MeetingLine
from services.office import office

group = AppGroup("meeting", help="Meetings (buổi): what is on, and links to their registers.")


@group.command("list")
@click.option("--date", "day", help="Only this day (YYYY-MM-DD).")
@click.option("--campaign", help="Only this campaign's meetings (its code).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@refusing
def list_meetings(day: str | None, campaign: str | None, as_json: bool) -> None:
    """Print the meetings of a day or a campaign; without either, those of today and later."""
    on = _day(day) if day else None
    if campaign:
        campaigns.campaign(campaign, today=local_day(now()), by=SYSTEM)
    first = on or (None if campaign else local_day(now()))
    lines = meeting_lists.meeting_lines(
        MeetingFilter(first_on=first, last_on=on, campaign=campaign or ""), now=now(), by=SYSTEM
    )
    if as_json:
        print_json([_as_json(line) for line in lines])
        return
    for line in lines:
        click.echo(_as_text(line))


def _day(text: str) -> date:
    try:
        return written_day(text)
    except ValueError:
        raise Malformed(
            N_("Ngày “%(day)s” chưa đúng. Hãy viết như 2026-11-26."), day=text
        ) from None


def _as_json(line: MeetingLine) -> dict[str, object]:
    return {
        "id": line.id,
        "kind": line.kind,
        "topic": line.topic,
        "starts_at": _moment(line.starts_at),
        "ends_at": _moment(line.ends_at),
        "place": line.place,
        "state": line.state,
        "register": line.register_state,
        "invited": line.invited,
        "present": line.present,
    }


def _moment(at: datetime) -> str:
    return at.astimezone(LOCAL).isoformat(timespec="seconds")


def _as_text(line: MeetingLine) -> str:
    start = line.starts_at.astimezone(LOCAL)
    return (
        f"{line.id}\t{start:%d/%m/%Y %H:%M}\t{line.state}\t{line.register_state}\t"
        f"{line.present}/{line.invited}\t{line.topic}\t{line.place}"
    )


@group.command("link")
@click.argument("meeting_id", type=ROW_ID, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@refusing
def link(meeting_id: int, as_json: bool) -> None:
    """Make the instructor's link to one meeting's register and print it, this once."""
    made = meeting_links.create_meeting_link(meeting_id, now=now(), by=SYSTEM)
    url = _link_url(made.token)
    if as_json:
        print_json({"url": url, "token": made.token, "expires_at": _moment(made.expires_at)})
    else:
        click.echo(url)


def _link_url(token: str) -> str:
    with current_app.test_request_context(base_url=office().public_url):
        return url_for("attendance.link", token=token, _external=True)
