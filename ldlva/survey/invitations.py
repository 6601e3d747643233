"""One-time links: made for a study, listed with whether they were used. Their secrets are never stored."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from sqlalchemy import select

from ldlva.errors import SurveyError
from ldlva.survey.access import new_secret, secret_hash
from ldlva.survey.records import Invitation as InvitationRecord
from ldlva.survey.records import StudySummary
from ldlva.survey.schema import Invitation
from ldlva.survey.store import Store, find_study

MOST_AT_ONCE = 10_000
PLACEHOLDER = "ID"


class InvitationStore(Store):
    """One-time links."""

    def invite(self, name: str, notes: Sequence[str]) -> list[str]:
        """Make one-time links, one for each note (which may be empty); returns their ends, in that order.

        Raises:
            SurveyError: unknown study, none or too many at once, or a note that is too long.
        """
        if not 1 <= len(notes) <= MOST_AT_ONCE:
            raise SurveyError(f"Ask for 1 to {MOST_AT_ONCE:,} links at once.")
        if any(len(note) > 200 for note in notes):
            raise SurveyError("A note has at most 200 characters.")
        links = [new_secret() for _ in notes]
        with self._database.write() as session:
            study = find_study(session, name)
            session.add_all(
                Invitation(study_id=study.id, secret_hash=secret_hash(secret), note=note)
                for secret, note in zip(links, notes, strict=True)
            )
        return [volunteer_path(name, secret) for secret in links]

    def invitations(self, name: str) -> list[InvitationRecord]:
        """A study's one-time links, in the order in which they were made.

        Raises:
            SurveyError: unknown study.
        """
        with self._database.read() as session:
            study = find_study(session, name)
            rows = session.scalars(
                select(Invitation).where(Invitation.study_id == study.id).order_by(Invitation.id)
            ).all()
        return [
            InvitationRecord(number, row.note, row.created_at, row.used_at) for number, row in enumerate(rows, start=1)
        ]


def study_path(study: StudySummary) -> str | None:
    """The end of the link for all volunteers of a study; None where everybody needs a one-time link.

    Where the protocol takes participants' numbers, `ID` stands for the number.
    """
    access = study.protocol.access
    if access.who == "one_time":
        return None
    path = volunteer_path(study.name, study.link_secret if access.who == "link" else None)
    return path if access.participant_id is None else f"{path}&{access.participant_id}={PLACEHOLDER}"


def volunteer_path(name: str, secret: str | None = None) -> str:
    """The end of a volunteer's link."""
    return "/vote?" + urlencode({"study": name, **({"i": secret} if secret else {})})
