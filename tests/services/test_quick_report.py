"""The quick report: what each place counts so far, added up, with a text to send on."""

from datetime import timedelta
from typing import Any

import pytest

from models import HeadCount, Invitation, MeetingPoint, MeetingUnit, RegisterLine, db
from rules.permissions import SYSTEM
from rules.quick_report import PlaceCount, QuickReport, report_text
from rules.refusals import NotFound
from services.quick_report import quick_report
from tests import world
from tests.services import campaign_plans as plans
from tests.services.test_accounts import actor


@pytest.fixture
def city(db: Any) -> world.World:
    return world.build_world()


def mark(
    meeting_id: int, person: Any, status: str, unit: Any, *, invite: int | None = None
) -> None:
    db.session.add(
        RegisterLine(
            meeting_id=meeting_id,
            subject=f"m:{person.id}",
            person_id=person.id,
            unit_id=unit.id,
            status=status,
            mark_id="x",
        )
    )
    if invite is not None:
        db.session.add(
            Invitation(
                meeting_id=meeting_id,
                person_id=person.id,
                unit_id=unit.id,
                point_id=invite,
                created_at=world.NOW,
            )
        )
    db.session.commit()


def heads(meeting_id: int, count: int, label: str) -> None:
    db.session.add(
        HeadCount(
            id=f"{label}-{count}",
            meeting_id=meeting_id,
            label=label,
            heads=count,
            counted_at=world.NOW,
            received_at=world.NOW,
        )
    )
    db.session.commit()


def with_points(city: world.World) -> tuple[int, list[MeetingPoint]]:
    meeting = world.add_meeting(city, invite=())
    points = [
        MeetingPoint(meeting_id=meeting.id, name=name, is_main=is_main)
        for name, is_main in (("Điểm phường Hai", False), ("Điểm trung tâm", True))
    ]
    db.session.add_all(points)
    db.session.flush()
    db.session.add(
        MeetingUnit(meeting_id=meeting.id, unit_id=city.units["cell-3"].id, point_id=points[0].id)
    )
    db.session.commit()
    return meeting.id, points


def test_each_point_counts_its_own_and_the_rest_is_the_main_points(city: world.World) -> None:
    meeting, points = with_points(city)
    mark(meeting, city.people["chi"], "present", city.units["cell-1"], invite=points[1].id)
    mark(meeting, city.people["hien"], "excused", city.units["cell-1"], invite=points[1].id)
    mark(meeting, city.people["hoa"], "late", city.units["cell-3"])
    heads(meeting, 12, "Điểm phường Hai")
    heads(meeting, 5, "quần chúng")
    report = quick_report(meeting, now=world.NOW, by=SYSTEM)
    found = [
        (one.name, one.invited, one.present, one.extra, one.excused, one.heads)
        for one in report.places
    ]
    assert found == [("Điểm trung tâm", 2, 1, 0, 1, 5), ("Điểm phường Hai", 0, 0, 1, 0, 12)]
    assert (report.total.present, report.total.extra, report.total.heads) == (1, 1, 17)


def test_households_never_raise_the_count_of_people(city: world.World) -> None:
    meeting = world.add_meeting(city, invite=("group-1",))
    household = city.households[0].id
    db.session.add(
        RegisterLine(
            meeting_id=meeting.id,
            subject=f"h:{household}",
            household_id=household,
            unit_id=city.units["group-1"].id,
            status="present",
            mark_id="x",
        )
    )
    db.session.commit()
    [place] = quick_report(meeting.id, now=world.NOW, by=SYSTEM).places
    assert (place.present, place.extra, place.households, place.is_started) == (0, 0, 1, True)


def test_all_meetings_of_a_campaigns_day_stand_together(city: world.World) -> None:
    code = plans.opened(city)
    first = plans.sitting(city, code)
    second = plans.sitting(city, code, invite=("cell-2",))
    plans.sitting(city, code, at=world.NOW + timedelta(days=2))
    plans.sitting(city, code, state="cancelled")
    plans.attend(second, city.people["dat"])
    report = quick_report(first.id, now=world.NOW, by=SYSTEM)
    assert [(one.meeting_id, one.is_started) for one in report.places] == [
        (first.id, False),
        (second.id, True),
    ]
    assert report.title == "Nghị quyết thử nghiệm"


def test_another_wards_meeting_is_not_told(city: world.World) -> None:
    meeting = world.add_meeting(city)
    with pytest.raises(NotFound):
        quick_report(meeting.id, now=world.NOW, by=actor(city, "dung"))


def test_the_text_says_which_places_have_not_begun() -> None:
    places = [
        PlaceCount(1, "Điểm trung tâm", 120, 98, 2, 3, 0, 0, 0, True),
        PlaceCount(1, "Điểm phường Hai", 40, 0, 0, 0, 0, 0, 0, False),
    ]
    text = report_text(QuickReport("Nghị quyết", world.NOW, places)).splitlines()
    assert text[0] == "BÁO CÁO NHANH lúc 15 giờ 00, ngày 23/11/2026"
    assert text[2:] == [
        "Điểm đã báo: 1/2",
        "Tổng có mặt: 98/160 (vắng có lý do 3, dự ngoài danh sách 2)",
        "- Điểm trung tâm: 98/120 (vắng có lý do 3, dự ngoài danh sách 2)",
        "- Điểm phường Hai: chưa báo",
    ]
