"""One line a happening on the error stream, as text or as JSON, without people and without secrets."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

FORMATS = ("text", "json")
EXTRAS = ("endpoint", "method", "status", "ms", "reference", "job")

_HIDDEN = (
    # What follows these in an address is a secret or a signed name.
    (
        re.compile(
            r"(/(?:feeds|subscriptions|my-data|link|sign-in|card|replies|reminders)/)[^\s\"'?]+"
        ),
        r"\1‹mã›",
    ),
    (re.compile(r"(?i)(bearer\s+|token[=:]\s*|password[=:]\s*)[^\s\"'&,;]+"), r"\1‹mã›"),
    (re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"), "‹thư›"),
    (re.compile(r"(?<![\w.])(?:\+84|0)\d{8,10}(?!\w)"), "‹số›"),
    # Whatever else looks drawn at random: 20 letters and digits of every sort in one run.
    (
        re.compile(r"(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)(?<![\w-])[A-Za-z0-9_-]{20,}"),
        "‹mã›",
    ),
)


def without_secrets(text: str) -> str:
    """The text without addresses, telephone numbers, tokens and what stands in secret addresses."""
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    return text


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


class _Json(logging.Formatter):
    """One JSON object a line: when, how grave, from where, what, and the few extras there are."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "what": without_secrets(record.getMessage()),
        }
        line |= {name: getattr(record, name) for name in EXTRAS if hasattr(record, name)}
        if record.exc_info:
            line["trace"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def formatter(style: str) -> logging.Formatter:
    """The formatter of a style named in FORMATS."""
    return _Json() if style == "json" else _Text("%(asctime)s %(name)s %(message)s")


def configure(style: str) -> None:
    """Send every log of this process through one handler of that style."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(style))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # A batch that takes longer than its interval makes APScheduler warn of every tick it skips.
    for name, level in (
        ("apscheduler", logging.ERROR),
        ("werkzeug", logging.WARNING),
        ("alembic", logging.WARNING),
    ):
        logging.getLogger(name).setLevel(level)
