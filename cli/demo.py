"""`flask demo …`: the invented city to try the program with."""

import click
from flask.cli import AppGroup

from cli.answers import now, refusing
from services import demo

group = AppGroup("demo", help="Dữ liệu minh hoạ (hư cấu) để dùng thử.")


@group.command("load")
@click.option(
    "--scale",
    type=click.Choice(list(demo.SCALES)),
    default="city",
    show_default=True,
    help="Quy mô: một phường, một thành phố, một tỉnh, cả nước.",
)
@click.option("--seed", type=int, default=2015, show_default=True, help="Cùng số, cùng dữ liệu.")
@click.option("--if-empty", is_flag=True, help="Không làm gì khi đã có dữ liệu.")
@refusing
def load(scale: str, seed: int, if_empty: bool) -> None:
    """Nạp dữ liệu minh hoạ vào cơ sở dữ liệu trống."""
    if if_empty and not demo.is_empty():
        return

    def show(text: str, percent: int) -> None:
        click.echo(f"[{percent:3}%] {text}", err=True)

    demo.load_demo(scale=scale, seed=seed, now=now(), progress=show)
