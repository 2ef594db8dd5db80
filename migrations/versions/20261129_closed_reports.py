"""Closed reports are kept whole, and the database refuses to change them

Revision ID: 0020_closed_reports
Revises: mail_in_doubt
"""

import sqlalchemy as sa
from alembic import op

revision = "0020_closed_reports"
down_revision = "mail_in_doubt"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "report_snapshot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column(
            "view",
            sa.Enum(
                "as_was",
                "restated",
                name="report_view",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("supplements_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("software", sa.String(length=40), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_account_id", sa.Integer(), nullable=True),
        sa.Column("by_name", sa.String(length=180), nullable=False),
        sa.CheckConstraint(
            "last_on >= first_on", name=op.f("ck_report_snapshot_dates_in_order")
        ),
        sa.ForeignKeyConstraint(
            ["supplements_id"],
            ["report_snapshot.id"],
            name=op.f("fk_report_snapshot_supplements_id_report_snapshot"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_report_snapshot_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_snapshot")),
    )
    for column in ("supplements_id", "unit_id"):
        op.create_index(op.f(f"ix_report_snapshot_{column}"), "report_snapshot", [column])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER report_snapshot_no_{verb} BEFORE {verb} ON report_snapshot "
                "BEGIN SELECT RAISE(ABORT, 'a closed report is never changed'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION report_snapshot_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a closed report is never changed'; END $$"
    )
    for verb in ("update", "delete", "truncate"):
        each = "STATEMENT" if verb == "truncate" else "ROW"
        op.execute(
            f"CREATE TRIGGER report_snapshot_no_{verb} BEFORE {verb} ON report_snapshot "
            f"FOR EACH {each} EXECUTE FUNCTION report_snapshot_refuse()"
        )


def downgrade() -> None:
    op.drop_table("report_snapshot")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION report_snapshot_refuse()")
