"""`flask backup …`: one file with every row, and proof that it is whole."""

import sys
from pathlib import Path

import click
from flask.cli import AppGroup

from cli.answers import now, refusing
from rules.permissions import SYSTEM
from services import backups

group = AppGroup("backup", help="Sao lưu cơ sở dữ liệu và kiểm tra bản sao.")
FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@group.command("create")
@FILE
@refusing
def create(file: Path) -> None:
    """Ghi toàn bộ dữ liệu vào FILE, kiểm tra rồi mới đặt tên."""
    _show(backups.create_backup(file, now=now(), by=SYSTEM))


@group.command("verify")
@FILE
@refusing
def verify(file: Path) -> None:
    """Kiểm tra bản sao lưu FILE; thoát với mã 1 khi không toàn vẹn."""
    facts = backups.verify_backup(file)
    _show(facts)
    if not facts.is_whole:
        sys.exit(1)


def _show(facts: backups.BackupFacts) -> None:
    for table, count in facts.rows.items():
        click.echo(f"{count:>12}  {table}")
    click.echo(f"{facts.size:>12}  byte")
    click.echo("toàn vẹn: " + ("có" if facts.is_whole else "KHÔNG – " + "; ".join(facts.faults)))
