"""Coverage: who has completed a campaign, and every figure that the doors show of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from models import Campaign, CampaignTopic, ExternalCredit, Meeting, RegisterLine, RollEntry
from rules.attendance import ATTENDING
from rules.coverage import Attended, CompletionRule, any_meeting, completed_on
from rules.days import local_day

CHUNK = 400
TAKES_PLACE = ("published", "held")


def refresh_subjects(session: Session, campaign_id: int, subjects: Iterable[str]) -> int:
    """Write anew since when these subjects ("m:…", "h:…") are covered; how many entries changed.

    For the transaction of whatever changed: a mark, a credit, a correction, a meeting called off.
    Subjects without an entry on the campaign's roll, and walk-ins, are passed over.
    """
    people, households = _ids_by_kind(subjects)
    changed = 0
    rule = _completion_rule(session, campaign_id) if people else any_meeting()
    for column, ids, its_rule in (
        (RollEntry.person_id, people, rule),
        (RollEntry.household_id, households, any_meeting()),
    ):
        for chunk in _chunks(sorted(ids)):
            changed += _write_differences(
                session, _differences(session, campaign_id, column, chunk, its_rule)
            )
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


@dataclass(frozen=True)
class _Difference:
    """A roll entry whose remembered coverage is not what the ledger says."""

    entry_id: int
    remembered: tuple[date | None, str | None]
    ledger: tuple[date | None, str | None]


def _ids_by_kind(subjects: Iterable[str]) -> tuple[set[int], set[int]]:
    ids: dict[str, set[int]] = {"m": set(), "h": set()}
    for subject in subjects:
        kind, _, number = subject.partition(":")
        if kind in ids:
            ids[kind].add(int(number))
    return ids["m"], ids["h"]


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


def _completion_rule(session: Session, campaign_id: int) -> CompletionRule:
    kind, count = session.execute(
        select(Campaign.completion_rule, Campaign.completion_count).where(
            Campaign.id == campaign_id
        )
    ).one()
    topics: Iterable[int] = ()
    if kind == "all_topics":
        topics = session.scalars(
            select(CampaignTopic.id).where(CampaignTopic.campaign_id == campaign_id)
        )
    return CompletionRule(kind, frozenset(topics), count)


def _differences(
    session: Session,
    campaign_id: int,
    column: InstrumentedAttribute[int | None],
    ids: Sequence[int],
    rule: CompletionRule,
) -> list[_Difference]:
    entries = session.execute(
        select(RollEntry.id, column, RollEntry.covered_on, RollEntry.covered_round).where(
            RollEntry.campaign_id == campaign_id, column.in_(ids)
        )
    ).all()
    if not entries:
        return []
    attended = _attended(session, campaign_id, column.key, ids)
    found = []
    for entry_id, subject_id, covered_on, covered_round in entries:
        completion = completed_on(rule, attended[subject_id])
        ledger: tuple[date | None, str | None] = (None, None)
        if completion is not None:
            ledger = (completion.covered_on, "main" if completion.in_main_round else "makeup")
        if ledger != (covered_on, covered_round):
            found.append(_Difference(entry_id, (covered_on, covered_round), ledger))
    return found


def _attended(
    session: Session, campaign_id: int, key: str, ids: Sequence[int]
) -> defaultdict[int | None, list[Attended]]:
    """Every sitting of the campaign that these people (or households) attended, and their credits.

    `campaign_id + 0` keeps SQLite from starting at the campaign's meetings: the few subjects'
    own lines are the short way in.
    """
    subject = getattr(RegisterLine, key)
    attended: defaultdict[int | None, list[Attended]] = defaultdict(list)
    lines = session.execute(
        select(subject, Meeting.id, Meeting.starts_at, Meeting.campaign_topic_id, Meeting.is_makeup)
        .select_from(RegisterLine)
        .join(Meeting, Meeting.id == RegisterLine.meeting_id)
        .where(
            subject.in_(ids),
            RegisterLine.status.in_([str(status) for status in ATTENDING]),
            Meeting.campaign_id + 0 == campaign_id,
            Meeting.counting == "roll",
            Meeting.state.in_(TAKES_PLACE),
        )
    )
    for subject_id, meeting_id, starts_at, topic_id, is_makeup in lines:
        attended[subject_id].append(Attended(meeting_id, local_day(starts_at), topic_id, is_makeup))
    if key == "person_id":
        credits = select(ExternalCredit).where(
            ExternalCredit.campaign_id == campaign_id,
            ExternalCredit.person_id.in_(ids),
            ExternalCredit.annulled_at.is_(None),
        )
        for credit in session.scalars(credits):
            attended[credit.person_id].append(
                Attended(credit.id, credit.studied_on, None, credit.is_makeup, "credit")
            )
    return attended


def _write_differences(session: Session, differences: Sequence[_Difference]) -> int:
    if differences:
        session.execute(
            update(RollEntry),
            [
                {"id": one.entry_id, "covered_on": one.ledger[0], "covered_round": one.ledger[1]}
                for one in differences
            ],
        )
    return len(differences)
