"""What the stores of studies, volunteers, votes and predictions share: the database, the clock, finding a study."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from ldlva.errors import SurveyError
from ldlva.survey.database import Database
from ldlva.survey.protocol import Protocol, parse_protocol
from ldlva.survey.schema import Study, StudyProtocol, Vote, now

WEB_VOLUNTEER = "web"
"""`Volunteer.source` of those who vote on this site."""

CURRENT: ColumnElement[bool] = Vote.superseded_at.is_(None)
COUNTED: ColumnElement[bool] = (Vote.superseded_at.is_(None)) & (Vote.kind == "face")
"""Votes that results rest on."""


class Store:
    """Queries on one database.

    Args:
        database: prepared.
        clock: the present time; tests bring their own.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock


def find_study(session: Session, name: str, lock: bool = False) -> Study:
    """A study's row, for researchers.

    Args:
        session: a transaction.
        name: the study's.
        lock: keep others from deleting or changing it until the transaction ends.

    Raises:
        SurveyError: there is none; existing names are listed.
    """
    query = select(Study).where(Study.name == name)
    study = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if study is None:
        known = ", ".join(session.scalars(select(Study.name).order_by(Study.name))) or "none yet"
        raise SurveyError(f"There is no study named {name!r}. Studies: {known}.")
    return study


def gone(name: str) -> SurveyError:
    """What to say of a study that was there a moment ago."""
    return SurveyError(f"{name!r} is not there any more: somebody deleted it.")


def present_protocol(session: Session, study: Study) -> tuple[Protocol, str]:
    """The protocol that holds for a study, and its hash."""
    content, sha256 = session.execute(
        select(StudyProtocol.content, StudyProtocol.sha256).where(
            StudyProtocol.study_id == study.id, StudyProtocol.version == study.protocol_version
        )
    ).one()
    return parse_protocol(content), sha256


def file_hash(content: bytes) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
