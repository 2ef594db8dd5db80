"""What a tap writes has its words checked one by one, and its household indexed where it has one:
SQLite writes it in half the time

Revision ID: 0033_words_one_by_one
Revises: 0032_periods_of_a_sitting
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0033_words_one_by_one"
down_revision = "0032_periods_of_a_sitting"
branch_labels = None
depends_on = None

STATUSES = ("present", "late", "left_early", "excused", "unexcused", "none")
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "mark": {
        "mark_status": STATUSES,
        "mark_source": ("phone", "desk", "paper", "import"),
        "mark_flag": ("after_lock", "not_on_roll", "clock", "conflict", "late"),
    },
    "register_line": {"mark_status": STATUSES},
    "meeting": {"register_state": ("not_taken", "draft", "submitted", "locked")},
}
"""Of each table, the words of its checks; a check is called its column, some after "mark_"."""
INDEXES = {"mark": ["household_id"], "register_line": ["household_id", "meeting_id"]}


def _one_by_one(column: str, words: tuple[str, ...]) -> str:
    return " OR ".join(f"{column} = '{word}'" for word in words)


def _as_list(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


def _check(written: Callable[[str, tuple[str, ...]], str]) -> None:
    for table, checks in WORDS.items():
        with op.batch_alter_table(table) as batch:
            for check, words in checks.items():
                name = op.f(f"ck_{table}_{check}")
                batch.drop_constraint(name, type_="check")
                batch.create_check_constraint(name, written(check.removeprefix("mark_"), words))


def _index(**which: sa.TextClause) -> None:
    for table, columns in INDEXES.items():
        name = f"ix_{table}_{'_'.join(columns)}"
        op.drop_index(name, table)
        op.create_index(name, table, columns, **which)


def upgrade() -> None:
    _check(_one_by_one)
    has_some = sa.text("household_id IS NOT NULL")
    _index(sqlite_where=has_some, postgresql_where=has_some)


def downgrade() -> None:
    _index()
    _check(_as_list)
