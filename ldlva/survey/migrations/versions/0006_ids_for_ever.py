"""Studies can be deleted: SQLite must not give their numbers, or their faces', to the next ones; and no deleted
invitation may cost a search through all volunteers."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_volunteer_invitation_id", "volunteer", ["invitation_id"])
    if op.get_bind().dialect.name != "sqlite":
        return  # PostgreSQL's sequences never go back
    for table in ("study", "image"):
        with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
