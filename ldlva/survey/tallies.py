"""What a study's votes come to: tallies for results, flat rows for export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ldlva.emotions import NONE_OF_THESE, OTHER
from ldlva.raters.quality import RaterVotes
from ldlva.survey.face_states import answer_counts, answer_sets, each_answer
from ldlva.survey.records import AnswerSets, StudySummary, StudyVotes
from ldlva.survey.schema import Image, Prediction, Study, Volunteer, Vote
from ldlva.survey.store import COUNTED, WEB_VOLUNTEER, Store, gone


def rater_counts(session: Session, study: StudySummary, answers: Mapping[int, Counter[str]]) -> dict[int, int]:
    """Volunteers who voted on each image that has votes."""
    if study.protocol.response.mode != "multiple":
        return {image_id: counts.total() for image_id, counts in answers.items()}
    tally = select(Vote.image_id, func.count()).where(Vote.study_id == study.id, COUNTED).group_by(Vote.image_id)
    return dict(session.execute(tally).all())


def _columns(answers: Iterable[str], column: Mapping[str, int]) -> frozenset[int]:
    """A set of answers by their columns; "none of these" and "other" are the one after the labels'."""
    return frozenset(column.get(answer, len(column)) for answer in answers)


def _sets(given: Sequence[Counter[tuple[str, ...]]], column: Mapping[str, int]) -> AnswerSets:
    """Sets of answers to every image as a table, in an order that does not depend on who voted first."""
    different = sorted({_columns(answers, column) for counts in given for answers in counts}, key=sorted)
    place = {answers: index for index, answers in enumerate(different)}
    table = np.zeros((len(given), len(different)), dtype=np.int64)
    for row, counts in enumerate(given):
        for answers, votes in counts.items():
            table[row, place[_columns(answers, column)]] += votes
    return AnswerSets(tuple(different), table)


