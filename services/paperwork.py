"""The documents of the work: what a plan, a summons, an invitation, a list or a register says.

Each is made of `Paper`s, which one gateway writes as .docx and one template shows and prints, so
that both say the same. Numbers come from the functions that the screens use.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from gateways.documents import Blank, Block, Grid, Letterhead, Paper, Text
from models import Campaign, Course, Invitation, Meeting, MeetingSpeaker, Person, Unit
from rules.courses import LABELS as RESULT_LABELS
from rules.coverage import number_text
from rules.days import LOCAL, local_day
from rules.paperwork import half_of_day, written_day, written_time, written_when
from rules.permissions import Actor
from rules.refusals import N_, NotFound, Refusal
from services import audit, course_results, paper
from services.access import (
    granted_unit_ids,
    meeting_for,
    meetings_visible_to,
    require_role,
)
from services.campaigns import campaign_for
from services.courses import CourseView, LearnerLine, course_view, own_course
from services.coverage import CampaignFigures, figures_of
from services.document_fields import class_fields, listed, meeting_fields, plan_fields
from services.document_templates import write_document
from services.letterheads import letterhead_of
from services.transaction import reading, writing
from services.units import unit_names_on

MOST_INVITATIONS = 1_500
SHOWN = ("draft", "published", "held")


@dataclass(frozen=True)
class Made:
    """A document: its papers, the file's name, and what it is about for the log."""

    papers: tuple[Paper, ...]
    name: str
    entity: str
    entity_id: object
    unit_id: int
    """In whose name it is issued: whose template it may have."""
    people: int = 0


def document(kind: str, key: str, *, now: datetime, by: Actor) -> Made:
    """The document of a kind about one thing: a campaign's or course's code, a meeting, a year, a
    day of a week. NotFound for an unknown kind or outside the actor's scope."""
    require_role(by, "staff", "reader")
    make = _KINDS.get(kind)
    if make is None:
        raise NotFound(N_("Không có loại văn bản này."))
    if kind not in OPEN_TO_READERS:
        require_role(by, "staff")
    return make(reading(), key, now, by)


def document_file(
    kind: str, key: str, *, now: datetime, by: Actor, built_in: bool = False
) -> tuple[bytes, str]:
    """The same as a file with its name; its leaving is logged and stands in its foot.

    In the issuing unit's own template when it has one in use, unless the built-in form is asked
    for. Raises `TemplateFailed` when the template cannot be filled: nothing has left then.
    """
    made = document(kind, key, now=now, by=by)
    foot = audit.watermark(by, now)
    papers = [replace(one, foot=foot) for one in made.papers]
    written = write_document(reading(), kind, made.unit_id, papers, built_in=built_in)
    with writing() as session:
        audit.record(
            session,
            now=now,
            by=by,
            action="exported",
            entity=made.entity,
            entity_id=made.entity_id,
            what=kind,
            people=made.people,
            **written.source(),
        )
    return written.content, f"{made.name}.docx"


def _plan(session: Session, code: str, now: datetime, by: Actor) -> Made:
    """The plan of a campaign with its timetable as an annex; what staff must write is left open."""
    campaign = campaign_for(session, by, code, now)
    unit = campaign.owner_unit_id or _issuer(session, by)
    head = letterhead_of(session, unit, now)
    figures = figures_of(session, campaign, by=by, today=local_day(now))
    blocks: tuple[Block, ...] = (
        Text(_opening(campaign)),
        Text("I. MỤC ĐÍCH, YÊU CẦU", bold=True),
        Blank(2),
        Text("II. ĐỐI TƯỢNG, CHỈ TIÊU", bold=True),
        *(Text(line) for line in _targets(figures)),
        Text("III. THỜI GIAN", bold=True),
        Text(
            f"Từ ngày {campaign.opens_on:%d/%m/%Y} đến ngày {campaign.deadline_on:%d/%m/%Y}; "
            "lịch cụ thể ở phụ lục kèm theo."
        ),
        Text("IV. TỔ CHỨC THỰC HIỆN", bold=True),
        Blank(2),
    )
    meetings = _meetings(session, Meeting.campaign_id == campaign.id, now, by)
    timetable = _timetable(session, meetings)
    annex = Paper(
        head,
        "PHỤ LỤC",
        f"Lịch {campaign.title}",
        (timetable,),
        signs=False,
        landscape=True,
    )
    columns = ("stt", "thoi_gian", "noi_dung", "dia_diem", "bao_cao_vien", "thanh_phan")
    plan = Paper(
        head,
        "KẾ HOẠCH",
        campaign.title,
        blocks,
        symbol=_symbol("KH", head.symbol),
        fields=plan_fields(campaign, figures) | {"lich": listed(columns, timetable.rows)},
    )
    return Made((plan, annex), f"ke-hoach-{code}", "campaign", campaign.id, unit)


