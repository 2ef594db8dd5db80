"""The board's choices that are data: typed settings, days off and working days, reminders."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, or_, select
from sqlalchemy.orm import Session

from gateways.holidays import (
    DEFAULT_OVERRIDES,
    HOLIDAY,
    WORKING_SATURDAY,
    Override,
    day_notes,
)
from models import CalendarDay, Person, ReminderRule, Setting
from rules.permissions import Actor
from rules.refusals import N_, Malformed, NotAllowed, NotFound, Refusal
from rules.text import clean
from services import audit
from services.access import granted_unit_ids
from services.prepared import Connected, Listed, Prepared
from services.transaction import reading, writing

MEETING_KINDS = ("study", "class", "outreach", "cell")
DAY_KINDS = ("off", "working")
_CHOSEN = Prepared(lambda _: select(Setting.value).where(Setting.key == bindparam("name")))
_SEVERAL = Listed(lambda among: select(Setting.key, Setting.value).where(among(Setting.key)))


@dataclass(frozen=True)
class SettingSpec:
    """A setting: its kind (number, flag, text), what holds until somebody chooses, its bounds."""

    key: str
    kind: str
    default: str
    label: str
    hint: str
    least: int = 0
    most: int = 0


SPECS = {
    spec.key: spec
    for spec in (
        SettingSpec(
            "travel_minutes",
            "number",
            "30",
            N_("Thời gian đi lại giữa hai nơi (phút)"),
            N_("Một người có hai buổi ở hai nơi cách nhau ít hơn mức này thì báo trùng lịch."),
            0,
            240,
        ),
        SettingSpec(
            "register_opens_minutes_before",
            "number",
            "120",
            N_("Mở sổ điểm danh trước giờ bắt đầu (phút)"),
            N_("Trước lúc đó sổ chỉ xem được."),
            0,
            1440,
        ),
        SettingSpec(
            "register_link_days",
            "number",
            "1",
            N_("Đường điểm danh còn dùng được sau ngày diễn ra (ngày)"),
            N_("Đường gửi cho báo cáo viên tự hết hạn sau số ngày này."),
            0,
            14,
        ),
        SettingSpec(
            "register_lock_days",
            "number",
            "3",
            N_("Tự khoá sổ đã nộp sau (ngày)"),
            N_("Sau đó muốn sửa phải gửi yêu cầu mở sổ kèm lý do."),
            1,
            60,
        ),
        SettingSpec(
            "feed_days_back",
            "number",
            "90",
            N_("Lịch điện thoại hiện các buổi đã qua (ngày)"),
            N_("Tính ngược từ hôm nay."),
            0,
            730,
        ),
        SettingSpec(
            "feed_days_ahead",
            "number",
            "365",
            N_("Lịch điện thoại hiện các buổi sắp tới (ngày)"),
            N_("Tính từ hôm nay."),
            30,
            730,
        ),
        SettingSpec(
            "feed_marks_done",
            "flag",
            "1",
            N_("Lịch điện thoại ghi “Đã học” ở buổi của đợt đã hoàn thành"),
            N_("Bỏ chọn thì những buổi ấy rời khỏi lịch của người đã học."),
        ),
        SettingSpec(
            "feed_expiry_days",
            "number",
            "90",
            N_("Đường lịch điện thoại hết hạn khi không máy nào tải (ngày)"),
            N_(
                "Máy đã thêm lịch tự tải hằng ngày nên không hết hạn. "
                "Người rời khỏi Đảng bộ thì đường của họ hết hạn ngay đêm ấy."
            ),
            30,
            730,
        ),
        SettingSpec(
            "feed_plain_agents",
            "text",
            "Outlook",
            N_("Chương trình lịch không nhận tệp nén"),
            N_(
                "Tên trong User-Agent, cách nhau bằng dấu phẩy; các chương trình khác được gửi nén."
            ),
            0,
            200,
        ),
        SettingSpec(
            "class_absence_percent",
            "number",
            "20",
            N_("Lớp: báo khi học viên vắng quá (phần trăm số buổi)"),
            N_("Chỉ để nhắc; ai được cấp giấy chứng nhận do người mở lớp quyết định."),
            0,
            100,
        ),
        SettingSpec(
            "neutral_titles",
            "flag",
            "1",
            N_("Lịch điện thoại dùng tên trung tính (“Học tập”)"),
            N_("Áp dụng cho người mới thêm; từng người có thể chọn khác."),
        ),
        SettingSpec(
            "mail_name",
            "text",
            "Lịch học tập",
            N_("Tên người gửi trong thư mời"),
            N_("Hiện trong hộp thư của người nhận; nên trung tính."),
            1,
            80,
        ),
        SettingSpec(
            "mail_needs_consent",
            "flag",
            "0",
            N_("Chỉ gửi thư cho người đã tự chọn nhận thư"),
            N_("Người chưa chọn được báo qua danh sách gọi điện của đơn vị."),
        ),
        SettingSpec(
            "retention_runs",
            "flag",
            "0",
            N_("Hằng đêm tự thay tên bằng mã ẩn danh khi hết thời hạn lưu"),
            N_("Xem trước ở trang Thời hạn lưu. Không hoàn lại được; số liệu tổng không đổi."),
        ),
        SettingSpec(
            "retention_campaign_months",
            "number",
            "12",
            N_("Giữ tên trong một đợt học tập sau khi đóng đợt (tháng)"),
            N_("Sau đó tên được thay bằng mã ẩn danh."),
            1,
            120,
        ),
        SettingSpec(
            "retention_meeting_months",
            "number",
            "36",
            N_("Giữ tên ở các buổi và lớp ngoài đợt (tháng)"),
            N_("Người có giấy chứng nhận vẫn được giữ tên trong sổ."),
            1,
            120,
        ),
        SettingSpec(
            "retention_mail_days",
            "number",
            "30",
            N_("Giữ nội dung thư đã gửi (ngày)"),
            N_("Sau đó chỉ còn ngày gửi và kết quả."),
            1,
            365,
        ),
        SettingSpec(
            "report_cutoff_day",
            "number",
            "0",
            N_("Ngày chốt số liệu báo cáo trong tháng"),
            N_("Ví dụ 25: tháng tính từ ngày 26 tháng trước. 0 là tính theo tháng lịch."),
            0,
            27,
        ),
        SettingSpec(
            "reply_addresses",
            "flag",
            "0",
            N_("Mỗi thư mời có địa chỉ trả lời riêng (dấu + trong địa chỉ)"),
            N_("Chống trả lời giả mạo. Chỉ bật khi máy chủ thư nhận địa chỉ có dấu +."),
        ),
    )
}


@dataclass(frozen=True)
class Day:
    """A day that differs from the library's holidays."""

    on: date
    kind: str
    name: str


