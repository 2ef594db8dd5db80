"""The application as bench/feed.py asks it: far more often than one address ever is."""

from flask import Flask

import app
from services import feed_memory


def create_app() -> Flask:
    """Without the limit on one address, after which its stored bytes are given without a look."""
    feed_memory.MOST_ASKS_A_MINUTE = 10**9
    return app.create_app()
