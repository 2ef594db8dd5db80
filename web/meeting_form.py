"""The form of a meeting: what is typed, and what it means to the services."""

from collections.abc import Iterable
from datetime import date, datetime, time

from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    FieldList,
    FormField,
    HiddenField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from rules.days import LOCAL, instant
from rules.refusals import N_, Malformed
from services.meeting_fields import MeetingFields, PointFields
from services.meeting_lists import MeetingChoices
from web.fields import DayField, Part, choices, id_or_none
from web.form_sentences import Form

KINDS = (
    ("study", _l("Học tập, quán triệt")),
    ("class", _l("Buổi học của lớp")),
    ("outreach", _l("Tuyên truyền")),
    ("cell", _l("Sinh hoạt chi bộ")),
)
MODES = (("in_person", _l("Trực tiếp")), ("online", _l("Trực tuyến")), ("hybrid", _l("Kết hợp")))
COUNTINGS = (("roll", _l("Điểm danh theo tên")), ("heads", _l("Chỉ đếm số người")))
EMPTY_POINTS = 2


class PointLine(Part):
    """One point of a meeting; a line without a name is an empty line."""

    id = HiddenField()
    name = StringField(_l("Tên điểm cầu"), [Length(max=200)])
    venue_id = SelectField(_l("Địa điểm"), coerce=id_or_none, validate_choice=False)
    chair = StringField(_l("Chủ trì tại điểm"), [Length(max=180)])
    units = StringField(_l("Mã đơn vị dự tại điểm này"), [Length(max=2000)])


class MeetingForm(Form):
    """A meeting as staff fill it in. The services check whatever the choices here only offer."""

    kind = RadioField(_l("Loại buổi"), [InputRequired()], choices=choices(KINDS), default="study")
    topic = StringField(_l("Chuyên đề"), [InputRequired(), Length(max=300)])
    campaign_id = SelectField(_l("Đợt học tập"), coerce=id_or_none, validate_choice=False)
    campaign_topic_id = SelectField(
        _l("Chuyên đề của đợt"), coerce=id_or_none, validate_choice=False
    )
    is_makeup = BooleanField(_l("Buổi học bù"))
    is_thematic = BooleanField(_l("Sinh hoạt chuyên đề"))
    course_id = SelectField(_l("Lớp"), coerce=id_or_none, validate_choice=False)
    periods = IntegerField(_l("Số tiết"), [Optional(), NumberRange(min=0, max=24)])
    on = DayField(_l("Ngày"), [InputRequired()])
    starts = TimeField(_l("Bắt đầu"), [InputRequired()])
    ends = TimeField(_l("Kết thúc"), [InputRequired()])
    mode = RadioField(
        _l("Hình thức"), [InputRequired()], choices=choices(MODES), default="in_person"
    )
    venue_id = SelectField(_l("Địa điểm"), coerce=id_or_none, validate_choice=False)
    place = StringField(_l("Nơi khác hoặc phòng cụ thể"), [Length(max=300)])
    online_url = StringField(_l("Đường dẫn trực tuyến"), [Length(max=500)])
    capacity = IntegerField(_l("Số chỗ"), [Optional(), NumberRange(min=1, max=1_000_000)])
    organiser_id = SelectField(
        _l("Đơn vị tổ chức"), [InputRequired()], coerce=id_or_none, validate_choice=False
    )
    chair = StringField(_l("Chủ trì"), [Length(max=180)])
    speaker_ids = SelectMultipleField(_l("Báo cáo viên"), coerce=int, validate_choice=False)
    unit_ids = SelectMultipleField(_l("Đơn vị được mời"), coerce=int, validate_choice=False)
    people = TextAreaField(_l("Mời đích danh (mỗi dòng một mã đảng viên)"), [Length(max=200_000)])
    counting = RadioField(
        _l("Cách tính"), [InputRequired()], choices=choices(COUNTINGS), default="roll"
    )
    description = TextAreaField(_l("Ghi chú cho người dự"), [Length(max=2000)])
    points = FieldList(FormField(PointLine), max_entries=60)
    seen_at = HiddenField()
    cloned_from = HiddenField()

    def offer(self, offered: MeetingChoices) -> None:
        """Fill the lists, and remember the units' codes for the points."""
        venues = [(None, _l("– chọn địa điểm –")), *offered.venues]
        self.campaign_id.choices = choices([(None, _l("Không thuộc đợt nào")), *offered.campaigns])
        topics = [(topic_id, f"{code} · {title}") for topic_id, title, code in offered.topics]
        self.campaign_topic_id.choices = choices([(None, _l("– không –")), *topics])
        self.course_id.choices = choices([(None, _l("Không thuộc lớp nào")), *offered.courses])
        self.venue_id.choices = choices(venues)
        self.organiser_id.choices = choices(offered.organisers)
        self.speaker_ids.choices = choices(offered.speakers)
        self.unit_ids.choices = choices(
            [*((unit.id, unit.name) for unit in offered.units), *offered.other_units]
        )
        while len(self.points) < EMPTY_POINTS or self.points[-1].form.name.data:
            self.points.append_entry()
        for line in self.points:
            line.form.venue_id.choices = choices(venues)
        self.unit_codes = {unit.code.casefold(): unit.id for unit in offered.units}

    def fields(self) -> MeetingFields:
        """The form as the services take it; Malformed when a point names an unknown unit."""
        if self.organiser_id.data is None:
            raise Malformed(N_("Hãy chọn đơn vị tổ chức."))
        return MeetingFields(
            kind=self.kind.data,
            topic=self.topic.data or "",
            starts_at=instant(self.on.data, self.starts.data),
            ends_at=instant(self.on.data, self.ends.data),
            organiser_id=self.organiser_id.data,
            description=self.description.data or "",
            campaign_id=self.campaign_id.data,
            campaign_topic_id=self.campaign_topic_id.data,
            course_id=self.course_id.data,
            is_makeup=self.is_makeup.data,
            is_thematic=self.is_thematic.data,
            periods=self.periods.data,
            mode=self.mode.data,
            venue_id=self.venue_id.data,
            place=self.place.data or "",
            online_url=self.online_url.data or "",
            chair=self.chair.data or "",
            capacity=self.capacity.data,
            counting=self.counting.data,
            speaker_ids=tuple(self.speaker_ids.data or ()),
            unit_ids=tuple(self.unit_ids.data or ()),
            person_codes=_codes(self.people.data or ""),
            points=tuple(self._point(line.form) for line in self.points if line.form.name.data),
        )

    def _point(self, line: PointLine) -> PointFields:
        codes = [
            code for code in (line.units.data or "").replace(";", ",").split(",") if code.strip()
        ]
        unknown = [code.strip() for code in codes if code.strip().casefold() not in self.unit_codes]
        if unknown:
            raise Malformed(
                N_("Điểm cầu “%(point)s”: không có đơn vị mang mã %(codes)s. Hãy sửa lại."),
                point=line.name.data,
                codes=", ".join(unknown[:10]),
            )
        return PointFields(
            line.name.data,
            line.venue_id.data,
            line.chair.data or "",
            frozenset(self.unit_codes[code.strip().casefold()] for code in codes),
            id_or_none(line.id.data),
        )


