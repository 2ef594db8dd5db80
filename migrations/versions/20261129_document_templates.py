"""Templates of documents that units upload

Revision ID: 0030_document_templates
Revises: 0020_closed_reports
"""

import sqlalchemy as sa
from alembic import op

revision = "0030_document_templates"
down_revision = "0020_closed_reports"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "document_template",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_account_id", sa.Integer(), nullable=True),
        sa.Column("by_name", sa.String(length=180), nullable=False),
        sa.CheckConstraint(
            "size > 0 AND size <= 2000000", name=op.f("ck_document_template_size_in_bounds")
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_document_template_counts_from_one")),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_document_template_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_template")),
        sa.UniqueConstraint(
            "unit_id", "kind", "version", name=op.f("uq_document_template_unit_id_kind_version")
        ),
    )
    op.create_index(
        "uq_document_template_in_use",
        "document_template",
        ["unit_id", "kind"],
        unique=True,
        sqlite_where=sa.text("is_active = 1"),
        postgresql_where=sa.text("is_active"),
    )


def downgrade() -> None:
    op.drop_table("document_template")