class TallyStore(Store):
    """Votes of a study as a whole."""

    def votes(self, study: StudySummary) -> StudyVotes:
        """Current votes of a study's faces; practice and gold faces and second showings apart."""
        column = {label: index for index, label in enumerate(study.labels)}
        several = study.protocol.response.mode == "multiple"
        with self._database.read() as session:
            given = answer_sets(session, study.id) if several else None
            answers = answer_counts(session, study.id, study.protocol) if given is None else each_answer(given)
            raters = rater_counts(session, study, answers)
            special = study.protocol.faces.special
            images = [
                image
                for image in session.execute(
                    select(Image.id, Image.name, Image.label).where(Image.study_id == study.id).order_by(Image.id)
                )
                if image.name not in special or image.id in raters
            ]
        counts = np.zeros((len(images), len(column)), dtype=np.int64)
        none_counts = np.zeros(len(images), dtype=np.int64)
        for row, image in enumerate(images):
            for choice, votes in answers[image.id].items():
                if choice in (NONE_OF_THESE, OTHER):
                    none_counts[row] += votes
                else:
                    counts[row, column[choice]] = votes
        return StudyVotes(
            emotions=study.emotions,
            image_ids=tuple(image.id for image in images),
            image_names=tuple(image.name for image in images),
            image_labels=tuple(image.label for image in images),
            counts=counts,
            none_counts=none_counts,
            raters=np.array([raters.get(image.id, 0) for image in images], dtype=np.int64),
            sets=None if given is None else _sets([given[image.id] for image in images], column),
        )

    def rater_votes(self, study: StudySummary, votes: StudyVotes) -> RaterVotes:
        """Counted votes of the study's web volunteers one by one, in the order they were cast.

        Votes of imported raters are left out: they were dealt to raters at random.

        Args:
            study: the study.
            votes: its tallied votes, which give rows and columns; "none of these" and "other" are the last column.
        """
        row = {image_id: index for index, image_id in enumerate(votes.image_ids)}
        column = {label: index for index, label in enumerate(votes.labels)}
        query = (
            select(Vote.volunteer_id, Vote.image_id, Vote.choice, Vote.choices, Vote.response_ms)
            .join(Volunteer, Volunteer.id == Vote.volunteer_id)
            .where(Vote.study_id == study.id, COUNTED, Volunteer.source == WEB_VOLUNTEER)
            .order_by(Vote.id)
        )
        with self._database.read() as session:
            found = session.execute(query).all()
        ids, raters = np.unique(np.array([vote.volunteer_id for vote in found], dtype=np.int64), return_inverse=True)
        sets, different = None, []
        if study.protocol.response.mode == "multiple":
            chosen = [_columns(vote.choices or [vote.choice], column) for vote in found]
            different = sorted(set(chosen), key=sorted)
            place = {answers: index for index, answers in enumerate(different)}
            sets = np.array([place[answers] for answers in chosen], dtype=np.int64)
        return RaterVotes(
            rater_ids=tuple(ids.tolist()),
            raters=raters,
            images=np.array([row[vote.image_id] for vote in found], dtype=np.int64),
            choices=np.array([column.get(vote.choice, len(column)) for vote in found], dtype=np.int64),
            response_ms=np.array([vote.response_ms for vote in found], dtype=np.float64),
            sets=sets,
            different_sets=tuple(different),
        )

    def voters(self, study: StudySummary) -> int:
        """How many web volunteers results rest on: those with a current vote on a face, not all who agreed."""
        query = (
            select(func.count(Vote.volunteer_id.distinct()))
            .join(Volunteer, Volunteer.id == Vote.volunteer_id)
            .where(Vote.study_id == study.id, COUNTED, Volunteer.source == WEB_VOLUNTEER)
        )
        with self._database.read() as session:
            return session.scalar(query) or 0

    def version(self, study: StudySummary) -> tuple[int, ...]:
        """Changes whenever a vote, an undo, a withdrawal, the protocol or a prediction of the study does.

        It is the key of every cached result: the number of current votes and the newest of them, the number of
        predictions and the newest of them, withdrawals and protocol. A vote that goes never comes back and numbers
        only grow, so equal pairs mean equal votes.

        Raises:
            SurveyError: the study was deleted.
        """
        with self._database.read() as session:
            query = select(Study.withdrawn, Study.protocol_version).where(Study.id == study.id)
            state = session.execute(query).one_or_none()
            if state is None:
                raise gone(study.name)
            votes = session.execute(
                select(func.count(), func.max(Vote.id)).where(Vote.study_id == study.id, Vote.superseded_at.is_(None))
            ).one()
            predictions = session.execute(
                select(func.count(), func.max(Prediction.id))
                .join(Image, Image.id == Prediction.image_id)
                .where(Image.study_id == study.id)
            ).one()
        return tuple(value or 0 for value in (*votes, *predictions, *state))

    def vote_rows(self, study: StudySummary) -> list[dict[str, Any]]:
        """Every vote of a study, superseded ones too, as flat rows in the order they were made; for export."""
        query = (
            select(
                Vote.id.label("vote"),
                Study.name.label("study"),
                Image.name.label("image"),
                Image.sha256.label("image_sha256"),
                Image.label.label("image_label"),
                Vote.volunteer_id.label("volunteer"),
                Volunteer.source.label("volunteer_source"),
                Volunteer.consent_version,
                Vote.protocol_hash,
                Vote.kind,
                Vote.repeat,
                Vote.choice,
                Vote.choices,
                Vote.intensity,
                Vote.valence,
                Vote.arousal,
                Vote.other_text,
                Vote.options,
                Vote.source_choice,
                Vote.response_ms,
                Vote.created_at,
                Vote.superseded_at,
            )
            .join(Study, Study.id == Vote.study_id)
            .join(Image, Image.id == Vote.image_id)
            .join(Volunteer, Volunteer.id == Vote.volunteer_id)
            .where(Vote.study_id == study.id)
            .order_by(Vote.id)
        )
        with self._database.read() as session:
            rows = [dict(row) for row in session.execute(query).mappings()]
        for row in rows:
            for field in ("choices", "options"):
                row[field] = None if row[field] is None else "|".join(row[field])
        return rows
