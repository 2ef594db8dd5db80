"""`flask report`: the term report as JSON, text or a workbook."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import click
from flask.cli import AppGroup

from cli.answers import now, print_json, refusing
from rules.days import local_day
from rules.permissions import SYSTEM
from services import reports

group = AppGroup("report", help="Reports with every number counted from rows.")
DAY = click.DateTime(["%Y-%m-%d"])


@group.command("term")
@click.option("--from", "first", required=True, type=DAY, help="First day, YYYY-MM-DD.")
@click.option("--to", "last", required=True, type=DAY, help="Last day, included, YYYY-MM-DD.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--xlsx",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the report to this workbook.",
)
@refusing
def term(first: datetime, last: datetime, as_json: bool, xlsx: Path | None) -> None:
    """What the days from first to last add up to, both included."""
    if as_json and xlsx is not None:
        raise click.UsageError("choose --json or --xlsx, not both")
    if xlsx is not None:
        content = reports.term_workbook(first.date(), last.date(), now=now(), by=SYSTEM)
        xlsx.write_bytes(content)
        click.echo(f"{xlsx}: {len(content)} byte", err=True)
        return
    report = reports.term_report(
        first.date(), last.date(), today=local_day(now()), by=SYSTEM
    ).as_json()
    if as_json:
        print_json(report)
        return
    for line in _lines("", report):
        click.echo(line)


def _lines(name: str, value: object) -> Iterator[str]:
    """One figure a line, named by the way to it in the JSON: outreach.visits, study.0.campaign."""
    if isinstance(value, Mapping):
        parts: Iterable[tuple[object, object]] = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    else:
        yield f"{name}\t{'-' if value is None else value}"
        return
    for key, part in parts:
        yield from _lines(f"{name}.{key}" if name else str(key), part)
