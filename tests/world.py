"""A small invented city for tests: two wards, four cells, two residential groups, named people."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask.testing import FlaskClient

from models import (
    Account,
    Household,
    HouseholdResidence,
    Invitation,
    Meeting,
    MeetingSpeaker,
    MeetingUnit,
    Membership,
    Person,
    RoleGrant,
    Speaker,
    Unit,
    UnitKind,
    UnitLink,
    UnitName,
    UnitParent,
    Venue,
    db,
)
from rules.days import instant
from rules.text import fold, name_sort_key, split_full_name
from services.accounts import open_sign_in

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TODAY = date(2026, 11, 23)
FOUNDED = date(2020, 1, 1)

KINDS = (
    ("city_committee", "party", "Thành uỷ", "City Party Committee", 1, False, False),
    ("grassroots_org", "party", "Đảng bộ cơ sở", "Grassroots Party organisation", 3, True, False),
    ("cell", "party", "Chi bộ", "Party cell", 5, False, True),
    ("city", "residential", "Thành phố", "City", 1, False, False),
    ("ward", "residential", "Phường", "Ward", 2, False, False),
    ("residential_group", "residential", "Khối phố", "Residential group", 3, True, True),
)


@dataclass
class World:
    """Everything by name; ids are read from the rows."""

    units: dict[str, Unit]
    people: dict[str, Person]
    accounts: dict[str, Account]
    households: list[Household]
    venue: Venue
    speaker: Speaker


def add_unit(code: str, kind: str, name: str, parent: Unit | None = None) -> Unit:
    """A unit founded long ago, with its dated name and parent."""
    tree = "residential" if kind in ("city", "ward", "residential_group") else "party"
    unit = Unit(
        code=code,
        tree=tree,
        kind_code=kind,
        name=name,
        fold=fold(name),
        parent_id=parent.id if parent else None,
        valid_from=FOUNDED,
    )
    db.session.add(unit)
    db.session.flush()
    db.session.add(UnitName(unit_id=unit.id, name=name, valid_from=FOUNDED))
    if parent:
        db.session.add(UnitParent(unit_id=unit.id, parent_id=parent.id, valid_from=FOUNDED))
    return unit


def add_person(code: str, full_name: str, cell: Unit | None = None, **values: Any) -> Person:
    """A person, and a member of the cell when one is given."""
    family, given = split_full_name(full_name)
    person = Person(
        code=code,
        family_and_middle=family,
        given_name=given,
        full_name=full_name,
        fold=fold(full_name),
        sort_key=name_sort_key(family, given),
        created_at=NOW,
        **values,
    )
    db.session.add(person)
    db.session.flush()
    if cell:
        db.session.add(Membership(person_id=person.id, unit_id=cell.id, valid_from=FOUNDED))
    return person


def add_account(email: str, name: str, role: str, unit: Unit | None = None) -> Account:
    """An account with one role over a unit (or everything)."""
    account = Account(email=email, name=name, created_at=NOW)
    db.session.add(account)
    db.session.flush()
    db.session.add(RoleGrant(account_id=account.id, role=role, unit_id=unit.id if unit else None))
    return account


def add_meeting(
    world: World,
    *,
    at: datetime | None = None,
    hours: float = 2,
    invite: tuple[str, ...] = ("cell-1",),
    **values: Any,
) -> Meeting:
    """A published meeting of ward Một at its venue with its speaker, unless told otherwise."""
    starts_at = at or instant(TODAY, time(15, 30))
    values.setdefault("kind", "study")
    values.setdefault("topic", "Học tập nghị quyết")
    values.setdefault("state", "published")
    meeting = Meeting(
        uid=f"buoi-{db.session.query(Meeting).count() + 1}@test.invalid",
        organiser_id=world.units["ward-1"].id,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=hours),
        venue_id=world.venue.id,
        place=world.venue.name,
        created_at=NOW,
        modified_at=NOW,
        **values,
    )
    db.session.add(meeting)
    db.session.flush()
    db.session.add(MeetingSpeaker(meeting_id=meeting.id, speaker_id=world.speaker.id))
    db.session.add_all(
        MeetingUnit(meeting_id=meeting.id, unit_id=world.units[code].id) for code in invite
    )
    db.session.commit()
    return meeting


def invite_by_name(world: World, meeting: Meeting, *names: str) -> Meeting:
    """Put these people on the meeting's list, each called by hand."""
    db.session.add_all(
        Invitation(
            meeting_id=meeting.id,
            person_id=world.people[name].id,
            unit_id=world.units["cell-1"].id,
            source="person",
            created_at=NOW,
        )
        for name in names
    )
    db.session.commit()
    return meeting


