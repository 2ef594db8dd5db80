"""How units head and sign their documents."""

import sqlalchemy as sa
from alembic import op

revision = '0004_letterheads'
down_revision = '0011'
branch_labels = None
depends_on = None

TEXTS = (
    ('superior', 200), ('issuer', 200), ('motto', 200), ('place', 80), ('symbol', 40),
    ('authority', 120), ('post', 120), ('signer', 120), ('recipients', 1000),
)
MARGINS = ('margin_top', 'margin_bottom', 'margin_left', 'margin_right')


def upgrade() -> None:
    op.create_table(
        'unit_letterhead',
        sa.Column('unit_id', sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(length=length), nullable=False) for name, length in TEXTS),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in MARGINS),
        sa.CheckConstraint(
            ' AND '.join(f'{name} BETWEEN 0 AND 60' for name in MARGINS),
            name=op.f('ck_unit_letterhead_margins'),
        ),
        sa.ForeignKeyConstraint(
            ['unit_id'], ['unit.id'], name=op.f('fk_unit_letterhead_unit_id_unit'), ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('unit_id', name=op.f('pk_unit_letterhead')),
    )


def downgrade() -> None:
    op.drop_table('unit_letterhead')
