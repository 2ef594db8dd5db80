"""What every command shares: a refusal is a sentence on stderr and exit 1; JSON goes to stdout."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from rules.refusals import Refusal
from services.transaction import DATABASE_FAILURES

P = ParamSpec("P")
R = TypeVar("R")
ROW_ID = click.IntRange(max=2**31 - 1)
"""A row's number as an argument: what no database could hold is wrong usage."""


def now() -> datetime:
    """The commands' clock."""
    return datetime.now(UTC)


def refusing(command: Callable[P, R]) -> Callable[P, R]:
    """End with exit 1 and a sentence on stderr instead of a trace: a refusal, a file that cannot
    be written, a database that does not answer or was never prepared."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Refusal as refusal:
            click.echo(str(refusal), err=True)
        except OSError as error:
            if error.filename is None:
                raise
            click.echo(
                f"Không đọc hoặc ghi được tệp “{error.filename}” ({error.strerror}). "
                "Hãy kiểm tra đường dẫn và quyền.",
                err=True,
            )
        except DATABASE_FAILURES as error:
            reason = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            click.echo(
                f"Cơ sở dữ liệu chưa dùng được ({reason}). "
                "Hãy kiểm tra DATABASE_URL, rồi chạy: flask db upgrade",
                err=True,
            )
        sys.exit(1)

    return guarded


def print_json(value: object) -> None:
    """One JSON document on stdout, Vietnamese letters as they are."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
