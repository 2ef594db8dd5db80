"""Whose template a document is printed in: the unit's own, else the nearest above, else built in."""

import io
from typing import Any

import pytest
from docx import Document
from sqlalchemy import select

from models import AuditEntry, DocumentTemplate, Unit, db
from rules.permissions import SYSTEM, Actor, Grant
from rules.refusals import Malformed, NotFound, Refusal
from services import document_templates as templates
from services import paperwork
from tests import world

KIND = "certificates"
KEY = "2026"


@pytest.fixture
def city(db: Any) -> world.World:
    return world.build_world()


def template(line: str) -> bytes:
    document = Document()
    for text in (line, "{{ nguoi_xuat }}"):
        document.add_paragraph(text)
    table = document.add_table(rows=2, cols=1)
    table.rows[0].cells[0].text = "Số"
    table.rows[1].cells[0].text = "{{ giay.so }}"
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def put_in_use(unit: Unit, line: str, by: Actor = SYSTEM) -> int:
    version = templates.store_template(
        unit.id, KIND, template(line), "mau.docx", now=world.NOW, by=by
    )
    templates.use_template(unit.id, KIND, version, now=world.NOW, by=by)
    return version


def first_line(by: Actor) -> str:
    content, _name = paperwork.document_file(KIND, KEY, now=world.NOW, by=by)
    return Document(io.BytesIO(content)).paragraphs[0].text


def staff_of(city: world.World, unit: str) -> Actor:
    return Actor(name="x", grants=(Grant("staff", city.units[unit].id),))


def in_use(unit: Unit) -> templates.InUse | None:
    return templates.template_in_use(unit.id, KIND, today=world.TODAY)


def test_a_unit_without_a_template_prints_in_that_of_the_nearest_unit_above(
    city: world.World,
) -> None:
    ward, cell = city.units["ward-1"], city.units["cell-1"]
    an = staff_of(city, "ward-1")
    assert in_use(cell) is None
    put_in_use(city.units["city"], "Mẫu thành phố {{ nam }}")
    assert first_line(an) == "Mẫu thành phố 2026"
    found = in_use(ward)
    assert found is not None
    assert (found.unit_name, found.is_own) == (city.units["city"].name, False)
    exported = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "exported")).one()
    assert exported.details["template_unit"] == city.units["city"].id
    put_in_use(ward, "Mẫu phường {{ nam }}", an)
    assert first_line(an) == "Mẫu phường 2026"
    nearest = in_use(cell)
    assert nearest is not None
    assert nearest.unit_id == ward.id
    [line] = [
        one
        for one in templates.template_kinds(cell.id, now=world.NOW, by=SYSTEM)
        if one.kind.key == KIND
    ]
    assert line.in_use == nearest
    assert line.versions == 0
    templates.use_built_in_form(ward.id, KIND, now=world.NOW, by=an)
    assert first_line(an) == "Mẫu thành phố 2026"


def test_a_template_is_not_inherited_upwards_or_sideways(city: world.World) -> None:
    put_in_use(city.units["ward-1"], "Mẫu phường {{ nam }}")
    assert in_use(city.units["ward-2"]) is None
    assert in_use(city.units["city"]) is None
    with pytest.raises(NotFound):
        templates.template_versions(
            city.units["ward-1"].id, KIND, now=world.NOW, by=staff_of(city, "ward-2")
        )


def test_an_inherited_template_that_is_damaged_says_so_and_nothing_leaves(
    city: world.World,
) -> None:
    put_in_use(city.units["city"], "Mẫu thành phố {{ nam }}")
    row = db.session.scalars(select(DocumentTemplate)).one()
    row.content = template("khác")
    db.session.commit()
    an = staff_of(city, "ward-1")
    with pytest.raises(templates.TemplateFailed) as failure:
        paperwork.document_file(KIND, KEY, now=world.NOW, by=an)
    assert failure.value.unit_id == city.units["ward-1"].id
    content, _name = paperwork.document_file(KIND, KEY, now=world.NOW, by=an, built_in=True)
    assert "SỔ CẤP GIẤY CHỨNG NHẬN" in [
        one.text for one in Document(io.BytesIO(content)).paragraphs
    ]


def test_one_version_is_in_use_and_a_wrong_one_is_not_kept(city: world.World) -> None:
    ward = city.units["ward-1"]
    assert [put_in_use(ward, f"Mẫu {turn} {{{{ nam }}}}") for turn in range(2)] == [1, 2]
    with pytest.raises(Malformed):
        put_in_use(ward, "{{ nma }}")
    lines = templates.template_versions(ward.id, KIND, now=world.NOW, by=SYSTEM)
    assert [(one.version, one.is_active) for one in lines] == [(2, True), (1, False)]
    templates.use_built_in_form(ward.id, KIND, now=world.NOW, by=SYSTEM)
    with pytest.raises(Refusal, match="mẫu có sẵn rồi"):
        templates.use_built_in_form(ward.id, KIND, now=world.NOW, by=SYSTEM)


def test_a_year_without_certificates_says_so(city: world.World) -> None:
    made = paperwork.document(KIND, "1999", now=world.NOW, by=SYSTEM)
    [block] = made.papers[0].blocks
    assert block.text == "Năm 1999 chưa cấp giấy chứng nhận nào."  # type: ignore[union-attr]  # None would fail here
