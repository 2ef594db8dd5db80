"""Since when each entry of a campaign's roll is covered: what marks and credits add up to, written
beside it in their own transaction, so that every figure is one count of the roll."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import Select, bindparam, exists, inspect, or_, select, update
from sqlalchemy.orm import Session

from models import Campaign, CampaignTopic, ExternalCredit, Meeting, RegisterLine, RollEntry
from rules.attendance import ATTENDING
from rules.coverage import Attended, CompletionRule, any_meeting, completed_on
from rules.days import local_day
from rules.parts import in_parts
from rules.permissions import Actor
from services import audit
from services.access import require_role
from services.attendance_roll import ids_of
from services.campaigns import campaign_for
from services.prepared import Among, Listed, Prepared
from services.transaction import reading, writing

TAKES_PLACE = ("published", "held")

# What a mark asks of its campaign, once for people and once for households, written down once.
_ENTRY: Any = inspect(RollEntry).local_table
_KINDS = {"person_id": "m", "household_id": "h"}
"""The entry's column, and how a subject of that kind begins."""
_TOPICS = Prepared(
    lambda _: select(CampaignTopic.id).where(CampaignTopic.campaign_id == bindparam("campaign"))
)


# Study elsewhere that nobody took back.
_STANDING = select(
    ExternalCredit.person_id,
    ExternalCredit.id,
    ExternalCredit.studied_on,
    ExternalCredit.is_makeup,
).where(ExternalCredit.campaign_id == bindparam("campaign"), ExternalCredit.annulled_at.is_(None))


def _entries_of(key: str, among: Among, *, lock: bool) -> Select[*tuple[Any, ...]]:
    """What the roll remembers of these people (or households), whether they have a credit, and the
    rule by which their campaign is completed."""
    subject = _ENTRY.c[key]
    credited = exists(_STANDING.where(ExternalCredit.person_id == _ENTRY.c.person_id))
    remembered = (_ENTRY.c.id, subject, _ENTRY.c.covered_on, _ENTRY.c.covered_round)
    entries = (
        select(*remembered, credited, Campaign.completion_rule, Campaign.completion_count)
        .join(Campaign, Campaign.id == _ENTRY.c.campaign_id)
        .where(_ENTRY.c.campaign_id == bindparam("campaign"), among(subject))
        .order_by(_ENTRY.c.id)
    )
    return entries.with_for_update(of=_ENTRY) if lock else entries


_ENTRIES = {key: Listed(partial(_entries_of, key, lock=False)) for key in _KINDS}
_LOCKED = {key: Listed(partial(_entries_of, key, lock=True)) for key in _KINDS}
_CREDITS = Listed(lambda among: _STANDING.where(among(ExternalCredit.person_id)))
_COVER = Prepared(
    lambda _: (
        update(_ENTRY)
        .where(_ENTRY.c.id == bindparam("entry"))
        .values(covered_on=bindparam("since"), covered_round=bindparam("its_round"))
    )
)


def _sittings_of(key: str, among: Among) -> Select[*tuple[Any, ...]]:
    """Every sitting of a campaign that these people (or households) attended.

    `campaign_id + 0` keeps SQLite from starting at the campaign's meetings: the few subjects'
    own lines are the short way in.
    """
    subject = getattr(RegisterLine, key)
    return (
        select(subject, Meeting.id, Meeting.starts_at, Meeting.campaign_topic_id, Meeting.is_makeup)
        .select_from(RegisterLine)
        .join(Meeting, Meeting.id == RegisterLine.meeting_id)
        .where(
            among(subject),
            or_(*(RegisterLine.status == str(one) for one in sorted(ATTENDING))),
            Meeting.campaign_id + 0 == bindparam("campaign"),
            Meeting.counting == "roll",
            or_(*(Meeting.state == one for one in TAKES_PLACE)),
        )
    )


_ATTENDED = {key: Listed(partial(_sittings_of, key)) for key in _KINDS}


@dataclass(frozen=True)
class LedgerDifference:
    """A roll entry that remembers something else than the ledger adds up to."""

    subject: str
    remembered: str
    ledger: str


def refresh_subjects(session: Session, campaign_id: int, subjects: Iterable[str]) -> int:
    """Write anew since when these subjects ("m:…", "h:…") are covered; how many entries changed.

    For the transaction of whatever changed: a mark, a credit, a correction, a meeting called off.
    Subjects without an entry on the campaign's roll, and walk-ins, are passed over.
    """
    session.flush()  # written-down statements see only what is in the database already
    several, changed = list(subjects), 0
    for key, kind in _KINDS.items():
        for part in in_parts(ids_of(several, kind)):
            found = _differences(session, campaign_id, key, part, lock=True)
            changed += _write_differences(session, found)
    return changed


