"""mail that may have arrived has a state of its own; a clock says what is wrong with it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = 'mail_in_doubt'
down_revision = '0004_letterheads'
branch_labels = None
depends_on = None

STATES = 'ck_outgoing_message_message_state'
OLD_STATES = ('queued', 'claimed', 'sending', 'sent', 'failed', 'dead', 'dropped')
NEW_STATES = (*OLD_STATES, 'in_doubt')


def _allow(batch: Any, states: tuple[str, ...]) -> None:
    """The table's copy on SQLite keeps its checks: the old one must go, or it goes on refusing."""
    batch.drop_constraint(op.f(STATES), type_='check')
    batch.create_check_constraint(op.f(STATES), f"state IN ({', '.join(repr(one) for one in states)})")


def upgrade() -> None:
    with op.batch_alter_table('clock_tick') as batch:
        batch.add_column(sa.Column('trouble', sa.String(length=500), nullable=False, server_default=''))
    op.drop_index('ix_outgoing_message_state_due_at', 'outgoing_message')
    with op.batch_alter_table('outgoing_message') as batch:
        _allow(batch, NEW_STATES)
        batch.add_column(sa.Column('doubts', sa.Integer(), nullable=False, server_default='0'))
    op.create_index(
        'ix_outgoing_message_state_priority_due_at', 'outgoing_message', ['state', 'priority', 'due_at']
    )
    op.create_index('ix_outgoing_message_sent_at', 'outgoing_message', ['sent_at'])


def downgrade() -> None:
    op.execute("UPDATE outgoing_message SET state = 'dead' WHERE state = 'in_doubt'")
    op.drop_index('ix_outgoing_message_sent_at', 'outgoing_message')
    op.drop_index('ix_outgoing_message_state_priority_due_at', 'outgoing_message')
    with op.batch_alter_table('outgoing_message') as batch:
        _allow(batch, OLD_STATES)
        batch.drop_column('doubts')
    op.create_index('ix_outgoing_message_state_due_at', 'outgoing_message', ['state', 'due_at'])
    with op.batch_alter_table('clock_tick') as batch:
        batch.drop_column('trouble')
