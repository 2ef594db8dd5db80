"""What a letter about a meeting stands on, and why one must not leave."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from rules.outbox import CALENDAR_KINDS

ABOUT_A_MEETING = (*CALENDAR_KINDS, "reminder")
OFF_STATES = ("cancelled", "not_held")


class Grounds(NamedTuple):
    """All that one message and its letter depend on, as the rows say at one moment.

    A letter is written from its grounds, and leaves only if they are the same a moment before its
    first byte. `is_written`: the bytes of an earlier try are kept. `was_asked`: an earlier letter
    about the meeting may have reached this reader. `has_nearer`: so does a later reminder.
    Everything about a meeting, a person or a speaker is None where the message is about none.
    """

    id: int
    kind: str
    to_address: str
    to_name: str
    message_id: str
    sequence: int
    expires_at: datetime | None
    bundle: str | None
    is_written: bool
    was_asked: bool
    has_nearer: bool
    first_message_id: str
    meeting_id: int | None
    meeting_state: str | None
    meeting_sequence: int | None
    meeting_modified_at: datetime | None
    meeting_starts_at: datetime | None
    person_id: int | None
    person_name: str | None
    person_died_on: date | None
    wants_mail: bool | None
    wants_reminders: bool | None
    neutral_titles: bool | None
    language: str | None
    invitation_id: int | None
    removed_at: datetime | None
    point_id: int | None
    person_reply: str | None
    speaker_id: int | None
    speaker_reply: str | None

    @property
    def is_about_a_meeting(self) -> bool:
        """Whether the letter is written from the rows; all others were written by their cause."""
        return self.meeting_id is not None and self.kind in ABOUT_A_MEETING

    @property
    def is_on_list(self) -> bool:
        """Whether the reader is expected at the meeting."""
        if self.speaker_id is not None:
            return self.speaker_reply is not None
        return self.invitation_id is not None and self.removed_at is None


@dataclass(frozen=True)
class Guest:
    """The one reader of a meeting's letter: what is in their calendar, and how they want it told.

    `key` names them in their answer's link and address; a speaker has no `person_id` here.
    """

    name: str
    key: str
    answer: str = "none"
    person_id: int | None = None
    is_neutral: bool = False
    is_speaker: bool = False
    language: str = "vi"


def guest_of(grounds: Grounds) -> Guest:
    """Give the reader whom the grounds name."""
    if grounds.speaker_id is not None:
        key = f"s{grounds.meeting_id}-{grounds.speaker_id}"
        return Guest(grounds.to_name, key, grounds.speaker_reply or "none", is_speaker=True)
    return Guest(
        grounds.person_name or grounds.to_name,
        f"i{grounds.invitation_id or 0}",
        grounds.person_reply or "none",
        person_id=grounds.person_id,
        is_neutral=bool(grounds.neutral_titles),
        language=grounds.language or "vi",
    )


def why_not(grounds: Grounds, now: datetime) -> str:
    """Say why the message must not leave any more; nothing while it may."""
    if grounds.expires_at is not None and grounds.expires_at <= now:
        return "Quá hạn gửi."
    if not grounds.is_about_a_meeting:
        return ""
    if reason := _why_not_to_this_person(grounds):
        return reason
    is_off = grounds.meeting_state in OFF_STATES or not grounds.is_on_list
    if grounds.kind == "cancel":
        if not is_off:
            return "Buổi vẫn diễn ra."
        return "" if grounds.was_asked else "Thư mời chưa từng được gửi."
    if is_off:
        return "Buổi đã huỷ hoặc người nhận đã ra khỏi danh sách."
    if grounds.meeting_state == "draft":
        return "Buổi chưa công bố."
    if grounds.meeting_starts_at is None or grounds.meeting_starts_at <= now:
        return "Buổi đã bắt đầu."
    return _why_not_remind(grounds) if grounds.kind == "reminder" else ""


def _why_not_to_this_person(grounds: Grounds) -> str:
    if grounds.speaker_id is not None:
        return ""
    if grounds.person_name is None or grounds.person_died_on is not None:
        return "Người nhận không còn trong danh sách."
    if grounds.wants_mail is False and grounds.kind != "cancel":
        return "Người nhận không nhận thư qua e-mail."
    return ""


def _why_not_remind(grounds: Grounds) -> str:
    """After an outage two reminders of one meeting may be due at once: only the nearer one leaves."""
    if grounds.sequence != grounds.meeting_sequence:
        return "Buổi đã đổi giờ hoặc nơi họp."
    if grounds.wants_reminders is False:
        return "Người nhận không nhận thư nhắc."
    return "Đã có thư nhắc gần giờ họp hơn." if grounds.has_nearer else ""
