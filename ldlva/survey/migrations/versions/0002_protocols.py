"""Protocols, claims, one-time links, and what votes and volunteers gain by them.

What a study said in columns becomes its first protocol, written out in full. Votes made before have no protocol hash:
there was none they were made under.
"""

import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LABELS = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"]


def upgrade() -> None:
    op.create_table(
        "protocol",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_protocol_study_id"),
        sa.PrimaryKeyConstraint("id", name="pk_protocol"),
        sa.UniqueConstraint("study_id", "version", name="uq_protocol_study_id_version"),
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_invitation_study_id"),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("secret_hash", name="uq_invitation_secret_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_invitation_study_id", "invitation", ["study_id"], unique=False)
    op.create_table(
        "claim",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("volunteer_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id", "image_id"], ["image.study_id", "image.id"], name="fk_claim_study_id_image_id"
        ),
        sa.ForeignKeyConstraint(
            ["study_id", "volunteer_id"], ["volunteer.study_id", "volunteer.id"], name="fk_claim_study_id_volunteer_id"
        ),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_claim_study_id"),
        sa.PrimaryKeyConstraint("id", name="pk_claim"),
        sa.UniqueConstraint("volunteer_id", "image_id", name="uq_claim_volunteer_id_image_id"),
    )
    op.create_index("ix_claim_tally", "claim", ["study_id", "image_id"], unique=False)
    _add_columns()
    _fill()
    _tighten()


