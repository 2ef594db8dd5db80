"""`flask office …`: whether everything is ready to run, and which installation this is."""

import click
from flask.cli import AppGroup

from cli.answers import now, refusing
from rules.permissions import SYSTEM
from services import health, installation, schema

group = AppGroup("office", help="Nơi chạy chương trình: kiểm tra, nhận là hệ thống chính.")


@group.command("check")
@refusing
def check() -> None:
    """Kiểm tra trước khi chạy: cơ sở dữ liệu đúng phiên bản, nơi chạy đúng hệ thống, bản sao lưu."""
    schema.refuse_other_here()
    click.echo(f"phiên bản cơ sở dữ liệu: {schema.newest()}")
    if installation.this_is_a_copy():
        click.echo(health.COPY_SENTENCE, err=True)
    found = health.health(now=now())
    told = found.last_tick_at.isoformat() if found.last_tick_at else "chưa chạy lần nào"
    click.echo(f"bộ lập lịch chạy gần nhất: {told}")
    click.echo("sẵn sàng")


@group.command("adopt")
@refusing
def adopt() -> None:
    """Nhận nơi này là hệ thống chính: được gửi thư. Nơi khác dùng bản sao thì thôi không gửi."""
    click.echo(installation.adopt(now=now(), by=SYSTEM))


@group.command("join")
@refusing
def join() -> None:
    """Thêm máy này vào hệ thống đang dùng chung cơ sở dữ liệu."""
    click.echo(installation.join(now=now(), by=SYSTEM))
