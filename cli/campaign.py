"""`flask campaign`: the campaigns, their coverage, who is missing, and whether the ledger agrees."""

import sys
from datetime import datetime

import click
from flask.cli import AppGroup

from cli.answers import now, print_json, refusing
from rules.coverage import HouseholdFigure, MemberFigure, percent_text, ratio_text
from rules.days import local_day
from rules.permissions import SYSTEM
from services import campaigns, coverage, coverage_ledger, exports

group = AppGroup("campaign", help="Study campaigns and their coverage.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@group.command("list")
@AS_JSON
@refusing
def list_campaigns(as_json: bool) -> None:
    """All campaigns: open ones first, then by deadline."""
    lines = campaigns.campaign_list(today=local_day(now()), by=SYSTEM)
    if as_json:
        print_json(
            [
                {
                    "code": line.code,
                    "title": line.title,
                    "opens_on": line.opens_on.isoformat(),
                    "deadline_on": line.deadline_on.isoformat(),
                    "state": line.state,
                }
                for line in lines
            ]
        )
        return
    for line in lines:
        click.echo(
            f"{line.code}\t{line.opens_on:%d/%m/%Y}–{line.deadline_on:%d/%m/%Y}"
            f"\t{line.state}\t{line.title}"
        )


@group.command("coverage")
@click.argument("code")
@AS_JSON
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The figures as they stood at the end of that day (YYYY-MM-DD).",
)
@refusing
def show_coverage(code: str, as_json: bool, as_of: datetime | None) -> None:
    """A campaign's figures: in all, by reporting unit and by residential group."""
    figures = coverage.campaign_figures(
        code, by=SYSTEM, today=local_day(now()), as_of=as_of.date() if as_of else None
    )
    if as_json:
        print_json(figures.as_json())
        return
    click.echo(f"{figures.code}\t{figures.title}\t{figures.as_of:%d/%m/%Y}")
    _print_figure("Đảng viên", figures.members)
    _print_figure("Hộ gia đình", figures.households)
    for unit in figures.units:
        _print_figure(f"{unit.code}\t{unit.name}", unit.members)
    for household_group in figures.groups:
        _print_figure(f"{household_group.code}\t{household_group.name}", household_group.households)


def _print_figure(name: str, figure: MemberFigure | HouseholdFigure) -> None:
    click.echo(f"{name}\t{ratio_text(figure)}\t{percent_text(figure)}\t{figure.short}")


@group.command("missing")
@click.argument("code")
@click.option("--unit", "unit_code", help="Only this unit and below it, by its code.")
@AS_JSON
@refusing
def missing(code: str, unit_code: str | None, as_json: bool) -> None:
    """Who must study and has not yet."""
    people = exports.missing_list(code, now=now(), by=SYSTEM, unit=unit_code)
    if as_json:
        print_json(
            [
                {
                    "code": person.code,
                    "name": person.name,
                    "unit": person.unit_code,
                    "unit_name": person.unit_name,
                }
                for person in people
            ]
        )
        return
    for person in people:
        click.echo(f"{person.code}\t{person.name}\t{person.unit_name}")


@group.command("verify")
@click.argument("code")
@click.option("--repair", is_flag=True, help="Write the roll's coverage anew from the ledger.")
@AS_JSON
@refusing
def verify(code: str, repair: bool, as_json: bool) -> None:
    """Compare the roll with marks and credits; exit 1 when they differ and were not repaired."""
    differences = coverage_ledger.coverage_differences(code, by=SYSTEM, today=local_day(now()))
    if repair and differences:
        coverage_ledger.repair_coverage(code, now=now(), by=SYSTEM)
    if as_json:
        print_json(
            {
                "campaign": code,
                "differences": [
                    {"subject": one.subject, "remembered": one.remembered, "ledger": one.ledger}
                    for one in differences
                ],
                "repaired": len(differences) if repair else 0,
            }
        )
    else:
        for one in differences:
            click.echo(f"{one.subject}\t{one.remembered}\t{one.ledger}")
        click.echo(f"{len(differences)} chỗ lệch so với sổ điểm danh.", err=True)
    if differences and not repair:
        sys.exit(1)
