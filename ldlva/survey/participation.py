"""Volunteers in the database: enrolled with their consent, given faces, their votes and undos.

Quotas are exact. Every write here begins by locking the study (on SQLite the whole database is), counts votes and live
claims, and only then promises a face; a vote turns a promise into a vote, so that their sum never passes the quota.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ldlva.emotions import NONE_OF_THESE, OTHER
from ldlva.errors import VolunteerError
from ldlva.survey.access import (
    completion_code,
    derived_token,
    new_secret,
    secret_hash,
    stored_participant,
    withdrawal_code,
)
from ldlva.survey.answers import Answer, check_answer, check_demographics
from ldlva.survey.assignment import FaceState, arrange, choose_faces, option_order, replace_full
from ldlva.survey.face_states import face_states, images_by_name, minutes_until_claims_end
from ldlva.survey.privacy import erase_due
from ldlva.survey.protocol import Protocol
from ldlva.survey.records import Ballot, Enrolment, Trial
from ldlva.survey.schema import Claim, Invitation, Study, Volunteer, Vote
from ldlva.survey.standing import Standing, complete, find_standing
from ldlva.survey.store import CURRENT, WEB_VOLUNTEER, Store, present_protocol
from ldlva.survey.studies import check_invitation, no_study
from ldlva.wording import counted

LONGEST_PARTICIPANT_ID = 120
_ONE_TIME = "one-time link"


@dataclass(frozen=True)
class _Entry:
    """Who a link says somebody is: the resume token it leads to, and what of it is stored."""

    token: str
    invitation: Invitation | None
    participant_id: str | None


class ParticipationStore(Store):
    """What volunteers do."""

    def enrol(
        self,
        study_name: str,
        *,
        language: str | None = None,
        invitation: str | None = None,
        participant_id: str | None = None,
        demographics: Mapping[str, object] | None = None,
    ) -> Enrolment:
        """Register a volunteer who has just agreed to the study's consent text: the first thing that is stored.

        The same one-time link, or the same participant's number, leads to the volunteer it led to before.

        Args:
            study_name: of an open study.
            language: in which the consent text was read; None or one the study lacks: the first one.
            invitation: secret of the link, where there is one.
            participant_id: the number that a panel gave the volunteer, where the protocol asks for it.
            demographics: answers by the question's key; what is left open is absent.

        Raises:
            VolunteerError: no such study, it is not open, the link does not admit to it, the participant's number came
                with another link before, an answer is not allowed, or every face has the votes it needs (or is promised
                to others at the moment).
        """
        with self._database.write() as session:
            study = session.scalar(select(Study).where(Study.name == study_name).with_for_update(key_share=True))
            if study is None or study.status == "draft":
                raise no_study(study_name)
            protocol, _ = present_protocol(session, study)
            entry = _entry(session, study, protocol, invitation, participant_id)
            if _enrolled(session, entry.token):
                return Enrolment(entry.token, withdrawal_code(entry.token), resumed=True)
            _must_be_open(study, protocol, "takes no new volunteers")
            if entry.invitation is not None and entry.invitation.used_at is not None:
                raise VolunteerError("used", "This link was used before, and its answers were withdrawn.")
            now = self._clock()
            erase_due(session, study, protocol, now)
            _must_be_new(session, study, entry.participant_id)
            volunteer = Volunteer(
                study_id=study.id,
                source=WEB_VOLUNTEER,
                token_hash=secret_hash(entry.token),
                withdrawal_hash=secret_hash(withdrawal_code(entry.token)),
                participant_id=entry.participant_id,
                invitation_id=entry.invitation.id if entry.invitation else None,
                language=protocol.language(language),
                consent_version=protocol.consent.version,
                consented_at=now,
                created_at=now,
                demographics=check_demographics(protocol, demographics or {}) or None,
                trials=[],
                options=[],
            )
            session.add(volunteer)
            session.flush()
            if entry.invitation is not None:
                entry.invitation.used_at = now
            _assign(session, study, protocol, volunteer, now)
        return Enrolment(entry.token, withdrawal_code(entry.token))

    def returning(
        self, study_name: str, *, invitation: str | None = None, participant_id: str | None = None
    ) -> str | None:
        """The resume token of a volunteer whose link says who they are and who has enrolled before, else None.

        Raises:
            VolunteerError: no such study, or the link does not admit to it.
        """
        with self._database.read() as session:
            study = session.scalar(select(Study).where(Study.name == study_name))
            if study is None or study.status == "draft":
                raise no_study(study_name)
            protocol, _ = present_protocol(session, study)
            token = _entry(session, study, protocol, invitation, participant_id).token
            return token if _enrolled(session, token) else None

    def ballot(self, token: str) -> Ballot:
        """Where the volunteer with this resume token stands; promises faces anew where the promise ran out.

        Who was done before codes were stored in every case gets theirs now.

        Raises:
            VolunteerError: the token is unknown (mistyped, cut off or tampered with).
        """
        with self._database.read() as session:
            standing = find_standing(session, token)
            if not standing.must_renew(self._clock()) and not standing.lacks_code:
                return standing.ballot(session)
        with self._database.write() as session:
            standing = find_standing(session, token, lock=True)
            now = self._clock()
            _renew(session, standing, now)
            if standing.lacks_code:
                _finish(standing, now)
            return standing.ballot(session)

    def vote(
        self,
        token: str,
        image_id: int,
        choice: str | Sequence[str],
        response_ms: int | None = None,
        *,
        repeat: int = 0,
        intensity: int | None = None,
        valence: float | None = None,
        arousal: float | None = None,
        other_text: str | None = None,
    ) -> Ballot:
        """Store a volunteer's answer to one showing of one of their faces and return where they stand then.

        A showing that already has the volunteer's current vote keeps it: a second click or tab changes nothing. If the
        promise of the face ran out and others filled it meanwhile, nothing is stored and another face is returned.

        Args:
            token: the volunteer's.
            image_id: the face.
            choice: a label, `none` or `other`; several labels where the protocol allows it.
            response_ms: from the face being painted to the answer; None if unknown.
            repeat: of the showing (`Trial.repeat`).
            intensity: 0 to 100, in that mode.
            valence: -1 to 1, in that mode; so is `arousal`.
            arousal: see `valence`.
            other_text: the volunteer's own word with `other`.

        Raises:
            VolunteerError: unknown token or choice, an image that is not the volunteer's, or the study is not open.
        """
        with self._database.write() as session:
            standing = find_standing(session, token, lock=True)
            _must_be_open(standing.study, standing.protocol, "takes no votes; this one was not stored")
            answer = check_answer(
                standing.protocol, Answer.of(choice, intensity, valence, arousal, other_text, response_ms)
            )
            now = self._clock()
            listed = standing.trial(image_id, repeat) is not None
            if standing.must_renew(now):
                _renew(session, standing, now)
            trial = standing.trial(image_id, repeat)
            if trial is None and not listed:
                raise VolunteerError(
                    "face", "This face is not part of your list; the vote was not stored. Reload the page."
                )
            if trial is not None and (image_id, repeat) not in standing.voted:
                _store_vote(session, standing, trial, answer, now)
            return standing.ballot(session)

    def undo(self, token: str, done: int | None = None) -> Ballot:
        """Supersede the volunteer's newest current vote, so that its face comes up again; nothing is deleted.

        Args:
            token: the volunteer's.
            done: showings that were done when it was asked for. If more or fewer are by now nothing happens: the same
                wish may arrive twice, and shall not take back two votes. None: whatever is done.

        Raises:
            VolunteerError: unknown token, or the study is not open.
        """
        with self._database.write() as session:
            standing = find_standing(session, token, lock=True)
            _must_be_open(standing.study, standing.protocol, "takes no changes any more")
            now = self._clock()
            _renew(session, standing, now)
            if done is not None and done != len(standing.trials) - len(standing.remaining):
                return standing.ballot(session)
            newest = session.scalar(
                select(Vote)
                .where(Vote.volunteer_id == standing.volunteer.id, CURRENT)
                .order_by(Vote.id.desc())
                .limit(1)
            )
            if newest is not None:
                newest.superseded_at = now
                standing.volunteer.finished_at = None
                standing.voted.discard((newest.image_id, newest.repeat))
                if newest.kind == "face":
                    # The place just given up stays this volunteer's: nobody can take it in between.
                    session.add(
                        Claim(study_id=newest.study_id, volunteer_id=newest.volunteer_id, image_id=newest.image_id)
                    )
                session.flush()
            return standing.ballot(session)


def _entry(
    session: Session, study: Study, protocol: Protocol, secret: str | None, participant_id: str | None
) -> _Entry:
    invitation = check_invitation(session, study, protocol, secret)
    stored = None
    access = protocol.access
    if access.participant_id is not None:
        participant_id = (participant_id or "").strip() or None
        if participant_id is None and access.participant_id_required:
            raise VolunteerError(
                "participant_id",
                f"The link lacks your participant number ({access.participant_id}). Open it from where you were sent.",
                parameter=access.participant_id,
            )
        if participant_id is not None:
            if len(participant_id) > LONGEST_PARTICIPANT_ID or not participant_id.isprintable():
                raise VolunteerError(
                    "participant_id",
                    "The participant number in the link is not one.",
                    parameter=access.participant_id,
                )
            stored = stored_participant(participant_id, study.link_secret, access.participant_id_storage)
    if invitation is not None and secret is not None:
        return _Entry(derived_token(secret, _ONE_TIME), invitation, stored)
    if participant_id is not None and stored is not None:
        return _Entry(derived_token(study.link_secret, participant_id), None, stored)
    return _Entry(new_secret(), None, None)


def _enrolled(session: Session, token: str) -> bool:
    return session.scalar(select(Volunteer.id).where(Volunteer.token_hash == secret_hash(token))) is not None


def _must_be_new(session: Session, study: Study, participant_id: str | None) -> None:
    """Whether a participant's number, as stored, is nobody's yet: two one-time links may carry the same one.

    The second link must not lead to the first one's volunteer: anybody can write a number into a link.
    """
    if participant_id is not None and session.scalar(
        select(Volunteer.id).where(Volunteer.study_id == study.id, Volunteer.participant_id == participant_id)
    ):
        raise VolunteerError(
            "participant_taken",
            "The participant's number in this link took part by another link before. Open that one, or ask whoever "
            "sent you this one.",
        )


def _must_be_open(study: Study, protocol: Protocol, otherwise: str) -> None:
    if study.status != "open":
        title = protocol.say(protocol.title, protocol.languages[0])
        raise VolunteerError(
            "not_open", f"“{title}” is {study.status} and {otherwise}.", title=title, status=study.status
        )


def _assign(session: Session, study: Study, protocol: Protocol, volunteer: Volunteer, now: datetime) -> None:
    """Choose a new volunteer's faces and promise them."""
    generator = _draws(study, volunteer)
    states = face_states(session, study, protocol, now)
    chosen = choose_faces(states, protocol.faces.per_volunteer, generator)
    if not chosen:
        raise _no_room(session, study, states, now)
    ids = images_by_name(session, study.id)
    trials = arrange(
        chosen,
        [ids[name] for name in protocol.faces.practice],
        [ids[name] for name in protocol.faces.gold],
        protocol.faces.repeated,
        protocol.presentation.order,
        generator,
    )
    last = [
        *([NONE_OF_THESE] if protocol.response.none_option else []),
        *([OTHER] if protocol.response.other_option else []),
    ]
    shuffled = protocol.response.option_order == "shuffled"
    volunteer.options = option_order(protocol.label_names, last, shuffled, generator)
    _promise(session, volunteer, trials, chosen, protocol, now)