def _add_columns() -> None:
    """What is new; not yet required where rows have none."""
    with op.batch_alter_table("study") as study:
        study.add_column(sa.Column("protocol_version", sa.Integer(), nullable=True))
        study.add_column(sa.Column("link_secret", sa.String(length=40), nullable=True))
        study.add_column(sa.Column("withdrawn", sa.Integer(), nullable=True))
    with op.batch_alter_table("volunteer") as volunteer:
        volunteer.add_column(sa.Column("withdrawal_hash", sa.String(length=64), nullable=True))
        volunteer.add_column(sa.Column("participant_id", sa.String(length=200), nullable=True))
        volunteer.add_column(sa.Column("invitation_id", sa.Integer(), nullable=True))
        volunteer.add_column(sa.Column("language", sa.String(length=20), nullable=True))
        volunteer.add_column(sa.Column("demographics", sa.JSON(), nullable=True))
        volunteer.add_column(sa.Column("trials", sa.JSON(), nullable=True))
        volunteer.add_column(sa.Column("options", sa.JSON(), nullable=True))
        volunteer.add_column(sa.Column("claims_until", sa.DateTime(timezone=True), nullable=True))
        volunteer.add_column(sa.Column("completion_code", sa.String(length=80), nullable=True))
        volunteer.add_column(sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("vote") as vote:
        vote.add_column(sa.Column("kind", sa.String(length=10), nullable=True))
        vote.add_column(sa.Column("choices", sa.JSON(), nullable=True))
        vote.add_column(sa.Column("intensity", sa.Integer(), nullable=True))
        vote.add_column(sa.Column("valence", sa.Double(), nullable=True))
        vote.add_column(sa.Column("arousal", sa.Double(), nullable=True))
        vote.add_column(sa.Column("other_text", sa.String(length=200), nullable=True))
        vote.add_column(sa.Column("options", sa.JSON(), nullable=True))
        vote.add_column(sa.Column("protocol_hash", sa.String(length=64), nullable=True))


def _fill() -> None:
    connection = op.get_bind()
    metadata = sa.MetaData()
    study, volunteer, protocol, vote = (
        sa.Table(name, metadata, autoload_with=connection) for name in ("study", "volunteer", "protocol", "vote")
    )
    labels: dict[int, list[str]] = {}
    for row in connection.execute(sa.select(study)).mappings().all():
        labels[row["id"]] = _plain(row["labels"])
        content = json.dumps(_protocol(row), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        connection.execute(
            sa.insert(protocol).values(
                study_id=row["id"],
                version=1,
                sha256=hashlib.sha256(content.encode()).hexdigest(),
                content=content,
                created_at=datetime.now(UTC),
            )
        )
        connection.execute(
            sa.update(study)
            .where(study.c.id == row["id"])
            .values(protocol_version=1, link_secret=secrets.token_urlsafe(18), withdrawn=0)
        )
    for rater in connection.execute(sa.select(volunteer.c.id, volunteer.c.study_id, volunteer.c.image_order)).all():
        order = _plain(rater.image_order)
        connection.execute(
            sa.update(volunteer)
            .where(volunteer.c.id == rater.id)
            .values(
                trials=[[image_id, 0, "face"] for image_id in order],
                options=[*labels[rater.study_id], "none"] if order else [],
            )
        )
    connection.execute(sa.update(vote).values(kind="face"))


def _plain(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _protocol(row: sa.RowMapping) -> dict[str, Any]:
    labels = _plain(row["labels"])
    basic = labels == _LABELS
    own = [{"name": name, "title": {}, "colour": None, "valence": None, "arousal": None} for name in labels]
    return {
        "title": {"en": row["title"] or row["name"]},
        "description": {"en": row["description"]} if row["description"] else {},
        "languages": ["en"],
        "labels": {"set": "basic7" if basic else "own", "own": [] if basic else own},
        "response": {"mode": "single", "none_option": True, "other_option": False, "option_order": "fixed"},
        "presentation": {"exposure_ms": None, "fixation_ms": 0, "order": "random", "break_every": 0},
        "faces": {
            "per_volunteer": row["faces_per_volunteer"],
            "practice": [],
            "practice_feedback": False,
            "practice_answers": {},
            "gold": {},
            "repeated": 0,
            "claim_minutes": 30,
        },
        "stopping": {
            "rule": "none",
            "votes_per_face": None,
            "half_width": None,
            "fewest_votes": 10,
            "most_votes": None,
        },
        "attention": {"fastest_ms": 300, "fast_share": 0.2, "gold_errors": 0, "repeat_errors": 0.5},
        "consent": {"version": row["consent_version"], "text": {"en": row["consent_text"]}},
        "demographics": [],
        "debrief": {},
        "completion": {"code": None, "per_volunteer": False, "url": None},
        "access": {
            "who": "anyone",
            "listed": True,
            "participant_id": None,
            "participant_id_required": False,
            "participant_id_storage": "hashed",
        },
        "retention_days": None,
    }


def _tighten() -> None:
    """Old columns go, new ones become required."""
    with op.batch_alter_table("study", recreate="auto") as study:
        study.alter_column("protocol_version", existing_type=sa.Integer(), nullable=False)
        study.alter_column("link_secret", existing_type=sa.String(length=40), nullable=False)
        study.alter_column("withdrawn", existing_type=sa.Integer(), nullable=False)
        for column in ("title", "description", "labels", "faces_per_volunteer", "consent_text", "consent_version"):
            study.drop_column(column)
        study.drop_constraint("ck_study_status", type_="check")
        study.create_check_constraint("ck_study_status", "status IN ('draft', 'open', 'paused', 'closed')")
    autoincrement = {"sqlite_autoincrement": True}
    with op.batch_alter_table("volunteer", table_kwargs=autoincrement) as volunteer:
        volunteer.alter_column("trials", existing_type=sa.JSON(), nullable=False)
        volunteer.alter_column("options", existing_type=sa.JSON(), nullable=False)
        volunteer.drop_column("image_order")
        volunteer.create_unique_constraint("uq_volunteer_withdrawal_hash", ["withdrawal_hash"])
        volunteer.create_unique_constraint("uq_volunteer_study_id_participant_id", ["study_id", "participant_id"])
        volunteer.create_foreign_key("fk_volunteer_invitation_id", "invitation", ["invitation_id"], ["id"])
    with op.batch_alter_table("vote", table_kwargs=autoincrement) as vote:
        vote.alter_column("kind", existing_type=sa.String(length=10), nullable=False)
