"""One meeting from draft to held: made, changed, published, moved, called off."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import (
    Meeting,
)
from rules.calendar import next_last_modified
from rules.clashes import Clash
from rules.days import local_day
from rules.meetings import (
    Change,
    MeetingDetails,
    MeetingState,
    check_editable,
    check_times,
    next_meeting_state,
)
from rules.permissions import Actor
from rules.refusals import N_, Refusal
from rules.text import clean
from services import audit, coverage_ledger, invitations
from services.access import meeting_for, require_role
from services.clashes import clashes_among
from services.meeting_facts import facts_of, keep_blocks, organizer_of
from services.meeting_fields import (
    MeetingFields,
    apply,
    changes_between,
    checked,
    details_of,
    fields_of,
    is_other_occasion,
    wanted_by,
)
from services.office import office
from services.transaction import reading, writing


@dataclass(frozen=True)
class ChangePreview:
    """What saving a published meeting would change, and whom it would reach."""

    changes: tuple[Change, ...]
    clashes: tuple[Clash, ...]
    must_tell: bool
    recipients: invitations.Recipients


@dataclass(frozen=True)
class PublishPreview:
    """A draft about to be published: what it says, whom it reaches, what stands in its way."""

    meeting_id: int
    details: MeetingDetails
    clashes: tuple[Clash, ...]
    recipients: invitations.Recipients
    refusal: Refusal | None

    @property
    def is_blocked(self) -> bool:
        return any(clash.is_block for clash in self.clashes)


def create_meeting(
    fields: MeetingFields, *, cloned_from: int | None = None, now: datetime, by: Actor
) -> int:
    """Make a draft and return its id. Clashes never stop a draft from being saved."""
    with writing() as session:
        meeting = add_meeting(session, fields, now=now, by=by)
        if cloned_from is not None:
            meeting_for(session, by, cloned_from, local_day(now))
        _record(session, meeting, "created", now=now, by=by, cloned_from=cloned_from)
        return meeting.id


def add_meeting(
    session: Session,
    fields: MeetingFields,
    *,
    series_id: int | None = None,
    now: datetime,
    by: Actor,
) -> Meeting:
    """A new draft in the caller's transaction, scope and wording checked; the caller logs it."""
    meeting = Meeting(
        uid=f"{uuid.uuid4()}@{office().domain}",
        series_id=series_id,
        state=MeetingState.DRAFT.value,
        created_at=now,
        modified_at=next_last_modified(None, now),
    )
    apply(session, meeting, checked(session, fields, None, now, by), now)
    return meeting


def save_meeting(
    meeting_id: int,
    fields: MeetingFields,
    *,
    tell: bool = True,
    override_reason: str = "",
    seen_at: datetime | None = None,
    now: datetime,
    by: Actor,
) -> tuple[Change, ...]:
    """Change a draft or a published meeting; return what changed.

    Guests always hear of a new time, place or way in; `tell` decides about a corrected word.
    `seen_at` is the revision the person saw: what somebody else changed is not overwritten.
    """
    with writing() as session:
        meeting = meeting_for(session, by, meeting_id, local_day(now), "staff")
        check_editable(MeetingState(meeting.state), meeting.topic)
        _refuse_overwriting(meeting, seen_at)
        before = fields_of(session, meeting)
        after = checked(session, fields, meeting, now, by)
        _refuse_moving_marks(meeting, after)
        changes = changes_between(session, before, after)
        if meeting.state == MeetingState.PUBLISHED:
            _change_published(session, meeting, before, after, tell, override_reason, now, by)
        else:
            apply(session, meeting, after, now)
            meeting.modified_at = next_last_modified(meeting.modified_at, now)
        coverage_ledger.refresh_meeting(session, meeting.id)
        _record(
            session,
            meeting,
            "changed",
            now=now,
            by=by,
            reason=override_reason,
            changes={change.field: [change.before, change.after] for change in changes},
            told=tell,
        )
        return changes


