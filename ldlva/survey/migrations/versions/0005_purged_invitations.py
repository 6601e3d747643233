"""Volunteers whose retention time was over before could still be found by their one-time link: the time of its use is
the time of their enrolment. Note and time go, as they do since with every purge."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    metadata = sa.MetaData()
    invitation, volunteer = (sa.Table(name, metadata, autoload_with=connection) for name in ("invitation", "volunteer"))
    purged = (
        sa.select(volunteer.c.id)
        .where(volunteer.c.study_id == invitation.c.study_id)
        .where(volunteer.c.created_at == invitation.c.used_at)
        .where(volunteer.c.purged_at.is_not(None))
    )
    connection.execute(sa.update(invitation).where(purged.exists()).values(note="", used_at=invitation.c.created_at))
