"""`flask privacy`: what is due to lose its names, doing it, and erasing one person."""

import click
from flask.cli import AppGroup

from cli.answers import now, print_json, refusing
from rules.permissions import SYSTEM
from services import erasure, own_data, privacy, retention

group = AppGroup("privacy", help="Personal data: retention, erasure, members' own pages.")


@group.command("retention")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@refusing
def run(dry_run: bool, as_json: bool) -> None:
    """Replace names whose time is over by pseudonyms; totals and figures stay exactly."""
    act = retention.retention_plan if dry_run else retention.run_retention
    plan = act(now=now(), by=SYSTEM)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "campaigns": [
                    {"code": due.title, "closed_on": due.ended_on.isoformat(), "people": due.people}
                    for due in plan.campaigns
                ],
                "meetings": plan.meetings,
                "enrolments": plan.enrolments,
                "departed": plan.departed,
                "mails": plan.mails,
            }
        )
        return
    for due in plan.campaigns:
        click.echo(f"{due.title}\tđóng {due.ended_on:%d/%m/%Y}\t{due.people} người")
    click.echo(f"buổi ngoài đợt\t{plan.meetings}")
    click.echo(f"học viên không có giấy chứng nhận\t{plan.enrolments}")
    click.echo(f"người đã rời đi\t{plan.departed}")
    click.echo(f"nội dung thư\t{plan.mails}")
    click.echo("Mới xem trước, chưa đổi gì." if dry_run else "Đã thực hiện.", err=True)


@group.command("link")
@click.argument("code")
@refusing
def link(code: str) -> None:
    """Make the address of a member's own page and print it, this once."""
    person_id = own_data.person_id_of(code)
    click.echo(privacy.make_link(person_id, now=now(), by=SYSTEM))


@group.command("erase")
@click.argument("code")
@click.option("--yes", is_flag=True, help="Without asking.")
@refusing
def erase(code: str, yes: bool) -> None:
    """Erase a person: nothing names them any more, every figure stays."""
    person_id = own_data.person_id_of(code)
    view = erasure.erasure_view(person_id, now=now(), by=SYSTEM)
    if not yes:
        click.confirm(f"Xoá mọi dữ liệu nêu tên {view.name}? Không hoàn lại được.", abort=True)
    for left in erasure.erase_person(person_id, now=now(), by=SYSTEM):
        click.echo(f"{left.table}.{left.column}\t{left.rows}")
    click.echo("Đã xoá.", err=True)