def _opening(campaign: Campaign) -> str:
    number = f" ({campaign.document_number})" if campaign.document_number else ""
    issuer = f" của {campaign.document_issuer}" if campaign.document_issuer else ""
    return (
        f"Thực hiện {campaign.document_title or campaign.title}{number}{issuer}, "
        "đơn vị xây dựng kế hoạch tổ chức học tập, quán triệt như sau:"
    )


def _targets(figures: CampaignFigures) -> list[str]:
    members, households = figures.members, figures.households
    lines = [
        f"1. Đảng viên: tổng số {number_text(members.total)}, miễn {number_text(members.exempt)}, "
        f"diện phải học {number_text(members.eligible)}; chỉ tiêu {members.target_percent}%, tương "
        f"ứng ít nhất {number_text(members.need)} đảng viên."
    ]
    if figures.counts_households:
        lines.append(
            f"2. Hộ gia đình: tổng số {number_text(households.total)}; chỉ tiêu "
            f"{households.target_percent}%, tương ứng ít nhất {number_text(households.need)} hộ."
        )
    return lines


def _symbol(kind: str, issuer: str) -> str:
    return f"{kind}/{issuer}" if issuer else kind


def _issuer(session: Session, by: Actor) -> int:
    """The unit in whose name somebody prints: their own, else the top of the Party tree."""
    granted = granted_unit_ids(by, "staff", "reader")
    if granted:
        return min(granted)
    top = session.scalar(
        select(Unit.id)
        .where(Unit.tree == "party", Unit.parent_id.is_(None), Unit.valid_to.is_(None))
        .order_by(Unit.id)
        .limit(1)
    )
    if top is None:
        raise Refusal(N_("Chưa có đơn vị nào. Hãy nhập các đơn vị trước."))
    return top


def _meetings(session: Session, condition: Any, now: datetime, by: Actor) -> list[Meeting]:
    """Meetings that are not called off, in order of time, with what documents print of them."""
    found = session.scalars(
        select(Meeting)
        .where(condition, Meeting.state.in_(SHOWN), meetings_visible_to(by, local_day(now)))
        .order_by(Meeting.starts_at, Meeting.id)
        .options(
            joinedload(Meeting.venue),
            selectinload(Meeting.speakers).joinedload(MeetingSpeaker.speaker),
            selectinload(Meeting.units),
            selectinload(Meeting.points),
        )
    )
    return list(found)


def _place(meeting: Meeting) -> str:
    place = meeting.place or (meeting.venue.name if meeting.venue else "")
    points = "; ".join(point.name for point in meeting.points)
    return "\n".join(part for part in (place, points) if part)


def _attendees(names: dict[int, str], meeting: Meeting) -> str:
    """The invited units, or the organiser where none is named."""
    invited = ", ".join(names[link.unit_id] for link in meeting.units)
    return invited or names[meeting.organiser_id]


def _unit_names(session: Session, meetings: Iterable[Meeting], on: date) -> dict[int, str]:
    ids = {link.unit_id for one in meetings for link in one.units}
    return unit_names_on(session, ids | {one.organiser_id for one in meetings}, on)