def _draws(study: Study, volunteer: Volunteer, occasion: str = "") -> random.Random:
    """A volunteer's own random numbers. From the published seed alone, faces would tell who enrolled when."""
    return random.Random(f"{study.seed}:{study.private_secret}:{volunteer.id}:{occasion}")


def _promise(
    session: Session, volunteer: Volunteer, trials: list[Trial], new: Sequence[int], protocol: Protocol, now: datetime
) -> None:
    volunteer.trials = [[trial.image_id, trial.repeat, trial.kind] for trial in trials]
    volunteer.claims_until = now + timedelta(minutes=protocol.faces.claim_minutes)
    session.add_all(
        Claim(study_id=volunteer.study_id, volunteer_id=volunteer.id, image_id=image_id) for image_id in new
    )
    session.flush()


def _renew(session: Session, standing: Standing, now: datetime) -> None:
    """Promise a volunteer's faces for longer; where the promise ran out and others filled a face, another one."""
    volunteer, study, protocol = standing.volunteer, standing.study, standing.protocol
    if study.status != "open" or volunteer.claims_until is None:
        return
    if volunteer.claims_until > now:
        volunteer.claims_until = now + timedelta(minutes=protocol.faces.claim_minutes)
        return
    states = {state.image_id: state for state in face_states(session, study, protocol, now)}
    full = {
        trial.image_id
        for trial in standing.remaining
        if trial.kind == "face" and trial.image_id in states and not states[trial.image_id].has_room
    }
    listed = {trial.image_id for trial in standing.trials}
    generator = _draws(study, volunteer, now.isoformat())
    others = [state for state in states.values() if state.image_id not in listed]
    spare = choose_faces(others, len(full), generator) if full else []
    if full:
        session.execute(delete(Claim).where(Claim.volunteer_id == volunteer.id, Claim.image_id.in_(full)))
    _promise(session, volunteer, replace_full(standing.trials, full, spare), spare, protocol, now)
    if not standing.remaining:
        _finish(standing, now)


