"""`flask outbox`: what waits to be sent, what failed, and sending it again."""

import click
from flask.cli import AppGroup

from cli.answers import ROW_ID, now, print_json, refusing
from rules.permissions import SYSTEM
from services import outbox

group = AppGroup("outbox", help="Outgoing mail.")


@group.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@refusing
def status(as_json: bool) -> None:
    """Count the messages by state, and say since when the oldest is due."""
    counts = outbox.counts(now=now())
    oldest = counts.oldest_due_at.isoformat() if counts.oldest_due_at else None
    values: dict[str, object] = {
        "queued": counts.queued,
        "claimed": counts.claimed,
        "sent": counts.sent,
        "failed": counts.failed,
        "dead": counts.dead,
        "in_doubt": counts.in_doubt,
        "oldest_due_at": oldest,
    }
    if as_json:
        print_json(values)
    else:
        for name, value in values.items():
            click.echo(f"{name}\t{'-' if value is None else value}")
    if trouble := outbox.trouble():
        click.echo(trouble, err=True)


@group.command("retry")
@click.argument("message_id", type=ROW_ID, metavar="ID")
@refusing
def retry(message_id: int) -> None:
    """Put a failed or dead message back in line, due at once."""
    outbox.retry(message_id, now=now(), by=SYSTEM)
    click.echo(f"Đã xếp thư số {message_id} vào hàng gửi lại.", err=True)


@group.command("show")
@click.argument("message_id", type=ROW_ID, metavar="ID")
@refusing
def show(message_id: int) -> None:
    """Print a message: its state, then its headers and text; a waiting one as it would leave now."""
    shown = outbox.message(message_id, by=SYSTEM, now=now())
    row = shown.row
    click.echo(f"{row.kind} {row.state} ({row.attempts}): {row.last_error}", err=True)
    for name, value in shown.headers:
        click.echo(f"{name}: {value}")
    click.echo()
    click.echo(shown.text)
