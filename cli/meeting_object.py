"""`flask meeting ics`: a meeting's calendar object, as its mail or its feeds carry it."""

import click

from cli import meeting
from cli.answers import ROW_ID, now, refusing
from rules.permissions import SYSTEM
from services import feeds

group = meeting.group


@group.command("ics")
@click.argument("meeting_id", type=ROW_ID, metavar="ID")
@click.option("--member", "member_code", help="As it would be sent to this member now.")
@refusing
def ics(meeting_id: int, member_code: str | None) -> None:
    """Print a meeting's calendar object: an invitation with --member, else as feeds carry it."""
    content = feeds.invitation_object(meeting_id, now=now(), by=SYSTEM, member_code=member_code)
    click.echo(content, nl=False)