def _timetable(session: Session, meetings: Sequence[Meeting]) -> Grid:
    rows = []
    for number, one in enumerate(meetings, start=1):
        names = _unit_names(session, [one], local_day(one.starts_at))
        rows.append(
            (
                str(number),
                written_when(one.starts_at),
                one.topic,
                _place(one),
                ", ".join(link.speaker.name for link in one.speakers),
                _attendees(names, one),
            )
        )
    header = ("STT", "Thời gian", "Nội dung", "Địa điểm", "Báo cáo viên", "Thành phần")
    return Grid(header, rows, (2, 7, 10, 8, 7, 10), centred=frozenset({0}))


def _meeting(session: Session, key: str, now: datetime, by: Actor) -> Meeting:
    if not key.isdecimal() or len(key) > 9:
        raise NotFound(N_("Không tìm thấy buổi này trong phạm vi của bạn."))
    return meeting_for(session, by, int(key), local_day(now), "staff")


def _guests(session: Session, meeting: Meeting) -> list[tuple[str, str, int | None]]:
    """Name, unit of that day and point of everybody invited, by unit and given name."""
    rows = session.execute(
        select(Person.full_name, Person.sort_key, Invitation.unit_id, Invitation.point_id)
        .join(Invitation, Invitation.person_id == Person.id)
        .where(Invitation.meeting_id == meeting.id, Invitation.removed_at.is_(None))
        .order_by(Person.sort_key, Person.id)
    ).all()
    names = unit_names_on(
        session, [row.unit_id for row in rows if row.unit_id], local_day(meeting.starts_at)
    )
    guests = [(row.full_name, names.get(row.unit_id or 0, ""), row.point_id) for row in rows]
    return sorted(guests, key=lambda guest: guest[1])


def _facts(meeting: Meeting) -> tuple[Text, ...]:
    """Content, time, place and chair, as letters write them."""
    lines = [f"- Nội dung: {meeting.topic}."]
    lines.append(f"- Thời gian: {written_when(meeting.starts_at)}.")
    if place := _place(meeting).replace("\n", "; "):
        lines.append(f"- Địa điểm: {place}.")
    if meeting.chair:
        lines.append(f"- Chủ trì: {meeting.chair}.")
    return tuple(Text(line) for line in lines)


def _summons(session: Session, key: str, now: datetime, by: Actor) -> Made:
    """The letter that summons units to a meeting, and the list of who is expected."""
    meeting = _meeting(session, key, now, by)
    head = letterhead_of(session, meeting.organiser_id, now)
    names = _unit_names(session, [meeting], local_day(meeting.starts_at))
    guests = _guests(session, meeting)
    grid = _guest_grid(guests)
    addressees = "; ".join(names[link.unit_id] for link in meeting.units)
    letter = Paper(
        head,
        "",
        f"V/v triệu tập dự: {meeting.topic}",
        (
            Text("Đơn vị trân trọng triệu tập các đồng chí trong danh sách kèm theo đến dự:"),
            *_facts(meeting),
            Text("Đề nghị các đơn vị thông báo để đảng viên dự đúng giờ, đủ thành phần."),
        ),
        symbol=_symbol("CV", head.symbol),
        addressee=f"Kính gửi: {addressees}" if addressees else "",
        fields=meeting_fields(meeting, _place(meeting))
        | {"khach_moi": listed(("stt", "ho_ten"), grid.rows, heading="don_vi")},
    )
    annex = Paper(head, "DANH SÁCH", f"triệu tập dự: {meeting.topic}", (grid,), signs=False)
    return Made(
        (letter, annex),
        f"trieu-tap-{meeting.id}",
        "meeting",
        meeting.id,
        meeting.organiser_id,
        len(guests),
    )


def _guest_grid(guests: Sequence[tuple[str, str, int | None]]) -> Grid:
    rows: list[tuple[str, ...]] = []
    unit = None
    for number, (name, sent_by, _point) in enumerate(guests, start=1):
        if sent_by != unit:
            unit = sent_by
            rows.append((sent_by or "(không ghi đơn vị)",))
        rows.append((str(number), name, ""))
    return Grid(("STT", "Họ và tên", "Ghi chú"), rows, (2, 11, 7), centred=frozenset({0}))


