"""The audit log is a chain that the database itself protects

Revision ID: 0010
Revises: 0003_backups
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0003_backups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("begun_after_id", sa.Integer(), nullable=False),
        sa.Column("genesis", sa.String(length=64), nullable=False),
        sa.Column("last_seal", sa.String(length=64), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.add_column("audit_entry", sa.Column("seal", sa.String(length=64), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER audit_entry_no_{verb} BEFORE {verb} ON audit_entry "
                "BEGIN SELECT RAISE(ABORT, 'audit entries are only ever added'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'audit entries are only ever added'; END $$"
    )
    for verb in ("update", "delete", "truncate"):
        each = "STATEMENT" if verb == "truncate" else "ROW"
        op.execute(
            f"CREATE TRIGGER audit_entry_no_{verb} BEFORE {verb} ON audit_entry "
            f"FOR EACH {each} EXECUTE FUNCTION audit_entry_refuse()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER audit_entry_no_{verb}")
    else:
        for verb in ("update", "delete", "truncate"):
            op.execute(f"DROP TRIGGER audit_entry_no_{verb} ON audit_entry")
        op.execute("DROP FUNCTION audit_entry_refuse()")
    with op.batch_alter_table("audit_entry") as batch:
        batch.drop_column("seal")
    op.drop_table("audit_head")
