"""`flask account`: the first account of an installation, and any other, from the command line."""

import click
from flask.cli import AppGroup

from cli.answers import now, refusing
from rules.permissions import ROLES, SYSTEM, Grant
from services import accounts, sign_ins, units

group = AppGroup("account", help="Accounts and their sign-in links.")


@group.command("create")
@click.argument("email")
@click.option("--role", required=True, type=click.Choice(ROLES), help="What the person may do.")
@click.option("--unit", "unit_code", help="The unit the role is over; without it, everything.")
@click.option("--name", default="", help="The person's name; without it, the e-mail's first part.")
@refusing
def create(email: str, role: str, unit_code: str | None, name: str) -> None:
    """Open an account and print its one-time sign-in link (7 days)."""
    unit_id = units.unit_id_of_code(unit_code) if unit_code else None
    _account_id, token = accounts.create_account(
        email=email, name=name, grants=[Grant(role, unit_id)], now=now(), by=SYSTEM
    )
    click.echo(sign_ins.sign_in_link_url(token))