def _invitations(session: Session, key: str, now: datetime, by: Actor) -> Made:
    """One personal invitation a page, in one file."""
    meeting = _meeting(session, key, now, by)
    head = letterhead_of(session, meeting.organiser_id, now)
    guests = _guests(session, meeting)
    if not guests:
        raise Refusal(N_("Buổi này chưa mời ai. Hãy công bố buổi hoặc thêm người rồi in giấy mời."))
    if len(guests) > MOST_INVITATIONS:
        raise Refusal(
            N_("Buổi này mời quá %(most)s người. Hãy in công văn triệu tập kèm danh sách."),
            most=MOST_INVITATIONS,
        )
    papers = tuple(_invitation(head, meeting, *guest) for guest in guests)
    return Made(
        papers,
        f"giay-moi-{meeting.id}",
        "meeting",
        meeting.id,
        meeting.organiser_id,
        len(guests),
    )


def _invitation(
    head: Letterhead, meeting: Meeting, name: str, unit: str, point_id: int | None
) -> Paper:
    point = next((one.name for one in meeting.points if one.id == point_id), "")
    return Paper(
        head,
        "GIẤY MỜI",
        "",
        (
            Text(f"Trân trọng kính mời đồng chí: {name}", bold=True),
            Text(f"Đơn vị: {unit}"),
            Text("Đến dự:"),
            *_facts(meeting),
            *([Text(f"- Điểm cầu: {point}.")] if point else []),
            Text("Rất mong đồng chí đến dự đúng giờ."),
        ),
        symbol=_symbol("GM", head.symbol),
        fields=meeting_fields(meeting, _place(meeting))
        | {"nguoi_duoc_moi": name, "don_vi_nguoi_moi": unit, "diem_cau": point},
    )


def _week(session: Session, key: str, now: datetime, by: Actor) -> Made:
    """The week's schedule, which stands in for letters of invitation."""
    try:
        day = date.fromisoformat(key)
    except ValueError:
        raise NotFound(N_("Ngày trong địa chỉ trang chưa đúng. Hãy chọn lại ngày.")) from None
    monday = day - timedelta(days=day.weekday())
    sunday = monday + timedelta(days=6)
    first = datetime.combine(monday, datetime.min.time(), LOCAL)
    week = (Meeting.starts_at >= first) & (Meeting.starts_at < first + timedelta(days=7))
    meetings = _meetings(session, week, now, by)
    rows = _week_rows(meetings, _unit_names(session, meetings, monday), monday)
    header = ("Buổi", "Giờ", "Nội dung", "Địa điểm", "Chủ trì", "Thành phần")
    columns = ("buoi", "gio", "noi_dung", "dia_diem", "chu_tri", "thanh_phan")
    unit = _issuer(session, by)
    schedule = Paper(
        letterhead_of(session, unit, now),
        "LỊCH CÔNG TÁC TUẦN",
        f"từ ngày {monday:%d/%m/%Y} đến ngày {sunday:%d/%m/%Y}",
        (
            Grid(header, rows, (2, 3, 8, 6, 4, 6), centred=frozenset({0, 1})),
            Text("Lịch này thay thư mời họp.", italic=True, align="left"),
        ),
        landscape=True,
        fields={
            "tu_ngay": f"{monday:%d/%m/%Y}",
            "den_ngay": f"{sunday:%d/%m/%Y}",
            "lich": listed(columns, rows, heading="ngay"),
        },
    )
    return Made((schedule,), f"lich-tuan-{monday:%Y%m%d}", "meeting", f"week {monday}", unit)


def _week_rows(
    meetings: Sequence[Meeting], names: dict[int, str], monday: date
) -> list[tuple[str, ...]]:
    """Every day has its line, the sittings of it below."""
    rows: list[tuple[str, ...]] = []
    for offset in range(7):
        on = monday + timedelta(days=offset)
        rows.append((written_day(on),))
        rows += [
            (
                half_of_day(one.starts_at),
                written_time(one.starts_at),
                one.topic + (" (dự kiến)" if one.state == "draft" else ""),
                _place(one),
                one.chair,
                _attendees(names, one),
            )
            for one in meetings
            if local_day(one.starts_at) == on
        ]
    return rows


