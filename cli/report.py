"""`flask report`: the term report as JSON, text, a workbook or a document."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

import click
from flask.cli import AppGroup

from cli.answers import now, print_json, refusing
from rules.permissions import SYSTEM, Actor
from services import report_documents, report_files
from services.document_templates import TemplateFailed
from services.report_places import AS_WAS, VIEWS

group = AppGroup("report", help="Reports with every number counted from rows.")
DAY = click.DateTime(["%Y-%m-%d"])


@group.command("term")
@click.option("--from", "first", required=True, type=DAY, help="First day, YYYY-MM-DD.")
@click.option("--to", "last", required=True, type=DAY, help="Last day, included, YYYY-MM-DD.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--view",
    type=click.Choice(VIEWS),
    default=AS_WAS,
    show_default=True,
    help="Units as they were, or restated to today's.",
)
@click.option(
    "--xlsx",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the report to this workbook.",
)
@click.option(
    "--docx",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the report to this document.",
)
@refusing
def term(
    first: datetime, last: datetime, as_json: bool, view: str, xlsx: Path | None, docx: Path | None
) -> None:
    """What the days from first to last add up to, both included."""
    if sum((as_json, xlsx is not None, docx is not None)) > 1:
        raise click.UsageError("choose one of --json, --xlsx and --docx")
    days = (first.date(), last.date())
    for path, make in ((xlsx, report_files.term_workbook), (docx, _document)):
        if path is not None:
            content = make(*days, now=now(), by=SYSTEM, view=view)
            path.write_bytes(content)
            click.echo(f"{path}: {len(content)} byte", err=True)
            return
    report = report_files.term_json(*days, now=now(), by=SYSTEM, view=view)
    if as_json:
        print_json(report)
        return
    for line in _lines("", report):
        click.echo(line)


def _document(first: date, last: date, *, now: datetime, by: Actor, view: str) -> bytes:
    """In the unit's own template; where that cannot be filled, in the built-in form, and says so."""
    try:
        return report_documents.term_document(first, last, now=now, by=by, view=view)
    except TemplateFailed as failure:
        click.echo(f"{failure} {failure.why}", err=True)
        return report_documents.term_document(first, last, now=now, by=by, view=view, built_in=True)


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
