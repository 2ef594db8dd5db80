"""The invented city: its two trees, members, households, places and speakers."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from random import Random

from models import (
    Exemption,
    Household,
    HouseholdResidence,
    Membership,
    Person,
    Speaker,
    Unit,
    UnitKind,
    UnitLink,
    UnitName,
    UnitParent,
    Venue,
)
from rules.text import fold, name_sort_key
from services.demo.names import OFFICES, WARDS, person_name
from services.demo.writer import Writer, parts

FOUNDED = date(2005, 1, 1)
LONG_AGO = datetime(2010, 1, 4, tzinfo=UTC)

KINDS = (
    ("province_committee", "party", "Tỉnh uỷ", "Provincial Party Committee", 0, False, False),
    ("city_committee", "party", "Thành uỷ", "City Party Committee", 1, False, False),
    (
        "grassroots_committee_org",
        "party",
        "Đảng bộ cơ sở",
        "Grassroots Party organisation",
        3,
        True,
        False,
    ),
    ("grassroots_cell", "party", "Chi bộ cơ sở", "Grassroots Party cell", 3, True, True),
    ("section_org", "party", "Đảng bộ bộ phận", "Party section", 4, False, False),
    ("sub_cell", "party", "Chi bộ trực thuộc", "Affiliated cell", 5, False, True),
    ("party_group", "party", "Tổ đảng", "Party group", 6, False, False),
    ("city", "residential", "Thành phố", "City", 1, False, False),
    ("ward", "residential", "Phường", "Ward", 2, False, False),
    ("commune", "residential", "Xã", "Commune", 2, False, False),
    ("residential_group", "residential", "Khối phố", "Residential group", 3, True, True),
    ("village", "residential", "Thôn", "Village", 3, True, True),
)


@dataclass(frozen=True)
class Shape:
    """How large a city is. Eligible and exempt are those of the roll of the term's campaign."""

    name: str
    eligible: int
    households: int
    wards: int
    offices: int
    office_cells: int
    groups: int
    venues: int
    speakers: int


CITY = Shape("Thành phố Lam Sơn", 4_947, 23_500, 8, 47, 126, 104, 30, 40)
WARD = Shape("Phường Lam Sơn", 1_360, 8_400, 1, 30, 0, 30, 10, 24)


@dataclass
class Cell:
    """A cell and its people on the day of the term's roll."""

    id: int
    grassroots_id: int
    name: str
    group_id: int | None = None
    eligible: list[int] = field(default_factory=list)
    exempt: list[int] = field(default_factory=list)
    today: list[int] = field(default_factory=list)
    """Who belongs to it now and is not exempt."""


@dataclass
class Group:
    """A residential group and its households."""

    id: int
    name: str
    ward: int
    households: list[int] = field(default_factory=list)


@dataclass
class City:
    """What the later parts of the demonstration draw on, all by id."""

    shape: Shape
    prefix: str
    root_id: int = 0
    residential_root_id: int = 0
    grassroots: list[int] = field(default_factory=list)
    grassroots_names: dict[int, str] = field(default_factory=dict)
    ward_committees: list[int] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    outsiders: list[int] = field(default_factory=list)
    venues: list[int] = field(default_factory=list)
    speakers: list[int] = field(default_factory=list)


def build_city(writer: Writer, shape: Shape, prefix: str = "", name: str = "") -> City:
    """Make one city (or one ward with its organisations) and buffer all its rows."""
    city = City(shape, prefix)
    if not prefix:
        for code, tree, kind, kind_en, rank, grassroots, holds in KINDS:
            writer.put(
                UnitKind,
                code=code,
                tree=tree,
                name=kind,
                name_en=kind_en,
                rank=rank,
                is_grassroots=grassroots,
                holds_people=holds,
            )
    _build_trees(writer, city, name or shape.name)
    _fill_cells(writer, city)
    _fill_groups(writer, city)
    _add_places(writer, city)
    return city


def _unit(
    writer: Writer,
    city: City,
    code: str,
    kind: str,
    name: str,
    parent: int | None,
    position: int = 0,
) -> int:
    tree = next(row[1] for row in KINDS if row[0] == kind)
    unit = writer.add(
        Unit,
        code=f"{city.prefix}{code}",
        tree=tree,
        kind_code=kind,
        name=name,
        fold=fold(name),
        parent_id=parent,
        position=position,
        valid_from=FOUNDED,
    )
    writer.add(UnitName, unit_id=unit, name=name, valid_from=FOUNDED)
    if parent is not None:
        writer.add(UnitParent, unit_id=unit, parent_id=parent, valid_from=FOUNDED)
    return unit


def _build_trees(writer: Writer, city: City, name: str) -> None:
    place = name.removeprefix("Thành phố ").removeprefix("Phường ")
    root = "Thành uỷ" if city.shape is CITY else "Đảng uỷ phường"
    city.root_id = _unit(writer, city, "TU", "city_committee", f"{root} {place}", None)
    city.residential_root_id = _unit(writer, city, "TP", "city", name, None)
    writer.add(
        UnitLink, residential_id=city.residential_root_id, party_id=city.root_id, valid_from=FOUNDED
    )
    if city.shape is CITY:
        _add_wards(writer, city)
    else:
        _add_groups_of(
            writer, city, 0, city.root_id, city.residential_root_id, "Khối", city.shape.groups
        )
    _add_offices(writer, city)