@dataclass(frozen=True)
class Rule:
    """A reminder rule; no kind means every kind of meeting."""

    id: int
    kind: str | None
    minutes_before: int
    is_active: bool


def setting_number(session: Session, key: str) -> int:
    """A setting that is a whole number."""
    return int(_value(session, key))


def number_of(key: str, stored: str | None) -> int:
    """The same of what a look-up has brought along; None when nobody has chosen."""
    return int(SPECS[key].default if stored is None else stored)


def setting_flag(session: Session, key: str) -> bool:
    """A setting that is on or off."""
    return _value(session, key) == "1"


def setting_text(session: Session, key: str) -> str:
    """A setting that is a text."""
    return _value(session, key)


def wants_mail(session: Session) -> ColumnElement[bool]:
    """Who may be written to: nobody who said no; only those who said yes where the board asks."""
    if setting_flag(session, "mail_needs_consent"):
        return Person.wants_mail.is_(True)
    return or_(Person.wants_mail.is_(None), Person.wants_mail.is_(True))


def settings_of(session: Connected, keys: Iterable[str]) -> dict[str, str]:
    """Several settings in one look-up, as they are stored."""
    wanted = tuple(keys)
    chosen: dict[str, str] = dict(_SEVERAL.rows(session, wanted))
    return {key: chosen.get(key, SPECS[key].default) for key in wanted}


def _value(session: Session, key: str) -> str:
    chosen = _CHOSEN.rows(session, name=key)
    return str(chosen[0][0]) if chosen else SPECS[key].default


def save_settings(values: Mapping[str, str], *, now: datetime, by: Actor) -> None:
    """Change settings; all are checked first, and one wrong value changes nothing."""
    _require_administrator(by)
    checked = {key: _checked(key, value) for key, value in values.items()}
    with writing() as session:
        changes: dict[str, Any] = {}
        for key, value in checked.items():
            before = _value(session, key)
            if before != value:
                changes[key] = {"before": before, "after": value}
                session.merge(Setting(key=key, value=value))
        if changes:
            audit.record(
                session,
                now=now,
                by=by,
                action="changed",
                entity="setting",
                entity_id="settings",
                **changes,
            )


def _checked(key: str, value: str) -> str:
    spec = SPECS.get(key)
    if spec is None:
        raise Malformed(N_("Không có thiết lập “%(key)s”."), key=key[:60])
    value = clean(value)
    if spec.kind == "flag":
        return "1" if value == "1" else "0"
    if spec.kind == "text":
        if not spec.least <= len(value) <= spec.most:
            raise Malformed(N_("“%(label)s” cần ghi, không quá %(most)s ký tự."), **_bounds(spec))
        return value
    if not (value.isascii() and value.isdecimal() and spec.least <= int(value) <= spec.most):
        raise Malformed(
            N_("“%(label)s” phải là số nguyên từ %(least)s đến %(most)s."), **_bounds(spec)
        )
    return str(int(value))


def _bounds(spec: SettingSpec) -> dict[str, object]:
    return {"label": spec.label, "least": spec.least, "most": spec.most}


