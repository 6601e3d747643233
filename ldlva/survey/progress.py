"""How a running study stands: faces against their quotas, volunteers against the attention rules, votes by hour."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from ldlva.survey.face_states import face_states
from ldlva.survey.protocol import Protocol
from ldlva.survey.records import StudySummary
from ldlva.survey.schema import Image, Study, Volunteer, Vote
from ldlva.survey.store import CURRENT, WEB_VOLUNTEER, Store, gone


@dataclass(frozen=True)
class FaceProgress:
    """One face: current votes, votes promised by volunteers now voting, and how many it needs (None: no rule)."""

    image_id: int
    name: str
    votes: int
    claims: int
    needed: int | None

    @property
    def more(self) -> int | None:
        """Votes it still needs, as far as the present ones can tell."""
        return None if self.needed is None else max(0, self.needed - self.votes)


@dataclass(frozen=True)
class Attention:
    """What a volunteer's votes say about attention; `flags` names the protocol's rules that are broken."""

    gold_seen: int
    gold_wrong: int
    repeats_seen: int
    repeats_changed: int
    timed: int
    too_fast: int
    flags: tuple[str, ...]


@dataclass(frozen=True)
class VolunteerProgress:
    """One volunteer of this site: `state` is finished, voting, or dropped out (silent until the claims ran out)."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    state: str
    done: int
    total: int
    attention: Attention


@dataclass(frozen=True)
class StudyProgress:
    """All of it; `votes_by_hour` has every hour (UTC) with a current vote of a volunteer, oldest first."""

    faces: tuple[FaceProgress, ...]
    volunteers: tuple[VolunteerProgress, ...]
    votes_by_hour: tuple[tuple[datetime, int], ...]
    withdrawn: int

    @property
    def states(self) -> Counter[str]:
        """Volunteers by state."""
        return Counter(volunteer.state for volunteer in self.volunteers)

    @property
    def flagged(self) -> tuple[VolunteerProgress, ...]:
        """Volunteers who broke an attention rule."""
        return tuple(volunteer for volunteer in self.volunteers if volunteer.attention.flags)

    @property
    def more(self) -> int | None:
        """Votes that all faces still need together; None without a stopping rule."""
        missing = [face.more for face in self.faces]
        return None if any(more is None for more in missing) else sum(more or 0 for more in missing)

    @property
    def share(self) -> float | None:
        """Of all votes needed, the share that is there, in [0, 1]; votes beyond a face's need do not count."""
        if any(face.needed is None for face in self.faces):
            return None
        needed = sum(face.needed or 0 for face in self.faces)
        return sum(min(face.votes, face.needed or 0) for face in self.faces) / needed if needed else 1.0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "volunteers": {state: self.states[state] for state in ("finished", "voting", "dropped out")},
            "withdrawn": self.withdrawn,
            "inattentive": [
                {"volunteer": volunteer.number, **asdict(volunteer.attention)} for volunteer in self.flagged
            ],
            "votes_needed": self.more,
            "faces": [{**asdict(face), "more": face.more} for face in self.faces],
            "votes_by_hour": [{"hour": hour.isoformat(), "votes": votes} for hour, votes in self.votes_by_hour],
        }


class ProgressStore(Store):
    """Statistics for the researcher."""

    def progress(self, study: StudySummary) -> StudyProgress:
        """How a study stands now.

        Raises:
            SurveyError: it was deleted.
        """
        now, protocol = self._clock(), study.protocol
        with self._database.read() as session:
            row = session.get(Study, study.id)
            if row is None:
                raise gone(study.name)
            names: dict[int, str] = dict(
                session.execute(select(Image.id, Image.name).where(Image.study_id == study.id)).all()
            )
            states = face_states(session, row, protocol, now)
            votes = session.execute(
                select(
                    Vote.volunteer_id,
                    Vote.image_id,
                    Vote.kind,
                    Vote.choice,
                    Vote.choices,
                    Vote.response_ms,
                    Vote.created_at,
                )
                .join(Volunteer, Volunteer.id == Vote.volunteer_id)
                .where(Vote.study_id == study.id, CURRENT, Volunteer.source == WEB_VOLUNTEER)
                .order_by(Vote.id)
            ).all()
            volunteers = session.scalars(
                select(Volunteer)
                .where(Volunteer.study_id == study.id, Volunteer.source == WEB_VOLUNTEER)
                .order_by(Volunteer.id)
            ).all()
            withdrawn = row.withdrawn
        given: defaultdict[int, list[Any]] = defaultdict(list)
        for vote in votes:
            given[vote.volunteer_id].append(vote)
        hours = Counter(
            vote.created_at.replace(minute=0, second=0, microsecond=0) for vote in votes if vote.kind == "face"
        )
        return StudyProgress(
            faces=tuple(
                FaceProgress(state.image_id, names[state.image_id], state.votes, state.claims, state.needed)
                for state in states
            ),
            volunteers=tuple(
                VolunteerProgress(
                    number=volunteer.id,
                    started_at=volunteer.created_at,
                    finished_at=volunteer.finished_at,
                    state=_state(volunteer, now),
                    done=len(given[volunteer.id]),
                    total=len(volunteer.trials),
                    attention=attention(protocol, names, given[volunteer.id]),
                )
                for volunteer in volunteers
            ),
            votes_by_hour=tuple(sorted(hours.items())),
            withdrawn=withdrawn,
        )


def attention(protocol: Protocol, names: Mapping[int, str], votes: Iterable[Any]) -> Attention:
    """Check one volunteer's current votes against the protocol's attention rules.

    Args:
        protocol: of the study.
        names: image names by id.
        votes: rows with image_id, kind, choice, choices and response_ms.
    """
    rules, first = protocol.attention, {}
    gold_seen = gold_wrong = repeats_seen = repeats_changed = timed = too_fast = 0
    kept = list(votes)
    for vote in kept:
        if vote.kind == "face":
            first[vote.image_id] = vote.choices or [vote.choice]
    for vote in kept:
        chosen = vote.choices or [vote.choice]
        if vote.kind == "gold" and (accepted := protocol.faces.gold.get(names[vote.image_id])):
            gold_seen += 1
            gold_wrong += not set(chosen) & set(accepted)
        if vote.kind == "repeat" and vote.image_id in first:
            repeats_seen += 1
            repeats_changed += chosen != first[vote.image_id]
        if vote.kind != "practice" and vote.response_ms is not None:
            timed += 1
            too_fast += vote.response_ms < rules.fastest_ms
    flags = []
    if gold_wrong > rules.gold_errors:
        flags.append("gold")
    if repeats_seen and repeats_changed / repeats_seen > rules.repeat_errors:
        flags.append("repeats")
    if timed and too_fast / timed > rules.fast_share:
        flags.append("fast")
    return Attention(gold_seen, gold_wrong, repeats_seen, repeats_changed, timed, too_fast, tuple(flags))


def _state(volunteer: Volunteer, now: datetime) -> str:
    if volunteer.finished_at is not None:
        return "finished"
    return "voting" if volunteer.claims_until is not None and volunteer.claims_until > now else "dropped out"
