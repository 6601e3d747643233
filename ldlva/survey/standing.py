"""Where a volunteer stands, read inside one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from ldlva.errors import VolunteerError
from ldlva.survey.access import secret_hash, withdrawal_code
from ldlva.survey.face_states import images_by_name
from ldlva.survey.protocol import Protocol
from ldlva.survey.records import Ballot, StudyStatus, Trial
from ldlva.survey.schema import Study, Volunteer, Vote
from ldlva.survey.store import CURRENT, present_protocol


@dataclass
class Standing:
    """A volunteer with study, protocol and votes, inside one transaction."""

    token: str
    study: Study
    volunteer: Volunteer
    protocol: Protocol
    protocol_hash: str
    voted: set[tuple[int, int]]

    @property
    def trials(self) -> list[Trial]:
        return [Trial(image_id, repeat, kind) for image_id, repeat, kind in self.volunteer.trials]

    @property
    def remaining(self) -> list[Trial]:
        return [trial for trial in self.trials if (trial.image_id, trial.repeat) not in self.voted]

    def trial(self, image_id: int, repeat: int) -> Trial | None:
        return next((t for t in self.trials if (t.image_id, t.repeat) == (image_id, repeat)), None)

    def must_renew(self, now: datetime) -> bool:
        """Whether faces are left to vote on whose promise ran out."""
        until = self.volunteer.claims_until
        return self.study.status == "open" and until is not None and until <= now and bool(self.remaining)

    @property
    def lacks_code(self) -> bool:
        """Whether a volunteer is done, but without the code of their own that the protocol promises."""
        promised = self.protocol.completion.per_volunteer and self.volunteer.completion_code is None
        return promised and bool(self.volunteer.trials) and not self.remaining

    def ballot(self, session: Session) -> Ballot:
        remaining, total = self.remaining, len(self.volunteer.trials)
        if total == 0:
            raise complete()
        trial = self._with_answer(session, remaining[0]) if remaining else None
        code = None if remaining or not total else self.volunteer.completion_code or self.protocol.completion.code
        language = self.protocol.language(self.volunteer.language)
        return Ballot(
            volunteer_id=self.volunteer.id,
            study_id=self.study.id,
            study_name=self.study.name,
            study_title=self.protocol.say(self.protocol.title, language),
            study_status=cast(StudyStatus, self.study.status),
            labels=self.protocol.label_names,
            image_id=trial.image_id if trial else None,
            done=total - len(remaining),
            total=total,
            protocol=self.protocol,
            language=language,
            options=tuple(self.volunteer.options),
            trial=trial,
            next_image_id=remaining[1].image_id if len(remaining) > 1 else None,
            withdrawal_code=withdrawal_code(self.token),
            completion_code=code,
        )

    def _with_answer(self, session: Session, trial: Trial) -> Trial:
        faces = self.protocol.faces
        if trial.kind != "practice" or not faces.practice_feedback:
            return trial
        names = {image_id: name for name, image_id in images_by_name(session, self.study.id).items()}
        return replace(trial, expected=faces.practice_answers.get(names[trial.image_id], ()))


def complete() -> VolunteerError:
    """Every face has the votes it needs."""
    return VolunteerError("complete", "This study has all the votes it needs. Thank you for your interest!")


def find_standing(session: Session, token: str, lock: bool = False) -> Standing:
    """Where a volunteer stands; `lock` makes all other writes to the study wait for this transaction."""
    mine = Volunteer.token_hash == secret_hash(token)
    query = select(Study).join(Volunteer, Volunteer.study_id == Study.id).where(mine)
    # SQLite ignores FOR UPDATE; its write transactions exclude each other anyway.
    study = session.scalar(query.with_for_update(of=Study, key_share=True) if lock else query)
    # Only now: it may have changed while this transaction waited for the study.
    volunteer = session.scalar(select(Volunteer).where(mine))
    if study is None or volunteer is None:
        raise VolunteerError(
            "link", "This link is not valid: it may have been cut off or mistyped. Open the full link, or start again."
        )
    protocol, sha256 = present_protocol(session, study)
    voted = session.execute(select(Vote.image_id, Vote.repeat).where(Vote.volunteer_id == volunteer.id, CURRENT))
    return Standing(token, study, volunteer, protocol, sha256, {(row.image_id, row.repeat) for row in voted})
