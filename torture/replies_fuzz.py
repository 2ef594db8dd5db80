"""Hostile answers by mail: mutated calendar replies, of which none may escape or change anything (F17).

Reading is tried here; that a forged or stale answer changes nothing is `tests/services/
test_incoming_replies.py`.
"""

import argparse
import time

from tests.gateways.test_replies import read_all
from torture.outcome import Outcome

NAME = "ics"
QUICK = [("--mails", "3000")]
FULL = [("--mails", "100000")]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many mutated mails."""
    parser.add_argument("--mails", type=int, default=100_000)


def run(options: argparse.Namespace) -> Outcome:
    """Read them all; each is understood or refused as unreadable, with clean words."""
    outcome, began = Outcome(promised=options.mails), time.monotonic()
    try:
        read_all(options.mails, seed=options.seed)
        outcome.delivered = options.mails
    except Exception as error:  # noqa: BLE001 - whatever escapes is the finding
        outcome.broken.append(f"F17: {type(error).__name__}: {error}"[:200])
    outcome.figures = {"mails a second": round(options.mails / (time.monotonic() - began))}
    return outcome
