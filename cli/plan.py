"""`flask plan`: proposes meetings for those whom a campaign still misses."""

import click
from flask.cli import AppGroup

from cli.answers import now, print_json, refusing
from rules.days import LOCAL
from rules.permissions import SYSTEM
from rules.planning import ProposedMeeting
from services import planning

group = AppGroup("plan", help="Plans of meetings that reach a campaign's target.")


@group.command("propose")
@click.argument("campaign")
@click.option("--seconds", type=click.IntRange(1, 600), default=10, help="How long to search.")
@click.option("--seed", type=int, default=0, help="The same seed gives the same proposal.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@refusing
def propose(campaign: str, seconds: int, seed: int, as_json: bool) -> None:
    """Print proposed meetings, the expected coverage, its bound, and what could not be met."""
    found = planning.proposal_for(campaign, seconds=seconds, seed=seed, now=now(), by=SYSTEM)
    proposal = found.proposal
    if as_json:
        print_json(
            {
                "campaign": found.campaign,
                "meetings": [_as_json(one) for one in proposal.meetings],
                "expected": {
                    "covered": proposal.expected.covered,
                    "eligible": proposal.expected.eligible,
                    "percent": proposal.expected.percent,
                    "met": proposal.expected.met,
                },
                "bound": proposal.bound,
                "unmet": [
                    {"unit_id": one.unit_id, "people": one.people, "reason": one.text}
                    for one in proposal.unmet
                ],
            }
        )
        return
    for one in proposal.meetings:
        click.echo(_as_text(one))
    expected = proposal.expected
    click.echo(f"→ {expected.covered}/{expected.eligible} ({expected.percent or '–'}%)")
    for unmet in proposal.unmet:
        click.echo(f"! {unmet.text}")


def _as_json(one: ProposedMeeting) -> dict[str, object]:
    return {
        "starts_at": one.slot.starts_at.astimezone(LOCAL).isoformat(timespec="seconds"),
        "ends_at": one.slot.ends_at.astimezone(LOCAL).isoformat(timespec="seconds"),
        "place": one.venue.name,
        "seats": one.venue.capacity,
        "speaker": one.speaker.name,
        "people": one.seats_used,
        "units": [{"name": unit.name, "people": unit.seats} for unit in one.units],
    }


def _as_text(one: ProposedMeeting) -> str:
    start = one.slot.starts_at.astimezone(LOCAL)
    units = ", ".join(f"{unit.name} ({unit.seats})" for unit in one.units)
    return (
        f"{start:%d/%m/%Y %H:%M}\t{one.venue.name}\t{one.speaker.name}\t{one.seats_used}\t{units}"
    )