def _add_wards(writer: Writer, city: City) -> None:
    per_ward = parts(writer.random, city.shape.groups, [1.0] * city.shape.wards, 9, 17)
    for number, (kind, place) in enumerate(WARDS[: city.shape.wards], start=1):
        committee = _unit(
            writer,
            city,
            f"DB{number:02}",
            "grassroots_committee_org",
            f"Đảng bộ {kind} {place}",
            city.root_id,
            number,
        )
        ward_kind = "ward" if kind == "phường" else "commune"
        ward = _unit(
            writer,
            city,
            f"P{number:02}",
            ward_kind,
            f"{kind.capitalize()} {place}",
            city.residential_root_id,
            number,
        )
        writer.add(UnitLink, residential_id=ward, party_id=committee, valid_from=FOUNDED)
        _grassroots(city, committee, f"Đảng bộ {kind} {place}")
        city.ward_committees.append(committee)
        word = "Khối" if kind == "phường" else "Thôn"
        _add_groups_of(writer, city, number, committee, ward, word, per_ward[number - 1])


def _add_groups_of(
    writer: Writer, city: City, number: int, committee: int, ward: int, word: str, count: int
) -> None:
    """Each residential group with the cell that answers for it."""
    for place in range(1, count + 1):
        label = f"{word.lower()} {place}"
        alone = committee == city.root_id
        cell_kind = "grassroots_cell" if alone else "sub_cell"
        cell = _unit(
            writer, city, f"CB{number:02}{place:02}", cell_kind, f"Chi bộ {label}", committee, place
        )
        if alone:
            _grassroots(city, cell, f"Chi bộ {label}")
        group_kind = "village" if word == "Thôn" else "residential_group"
        group = _unit(
            writer, city, f"K{number:02}{place:02}", group_kind, label.capitalize(), ward, place
        )
        writer.add(UnitLink, residential_id=group, party_id=cell, valid_from=FOUNDED)
        city.cells.append(Cell(cell, cell if alone else committee, f"Chi bộ {label}", group))
        city.groups.append(Group(group, label.capitalize(), number))


def _add_offices(writer: Writer, city: City) -> None:
    """Agencies, schools and enterprises: some with several cells, some a cell by themselves."""
    names = [
        name if turn == 0 else f"{name} ({turn + 1})" for turn in range(2) for name in OFFICES
    ][: city.shape.offices]
    larger = 27 if city.shape.office_cells else 0
    counts = parts(writer.random, city.shape.office_cells, [1.0] * larger, 3, 8) if larger else []
    for number, name in enumerate(names):
        code = f"CQ{number + 1:02}"
        if number >= larger:
            cell = _unit(
                writer, city, code, "grassroots_cell", f"Chi bộ {name}", city.root_id, 100 + number
            )
            _grassroots(city, cell, f"Chi bộ {name}")
            city.cells.append(Cell(cell, cell, f"Chi bộ {name}"))
            continue
        committee = _unit(
            writer,
            city,
            code,
            "grassroots_committee_org",
            f"Đảng bộ {name}",
            city.root_id,
            100 + number,
        )
        _grassroots(city, committee, f"Đảng bộ {name}")
        for place in range(1, counts[number] + 1):
            label = f"Chi bộ {place} – {name}"
            cell = _unit(writer, city, f"{code}-{place}", "sub_cell", label, committee, place)
            city.cells.append(Cell(cell, committee, label))


def _grassroots(city: City, unit: int, name: str) -> None:
    city.grassroots.append(unit)
    city.grassroots_names[unit] = name


def _fill_cells(writer: Writer, city: City) -> None:
    """Members by cell: neighbourhood cells are larger and older, with more exempt members."""
    random = writer.random
    weights = [
        random.uniform(18, 50) if cell.group_id else random.uniform(6, 26) for cell in city.cells
    ]
    sizes = parts(random, city.shape.eligible, weights, 3, 60)
    number = 0
    for place, (cell, size) in enumerate(zip(city.cells, sizes, strict=True)):
        share = random.uniform(0.04, 0.24) if cell.group_id else random.uniform(0, 0.06)
        if place == 1:
            share = 0.44
        exempt = min(round(size * share / (1 - share)), 65 - size)
        for turn in range(size + exempt):
            number += 1
            elderly = turn >= size
            person = _add_member(writer, city, cell, number, elderly=elderly)
            (cell.exempt if elderly else cell.eligible).append(person)
    _add_newcomers(writer, city, number)
    city.outsiders.extend(_add_outsiders(writer, city))