def refresh_meeting(session: Session, meeting_id: int) -> int:
    """The same for everybody marked at a meeting, after its state, topic or round has changed."""
    campaign_id = session.scalar(select(Meeting.campaign_id).where(Meeting.id == meeting_id))
    if campaign_id is None:
        return 0
    subjects = session.scalars(
        select(RegisterLine.subject).where(RegisterLine.meeting_id == meeting_id)
    )
    return refresh_subjects(session, campaign_id, subjects)


def repair_coverage(code: str, *, now: datetime, by: Actor) -> int:
    """Write the whole campaign's remembered coverage anew from the ledger; how many were wrong."""
    require_role(by, "admin")
    with writing() as session:
        campaign = campaign_for(session, by, code, now)
        changed = _write_differences(session, _all_differences(session, campaign.id))
        if changed:
            audit.record(
                session,
                now=now,
                by=by,
                action="repaired",
                entity="campaign",
                entity_id=campaign.id,
                entries=changed,
            )
        return changed


def coverage_differences(code: str, *, by: Actor, today: date) -> list[LedgerDifference]:
    """Where the roll remembers something else than its marks and credits add up to."""
    require_role(by, "admin", "staff")
    session = reading()
    campaign = campaign_for(session, by, code, today)
    return [
        LedgerDifference(one.subject, _coverage_text(one.remembered), _coverage_text(one.ledger))
        for one in _all_differences(session, campaign.id)
    ]


@dataclass(frozen=True)
class _Difference:
    """A roll entry whose remembered coverage is not what the ledger says."""

    entry_id: int
    subject: str
    remembered: tuple[date | None, str | None]
    ledger: tuple[date | None, str | None]


def _differences(
    session: Session, campaign_id: int, key: str, ids: Sequence[int], *, lock: bool = False
) -> list[_Difference]:
    """`lock` holds the entries until the transaction ends: two meetings marking one person at
    the same moment would otherwise each count only their own mark (PostgreSQL)."""
    entries = (_LOCKED if lock else _ENTRIES)[key].rows(session, ids, campaign=campaign_id)
    if not entries:
        return []
    rule = any_meeting()
    if key == "person_id":
        rule = _completion_rule(session, campaign_id, *entries[0][-2:])
    credited = [subject_id for _, subject_id, _, _, is_credited, *_ in entries if is_credited]
    attended = _attended(session, campaign_id, key, ids, credited)
    found = []
    for entry_id, subject_id, covered_on, covered_round, *_ in entries:
        completion = completed_on(rule, attended[subject_id])
        ledger: tuple[date | None, str | None] = (None, None)
        if completion is not None:
            ledger = (completion.covered_on, "main" if completion.in_main_round else "makeup")
        if ledger != (covered_on, covered_round):
            subject = f"{_KINDS[key]}:{subject_id}"
            found.append(_Difference(entry_id, subject, (covered_on, covered_round), ledger))
    return found


def _completion_rule(session: Session, campaign_id: int, kind: str, count: int) -> CompletionRule:
    topics = _TOPICS.rows(session, campaign=campaign_id) if kind == "all_topics" else ()
    return CompletionRule(kind, frozenset(row[0] for row in topics), count)


def _attended(
    session: Session, campaign_id: int, key: str, ids: Sequence[int], credited: Sequence[int]
) -> defaultdict[int | None, list[Attended]]:
    """Every sitting of the campaign that these people (or households) attended, and the credits of
    those who have some."""
    attended: defaultdict[int | None, list[Attended]] = defaultdict(list)
    sittings = _ATTENDED[key].rows(session, ids, campaign=campaign_id)
    for subject_id, meeting_id, starts_at, topic_id, is_makeup in sittings:
        attended[subject_id].append(Attended(meeting_id, local_day(starts_at), topic_id, is_makeup))
    given = _CREDITS.rows(session, credited, campaign=campaign_id)
    for person_id, credit_id, studied_on, is_makeup in given:
        attended[person_id].append(Attended(credit_id, studied_on, None, is_makeup, "credit"))
    return attended


def _write_differences(session: Session, differences: Sequence[_Difference]) -> int:
    if differences:
        _COVER.run(
            session,
            [
                {"entry": one.entry_id, "since": one.ledger[0], "its_round": one.ledger[1]}
                for one in differences
            ],
        )
    return len(differences)


def _all_differences(session: Session, campaign_id: int) -> list[_Difference]:
    found: list[_Difference] = []
    for key in _KINDS:
        subject = getattr(RollEntry, key)
        ids = session.scalars(
            select(subject).where(RollEntry.campaign_id == campaign_id, subject.is_not(None))
        )
        for part in in_parts(sorted(ids)):
            found += _differences(session, campaign_id, key, part)
    return found


def _coverage_text(covered: tuple[date | None, str | None]) -> str:
    return f"{covered[0]} ({covered[1]})" if covered[0] else "-"
