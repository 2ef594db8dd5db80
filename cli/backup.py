"""`flask backup …`: one file with every row, and proof that it is whole."""

import sys
from pathlib import Path

import click
from flask.cli import AppGroup

from cli.answers import now, refusing
from rules.permissions import SYSTEM
from services import backups, restoring

group = AppGroup("backup", help="Sao lưu cơ sở dữ liệu và kiểm tra bản sao.")
FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
IDENTITY = click.option(
    "--identity",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Tệp khoá riêng, khi bản sao lưu đã được mã hoá.",
)


@group.command("create")
@FILE
@refusing
def create(file: Path) -> None:
    """Ghi toàn bộ dữ liệu vào FILE, kiểm tra rồi mới đặt tên."""
    _show(backups.create_backup(file, now=now(), by=SYSTEM))


@group.command("verify")
@FILE
@IDENTITY
@refusing
def verify(file: Path, identity: Path | None) -> None:
    """Kiểm tra bản sao lưu FILE; thoát với mã 1 khi không toàn vẹn."""
    facts = backups.verify_backup(file, identity=identity)
    _show(facts)
    if not facts.is_whole:
        sys.exit(1)


@group.command("restore")
@FILE
@IDENTITY
@click.option(
    "--replace-everything",
    is_flag=True,
    help="Ghi đè cơ sở dữ liệu đang có dữ liệu (được sao lưu trước).",
)
@refusing
def restore(file: Path, identity: Path | None, replace_everything: bool) -> None:
    """Phục hồi FILE vào cơ sở dữ liệu trống của thiết lập DATABASE_URL.

    Trước đó hãy dừng mọi dịch vụ và chạy flask db upgrade. Thư còn đợi trong bản sao lưu có thể đã
    được gửi, nên được giữ lại cho quản trị viên xem và cho gửi.
    """
    done = restoring.restore(
        file, now=now(), by=SYSTEM, identity=identity, replace=replace_everything
    )
    _show(done.facts)
    click.echo(f"{done.held:>12}  thư được giữ lại, đợi quản trị viên")


@group.command("rehearse")
@FILE
@IDENTITY
@refusing
def rehearse(file: Path, identity: Path | None) -> None:
    """Phục hồi thử FILE vào một nơi tạm rồi xoá; cơ sở dữ liệu đang dùng không đổi."""
    _show(restoring.rehearse(file, now=now(), identity=identity))


@group.command("keys")
@click.argument("identity", type=click.Path(path_type=Path, dir_okay=False))
@refusing
def keys(identity: Path) -> None:
    """Tạo cặp khoá: khoá riêng vào tệp IDENTITY, khoá công khai in ra cho BACKUP_PUBLIC_KEY.

    Hãy chạy trên máy khác và giữ tệp khoá riêng ở đó: máy chủ chỉ cần khoá công khai.
    """
    click.echo(backups.make_keys(identity))


def _show(facts: backups.BackupFacts) -> None:
    for table, count in facts.rows.items():
        click.echo(f"{count:>12}  {table}")
    click.echo(f"{facts.size:>12}  byte")
    click.echo("toàn vẹn: " + ("có" if facts.is_whole else "KHÔNG – " + "; ".join(facts.faults)))
