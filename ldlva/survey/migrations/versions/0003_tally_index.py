"""Tallies read an index alone: a million votes are counted without touching one of them."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_vote_tally", "vote")
    op.create_index("ix_vote_tally", "vote", ["study_id", "superseded_at", "kind", "image_id", "choice"])
