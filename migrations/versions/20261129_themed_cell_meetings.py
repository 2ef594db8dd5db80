"""A cell's meeting says whether it has a theme

Revision ID: 0031_themed_cell_meetings
Revises: 0030_document_templates
"""

import sqlalchemy as sa
from alembic import op

revision = "0031_themed_cell_meetings"
down_revision = "0030_document_templates"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("meeting") as batch:
        batch.add_column(
            sa.Column("is_thematic", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    # Until now a report took every meeting of a cell for a themed one; its figures stay.
    op.execute("UPDATE meeting SET is_thematic = true WHERE kind = 'cell'")


def downgrade() -> None:
    with op.batch_alter_table("meeting") as batch:
        batch.drop_column("is_thematic")
