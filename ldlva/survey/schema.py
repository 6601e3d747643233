"""Tables of the survey database, for SQLite and PostgreSQL alike.

Votes are append-only: undoing sets `superseded_at`, nothing is overwritten or deleted. A partial unique index keeps
one current vote per volunteer, image and repeat, whatever double clicks or second tabs do. Composite foreign keys
keep a vote's image and volunteer in the vote's own study.
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

STUDY_STATUSES = ("open", "paused", "closed")

_NEVER_REUSE_IDS = {"sqlite_autoincrement": True}
"""SQLite otherwise gives a deleted row's number to the next one; an exported number must mean one thing for ever."""


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
        dict[str, Any]: JSON,
        list[str]: JSON,
        list[int]: JSON,
        list[float]: JSON,
    }


class Study(Base):
    """A set of images shown to volunteers under one consent text."""

    __tablename__ = "study"
    __table_args__ = (CheckConstraint(f"status IN {STUDY_STATUSES}", name="status"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10))
    labels: Mapped[list[str]]
    faces_per_volunteer: Mapped[int | None]
    consent_text: Mapped[str] = mapped_column(Text)
    consent_version: Mapped[str] = mapped_column(String(40))
    seed: Mapped[int]
    origin: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Image(Base):
    """One face of a study. The file itself is in the database: every replica serves it, one backup holds all."""

    __tablename__ = "image"
    __table_args__ = (
        UniqueConstraint("study_id", "name"),
        UniqueConstraint("study_id", "sha256"),
        UniqueConstraint("study_id", "id"),
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
    """One rater. `token_hash` is the SHA-256 of the secret in the resume link; imported raters have none."""

    __tablename__ = "volunteer"
    __table_args__ = (UniqueConstraint("study_id", "id"), _NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    source: Mapped[str] = mapped_column(String(40))
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    consent_version: Mapped[str | None] = mapped_column(String(40))
    consented_at: Mapped[datetime | None]
    image_order: Mapped[list[int]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]


class Vote(Base):
    """One decision. `choice` is a label of the study or `none`; `source_choice` what an imported file said."""

    __tablename__ = "vote"
    __table_args__ = (
        ForeignKeyConstraint(["study_id", "image_id"], ["image.study_id", "image.id"]),
        ForeignKeyConstraint(["study_id", "volunteer_id"], ["volunteer.study_id", "volunteer.id"]),
        Index(
            "uq_vote_current", "volunteer_id", "image_id", "repeat", unique=True,
            sqlite_where=text("superseded_at IS NULL"), postgresql_where=text("superseded_at IS NULL"),
        ),
        Index("ix_vote_tally", "study_id", "image_id", "choice"),
        _NEVER_REUSE_IDS,
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    volunteer_id: Mapped[int]
    image_id: Mapped[int]
    repeat: Mapped[int] = mapped_column(default=0)
    choice: Mapped[str] = mapped_column(String(40))
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