def build_world() -> World:
    """Write the small city into the empty database of the current app context and commit."""
    db.session.add_all(
        UnitKind(code=c, tree=t, name=n, name_en=e, rank=r, is_grassroots=g, holds_people=h)
        for c, t, n, e, r, g, h in KINDS
    )
    db.session.flush()
    units = _units()
    people = _people(units)
    accounts = {
        "an": add_account("an@test.invalid", "Nguyễn Văn An", "staff", units["ward-1"]),
        "binh": add_account("binh@test.invalid", "Trần Thanh Bình", "instructor", units["cell-1"]),
        "dung": add_account("dung@test.invalid", "Lê Tiến Dũng", "staff", units["ward-2"]),
        "quan": add_account("quan@test.invalid", "Phạm Quản", "admin"),
        "doc": add_account("doc@test.invalid", "Hoàng Đọc", "reader", units["city"]),
    }
    households = _households(units)
    venue = Venue(
        name="Hội trường phường Một",
        fold=fold("Hội trường phường Một"),
        capacity=100,
        unit_id=units["ward-1"].id,
    )
    speaker = Speaker(
        name="Trần Thanh Bình",
        fold=fold("Trần Thanh Bình"),
        account_id=accounts["binh"].id,
        email="binh@test.invalid",
    )
    db.session.add_all([venue, speaker])
    db.session.commit()
    return World(units, people, accounts, households, venue, speaker)


def _units() -> dict[str, Unit]:
    units = {"city": add_unit("TU", "city_committee", "Thành uỷ Thử nghiệm")}
    for ward in (1, 2):
        name = "Một" if ward == 1 else "Hai"
        units[f"ward-{ward}"] = add_unit(
            f"DB{ward}", "grassroots_org", f"Đảng bộ phường {name}", units["city"]
        )
    for number, ward in ((1, 1), (2, 1), (3, 2), (4, 2)):
        units[f"cell-{number}"] = add_unit(
            f"CB{number}", "cell", f"Chi bộ {number}", units[f"ward-{ward}"]
        )
    units["res-city"] = add_unit("TP", "city", "Thành phố Thử nghiệm")
    for ward in (1, 2):
        name = "Một" if ward == 1 else "Hai"
        units[f"res-ward-{ward}"] = add_unit(
            f"P{ward}", "ward", f"Phường {name}", units["res-city"]
        )
        units[f"group-{ward}"] = add_unit(
            f"K{ward}", "residential_group", f"Khối {ward}", units[f"res-ward-{ward}"]
        )
        db.session.add(
            UnitLink(
                residential_id=units[f"res-ward-{ward}"].id,
                party_id=units[f"ward-{ward}"].id,
                valid_from=FOUNDED,
            )
        )
    return units


def _people(units: dict[str, Unit]) -> dict[str, Person]:
    people = {
        "chi": add_person(
            "DV001", "Đỗ Thị Kim Chi", units["cell-1"], email="chi@test.invalid", birth_year=1970
        ),
        "hien": add_person("DV002", "Nguyễn Thị Hiền", units["cell-1"], phone="+84912345678"),
        "anh": add_person("DV003", "Vũ Ánh", units["cell-1"], birth_year=1948),
        "dat": add_person("DV004", "Lò Văn Đạt", units["cell-2"]),
        "hoa": add_person("DV005", "Trương Hoà", units["cell-3"], email="hoa@test.invalid"),
        "em": add_person("DV006", "Hoàng Em", units["cell-4"]),
    }
    return people


def _households(units: dict[str, Unit]) -> list[Household]:
    households = []
    for group in (1, 2):
        for number in range(1, 6):
            household = Household(
                code=f"K{group}-{number:03}",
                number=str(number),
                fold=f"k{group}-{number:03}",
                created_at=NOW,
            )
            db.session.add(household)
            db.session.flush()
            db.session.add(
                HouseholdResidence(
                    household_id=household.id,
                    unit_id=units[f"group-{group}"].id,
                    valid_from=FOUNDED,
                )
            )
            households.append(household)
    return households


def signed_in(client: FlaskClient, account: Account, *, now: datetime | None = None) -> FlaskClient:
    """The same client, signed in as the account from the real clock's now on."""
    token = open_sign_in(account.id, now=now or datetime.now(UTC))
    with client.session_transaction() as session:
        session["_user_id"] = token
        session["_fresh"] = True
    return client
