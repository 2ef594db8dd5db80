"""The door for commands: `flask …`; data on stdout, messages on stderr, exit 0, 1 or 2 (usage)."""

from flask import Flask

from cli import (
    account,
    audit,
    backup,
    campaign,
    demo,
    feed,
    meeting,
    meeting_object,
    office,
    outbox,
    plan,
    privacy,
    report,
    roster,
    serve,
)

COMMANDS: tuple[object, ...] = (
    account,
    audit,
    backup,
    campaign,
    demo,
    feed,
    meeting,
    meeting_object,
    office,
    outbox,
    plan,
    privacy,
    report,
    roster,
    serve,
)


def init_app(app: Flask) -> None:
    """Register every command group."""
    for module in COMMANDS:
        app.cli.add_command(module.group)  # type: ignore[attr-defined]  # every module has one
