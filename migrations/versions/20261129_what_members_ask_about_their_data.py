"""What members ask about their own data: secret pages, requests with clocks, choices of channel

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KINDS = ("access", "correction", "objection", "restriction", "deletion")
STATES = ("new", "answered", "done", "refused")
STEPS = ("received", "answered", "extended", "done", "refused")


def one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=24)


def upgrade() -> None:
    op.add_column("person", sa.Column("wants_mail", sa.Boolean(), nullable=True))
    op.add_column("person", sa.Column("restricted_on", sa.Date(), nullable=True))
    op.add_column("person", sa.Column("anonymised_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "data_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by_id"],
            ["account.id"],
            name=op.f("fk_data_link_created_by_id_account"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
            name=op.f("fk_data_link_person_id_person"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_data_link_token_hash")),
    )
    op.create_index(op.f("ix_data_link_person_id"), "data_link", ["person_id"])
    op.create_table(
        "data_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("kind", one_of("data_request_kind", *KINDS), nullable=False),
        sa.Column("field", sa.String(length=24), nullable=False),
        sa.Column("proposed", sa.String(length=200), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer_by", sa.Date(), nullable=False),
        sa.Column("done_by", sa.Date(), nullable=False),
        sa.Column("is_extended", sa.Boolean(), nullable=False),
        sa.Column("state", one_of("data_request_state", *STATES), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
            name=op.f("fk_data_request_person_id_person"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
            name=op.f("fk_data_request_unit_id_unit"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_request")),
    )
    op.create_index("ix_data_request_state_done_by", "data_request", ["state", "done_by"])
    op.create_index(op.f("ix_data_request_person_id"), "data_request", ["person_id"])
    op.create_table(
        "data_request_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_name", sa.String(length=180), nullable=False),
        sa.Column("step", one_of("data_request_step", *STEPS), nullable=False),
        sa.Column("told", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["data_request.id"],
            name=op.f("fk_data_request_step_request_id_data_request"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_request_step")),
    )
    op.create_index(op.f("ix_data_request_step_request_id"), "data_request_step", ["request_id"])
    op.create_table(
        "channel_choice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("channel", one_of("channel", "mail", "reminders"), nullable=False),
        sa.Column("is_wanted", sa.Boolean(), nullable=False),
        sa.Column("chosen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
            name=op.f("fk_channel_choice_person_id_person"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_choice")),
    )
    op.create_index(op.f("ix_channel_choice_person_id"), "channel_choice", ["person_id"])
    op.create_table(
        "notice_text",
        sa.Column("key", sa.String(length=24), nullable=False),
        *(
            sa.Column(name, sa.String(length=1000), nullable=False)
            for name in ("data", "purpose", "basis", "recipients", "kept")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_notice_text")),
    )


def downgrade() -> None:
    for table in ("notice_text", "channel_choice", "data_request_step", "data_request"):
        op.drop_table(table)
    op.drop_table("data_link")
    with op.batch_alter_table("person") as batch:
        for column in ("anonymised_at", "restricted_on", "wants_mail"):
            batch.drop_column(column)
