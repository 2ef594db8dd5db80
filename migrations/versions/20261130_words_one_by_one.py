"""A mark's and a line's words are checked one by one: SQLite writes them in half the time

Revision ID: 0033_words_one_by_one
Revises: 0032_periods_of_a_sitting
"""

from collections.abc import Callable

from alembic import op

revision = "0033_words_one_by_one"
down_revision = "0032_periods_of_a_sitting"
branch_labels = None
depends_on = None

STATUSES = ("present", "late", "left_early", "excused", "unexcused", "none")
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "mark": {
        "status": STATUSES,
        "source": ("phone", "desk", "paper", "import"),
        "flag": ("after_lock", "not_on_roll", "clock", "conflict", "late"),
    },
    "register_line": {"status": STATUSES},
}


def _one_by_one(column: str, words: tuple[str, ...]) -> str:
    return " OR ".join(f"{column} = '{word}'" for word in words)


def _as_list(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


def _check(written: Callable[[str, tuple[str, ...]], str]) -> None:
    for table, columns in WORDS.items():
        with op.batch_alter_table(table) as batch:
            for column, words in columns.items():
                name = op.f(f"ck_{table}_mark_{column}")
                batch.drop_constraint(name, type_="check")
                batch.create_check_constraint(name, written(column, words))


def upgrade() -> None:
    _check(_one_by_one)


def downgrade() -> None:
    _check(_as_list)