def save_day(on: date, *, kind: str, name: str, now: datetime, by: Actor) -> None:
    """Say that a day is off, or a working day whatever the library says."""
    _require_administrator(by)
    name = clean(name)
    if kind not in DAY_KINDS or not name or len(name) > 200:
        raise Malformed(N_("Hãy chọn nghỉ hay làm việc, và ghi lý do không quá 200 ký tự."))
    if not 2000 <= on.year <= 2100:
        raise Malformed(N_("Năm phải trong khoảng 2000–2100. Hãy xem lại ngày."))
    with writing() as session:
        session.merge(CalendarDay(on=on, kind=kind, name=name))
        audit.record(
            session,
            now=now,
            by=by,
            action="changed",
            entity="calendar_day",
            entity_id=on.isoformat(),
            kind=kind,
            name=name,
        )


def remove_day(on: date, *, now: datetime, by: Actor) -> None:
    """Let the library decide about that day again."""
    _require_administrator(by)
    with writing() as session:
        row = session.get(CalendarDay, on)
        if row is None:
            raise NotFound(N_("Ngày này không có trong bảng chỉnh sửa."))
        session.delete(row)
        audit.record(
            session,
            now=now,
            by=by,
            action="removed",
            entity="calendar_day",
            entity_id=on.isoformat(),
            kind=row.kind,
            name=row.name,
        )


def add_reminder_rule(*, kind: str | None, minutes_before: int, now: datetime, by: Actor) -> None:
    """Remind people of that kind of meeting so many minutes before it; at most 60 days."""
    _require_administrator(by)
    if kind is not None and kind not in MEETING_KINDS:
        raise Malformed(N_("Hãy chọn một loại buổi trong danh sách."))
    if not 5 <= minutes_before <= 60 * 24 * 60:
        raise Malformed(N_("Lời nhắc phải trước giờ bắt đầu từ 5 phút đến 60 ngày."))
    with writing() as session:
        there = select(ReminderRule.id).where(
            ReminderRule.kind.is_(None) if kind is None else ReminderRule.kind == kind,
            ReminderRule.minutes_before == minutes_before,
        )
        if session.scalar(there):
            raise Refusal(N_("Đã có lời nhắc này. Hãy bật nó trong danh sách nếu đang tắt."))
        rule = ReminderRule(kind=kind, minutes_before=minutes_before, is_active=True)
        session.add(rule)
        session.flush()
        _record_rule(session, rule, "created", now, by)


def switch_reminder_rule(rule_id: int, *, is_active: bool, now: datetime, by: Actor) -> None:
    """Turn a reminder rule on or off; what is already queued is not touched."""
    _require_administrator(by)
    with writing() as session:
        rule = session.get(ReminderRule, rule_id)
        if rule is None:
            raise NotFound(N_("Không tìm thấy lời nhắc này."))
        if rule.is_active != is_active:
            rule.is_active = is_active
            _record_rule(session, rule, "changed", now, by)


def _record_rule(
    session: Session, rule: ReminderRule, action: str, now: datetime, by: Actor
) -> None:
    audit.record(
        session,
        now=now,
        by=by,
        action=action,
        entity="reminder_rule",
        entity_id=rule.id,
        kind=rule.kind,
        minutes_before=rule.minutes_before,
        is_active=rule.is_active,
    )


def _require_administrator(by: Actor) -> None:
    if granted_unit_ids(by, "admin") is not None:
        raise NotAllowed(N_("Chỉ quản trị viên đổi được thiết lập. Hãy hỏi quản trị viên."))


def settings_now() -> dict[str, str]:
    """Every setting and its value in force."""
    session = reading()
    return {key: _value(session, key) for key in SPECS}


def holidays_of(year: int) -> list[Day]:
    """Public holidays and swapped working days of a year, with the board's own days in force."""
    overrides = list(DEFAULT_OVERRIDES)
    for day in days_of(year):
        overrides.append(Override(day.on, "holiday" if day.kind == "off" else day.kind, day.name))
    notes = day_notes(date(year, 1, 1), date(year, 12, 31), overrides)
    kinds = {HOLIDAY: "off", WORKING_SATURDAY: "working"}
    return [
        Day(on, kinds[note.kind], note.name) for on, note in notes.items() if note.kind in kinds
    ]


def days_of(year: int) -> list[Day]:
    """The days of a year that differ from the library's, in order."""
    rows = reading().scalars(
        select(CalendarDay)
        .where(CalendarDay.on >= date(year, 1, 1), CalendarDay.on <= date(year, 12, 31))
        .order_by(CalendarDay.on)
    )
    return [Day(row.on, row.kind, row.name) for row in rows]


def reminder_rules() -> list[Rule]:
    """Every reminder rule, the earliest reminder first."""
    rows = reading().scalars(
        select(ReminderRule).order_by(ReminderRule.minutes_before.desc(), ReminderRule.id)
    )
    return [Rule(row.id, row.kind, row.minutes_before, row.is_active) for row in rows]
