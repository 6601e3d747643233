"""Tables of the survey database, for SQLite and PostgreSQL alike.

Votes are append-only: undoing sets `superseded_at`, nothing is overwritten or deleted. A partial unique index keeps
one current vote per volunteer, image and repeat, whatever double clicks or second tabs do. Composite foreign keys
keep a vote's image and volunteer in the vote's own study. Only a withdrawal, and deleting a study, deletes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STUDY_STATUSES = ("draft", "open", "paused", "closed")

_NEVER_REUSE_IDS = {"sqlite_autoincrement": True}
"""SQLite otherwise gives a deleted row's number to the next one; what was exported or is being computed for the one
must not become the other's."""


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in and out; SQLite, which has no time zones, stores them as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Base(DeclarativeBase):
    """Naming every constraint lets a later migration alter it on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
        list[int]: JSON(none_as_null=True),
        list[float]: JSON(none_as_null=True),
        list[list[Any]]: JSON(none_as_null=True),
    }


class Study(Base):
    """A set of images shown to volunteers; `protocol_version` says which protocol holds at present.

    `link_secret` is part of the link that all volunteers get, `private_secret` never leaves the server.
    """

    __tablename__ = "study"
    __table_args__ = (CheckConstraint(f"status IN {STUDY_STATUSES}", name="status"), _NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    status: Mapped[str] = mapped_column(String(10))
    protocol_version: Mapped[int] = mapped_column(default=1)
    link_secret: Mapped[str] = mapped_column(String(40))
    private_secret: Mapped[str] = mapped_column(String(40))
    seed: Mapped[int]
    origin: Mapped[dict[str, Any]]
    withdrawn: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)


class StudyProtocol(Base):
    """One version of a study's protocol, as canonical JSON with its SHA-256. A version never changes."""

    __tablename__ = "protocol"
    __table_args__ = (UniqueConstraint("study_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    content: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)


class Invitation(Base):
    """A link for one volunteer. Once used it leads back to the same volunteer; `note` is the researcher's."""

    __tablename__ = "invitation"
    __table_args__ = (_NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    note: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=now)
    used_at: Mapped[datetime | None]


class Image(Base):
    """One face of a study. The file itself is in the database: every replica serves it, one backup holds all."""

    __tablename__ = "image"
    __table_args__ = (
        UniqueConstraint("study_id", "name"),
        UniqueConstraint("study_id", "sha256"),
        UniqueConstraint("study_id", "id"),
        _NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    name: Mapped[str] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(40))
    width: Mapped[int]
    height: Mapped[int]
    label: Mapped[str | None] = mapped_column(String(40))
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class Volunteer(Base):
    """One rater. Of the secrets in links and codes only SHA-256 values are kept; imported raters have none.

    `trials` is the list of showings, `[image, repeat, kind]` each; `claims_until` is when the faces on it that are
    not voted on yet may be given to others. Withdrawing deletes the row.
    """

    __tablename__ = "volunteer"
    __table_args__ = (
        UniqueConstraint("study_id", "id"),
        UniqueConstraint("study_id", "participant_id"),
        _NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    source: Mapped[str] = mapped_column(String(40))
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    withdrawal_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    participant_id: Mapped[str | None] = mapped_column(String(200))
    invitation_id: Mapped[int | None] = mapped_column(ForeignKey("invitation.id"), index=True)
    language: Mapped[str | None] = mapped_column(String(20))
    consent_version: Mapped[str | None] = mapped_column(String(40))
    consented_at: Mapped[datetime | None]
    demographics: Mapped[dict[str, Any] | None]
    trials: Mapped[list[list[Any]]]
    options: Mapped[list[str]]
    claims_until: Mapped[datetime | None]
    completion_code: Mapped[str | None] = mapped_column(String(80))
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]


class Claim(Base):
    """A volunteer's promise to vote on a face: counts towards the quota until voted or until `claims_until`."""

    __tablename__ = "claim"
    __table_args__ = (
        ForeignKeyConstraint(["study_id", "image_id"], ["image.study_id", "image.id"]),
        ForeignKeyConstraint(["study_id", "volunteer_id"], ["volunteer.study_id", "volunteer.id"]),
        UniqueConstraint("volunteer_id", "image_id"),
        Index("ix_claim_tally", "study_id", "image_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    volunteer_id: Mapped[int]
    image_id: Mapped[int]


class Vote(Base):
    """One decision. `choice` is a label of the study, `none` or `other`; `source_choice` what an imported file said.

    `choices` holds all labels where several were allowed (`choice` is then the first in the study's order). `kind`
    says what the showing was for; only `face` counts for results. `options` are the choices as they were ordered on
    the volunteer's screen. A vote keeps the hash of the protocol it was made under; imported votes have none.
    """

    __tablename__ = "vote"
    __table_args__ = (
        ForeignKeyConstraint(["study_id", "image_id"], ["image.study_id", "image.id"]),
        ForeignKeyConstraint(["study_id", "volunteer_id"], ["volunteer.study_id", "volunteer.id"]),
        Index(
            "uq_vote_current", "volunteer_id", "image_id", "repeat", unique=True,
            sqlite_where=text("superseded_at IS NULL"), postgresql_where=text("superseded_at IS NULL"),
        ),
        Index("ix_vote_tally", "study_id", "superseded_at", "kind", "image_id", "choice"),
        _NEVER_REUSE_IDS,
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    volunteer_id: Mapped[int]
    image_id: Mapped[int]
    repeat: Mapped[int] = mapped_column(default=0)
    kind: Mapped[str] = mapped_column(String(10), default="face")
    choice: Mapped[str] = mapped_column(String(40))
    choices: Mapped[list[str] | None]
    intensity: Mapped[int | None]
    valence: Mapped[float | None]
    arousal: Mapped[float | None]
    other_text: Mapped[str | None] = mapped_column(String(200))
    options: Mapped[list[str] | None]
    protocol_hash: Mapped[str | None] = mapped_column(String(64))
    source_choice: Mapped[str | None] = mapped_column(String(40))
    response_ms: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    superseded_at: Mapped[datetime | None]


class Model(Base):
    """A trained model whose predictions are stored. `weights_sha256` ties all of them to one set of weights."""

    __tablename__ = "model"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    method: Mapped[str] = mapped_column(String(40))
    backbone: Mapped[str] = mapped_column(String(40))
    labels: Mapped[list[str]]
    weights_sha256: Mapped[str] = mapped_column(String(64))
    details: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Prediction(Base):
    """A model's distribution over its labels for one image, and its penultimate features (little-endian float32)."""

    __tablename__ = "prediction"
    __table_args__ = (UniqueConstraint("model_id", "image_id"), _NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"), index=True)
    probabilities: Mapped[list[float]]
    features: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