def _register(session: Session, key: str, now: datetime, by: Actor) -> Made:
    """The register to sign, in the phone's order, with empty rows at its end."""
    meeting = _meeting(session, key, now, by)
    sheet = paper.paper_sheet(meeting.id, now=now, by=by)
    columns = sheet.columns if len(sheet.columns) > 1 else ("Ký tên",)
    empty = ("",) * (len(columns) + 1)
    rows: list[tuple[str, ...]] = []
    for group in sheet.groups:
        rows.append((f"{group.name or 'Người dự ngoài danh sách'} ({len(group.lines)})",))
        rows += [(str(one.number), one.name, *empty) for one in group.lines]
    rows.append(("Người đến ngoài danh sách (ghi họ tên và đơn vị)",))
    rows += [(str(sheet.total + turn + 1), "", *empty) for turn in range(sheet.spare_rows)]
    grid = Grid(
        ("STT", "Họ và tên", *columns, "Ghi chú"),
        rows,
        (2, 9, *(5 for _ in columns), 5),
        centred=frozenset({0}),
        row_height=9,
    )
    head = letterhead_of(session, meeting.organiser_id, now)
    signed = Paper(
        replace(head, authority="CHỦ TRÌ", post="", signer="", recipients=()),
        "DANH SÁCH ĐIỂM DANH",
        meeting.topic,
        (*_facts(meeting), grid, Text(f"Mã sổ: {sheet.code}", size=11, indent=False)),
        is_draft=False,
        fields=meeting_fields(meeting, _place(meeting))
        | {
            "ma_so": sheet.code,
            "danh_sach": listed(("stt", "ho_ten"), rows, heading="nhom"),
        },
    )
    return Made(
        (signed,),
        f"diem-danh-{meeting.id}",
        "meeting",
        meeting.id,
        meeting.organiser_id,
        sheet.total,
    )


def _course(session: Session, code: str, now: datetime, by: Actor) -> tuple[Course, CourseView]:
    course = own_course(session, code, now, by)
    return course, course_view(code, today=local_day(now), by=by)


def _class_list(session: Session, code: str, now: datetime, by: Actor) -> Made:
    """The learners of a class by given name, with room to sign."""
    course, view = _course(session, code, now, by)
    rows = [
        (str(number), one.name, one.unit, "", "")
        for number, one in enumerate(view.learners, start=1)
    ]
    header = ("STT", "Họ và tên", "Đơn vị cử đi", "Ký tên", "Ghi chú")
    grid = Grid(header, rows, (2, 9, 9, 6, 5), centred=frozenset({0}), row_height=8)
    learners = Paper(
        letterhead_of(session, course.organiser_id, now),
        "DANH SÁCH HỌC VIÊN",
        course.title,
        (_class_facts(view), grid),
        fields=class_fields(view) | {"hoc_vien": listed(("stt", "ho_ten", "don_vi"), rows)},
    )
    return Made(
        (learners,), f"hoc-vien-{code}", "course", course.id, course.organiser_id, len(rows)
    )


def _class_facts(view: CourseView) -> Text:
    line = view.line
    periods = _periods(line.periods_done, line.periods)
    return Text(
        f"Loại lớp: {line.type_name}. Thời gian: {line.opens_on:%d/%m/%Y}–{line.closes_on:%d/%m/%Y}, "
        f"{view.half_days} buổi{periods}. Tổng số {number_text(line.learners)} học viên."
    )


def _periods(done: int, planned: int) -> str:
    """The periods of a class: done against planned once any are done."""
    if done and planned:
        return f", đã học {done}/{planned} tiết"
    return f", {done or planned} tiết" if done or planned else ""


