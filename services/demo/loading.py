"""Loads the demonstration into an empty database: invented, marked as such, the same for a seed."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Account, Person, ReminderRule, RoleGrant, Setting, Speaker, Unit
from rules.days import instant, local_day
from rules.permissions import SYSTEM
from rules.refusals import N_, Malformed, Refusal
from services import audit, campaigns, roll
from services.demo import merger, open_campaign, term, work
from services.demo.city import CITY, WARD, City, Shape, build_city
from services.demo.writer import Progress, Writer
from services.transaction import reading, writing

SCALES = {"ward": (WARD, 1), "city": (CITY, 1), "province": (CITY, 12), "nation": (CITY, 1_132)}
DEMO_MARK = "demo"
MORNING = time(8, 0)


@dataclass(frozen=True)
class Role:
    """An account of the demonstration."""

    email: str
    name: str
    role: str


ADMIN = Role("quantri@demo.invalid", "Quản trị (minh hoạ)", "admin")
STAFF = Role("canbo@demo.invalid", "Cán bộ Ban Tuyên giáo (minh hoạ)", "staff")
INSTRUCTOR = Role("giangvien@demo.invalid", "Giảng viên (minh hoạ)", "instructor")
READER = Role("thuongtruc@demo.invalid", "Thường trực cấp uỷ (minh hoạ)", "reader")
WARD_STAFF = Role("phuong@demo.invalid", "Cán bộ phường (minh hoạ)", "staff")


def load_demo(*, scale: str, seed: int, now: datetime, progress: Progress) -> None:
    """Fill an empty database; refuses any other. One transaction a city, so a break is seen.

    `scale`: ward (≈1.500 members), city (4.947 eligible, with the whole term), province (12
    cities), nation (≈5,6 million members; for PostgreSQL). `progress(text, percent)`.
    """
    if scale not in SCALES:
        raise Malformed(
            N_("Không có quy mô “%(scale)s”. Hãy chọn ward, city, province hoặc nation."),
            scale=scale,
        )
    if not is_empty():
        raise Refusal(
            N_("Cơ sở dữ liệu đã có dữ liệu. Dữ liệu minh hoạ chỉ nạp vào cơ sở dữ liệu trống.")
        )
    shape, count = SCALES[scale]
    for number in range(count):
        prefix = "" if number == 0 else f"T{number:03}-"
        _load_city(
            shape,
            prefix,
            Random(f"{seed}-{number}"),
            now,
            _share_of(progress, number, count, prefix),
        )
    progress("Xong", 100)


def is_empty() -> bool:
    """Whether the database holds no unit, person or account yet."""
    return all(
        reading().scalar(select(table.id).limit(1)) is None for table in (Unit, Person, Account)
    )


def demo_is_loaded() -> bool:
    """Whether the database holds the demonstration."""
    return reading().scalar(select(Setting.value).where(Setting.key == DEMO_MARK)) is not None


def _share_of(progress: Progress, number: int, count: int, prefix: str) -> Progress:
    def report(text: str, percent: int) -> None:
        label = f"{prefix.rstrip('-')}: {text}" if prefix else text
        progress(label, (100 * number + percent) // count)

    return report


def _load_city(
    shape: Shape, prefix: str, random: Random, now: datetime, progress: Progress
) -> None:
    with writing() as session:
        writer = Writer(session, random)
        progress("Đơn vị, đảng viên, hộ gia đình", 0)
        number = f" {prefix.strip('T-')}" if prefix else ""
        city = build_city(writer, shape, prefix, f"{shape.name}{number} (minh hoạ)")
        term.add_course_types(writer, first=not prefix)
        writer.flush()
        if shape is CITY:
            _add_term(writer, city, progress)
            writer.let_others_write()
            merger.merge_wards(session, city, now=now)
        progress("Đợt đang mở và các buổi sắp tới", 45)
        open_campaign.add_present(writer, city, now)
        writer.flush()
        writer.advance_sequences()
        if not prefix:
            _add_accounts(session, city, now)
            session.add(Setting(key=DEMO_MARK, value=shape.name))
        audit.record(
            session, now=now, by=SYSTEM, action="loaded", entity="demo", entity_id=shape.name
        )
    if shape is CITY:
        progress("Chốt diện phải học, tính chỉ tiêu: Nghị quyết Trung ương 4", 60)
        _run_term_campaign(f"{prefix}NQTW4")
    progress("Chốt diện phải học, tính chỉ tiêu: đợt đang mở", 80)
    opened_at = instant(local_day(now) - timedelta(days=open_campaign.DAYS_OPEN), MORNING)
    roll.open_campaign(f"{prefix}NQDH26", now=opened_at, by=SYSTEM)


def _add_term(writer: Writer, city: City, progress: Progress) -> None:
    if not city.prefix:
        progress("Nhiệm kỳ 2010–2015: buổi tuyên truyền", 10)
        term.add_outreach(writer, city)
        writer.flush()
        progress("Nhiệm kỳ 2010–2015: lớp lý luận chính trị", 15)
        term.add_classes(writer, city)
        writer.flush()
        progress("Nhiệm kỳ 2010–2015: sinh hoạt chuyên đề", 30)
        work.add_past_cell_meetings(writer, city)
        writer.flush()
    progress("Nhiệm kỳ 2010–2015: Nghị quyết Trung ương 4", 35)
    term.add_campaign(writer, city)
    writer.flush()


def _run_term_campaign(code: str) -> None:
    """Open and close it through the functions behind staff's buttons, on the days of then."""
    roll.open_campaign(code, now=instant(term.CAMPAIGN_OPENED_ON, MORNING), by=SYSTEM)
    campaigns.close_campaign(code, now=instant(term.CAMPAIGN_CLOSED_ON, MORNING), by=SYSTEM)


def _add_accounts(session: Session, city: City, now: datetime) -> None:
    """The people to sign in as; their passwords are set when the program says them."""
    ward = city.ward_committees[0] if city.ward_committees else city.grassroots[0]
    for role, unit in (
        (ADMIN, None),
        (STAFF, city.root_id),
        (INSTRUCTOR, None),
        (READER, city.root_id),
        (WARD_STAFF, ward),
    ):
        account = Account(email=role.email, name=role.name, created_at=now)
        session.add(account)
        session.flush()
        if role is not INSTRUCTOR:
            session.add(RoleGrant(account_id=account.id, role=role.role, unit_id=unit))
            continue
        session.add(RoleGrant(account_id=account.id, role=role.role, unit_id=city.cells[0].id))
        speaker = session.get_one(Speaker, city.speakers[0])
        speaker.account_id = account.id
    if session.scalar(select(func.count()).select_from(ReminderRule)) == 0:
        for minutes in (7 * 24 * 60, 24 * 60, 120):
            session.add(ReminderRule(minutes_before=minutes))