def _add_person(writer: Writer, city: City, code: str, birth_year: int, *, reachable: float) -> int:
    random = writer.random
    family, given = person_name(random)
    full_name = f"{family} {given}"
    return writer.add(
        Person,
        code=f"{city.prefix}{code}",
        family_and_middle=family,
        given_name=given,
        full_name=full_name,
        fold=fold(full_name),
        sort_key=name_sort_key(family, given),
        birth_year=birth_year,
        phone=f"+8490{random.randrange(10**4):07}" if random.random() < 0.8 else None,
        email=f"{city.prefix}{code}@demo.invalid".lower() if random.random() < reachable else None,
        language="vi",
        neutral_titles=True,
        wants_reminders=True,
        created_at=LONG_AGO,
    )


def _add_member(writer: Writer, city: City, cell: Cell, number: int, *, elderly: bool) -> int:
    """A member on the term's roll; some have died or moved away since."""
    random = writer.random
    year = random.randrange(1928, 1945) if elderly else random.randrange(1946, 1992)
    person = _add_person(writer, city, f"DV{number:05}", year, reachable=0.05 if elderly else 0.5)
    joined = _some_day(random, 2005, 2011)
    left = _some_day(random, 2013, 2025) if random.random() < (0.75 if elderly else 0.12) else None
    _belong(writer, cell, person, "full", joined, left)
    aged = year < 1953 and random.random() < 0.6
    if elderly:
        _exempt(writer, person, _some_day(random, 2010, 2011))
    elif left is None and aged:
        _exempt(writer, person, _some_day(random, 2018, 2025))
    elif left is None:
        cell.today.append(person)
    return person


def _add_newcomers(writer: Writer, city: City, number: int) -> None:
    """Members who joined after the term's roll; the latest are probationary."""
    random = writer.random
    for cell in city.cells:
        for _ in range(round(len(cell.eligible) * random.uniform(0.08, 0.24))):
            number += 1
            person = _add_person(
                writer, city, f"DV{number:05}", random.randrange(1975, 2005), reachable=0.6
            )
            joined = _some_day(random, 2013, 2025)
            full_from = joined.replace(year=joined.year + 1)
            _belong(writer, cell, person, "probationary", joined, full_from)
            _belong(writer, cell, person, "full", full_from, None)
            cell.today.append(person)


def _some_day(random: Random, first_year: int, last_year: int) -> date:
    return date(random.randint(first_year, last_year), random.randint(1, 12), random.randint(1, 28))


def _belong(
    writer: Writer, cell: Cell, person: int, standing: str, valid_from: date, valid_to: date | None
) -> None:
    writer.add(
        Membership,
        person_id=person,
        unit_id=cell.id,
        standing=standing,
        valid_from=valid_from,
        valid_to=valid_to,
    )


def _exempt(writer: Writer, person: int, valid_from: date) -> None:
    decision = f"{writer.random.randrange(1, 60):02}-NQ/CB"
    writer.add(Exemption, person_id=person, decision_number=decision, valid_from=valid_from)


def _add_outsiders(writer: Writer, city: City) -> list[int]:
    """Learners who are no members: applicants and association workers."""
    if city.shape is not CITY:
        return []
    return [
        _add_person(
            writer, city, f"HV{number:05}", writer.random.randrange(1975, 1998), reachable=0.4
        )
        for number in range(1, 1_501)
    ]


def _fill_groups(writer: Writer, city: City) -> None:
    random = writer.random
    weights = [random.uniform(120, 330) for _ in city.groups]
    sizes = parts(random, city.shape.households, weights, 60, 450)
    for group, size in zip(city.groups, sizes, strict=True):
        for number in range(1, size + 1):
            code = f"{city.prefix}H{group.id:04}-{number:03}"
            household = writer.add(
                Household,
                code=code,
                number=str(number),
                fold=fold(f"{code} {number}"),
                created_at=LONG_AGO,
            )
            writer.add(
                HouseholdResidence, household_id=household, unit_id=group.id, valid_from=FOUNDED
            )
            group.households.append(household)


def _add_places(writer: Writer, city: City) -> None:
    random: Random = writer.random
    halls = [
        ("Hội trường Trung tâm Chính trị", 220),
        ("Hội trường Thành uỷ", 300),
        *((f"Hội trường {kind} {place}", 150) for kind, place in WARDS[: city.shape.wards]),
    ]
    halls += [
        (f"Nhà văn hoá {group.name} ({number})", 60 + 10 * (number % 6))
        for number, group in enumerate(city.groups[: city.shape.venues - len(halls)], start=1)
    ]
    for name, capacity in halls:
        city.venues.append(
            writer.add(
                Venue,
                name=name,
                fold=fold(name),
                address="",
                capacity=capacity,
                unit_id=city.root_id,
            )
        )
    for number in range(city.shape.speakers):
        family, given = person_name(random)
        full_name = f"{family} {given}"
        city.speakers.append(
            writer.add(
                Speaker,
                name=full_name,
                fold=fold(full_name),
                sort_key=name_sort_key(family, given),
                title="Báo cáo viên Thành uỷ" if number < 15 else "Giảng viên kiêm chức",
                level="ward" if number < 15 else "grassroots",
                unit_id=city.root_id,
                email=f"{city.prefix}bcv{number + 1:02}@demo.invalid".lower(),
            )
        )