def _change_published(
    session: Session,
    meeting: Meeting,
    old: MeetingFields,
    new: MeetingFields,
    tell: bool,
    override_reason: str,
    now: datetime,
    by: Actor,
    bundle: str = "",
) -> None:
    if (old.starts_at, old.ends_at) != (new.starts_at, new.ends_at):
        _refuse_unready(details_of(session, new), now)
    _refuse_blocks(_new_blocks(session, meeting.id, old, new, by), override_reason)
    before = facts_of(meeting)
    apply(session, meeting, new, now)
    told = tell or is_other_occasion(old, new)
    invitations.announce_changed(session, meeting, before, now=now, by=by, tell=told, bundle=bundle)


def move_meeting(
    meeting_id: int, starts_at: datetime, ends_at: datetime, *, now: datetime, by: Actor
) -> list[Clash]:
    """Put a draft at another time and return its clashes there; a published one is refused."""
    with writing() as session:
        meeting = meeting_for(session, by, meeting_id, local_day(now), "staff")
        if meeting.state != MeetingState.DRAFT:
            raise Refusal(
                N_("Buổi “%(topic)s” đã công bố. Hãy mở trang đổi lịch để xem ai sẽ được báo."),
                topic=meeting.topic,
            )
        check_times(starts_at, ends_at)
        before = meeting.starts_at
        meeting.starts_at, meeting.ends_at = starts_at, ends_at
        meeting.modified_at = next_last_modified(meeting.modified_at, now)
        _record(session, meeting, "moved", now=now, by=by, before=before, after=starts_at)
        session.flush()
        fields = fields_of(session, meeting)
        return clashes_among(session, [wanted_by(session, fields, meeting.id)], by=by)[0]


def shift_course(
    course_id: int, days: int, *, override_reason: str = "", now: datetime, by: Actor
) -> int:
    """Put the coming meetings of a course so many days later (earlier if negative); gives how many.

    Each person who was told hears of it in one letter. All move or none.
    """
    if not 1 <= abs(days) <= 366:
        raise Refusal(N_("Hãy ghi số ngày dời, từ 1 đến 366; số âm là sớm hơn."))
    with writing() as session:
        coming = select(Meeting.id).where(
            Meeting.course_id == course_id,
            Meeting.state.in_((MeetingState.DRAFT.value, MeetingState.PUBLISHED.value)),
            Meeting.starts_at > now,
        )
        meetings = _own_meetings(session, session.scalars(coming).all(), now, by)
        bundle = invitations.bundle_of(meetings, now)
        for meeting in sorted(meetings, key=lambda one: one.starts_at, reverse=days > 0):
            old = fields_of(session, meeting)
            shift = timedelta(days=days)
            new = replace(old, starts_at=old.starts_at + shift, ends_at=old.ends_at + shift)
            if meeting.state == MeetingState.PUBLISHED:
                _change_published(
                    session, meeting, old, new, True, override_reason, now, by, bundle
                )
            else:
                apply(session, meeting, new, now)
                meeting.modified_at = next_last_modified(meeting.modified_at, now)
            session.flush()
            coverage_ledger.refresh_meeting(session, meeting.id)
            _record(session, meeting, "moved", now=now, by=by, reason=override_reason, days=days)
        return len(meetings)


def publish_meetings(
    meeting_ids: Sequence[int], *, override_reason: str = "", now: datetime, by: Actor
) -> int:
    """Publish drafts and tell their guests, once; all of them or none. Return how many.

    A clash of place or speaker refuses, unless a reason for going ahead is given and logged.
    """
    with writing() as session:
        meetings = _own_meetings(session, meeting_ids, now, by)
        publish_drafts(session, meetings, override_reason=override_reason, now=now, by=by)
        return len(meetings)


def publish_drafts(
    session: Session,
    meetings: Sequence[Meeting],
    *,
    override_reason: str = "",
    now: datetime,
    by: Actor,
) -> None:
    """The same for drafts in the caller's transaction."""
    fields = [fields_of(session, meeting) for meeting in meetings]
    wanted = [
        wanted_by(session, each, meeting.id) for each, meeting in zip(fields, meetings, strict=True)
    ]
    found = clashes_among(session, wanted, by=by)
    bundle = invitations.bundle_of(meetings, now)
    for meeting, each, clashes in zip(meetings, fields, found, strict=True):
        state = next_meeting_state(
            MeetingState(meeting.state), "publish", now=now, details=details_of(session, each)
        )
        _refuse_blocks(clashes, override_reason)
        meeting.state, meeting.published_at = state.value, now
        meeting.modified_at = next_last_modified(meeting.modified_at, now)
        _record(session, meeting, "published", now=now, by=by, reason=override_reason)
        invitations.announce_published(session, meeting, now=now, by=by, bundle=bundle)


