"""How every face of a study stands: votes, live claims, and how many votes it needs."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ldlva.survey.assignment import FaceState
from ldlva.survey.protocol import Protocol
from ldlva.survey.schema import Claim, Image, Study, Volunteer, Vote
from ldlva.survey.stopping import votes_needed
from ldlva.survey.store import COUNTED


def images_by_name(session: Session, study_id: int) -> dict[str, int]:
    """Ids of a study's images by name, in the order of the study's files."""
    rows = session.execute(select(Image.name, Image.id).where(Image.study_id == study_id).order_by(Image.id))
    return dict(rows.all())


def face_states(session: Session, study: Study, protocol: Protocol, now: datetime) -> list[FaceState]:
    """The faces that are voted on for the result; practice and gold faces are not among them."""
    answers = answer_counts(session, study.id, protocol)
    claims: dict[int, int] = dict(
        session.execute(
            select(Claim.image_id, func.count())
            .join(Volunteer, Volunteer.id == Claim.volunteer_id)
            .where(Claim.study_id == study.id, Volunteer.claims_until > now)
            .group_by(Claim.image_id)
        ).all()
    )
    votes: dict[int, int] = dict(
        session.execute(
            select(Vote.image_id, func.count()).where(Vote.study_id == study.id, COUNTED).group_by(Vote.image_id)
        ).all()
    )
    states = []
    for name, image_id in images_by_name(session, study.id).items():
        if name in protocol.faces.special:
            continue
        count = votes.get(image_id, 0)
        needed = votes_needed(protocol.stopping, max(answers[image_id].values(), default=0), count)
        states.append(FaceState(image_id, count, claims.get(image_id, 0), needed))
    return states


def answer_counts(session: Session, study_id: int, protocol: Protocol) -> defaultdict[int, Counter[str]]:
    """How often each answer was given to each face; where several are allowed, each counts."""
    if protocol.response.mode == "multiple":
        return each_answer(answer_sets(session, study_id))
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    tally = (
        select(Vote.image_id, Vote.choice, func.count())
        .where(Vote.study_id == study_id, COUNTED)
        .group_by(Vote.image_id, Vote.choice)
    )
    for image_id, choice, votes in session.execute(tally):
        counts[image_id][choice] = votes
    return counts


def answer_sets(session: Session, study_id: int) -> defaultdict[int, Counter[tuple[str, ...]]]:
    """How often each set of answers was given to each face, where several are allowed."""
    sets: defaultdict[int, Counter[tuple[str, ...]]] = defaultdict(Counter)
    rows = select(Vote.image_id, Vote.choice, Vote.choices).where(Vote.study_id == study_id, COUNTED)
    for image_id, choice, choices in session.execute(rows):
        sets[image_id][tuple(choices or [choice])] += 1
    return sets


def each_answer(sets: Mapping[int, Counter[tuple[str, ...]]]) -> defaultdict[int, Counter[str]]:
    """How often each answer is in the sets given to each face."""
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for image_id, given in sets.items():
        for answers, votes in given.items():
            counts[image_id].update(dict.fromkeys(answers, votes))
    return counts


def minutes_until_claims_end(session: Session, study_id: int, now: datetime) -> int:
    """Whole minutes, at least 1, until the next promised face may become free."""
    first = session.scalar(
        select(func.min(Volunteer.claims_until))
        .join(Claim, Claim.volunteer_id == Volunteer.id)
        .where(Volunteer.study_id == study_id, Volunteer.claims_until > now)
    )
    return 1 if first is None else max(1, math.ceil((first - now).total_seconds() / 60))
