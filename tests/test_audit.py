"""Every service that writes leaves an audit entry, or is named here with the reason why not."""

import ast
from pathlib import Path

SERVICES = Path(__file__).resolve().parent.parent / "services"
NOT_LOGGED = {
    "accounts.open_sign_in": "a sign-in is a row of its own",
    "accounts.actor_of_sign_in": "notes when a sign-in was last used",
    "accounts.end_sign_in": "a sign-in's row says when it ended",
    "sign_ins.check_password": "counts attempts",
    "sign_ins.request_link": "counts attempts and writes the mail, which is a row",
    "sign_ins.use_link": "a sign-in is a row of its own",
    "sign_ins.end_one": "a sign-in's row says when it ended",
    "sign_ins.end_all": "a sign-in's row says when it ended",
    "audit_proof.write_head": "writes the log's own end down",
    "clock.record_tick": "the clock's own sign of life",
    "clock.forget_old_runs": "the clock's own memory",
    "digests.send_weekly": "the mail is a row",
    "claims.claim": "the message's row tells its whole life",
    "sending.send_due": "the message's row tells its whole life",
    "reminders.remind": "the mail is a row",
    "reminders.chase_registers": "the mail is a row",
    "work_reminders.remind": "the mail is a row",
    "incoming_replies.forget_old_mails": "the retention of mails read already",
    "feed_meetings.blocks_of": "keeps bytes that can be made again",
    "feeds.feed_content": "keeps bytes and the hour they were asked for",
    "roster.choose_sheet": "a step before the import",
    "roster.choose_columns": "a step before the import",
    "roster.answer_namesakes": "a step before the import",
    "roster.begin_check": "a step before the import",
    "roster.begin_import": "a step before the import",
    "roster.fail": "the import's row says why it failed",
    "roster.delete_old_uploads": "throws away files that were looked at",
    "privacy.note_use": "the day on which somebody last looked at their own data",
    "own_data.own_data": "the day on which somebody last looked at their own data",
    "retention.forget_sent_secrets": "empties letters that have done their work",
    "installation.settle": "the first start writes down which installation this is",
    "scheduled_backups.make_scheduled": "each run is a row of its own",
    "scheduled_backups.rehearse_restore": "each run is a row of its own",
}

Name = tuple[str, str]


def called_by() -> dict[Name, set[Name]]:
    """What each top-level function of the services calls, as (module or "", function)."""
    found: dict[Name, set[Name]] = {}
    for file in SERVICES.glob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                calls = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
                found[file.stem, node.name] = {_name(call) for call in calls}
    return found


def _name(call: ast.expr) -> Name:
    if isinstance(call, ast.Attribute):
        return ast.unparse(call.value), call.attr
    return "", ast.unparse(call)


def reaches(start: Name, wanted: Name, calls: dict[Name, set[Name]]) -> bool:
    """Whether a function comes, however far down, to a call of the wanted one."""
    waiting, seen = [start], {start}
    while waiting:
        here = waiting.pop()
        for module, name in calls[here]:
            if (module, name) == wanted:
                return True
            near = [(module or here[0], name)]
            if not module and near[0] not in calls:
                near = [one for one in calls if one[1] == name]
            for one in near:
                if one in calls and one not in seen:
                    seen.add(one)
                    waiting.append(one)
    return False


def test_every_service_that_writes_leaves_an_audit_entry() -> None:
    calls = called_by()
    writers = [
        one for one in calls if not one[1].startswith("_") and reaches(one, ("", "writing"), calls)
    ]
    assert len(writers) > 100
    silent = {".".join(one) for one in writers if not reaches(one, ("audit", "record"), calls)}
    assert silent - NOT_LOGGED.keys() == set()
    assert NOT_LOGGED.keys() - silent == set(), "named as not logged, but logged or gone"
