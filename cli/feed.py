"""`flask feed`: a member's calendar address from the command line."""

import click
from flask.cli import AppGroup

from cli.answers import now, refusing
from rules.permissions import SYSTEM
from services import feeds

group = AppGroup("feed", help="Calendar feeds of members.")


@group.command("url")
@click.argument("member_code")
@click.option("--rotate", is_flag=True, help="End the member's earlier addresses.")
@refusing
def url(member_code: str, rotate: bool) -> None:
    """Make a feed address for a member and print it, this once."""
    click.echo(feeds.create_member_feed(member_code, now=now(), by=SYSTEM, rotate=rotate))
