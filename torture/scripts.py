"""Scripts typed into every text field: no page may run one, and no policy may be broken (A4).

Every free text of the demonstration ward becomes one of forty payloads, then a real Chromium opens
every page that can be read, and a person's own page, as administrator. A dialog, a script error or
a violated policy breaks the promise.
"""

import argparse
import os
import sqlite3
from typing import Any

from playwright.sync_api import Page, sync_playwright

from app import create_app
from torture.attack import server
from torture.outcome import Outcome
from torture.stage import Stage, stage

NAME = "scripts"
FULL = [()]
CHROMIUM = ("CHROMIUM", "/usr/bin/chromium", "/usr/bin/google-chrome")
_PAYLOADS = """
<script>alert(1)</script>
<img src=x onerror=alert(1)>
"><script>alert(1)</script>
'><svg onload=alert(1)>
<svg/onload=alert(1)>
<body onload=alert(1)>
<iframe src=javascript:alert(1)>
</title><script>alert(1)</script>
</textarea><script>alert(1)</script>
</script><script>alert(1)</script>
javascript:alert(1)
" onfocus=alert(1) autofocus x="
' onmouseover=alert(1) x='
<details open ontoggle=alert(1)>
<marquee onstart=alert(1)>
<video src=x onerror=alert(1)>
<math><mtext><script>alert(1)</script>
<a href=javascript:alert(1)>x</a>
{{7*7}}
{{config}}
${alert(1)}
<%= 7*7 %>
`${alert(1)}`
\\u003cscript\\u003ealert(1)\\u003c/script\\u003e
&lt;script&gt;alert(1)&lt;/script&gt;
<scr<script>ipt>alert(1)</scr</script>ipt>
<input onfocus=alert(1) autofocus>
<form action=javascript:alert(1)><button>x
<object data=javascript:alert(1)>
<embed src=javascript:alert(1)>
<link rel=stylesheet href=//evil.example/x>
<style>@import'//evil.example/x'</style>
<base href=//evil.example/>
<meta http-equiv=refresh content=0;url=//evil.example>
<img src=//evil.example/x>
--><script>alert(1)</script>
]]><script>alert(1)</script>
<x contenteditable onblur=alert(1)>
<template><script>alert(1)</script></template>
=HYPERLINK("//evil.example")
"""
PAYLOADS = _PAYLOADS.strip().splitlines()
FIELDS = {
    "unit": ("name",),
    "unit_name": ("name",),
    "person": ("full_name", "family_and_middle", "given_name"),
    "household": ("representative",),
    "speaker": ("name", "title"),
    "venue": ("name", "address"),
    "campaign": ("title", "document_title", "document_issuer"),
    "campaign_topic": ("title",),
    "course": ("title",),
    "meeting": ("topic", "description", "place", "chair", "state_reason"),
    "meeting_point": ("name", "chair"),
    "walk_in": ("name", "unit_text"),
    "account": ("name",),
    "roll_correction": ("reason",),
    "external_credit": ("place", "evidence"),
    "history_project": ("title",),
    "commendation": ("decision_number",),
    "call_list_entry": ("text",),
    "outgoing_message": ("to_name", "subject", "last_error"),
    "calendar_day": ("name",),
}
FIRST = {
    "meeting_id": "meeting", "person_id": "person", "household_id": "household",
    "unit_id": "unit", "speaker_id": "speaker", "venue_id": "venue", "account_id": "account",
    "message_id": "outgoing_message", "history_id": "history_project",
    "commendation_id": "commendation",
}  # fmt: skip
CODES = {
    "campaigns": "campaign", "coverage": "campaign", "planning": "campaign", "courses": "course",
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No choices: it is one walk."""
    parser.set_defaults(db="sqlite")


def run(options: argparse.Namespace) -> Outcome:
    """Poison every text, open every page."""
    outcome = Outcome()
    with stage(options) as made:
        made.flask("demo", "load", "--scale", "ward")
        link = made.flask("account", "create", "boss@test.invalid", "--role", "admin").split()[-1]
        own = made.flask("privacy", "link", _first(made, "person", "code")).split()[-1]
        poisoned = _poison(made)
        with server(made) as (port, _process, _log):
            addresses = [*_addresses(made), "/my-data/" + own.rpartition("/")[2]]
            found = _walk(f"http://127.0.0.1:{port}", link.rpartition("/")[2], addresses)
    outcome.promised = len(addresses)
    outcome.delivered = found["opened"]
    outcome.figures = {"payloads": len(PAYLOADS), "texts poisoned": poisoned} | found
    for kind in ("dialogs", "violations", "errors", "faults"):
        outcome.require(not found[kind], f"A4: {kind}: {found[kind][:3]}")
    outcome.require(found["opened"] > 60, f"A4: only {found['opened']} pages were opened")
    return outcome


def _first(made: Stage, table: str, column: str = "id") -> Any:
    with sqlite3.connect(made.folder / "torture.db") as connection:
        row = connection.execute(f"SELECT {column} FROM {table} LIMIT 1").fetchone()
    return row[0] if row else None


def _poison(made: Stage) -> int:
    """Every free text becomes a payload, each row the next one; gives how many."""
    count = 0
    with sqlite3.connect(made.folder / "torture.db") as connection:
        for table, columns in FIELDS.items():
            for column in columns:
                ids = connection.execute(f"SELECT rowid FROM {table} LIMIT 2000").fetchall()
                for (row,) in ids:
                    count += 1
                    payload = PAYLOADS[count % len(PAYLOADS)]
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (payload, row)
                    )
    return count


def _addresses(made: Stage) -> list[str]:
    """Every page that is read, with the first row's number or code in its place."""
    found = []
    for rule in create_app().url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint == "static":
            continue
        values: dict[str, Any] = {}
        for name in rule.arguments - set(rule.defaults or {}):
            blueprint = rule.endpoint.partition(".")[0]
            if name == "code" and blueprint in CODES:
                values[name] = _first(made, CODES[blueprint], "code")
            elif name in FIRST:
                values[name] = _first(made, FIRST[name])
        if None in values.values() or rule.arguments - set(rule.defaults or {}) - set(values):
            continue
        built = rule.build(values)
        if built is not None:
            found.append(built[1])
    return sorted(found)


def _walk(site: str, link: str, addresses: list[str]) -> dict[str, Any]:
    chromium = os.environ.get(CHROMIUM[0]) or next(
        one for one in CHROMIUM[1:] if os.path.exists(one)
    )
    found: dict[str, Any] = {
        "opened": 0, "dialogs": [], "violations": [], "errors": [], "faults": [],
    }  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        _watch(page, found)
        page.goto(f"{site}/sign-in/{link}")
        page.click("main button[type=submit]")
        page.wait_for_load_state()
        for address in addresses:
            try:
                answer = page.goto(site + address, wait_until="load")
            except Exception as error:
                if "Download is starting" in str(error) or "ERR_ABORTED" in str(error):
                    continue
                raise
            if answer is not None and answer.status >= 500:
                found["faults"].append(address)
            found["opened"] += 1
        browser.close()
    return found


def _watch(page: Page, found: dict[str, Any]) -> None:
    def dialog(one: Any) -> None:
        found["dialogs"].append(f"{page.url}: {one.message}")
        one.dismiss()

    def console(one: Any) -> None:
        if "Content Security Policy" in one.text:
            found["violations"].append(f"{page.url}: {one.text[:200]}")

    page.on("dialog", dialog)
    page.on("console", console)
    page.on("pageerror", lambda error: found["errors"].append(f"{page.url}: {error}"[:200]))
