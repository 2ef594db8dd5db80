"""Decisions that change units, and what the year's other work needs: steps, visits, class plans."""

import sqlalchemy as sa
from alembic import op

revision = '0002_unit_changes'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('class_plan',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('year', sa.Integer(), nullable=False),
    sa.Column('organiser_id', sa.Integer(), nullable=False),
    sa.Column('type_code', sa.String(length=20), nullable=False),
    sa.Column('classes', sa.Integer(), nullable=False),
    sa.Column('learners', sa.Integer(), nullable=False),
    sa.CheckConstraint('classes > 0 AND learners >= 0', name=op.f('ck_class_plan_some')),
    sa.ForeignKeyConstraint(['organiser_id'], ['unit.id'], name=op.f('fk_class_plan_organiser_id_unit'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['type_code'], ['course_type.code'], name=op.f('fk_class_plan_type_code_course_type'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_class_plan'))
    )
    with op.batch_alter_table('class_plan', schema=None) as batch_op:
        batch_op.create_index('ix_class_plan_year', ['year', 'organiser_id', 'type_code'], unique=True)

    op.create_table('leader_visit',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('unit_id', sa.Integer(), nullable=False),
    sa.Column('leader', sa.String(length=180), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('done_on', sa.Date(), nullable=True),
    sa.ForeignKeyConstraint(['unit_id'], ['unit.id'], name=op.f('fk_leader_visit_unit_id_unit'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_leader_visit'))
    )
    with op.batch_alter_table('leader_visit', schema=None) as batch_op:
        batch_op.create_index('ix_leader_visit_unit_id_due_on', ['unit_id', 'due_on'], unique=False)

    op.create_table('unit_change',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('found', 'rename', 'merge', 'split', 'move', 'dissolve', name='unit_change_kind', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('effective_on', sa.Date(), nullable=False),
    sa.Column('decision_number', sa.String(length=80), nullable=False),
    sa.Column('decision_on', sa.Date(), nullable=True),
    sa.Column('plan', sa.JSON(), nullable=False),
    sa.Column('unit_id', sa.Integer(), nullable=True),
    sa.Column('by_account_id', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['by_account_id'], ['account.id'], name=op.f('fk_unit_change_by_account_id_account'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['unit_id'], ['unit.id'], name=op.f('fk_unit_change_unit_id_unit'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_unit_change'))
    )
    with op.batch_alter_table('unit_change', schema=None) as batch_op:
        batch_op.create_index('ix_unit_change_effective_on', ['effective_on'], unique=False)

    op.create_table('history_step',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('done_on', sa.Date(), nullable=True),
    sa.ForeignKeyConstraint(['project_id'], ['history_project.id'], name=op.f('fk_history_step_project_id_history_project'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_history_step'))
    )
    with op.batch_alter_table('history_step', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_history_step_project_id'), ['project_id'], unique=False)

    op.create_table('unit_succession',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('change_id', sa.Integer(), nullable=True),
    sa.Column('predecessor_id', sa.Integer(), nullable=False),
    sa.Column('successor_id', sa.Integer(), nullable=False),
    sa.Column('on', sa.Date(), nullable=False),
    sa.Column('people', sa.Integer(), nullable=False),
    sa.Column('is_part', sa.Boolean(), nullable=False),
    sa.CheckConstraint('people >= 0', name=op.f('ck_unit_succession_not_negative')),
    sa.ForeignKeyConstraint(['change_id'], ['unit_change.id'], name=op.f('fk_unit_succession_change_id_unit_change'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['predecessor_id'], ['unit.id'], name=op.f('fk_unit_succession_predecessor_id_unit'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['successor_id'], ['unit.id'], name=op.f('fk_unit_succession_successor_id_unit'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_unit_succession'))
    )
    with op.batch_alter_table('unit_succession', schema=None) as batch_op:
        batch_op.create_index('ix_unit_succession_predecessor_id_successor_id_on', ['predecessor_id', 'successor_id', 'on'], unique=True)
        batch_op.create_index('ix_unit_succession_successor_id', ['successor_id'], unique=False)

    with op.batch_alter_table('enrolment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('certificate_on', sa.Date(), nullable=True))



def downgrade() -> None:
    with op.batch_alter_table('enrolment', schema=None) as batch_op:
        batch_op.drop_column('certificate_on')

    with op.batch_alter_table('unit_succession', schema=None) as batch_op:
        batch_op.drop_index('ix_unit_succession_successor_id')
        batch_op.drop_index('ix_unit_succession_predecessor_id_successor_id_on')

    op.drop_table('unit_succession')
    with op.batch_alter_table('history_step', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_history_step_project_id'))

    op.drop_table('history_step')
    with op.batch_alter_table('unit_change', schema=None) as batch_op:
        batch_op.drop_index('ix_unit_change_effective_on')

    op.drop_table('unit_change')
    with op.batch_alter_table('leader_visit', schema=None) as batch_op:
        batch_op.drop_index('ix_leader_visit_unit_id_due_on')

    op.drop_table('leader_visit')
    with op.batch_alter_table('class_plan', schema=None) as batch_op:
        batch_op.drop_index('ix_class_plan_year')

    op.drop_table('class_plan')
