"""Lists that leave the program, as workbooks or by command; each leaving is an audit entry."""

from datetime import datetime

from sqlalchemy.orm import Session

from gateways.spreadsheets import Table, workbook
from rules.days import local_day
from rules.permissions import Actor
from services import audit
from services.campaigns import campaign_for
from services.coverage import MissingPerson, missing_of
from services.transaction import writing


def missing_list(
    code: str, *, now: datetime, by: Actor, unit: str | None = None
) -> list[MissingPerson]:
    """The same people for the command, which is an export too: names leave the program."""
    with writing() as session:
        return _handed_out(session, code, now=now, by=by, unit=unit)


def missing_workbook(code: str, *, now: datetime, by: Actor, unit: str | None = None) -> bytes:
    """The list of who is still missing, for the people who will call them; never a public list."""
    today = local_day(now)
    with writing() as session:
        title = campaign_for(session, by, code, today).title
        people = _handed_out(session, code, now=now, by=by, unit=unit)
    rows = [
        (number, person.code, person.name, person.unit_name, person.grassroots_name, person.phone)
        for number, person in enumerate(people, start=1)
    ]
    return workbook(
        [
            Table(
                name="Còn thiếu",
                title=f"Đảng viên chưa học: {title}",
                notes=(f"Đến ngày {today:%d/%m/%Y}: {len(people)} người. Lưu hành nội bộ.",),
                header=("STT", "Mã", "Họ và tên", "Chi bộ", "Tổ chức cơ sở đảng", "Điện thoại"),
                rows=rows,
            )
        ],
        watermark=audit.watermark(by, now),
    )


def _handed_out(
    session: Session, code: str, *, now: datetime, by: Actor, unit: str | None
) -> list[MissingPerson]:
    """Who is missing, with the audit entry that says to whom the list was given."""
    today = local_day(now)
    campaign = campaign_for(session, by, code, today)
    people = missing_of(session, campaign, by=by, today=today, unit=unit)
    audit.record(
        session,
        now=now,
        by=by,
        action="exported",
        entity="campaign",
        entity_id=campaign.id,
        what="missing",
        unit=unit,
        people=len(people),
        person_ids=[person.person_id for person in people],
    )
    return people