def cancel_meeting(meeting_id: int, reason: str, *, now: datetime, by: Actor) -> None:
    """Call a meeting off; everybody who was told of it is told so."""
    with writing() as session:
        meeting = meeting_for(session, by, meeting_id, local_day(now), "staff")
        was = MeetingState(meeting.state)
        _transition(session, meeting, "cancel", reason, now, "staff")
        _record(session, meeting, "cancelled", now=now, by=by, reason=meeting.state_reason)
        if was == MeetingState.PUBLISHED:
            meeting.sequence += 1
            meeting.modified_at = next_last_modified(meeting.modified_at, now)
            invitations.announce_cancelled(session, meeting, now=now, by=by)


def mark_held(meeting_id: int, *, now: datetime, by: Actor) -> None:
    """Say that a meeting took place; its staff or its own instructor may."""
    with writing() as session:
        meeting = meeting_for(session, by, meeting_id, local_day(now), "staff", "instructor")
        role = "staff" if by.has_any("staff") else "instructor"
        _transition(session, meeting, "hold", "", now, role)
        _record(session, meeting, "held", now=now, by=by)


def mark_not_held(meeting_id: int, reason: str, *, now: datetime, by: Actor) -> None:
    """Say that a published meeting did not take place, and why; not when people were counted.

    Calendars show it as cancelled from now on; nobody is written to, for its time has come.
    """
    with writing() as session:
        meeting = meeting_for(session, by, meeting_id, local_day(now), "staff")
        if meeting.visits_count:
            raise Refusal(
                N_(
                    "Buổi “%(topic)s” đã có %(count)d lượt điểm danh nên không thể ghi là không "
                    "diễn ra. Hãy xem lại sổ điểm danh."
                ),
                topic=meeting.topic,
                count=meeting.visits_count,
            )
        _transition(session, meeting, "not_hold", reason, now, "staff")
        meeting.sequence += 1
        meeting.modified_at = next_last_modified(meeting.modified_at, now)
        keep_blocks(meeting, organizer_of(session))
        _record(session, meeting, "not_held", now=now, by=by, reason=meeting.state_reason)


def delete_draft(meeting_id: int, *, now: datetime, by: Actor) -> None:
    """Remove a draft nobody was told of; anything else is called off, never deleted."""
    with writing() as session:
        meeting = meeting_for(session, by, meeting_id, local_day(now), "staff")
        if meeting.state != MeetingState.DRAFT:
            raise Refusal(
                N_("Chỉ xoá được bản nháp. Buổi “%(topic)s” đã công bố, hãy huỷ buổi."),
                topic=meeting.topic,
            )
        _record(session, meeting, "deleted", now=now, by=by, starts_at=meeting.starts_at)
        session.delete(meeting)


def meeting_fields(meeting_id: int, *, now: datetime, by: Actor) -> MeetingFields:
    """What a meeting's form is filled with."""
    session = reading()
    return fields_of(session, meeting_for(session, by, meeting_id, local_day(now)))


def planned_clashes(
    fields: MeetingFields, meeting_id: int | None = None, *, now: datetime, by: Actor
) -> list[Clash]:
    """The clashes a form would have if it were saved as it stands; nothing else is checked."""
    require_role(by, "staff")
    session = reading()
    return clashes_among(session, [wanted_by(session, fields, meeting_id)], by=by)[0]


def change_preview(
    meeting_id: int, fields: MeetingFields, *, now: datetime, by: Actor
) -> ChangePreview:
    """What saving these fields into a published meeting would mean, without saving."""
    session = reading()
    meeting = meeting_for(session, by, meeting_id, local_day(now), "staff")
    check_editable(MeetingState(meeting.state), meeting.topic)
    before = fields_of(session, meeting)
    after = checked(session, fields, meeting, now, by)
    changes = changes_between(session, before, after)
    return ChangePreview(
        changes=changes,
        clashes=tuple(clashes_among(session, [wanted_by(session, after, meeting.id)], by=by)[0]),
        must_tell=is_other_occasion(before, after),
        recipients=invitations.expected_recipients(session, meeting),
    )


