"""The letter about what is due: plans, steps of histories and visits, to the staff nearest to each."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from gateways.languages import said
from gateways.mail import Button, Letter, Mailbox
from models import Account
from rules.days import local_day
from rules.permissions import SYSTEM
from rules.refusals import N_
from rules.works import KINDS
from services import outbox
from services.clock import first_run
from services.office import office
from services.reminders import staff_of
from services.transaction import reading, writing
from services.work_lists import Due, to_remind_of

MOST_LINES = 40
"""How many works one letter names; the list on screen has them all."""


def remind(slot: datetime, *, now: datetime) -> int:
    """Write to the staff nearest to each unit about what is due soon or overdue: one letter each,
    in the reader's language.

    Gives how many letters. 7 days and 1 day before, the day after, then each Monday.
    """
    today = local_day(now)
    session = reading()
    session.rollback()
    lines = [line for kind in KINDS for line in to_remind_of(session, kind, today=today, by=SYSTEM)]
    session.rollback()
    with writing() as session:
        if not first_run(session, "remind_works", slot, now=now):
            return 0
        lists: defaultdict[int, list[Due]] = defaultdict(list)
        accounts: dict[int, Account] = {}
        for line in lines:
            for account in staff_of(session, line.unit_id, today):
                accounts[account.id] = account
                lists[account.id].append(line)
        for account_id, theirs in lists.items():
            _write_to(session, accounts[account_id], theirs, slot, now)
        return len(lists)


def _write_to(
    session: Session, account: Account, lines: Sequence[Due], slot: datetime, now: datetime
) -> None:
    overdue = sum(line.state == "overdue" for line in lines)
    language = account.language or "vi"
    say = partial(said, language)
    outbox.enqueue_letter(
        session,
        Letter(
            greeting=say(N_("Kính gửi đồng chí %(name)s,"), name=account.name),
            paragraphs=[
                say(N_("Số việc sắp đến hạn hoặc đã quá hạn: %(count)s."), count=len(lines))
            ],
            facts=[
                (
                    line.unit_name,
                    say(
                        N_("%(title)s: hạn %(day)s"),
                        title=line.title,
                        day=f"{line.due_on:%d/%m/%Y}",
                    ),
                )
                for line in sorted(lines, key=lambda line: (line.due_on, line.unit_name))[
                    :MOST_LINES
                ]
            ],
            buttons=[Button(say(N_("Mở danh sách")), f"{office().public_url}/works/")],
            language=language,
        ),
        kind="notice",
        to=Mailbox(account.email, account.name),
        subject=say(
            N_("Việc đến hạn: %(count)s (%(overdue)s quá hạn)"), count=len(lines), overdue=overdue
        ),
        dedup_key=f"works:{slot:%Y%m%d}:a{account.id}",
        now=now,
        due_at=slot,
        account_id=account.id,
    )