def _finish(standing: Standing, now: datetime) -> None:
    """Store that a volunteer has no face left, and the code that proves it where everybody has one of their own."""
    volunteer = standing.volunteer
    volunteer.finished_at = volunteer.finished_at or now
    if standing.protocol.completion.per_volunteer:
        volunteer.completion_code = completion_code(standing.token)


def _store_vote(session: Session, standing: Standing, trial: Trial, answer: Answer, now: datetime) -> None:
    volunteer, protocol = standing.volunteer, standing.protocol
    session.add(
        Vote(
            study_id=standing.study.id,
            volunteer_id=volunteer.id,
            image_id=trial.image_id,
            repeat=trial.repeat,
            kind=trial.kind,
            choice=answer.choice,
            choices=list(answer.choices) if protocol.response.mode == "multiple" else None,
            intensity=answer.intensity,
            valence=answer.valence,
            arousal=answer.arousal,
            other_text=answer.other_text,
            options=volunteer.options,
            protocol_hash=standing.protocol_hash,
            response_ms=answer.response_ms,
            created_at=now,
        )
    )
    session.execute(delete(Claim).where(Claim.volunteer_id == volunteer.id, Claim.image_id == trial.image_id))
    standing.voted.add((trial.image_id, trial.repeat))
    volunteer.claims_until = now + timedelta(minutes=protocol.faces.claim_minutes)
    if not standing.remaining:
        _finish(standing, now)
    session.flush()


def _no_room(session: Session, study: Study, states: Sequence[FaceState], now: datetime) -> VolunteerError:
    if all(state.is_full for state in states):
        return complete()
    minutes = minutes_until_claims_end(session, study.id, now)
    return VolunteerError(
        "busy",
        "Other volunteers are voting on the last faces right now. Some may become free in about "
        f"{counted(minutes, 'minute')}: please come back then.",
        minutes=str(minutes),
    )
