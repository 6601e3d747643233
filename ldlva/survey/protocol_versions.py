"""The protocols that a study has and had. A version never changes; a change is a new version."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ldlva.errors import SurveyError
from ldlva.survey.protocol import Protocol
from ldlva.survey.schema import Image, Study, StudyProtocol, Volunteer, Vote
from ldlva.survey.store import Store, find_study, present_protocol


@dataclass(frozen=True)
class ProtocolVersion:
    """One protocol that a study has or had, and the votes made under it."""

    version: int
    hash: str
    created_at: datetime
    votes: int


class ProtocolStore(Store):
    """Protocols of studies."""

    def set_protocol(self, name: str, protocol: Protocol) -> int:
        """Give a draft or paused study another protocol, as a new version; earlier votes keep the hash of theirs.

        Returns:
            The version that holds now: the present one if nothing changed.

        Raises:
            SurveyError: the study is open or closed; what cannot change once somebody took part would; or a changed
                consent text keeps its version.
        """
        with self._database.write() as session:
            study = find_study(session, name, lock=True)
            present, present_hash = present_protocol(session, study)
            if protocol.hash == present_hash:
                return study.protocol_version
            if study.status not in ("draft", "paused"):
                raise SurveyError(f"{name!r} is {study.status}. Pause it before changing its protocol.")
            check_faces(protocol, session.scalars(select(Image.name).where(Image.study_id == study.id)).all())
            if has_volunteers(session, study.id):
                _check_change(present, protocol, name)
            study.protocol_version += 1
            session.add(protocol_row(study, protocol))
            return study.protocol_version

    def protocol_versions(self, name: str) -> list[ProtocolVersion]:
        """All protocols of a study, the present one last.

        Raises:
            SurveyError: unknown study.
        """
        with self._database.read() as session:
            study = find_study(session, name)
            votes: dict[str | None, int] = dict(
                session.execute(
                    select(Vote.protocol_hash, func.count())
                    .where(Vote.study_id == study.id)
                    .group_by(Vote.protocol_hash)
                ).all()
            )
            rows = session.scalars(
                select(StudyProtocol).where(StudyProtocol.study_id == study.id).order_by(StudyProtocol.version)
            )
            return [ProtocolVersion(row.version, row.sha256, row.created_at, votes.get(row.sha256, 0)) for row in rows]

    def protocol_contents(self, name: str) -> list[tuple[int, str]]:
        """Every protocol of a study as it is stored: version and canonical JSON, the present one last.

        Raises:
            SurveyError: unknown study.
        """
        with self._database.read() as session:
            study = find_study(session, name)
            query = select(StudyProtocol.version, StudyProtocol.content).where(StudyProtocol.study_id == study.id)
            return [(row.version, row.content) for row in session.execute(query.order_by(StudyProtocol.version))]


def check_faces(protocol: Protocol, names: Iterable[str]) -> None:
    """Whether the faces that a protocol names are there, with some left to vote on.

    Raises:
        SurveyError: one is not, or none is left.
    """
    present = set(names)
    special = protocol.faces.special
    if missing := sorted(special - present):
        raise SurveyError(f"faces: the protocol names {missing[0]!r}, which is not among the study's images.")
    if not present - special:
        raise SurveyError("faces: every image is a practice or gold face; none is left to vote on.")


def _check_change(present: Protocol, changed: Protocol, name: str) -> None:
    for field in ("labels", "response"):
        if getattr(present, field) != getattr(changed, field):
            raise SurveyError(
                f"Volunteers have taken part in {name!r}, so its {field} cannot change: votes could not be counted "
                "together. Clone the study and change the clone."
            )
    if present.consent.text != changed.consent.text and present.consent.version == changed.consent.version:
        raise SurveyError(
            "The consent text changed: give it another consent.version, so that it is known who agreed to what."
        )


def has_volunteers(session: Session, study_id: int) -> bool:
    """Whether anybody, imported raters included, took part and did not withdraw."""
    return session.scalar(select(Volunteer.id).where(Volunteer.study_id == study_id).limit(1)) is not None


def protocol_row(study: Study, protocol: Protocol) -> StudyProtocol:
    """The row of a study's present version."""
    return StudyProtocol(
        study_id=study.id, version=study.protocol_version, sha256=protocol.hash, content=protocol.content
    )