def publish_previews(
    meeting_ids: Sequence[int], *, now: datetime, by: Actor
) -> list[PublishPreview]:
    """What publishing these drafts would say, to whom, and what stands in the way."""
    session = reading()
    meetings = _own_meetings(session, meeting_ids, now, by)
    fields = [fields_of(session, meeting) for meeting in meetings]
    wanted = [
        wanted_by(session, each, meeting.id) for each, meeting in zip(fields, meetings, strict=True)
    ]
    found = clashes_among(session, wanted, by=by)
    previews = []
    for meeting, each, clashes in zip(meetings, fields, found, strict=True):
        details = details_of(session, each)
        recipients = invitations.expected_recipients(session, meeting)
        refusal = _refusal_to_publish(meeting, details, now)
        previews.append(PublishPreview(meeting.id, details, tuple(clashes), recipients, refusal))
    return previews


def _refusal_to_publish(meeting: Meeting, details: MeetingDetails, now: datetime) -> Refusal | None:
    try:
        next_meeting_state(MeetingState(meeting.state), "publish", now=now, details=details)
    except Refusal as refusal:
        return refusal
    return None


def _own_meetings(
    session: Session, meeting_ids: Sequence[int], now: datetime, by: Actor
) -> list[Meeting]:
    found = [
        meeting_for(session, by, meeting_id, local_day(now), "staff")
        for meeting_id in dict.fromkeys(meeting_ids)
    ]
    if not found:
        raise Refusal(N_("Chưa chọn buổi nào. Hãy chọn ít nhất một buổi."))
    return sorted(found, key=lambda meeting: (meeting.starts_at, meeting.id))


def _transition(
    session: Session, meeting: Meeting, action: str, reason: str, now: datetime, role: str
) -> None:
    details = details_of(session, fields_of(session, meeting))
    state = next_meeting_state(
        MeetingState(meeting.state), action, now=now, details=details, reason=reason, role=role
    )
    meeting.state, meeting.state_reason = state.value, clean(reason)[:300]
    session.flush()
    coverage_ledger.refresh_meeting(session, meeting.id)


def _refuse_overwriting(meeting: Meeting, seen_at: datetime | None) -> None:
    if seen_at is not None and seen_at != meeting.modified_at:
        raise Refusal(
            N_("Buổi “%(topic)s” vừa được người khác sửa. Hãy mở lại buổi rồi sửa tiếp."),
            topic=meeting.topic,
        )


def _refuse_moving_marks(meeting: Meeting, after: MeetingFields) -> None:
    moved = (meeting.campaign_id, meeting.course_id) != (after.campaign_id, after.course_id)
    if moved and meeting.register_state != "not_taken":
        raise Refusal(
            N_("Buổi “%(topic)s” đã điểm danh nên không chuyển sang đợt hoặc lớp khác được."),
            topic=meeting.topic,
        )


def _refuse_unready(details: MeetingDetails, now: datetime) -> None:
    next_meeting_state(MeetingState.DRAFT, "publish", now=now, details=details)


def _refuse_blocks(clashes: Sequence[Clash], override_reason: str) -> None:
    blocks = [clash for clash in clashes if clash.is_block]
    if blocks and not clean(override_reason):
        raise Refusal(blocks[0].sentence, **blocks[0].params)


def _new_blocks(
    session: Session, meeting_id: int, old: MeetingFields, new: MeetingFields, by: Actor
) -> list[Clash]:
    """A change is refused for the clashes it makes, not for those somebody accepted before."""
    before, after = (
        clashes_among(session, [wanted_by(session, old, meeting_id)], by=by)[0],
        (clashes_among(session, [wanted_by(session, new, meeting_id)], by=by)[0]),
    )
    known = {(clash.kind, clash.other_id, clash.subject_ids) for clash in before}
    return [
        clash for clash in after if (clash.kind, clash.other_id, clash.subject_ids) not in known
    ]


def _record(
    session: Session,
    meeting: Meeting,
    action: str,
    *,
    now: datetime,
    by: Actor,
    reason: str = "",
    **details: object,
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="meeting",
        entity_id=meeting.id,
        unit_id=meeting.organiser_id,
        reason=clean(reason)[:300],
        **details,
    )
