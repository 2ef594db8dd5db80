"""`flask audit`: proof that the audit log is whole, its end to be kept elsewhere, its key."""

import sys
from pathlib import Path

import click
from flask.cli import AppGroup

from cli.answers import print_json, refusing
from services import audit_proof
from services.office import office

group = AppGroup("audit", help="The audit log.")


@group.command("verify")
@click.option("--heads", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@refusing
def verify(heads: Path | None, as_json: bool) -> None:
    """Walk the chain of the log; exit 1 when an entry was changed, added or taken away.

    HEADS is a file of ends kept elsewhere (see `flask audit head`); without it the one beside the
    database is used.
    """
    proof = audit_proof.verify_log(heads_file=heads)
    if as_json:
        print_json(
            {
                "ok": proof.is_whole,
                "entries": proof.entries,
                "before_chain": proof.before_chain,
                "heads": proof.heads,
                "faults": list(proof.faults),
            }
        )
    else:
        click.echo(f"{proof.entries} mục trong chuỗi, {proof.before_chain} mục trước chuỗi")
    for fault in proof.faults:
        click.echo(f"Nhật ký KHÔNG nguyên vẹn: {fault}", err=True)
    if not proof.is_whole:
        sys.exit(1)


@group.command("head")
@refusing
def head() -> None:
    """Print the chain's length and last seal, to be kept on another machine."""
    end = audit_proof.head_now()
    click.echo(f"{end.entries} {end.seal}" if end else "0 -")


@group.command("key")
@refusing
def key() -> None:
    """Print the key of the seals, for AUDIT_KEY, before SECRET_KEY is changed."""
    click.echo(office().audit_key.hex())