def _results(session: Session, code: str, now: datetime, by: Actor) -> Made:
    """A result sheet for every unit that sent learners, each on a page of its own."""
    course, view = _course(session, code, now, by)
    head = letterhead_of(session, course.organiser_id, now)
    sent: dict[str, list[LearnerLine]] = {}
    for learner in view.learners:
        sent.setdefault(learner.unit, []).append(learner)
    if not sent:
        raise Refusal(N_("Lớp chưa có học viên nào. Hãy thêm học viên trước."))
    papers = tuple(
        _result_sheet(head, course.title, unit, learners, view)
        for unit, learners in sorted(sent.items())
    )
    return Made(
        papers,
        f"ket-qua-{code}",
        "course",
        course.id,
        course.organiser_id,
        len(view.learners),
    )


def _result_sheet(
    head: Any, title: str, unit: str, learners: Sequence[LearnerLine], view: CourseView
) -> Paper:
    rows = [
        (
            str(number),
            one.name,
            f"{one.attended}/{view.held}",
            RESULT_LABELS.get(one.result, ""),
            one.certificate_number,
        )
        for number, one in enumerate(learners, start=1)
    ]
    counted = ", ".join(
        f"{label.lower()} {sum(one.result == result for one in learners)}"
        for result, label in RESULT_LABELS.items()
    )
    return Paper(
        head,
        "KẾT QUẢ HỌC TẬP",
        title,
        (
            _class_facts(view),
            Text(f"Học viên do đơn vị cử: {len(learners)}; trong đó {counted}."),
            Grid(
                ("STT", "Họ và tên", "Số buổi dự", "Kết quả", "Số giấy chứng nhận"),
                rows,
                (2, 10, 4, 5, 7),
                centred=frozenset({0, 2}),
            ),
        ),
        addressee=f"Kính gửi: {unit}" if unit else "",
        fields=class_fields(view)
        | {
            "don_vi_cu": unit,
            "so_hoc_vien_cu": number_text(len(learners)),
            "tom_tat": counted,
            "hoc_vien": listed(("stt", "ho_ten", "so_buoi_du", "ket_qua", "so_giay"), rows),
        },
    )


def _certificates(session: Session, key: str, now: datetime, by: Actor) -> Made:
    """The register of certificates of a year."""
    if not key.isdecimal() or len(key) != 4:
        raise NotFound(N_("Năm chưa hợp lý. Hãy chọn lại."))
    rows = _certificate_rows(course_results.certificates(int(key), today=local_day(now), by=by))
    header = ("STT", "Số", "Ngày cấp", "Họ và tên", "Đơn vị", "Lớp", "Kết quả", "Ký nhận")
    grid = Grid(header, rows, (2, 4, 5, 9, 9, 11, 4, 5), centred=frozenset({0}))
    columns = ("stt", "so", "ngay_cap", "ho_ten", "don_vi", "lop", "ket_qua")
    unit = _issuer(session, by)
    register = Paper(
        letterhead_of(session, unit, now),
        "SỔ CẤP GIẤY CHỨNG NHẬN",
        f"năm {key}",
        (grid if rows else Text(f"Năm {key} chưa cấp giấy chứng nhận nào."),),
        landscape=True,
        fields={"nam": key, "giay": listed(columns, rows)},
    )
    return Made(
        (register,),
        f"giay-chung-nhan-{key}",
        "course",
        f"certificates {key}",
        unit,
        len(rows),
    )


def _certificate_rows(
    lines: Sequence[course_results.CertificateLine],
) -> list[tuple[str, ...]]:
    return [
        (
            str(number),
            one.number,
            f"{one.on:%d/%m/%Y}" if one.on else "",
            one.name,
            one.unit,
            one.course_title,
            RESULT_LABELS.get(one.result, ""),
            "",
        )
        for number, one in enumerate(lines, start=1)
    ]


_KINDS: dict[str, Callable[[Session, str, datetime, Actor], Made]] = {
    "plan": _plan,
    "summons": _summons,
    "invitations": _invitations,
    "week": _week,
    "register": _register,
    "class-list": _class_list,
    "class-results": _results,
    "certificates": _certificates,
}
OPEN_TO_READERS = frozenset({"plan", "week"})
"""What names nobody but speakers and chairs."""