def typed(fields: MeetingFields, offered: MeetingChoices, **more: str) -> MultiDict[str, str]:
    """What somebody would have typed for these fields: fills the form, or a page's hidden fields."""
    local = fields.starts_at.astimezone(LOCAL), fields.ends_at.astimezone(LOCAL)
    plain = {name: getattr(fields, name) for name in _PLAIN}
    items: list[tuple[str, object]] = [
        *((name, value) for name, value in plain.items() if value is not None),
        ("on", local[0].date().isoformat()),
        ("starts", f"{local[0]:%H:%M}"),
        ("ends", f"{local[1]:%H:%M}"),
        *(("speaker_ids", each) for each in fields.speaker_ids),
        *(("unit_ids", each) for each in fields.unit_ids),
        ("people", "\n".join(fields.person_codes)),
        *((name, "y") for name in _TICKS if getattr(fields, name)),
        *_typed_points(fields.points, offered),
        *more.items(),
    ]
    return MultiDict((name, str(value)) for name, value in items)


def _typed_points(
    points: Iterable[PointFields], offered: MeetingChoices
) -> Iterable[tuple[str, object]]:
    codes = {unit.id: unit.code for unit in offered.units}
    for place, point in enumerate(points):
        units = ", ".join(sorted(codes[each] for each in point.unit_ids if each in codes))
        yield f"points-{place}-id", point.id or ""
        yield f"points-{place}-name", point.name
        yield f"points-{place}-venue_id", point.venue_id or ""
        yield f"points-{place}-chair", point.chair
        yield f"points-{place}-units", units


def _codes(text: str) -> tuple[str, ...]:
    """The first word of each line; a name may follow the code."""
    lines = (line.replace(",", " ").split() for line in text.splitlines())
    return tuple(words[0] for words in lines if words)


def empty_fields(organiser_id: int, on: date, starts: time, ends: time) -> MeetingFields:
    """A new meeting before anything is typed."""
    return MeetingFields(
        kind="study",
        topic="",
        starts_at=instant(on, starts),
        ends_at=instant(on, ends),
        organiser_id=organiser_id,
    )


def seen(value: str | None) -> datetime | None:
    """The revision a form was opened at; nonsense is none."""
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError:
        return None


_TICKS = ("is_makeup", "is_thematic")
_PLAIN = (
    "kind",
    "topic",
    "organiser_id",
    "description",
    "campaign_id",
    "campaign_topic_id",
    "course_id",
    "periods",
    "mode",
    "venue_id",
    "place",
    "online_url",
    "chair",
    "capacity",
    "counting",
)
