"""mail that may have arrived has a state of its own; a clock says what is wrong with it."""

import sqlalchemy as sa
from alembic import op

revision = 'mail_in_doubt'
down_revision = '0004_letterheads'
branch_labels = None
depends_on = None

KINDS = ('request', 'update', 'cancel', 'reminder', 'chase', 'sign_in', 'notice', 'digest')
OLD_STATES = ('queued', 'claimed', 'sending', 'sent', 'failed', 'dead', 'dropped')
NEW_STATES = (*OLD_STATES, 'in_doubt')


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _batch(states: tuple[str, ...]) -> object:
    """SQLite copies the table, and loses every check that is not named again."""
    if op.get_bind().dialect.name != 'sqlite':
        return op.batch_alter_table('outgoing_message', recreate='never')
    checks = (
        sa.CheckConstraint(_one_of('kind', KINDS), name=op.f('ck_outgoing_message_message_kind')),
        sa.CheckConstraint(_one_of('state', states), name=op.f('ck_outgoing_message_message_state')),
    )
    return op.batch_alter_table('outgoing_message', recreate='always', table_args=checks)


def _states_on_postgresql(states: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == 'sqlite':
        return
    name = op.f('ck_outgoing_message_message_state')
    op.drop_constraint(name, 'outgoing_message', type_='check')
    op.create_check_constraint(name, 'outgoing_message', _one_of('state', states))


def upgrade() -> None:
    with op.batch_alter_table('clock_tick') as batch:
        batch.add_column(sa.Column('trouble', sa.String(length=500), nullable=False, server_default=''))
    op.drop_index('ix_outgoing_message_state_due_at', 'outgoing_message')
    with _batch(NEW_STATES) as batch:
        batch.add_column(sa.Column('doubts', sa.Integer(), nullable=False, server_default='0'))
    op.create_index(
        'ix_outgoing_message_state_priority_due_at', 'outgoing_message', ['state', 'priority', 'due_at']
    )
    op.create_index('ix_outgoing_message_sent_at', 'outgoing_message', ['sent_at'])
    _states_on_postgresql(NEW_STATES)


def downgrade() -> None:
    op.execute("UPDATE outgoing_message SET state = 'dead' WHERE state = 'in_doubt'")
    _states_on_postgresql(OLD_STATES)
    op.drop_index('ix_outgoing_message_sent_at', 'outgoing_message')
    op.drop_index('ix_outgoing_message_state_priority_due_at', 'outgoing_message')
    with _batch(OLD_STATES) as batch:
        batch.drop_column('doubts')
    op.create_index('ix_outgoing_message_state_due_at', 'outgoing_message', ['state', 'due_at'])
    with op.batch_alter_table('clock_tick') as batch:
        batch.drop_column('trouble')
