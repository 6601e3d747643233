"""A second secret for every study, which no link holds: the order of published raters and previews' keys rest on it."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("study") as study:
        study.add_column(sa.Column("private_secret", sa.String(length=40), nullable=True))
    connection = op.get_bind()
    study_table = sa.Table("study", sa.MetaData(), autoload_with=connection)
    for study_id in connection.scalars(sa.select(study_table.c.id)).all():
        connection.execute(
            sa.update(study_table).where(study_table.c.id == study_id).values(private_secret=secrets.token_urlsafe(18))
        )
    with op.batch_alter_table("study") as study:
        study.alter_column("private_secret", existing_type=sa.String(length=40), nullable=False)
