"""Each sitting of a class says its periods

Revision ID: 0032_periods_of_a_sitting
Revises: 0031_themed_cell_meetings
"""

from collections import defaultdict

import sqlalchemy as sa
from alembic import op

revision = "0032_periods_of_a_sitting"
down_revision = "0031_themed_cell_meetings"
branch_labels = None
depends_on = None

MOST_PERIODS = 24


def upgrade() -> None:
    with op.batch_alter_table("meeting") as batch:
        batch.add_column(sa.Column("periods", sa.Integer(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_meeting_periods_of_a_day"), f"periods IS NULL OR periods BETWEEN 0 AND {MOST_PERIODS}"
        )
    _share_out()


def _share_out() -> None:
    """What a class has so far is shared evenly over its sittings, the first ones get one more.

    Until now a report took a class's whole number; its figure stays where all sittings are held.
    """
    connection = op.get_bind()
    meeting = sa.table("meeting", sa.column("id"), sa.column("periods"))
    rows = connection.execute(
        sa.text(
            "SELECT meeting.id, meeting.course_id, course.periods FROM meeting "
            "JOIN course ON course.id = meeting.course_id "
            "WHERE course.periods > 0 AND meeting.state NOT IN ('cancelled', 'not_held') "
            "ORDER BY meeting.starts_at, meeting.id"
        )
    )
    sittings = defaultdict(list)
    for meeting_id, course_id, periods in rows:
        sittings[course_id, periods].append(meeting_id)
    for (_course_id, periods), ids in sittings.items():
        share, rest = divmod(periods, len(ids))
        if share + 1 > MOST_PERIODS:
            continue
        for place, meeting_id in enumerate(ids):
            connection.execute(
                meeting.update()
                .where(meeting.c.id == meeting_id)
                .values(periods=share + (1 if place < rest else 0))
            )


def downgrade() -> None:
    with op.batch_alter_table("meeting") as batch:
        batch.drop_constraint(op.f("ck_meeting_periods_of_a_day"), type_="check")
        batch.drop_column("periods")
