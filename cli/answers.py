"""What every command shares: a refusal is a sentence on stderr and exit 1; JSON goes to stdout."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from rules.refusals import Refusal

P = ParamSpec("P")
R = TypeVar("R")


def now() -> datetime:
    """The commands' clock."""
    return datetime.now(UTC)


def refusing(command: Callable[P, R]) -> Callable[P, R]:
    """End with exit 1 and the refusal's sentence on stderr instead of a trace."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Refusal as refusal:
            click.echo(str(refusal), err=True)
            sys.exit(1)

    return guarded


def print_json(value: object) -> None:
    """One JSON document on stdout, Vietnamese letters as they are."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
