"""Statements handed straight to the driver: the same values, the same failures, the same count."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, event, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from models import AuditEntry, Setting
from services.prepared import SIZES, Insert, Listed, Prepared
from tests.world import NOW

AUDIT: Any = inspect(AuditEntry).local_table
SETTING: Any = inspect(Setting).local_table
PUT = Prepared(lambda _: insert(SETTING).inline(), ["key", "value"])
NAMED = Listed(lambda among: select(SETTING.c.key, SETTING.c.value).where(among(SETTING.c.key)))


def rows(count: int) -> list[dict[str, str]]:
    return [{"key": f"khoá {number}", "value": f"trị %s ? {number}"} for number in range(count)]


def test_times_and_json_pass_through_their_columns_both_ways(db):
    names = [column.name for column in AUDIT.c if column.name != "id"]
    entry = {
        "at": NOW + timedelta(microseconds=7),
        "by_account_id": None,
        "by_name": "Nguyễn Văn An",
        "action": "tried",
        "entity": "test",
        "entity_id": "1",
        "unit_id": None,
        "details": {"số": [1, None, "hai"]},
        "reason": "",
    }
    Prepared(lambda _: insert(AUDIT).inline(), names).run(db.session(), [entry])
    look = Prepared(
        lambda _: select(AUDIT.c.at, AUDIT.c.details).where(AUDIT.c.action == bindparam("done"))
    )
    assert look.rows(db.session(), done="tried") == [(entry["at"], entry["details"])]
    assert look.rows(db.session(), done="never") == []


@pytest.mark.parametrize("count", [0, 1, 2, 8, 9, SIZES[-1], SIZES[-1] + 1])
def test_a_list_of_any_length_is_answered_once_each(db, count):
    wanted = rows(count)
    if wanted:
        PUT.run(db.session(), wanted)
    found = NAMED.rows(db.session(), [one["key"] for one in wanted])
    assert sorted(found) == sorted((one["key"], one["value"]) for one in wanted)


def test_a_broken_rule_of_the_schema_is_the_librarys_own_failure(db):
    PUT.run(db.session(), rows(1))
    with pytest.raises(IntegrityError) as caught:
        PUT.run(db.session(), rows(1))
    db.session.rollback()
    assert "[parameters" not in str(caught.value)


def test_it_writes_in_the_sessions_transaction_and_is_counted(db):
    seen: list[str] = []

    def note(*given):
        seen.append(given[2])

    event.listen(db.engine, "before_cursor_execute", note)
    PUT.run(db.session(), rows(2))
    event.remove(db.engine, "before_cursor_execute", note)
    db.session.rollback()
    assert len([one for one in seen if one.startswith("INSERT INTO setting")]) == 1
    assert NAMED.rows(db.session(), ["khoá 0", "khoá 1"]) == []


def test_rows_keep_what_they_say_whichever_columns_are_empty(db):
    put = Insert(
        lambda _: insert(AUDIT).inline(), [one.name for one in AUDIT.c if one.name != "id"]
    )
    empty: dict[str, Any] = {one.name: None for one in AUDIT.c if one.name != "id"}
    empty |= {"at": NOW, "by_name": "An", "entity": "test", "details": {}, "reason": ""}
    first = empty | {"action": "a", "entity_id": "1"}
    second = empty | {"action": "b", "entity_id": "2", "seal": "x"}
    put.run(db.session(), [first])
    put.run(db.session(), [first, second, first])
    look = Prepared(
        lambda _: select(AUDIT.c.action, AUDIT.c.unit_id, AUDIT.c.seal).where(
            AUDIT.c.entity == bindparam("kind")
        )
    )
    a, b = ("a", None, None), ("b", None, "x")
    assert sorted(look.rows(db.session(), kind="test")) == [a, a, a, b]
