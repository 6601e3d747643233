"""Erasing: one volunteer's everything by withdrawal code, and who everybody was after the retention time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from ldlva.errors import VolunteerError
from ldlva.survey.access import normalised_code, secret_hash
from ldlva.survey.protocol import Protocol
from ldlva.survey.records import Withdrawal, study_identity
from ldlva.survey.schema import Claim, Invitation, Study, Volunteer, Vote
from ldlva.survey.store import WEB_VOLUNTEER, Store, find_study, present_protocol


@dataclass(frozen=True)
class Purge:
    """How many volunteers of a study were made anonymous."""

    study: str
    retention_days: int | None
    volunteers: int


class PrivacyStore(Store):
    """What erases."""

    def withdraw(self, code: str) -> Withdrawal:
        """Erase a volunteer: votes (superseded ones too), answers, claims and the volunteer; a count remains, and that
        their one-time link was used, if they had one.

        Args:
            code: as it was printed; case, spaces and dashes do not matter.

        Raises:
            VolunteerError: no volunteer has this code (mistyped, withdrawn before, or past the retention time).
        """
        with self._database.write() as session:
            volunteer = session.scalar(
                select(Volunteer).where(Volunteer.withdrawal_hash == secret_hash(normalised_code(code)))
            )
            if volunteer is None:
                raise _unknown_code()
            # The study first, as every other write does: two of them can then not wait for each other.
            study = session.execute(
                select(Study).where(Study.id == volunteer.study_id).with_for_update(key_share=True)
            ).scalar_one_or_none()
            if study is None:  # deleted meanwhile, with all votes
                raise _unknown_code()
            votes = session.scalar(select(func.count()).where(Vote.volunteer_id == volunteer.id)) or 0
            session.execute(delete(Vote).where(Vote.volunteer_id == volunteer.id))
            session.execute(delete(Claim).where(Claim.volunteer_id == volunteer.id))
            if volunteer.invitation_id is not None:
                _forget_links(session, Invitation.id == volunteer.invitation_id)
            gone = session.execute(delete(Volunteer).where(Volunteer.id == volunteer.id).returning(Volunteer.id)).all()
            if not gone:  # twice at the same time
                raise _unknown_code()
            study.withdrawn += 1
            protocol, _ = present_protocol(session, study)
            erased = Withdrawal(study.name, protocol.main_title, study_identity(study.link_secret), votes)
        self._database.forget_erased()
        return erased

    def purge(self, name: str | None = None) -> list[Purge]:
        """Make volunteers anonymous whose retention time is over: in one study, or in all.

        Raises:
            SurveyError: unknown study.
        """
        done = []
        with self._database.write() as session:
            studies = [find_study(session, name)] if name else session.scalars(select(Study).order_by(Study.id)).all()
            for study in studies:
                protocol, _ = present_protocol(session, study)
                erased = erase_due(session, study, protocol, self._clock())
                done.append(Purge(study.name, protocol.retention_days, erased))
        if any(purge.volunteers for purge in done):
            self._database.forget_erased()
        return done

    def purge_is_due(self) -> bool:
        """Whether any volunteer's retention time is over; a read."""
        with self._database.read() as session:
            return any(
                session.scalar(select(Volunteer.id).where(*_due(study, protocol, self._clock())).limit(1)) is not None
                for study in session.scalars(select(Study))
                if (protocol := present_protocol(session, study)[0]).retention_days is not None
            )


def _unknown_code() -> VolunteerError:
    return VolunteerError(
        "withdrawal_code",
        "No answers belong to this code. Check it for typing mistakes; perhaps they were erased already.",
    )


def _forget_links(session: Session, which: ColumnElement[bool]) -> None:
    """Of one-time links, that they were used stays, but neither who they were for nor when that was.

    The time of use is also in the volunteer's row. Nor may it become that of a purge, which `purged_at` holds: one
    purge is often one volunteer.
    """
    session.execute(
        update(Invitation)
        .where(which)
        .values(note="", used_at=Invitation.created_at)
        .execution_options(synchronize_session=False)
    )


def erase_due(session: Session, study: Study, protocol: Protocol, now: datetime) -> int:
    """Erase answers about volunteers, participants' numbers and every link and code to them; votes stay.

    Of their one-time links only that they were used stays.

    Returns:
        How many volunteers that concerned.
    """
    if protocol.retention_days is None:
        return 0
    # While volunteers still name their invitations.
    due = select(Volunteer.invitation_id).where(*_due(study, protocol, now), Volunteer.invitation_id.is_not(None))
    _forget_links(session, Invitation.id.in_(due))
    erased = session.execute(
        update(Volunteer)
        .where(*_due(study, protocol, now))
        .values(
            token_hash=None,
            withdrawal_hash=None,
            participant_id=None,
            invitation_id=None,
            demographics=None,
            completion_code=None,
            claims_until=None,
            purged_at=now,
        )
        .returning(Volunteer.id)
        .execution_options(synchronize_session=False)
    )
    return len(erased.all())


def _due(study: Study, protocol: Protocol, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Volunteer.study_id == study.id,
        Volunteer.source == WEB_VOLUNTEER,
        Volunteer.token_hash.is_not(None),  # raters of an imported data set were made anonymous before it was published
        Volunteer.purged_at.is_(None),
        Volunteer.created_at < now - timedelta(days=protocol.retention_days or 0),
    )
