"""The application as bench/feed.py asks it: far more often than one address ever is."""

import os
from datetime import timedelta

from flask import Flask

import app
from services import feed_memory


def create_app() -> Flask:
    """Without the limit on one address, after which its stored bytes are given without a look; and
    with FORGETFUL=1 remembering of no feed in what state it was, as a process that has just begun."""
    feed_memory.MOST_ASKS_A_MINUTE = 10**9
    if os.environ.get("FORGETFUL") == "1":
        feed_memory.SETTLED = timedelta(days=36_500)
    return app.create_app()
