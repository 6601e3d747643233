"""A study's stored votes and predictions, lined up for `ldlva.comparison`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ldlva.comparison import Comparison, compare
from ldlva.distributions import FloatArray
from ldlva.errors import NotYetError, SurveyError
from ldlva.survey.records import ModelPredictions, StudySummary, StudyVotes
from ldlva.survey.repository import Repository


@dataclass(frozen=True)
class StudyComparison:
    """The votes, each model's predictions aligned with them (`[N, C]`, NaN where there is none), and the report.

    `notes` are sentences a reader must know: votes or models left out because label sets differ, several answers.
    """

    votes: StudyVotes
    predictions: dict[str, FloatArray]
    comparison: Comparison
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All that the Compare page shows: the report, and what people and models said about every face."""
        votes, labels = self.votes, self.votes.labels
        faces = [
            {
                "name": votes.image_names[row],
                "label": votes.image_labels[row],
                "votes": dict(zip(labels, votes.counts[row].tolist(), strict=True)),
                "none": int(votes.none_counts[row]),
                "models": {
                    model.name: {
                        "jeffreys": float(model.per_image[position]),
                        "probabilities": dict(zip(labels, self.predictions[model.name][row].tolist(), strict=True)),
                    }
                    for model in self.comparison.models
                },
            }
            for position, row in enumerate(self.comparison.rows)
        ]
        return {**self.comparison.to_json(), "notes": list(self.notes), "faces": faces}


def compare_study(repository: Repository, study: StudySummary) -> StudyComparison:
    """Compare a study's votes with all predictions stored for it.

    Raises:
        NotYetError: no votes or no predictions yet; says which command helps.
        SurveyError: no image has both.
    """
    votes = repository.votes(study)
    if not votes.counts.any():
        raise NotYetError(f"“{study.title}” has no votes yet. Share its link: it ends in /vote?study={study.name}")
    stored = repository.predictions(study)
    if not stored:
        raise NotYetError(
            f"No model has predicted the faces of “{study.title}” yet. Train one, then run: "
            f"python -m ldlva predict --run runs/NAME --study {study.name}"
        )
    shared = shared_labels(votes.labels, [model.labels for model in stored])
    if shared is None:
        raise NotYetError(
            f"“{study.title}” asks for {', '.join(votes.labels)}; the models that predicted it say "
            f"{', '.join(stored[0].labels)}. A model can only be compared where the study offers every label that it "
            "can say, so there is no comparison. Results shows what people said."
        )
    notes = _notes(study, votes, shared, stored)
    votes = restrict(votes, shared)
    predictions = {model.name: align(votes, model) for model in stored if set(model.labels) == set(shared)}
    try:
        return StudyComparison(votes, predictions, compare(votes.counts, predictions), notes)
    except ValueError as error:
        raise SurveyError(f"“{study.title}” cannot be compared: {error}.") from None


def shared_labels(labels: Sequence[str], models: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """The labels on which people and models can be compared, in the study's order.

    A model is comparable if the study offers every label that it can say. Of several such label sets, the largest.
    """
    comparable = [set(model) for model in models if set(model) <= set(labels)]
    if not comparable:
        return None
    largest = max(comparable, key=len)
    return tuple(label for label in labels if label in largest)


def restrict(votes: StudyVotes, labels: Sequence[str]) -> StudyVotes:
    """The votes for some of the labels only."""
    columns = [votes.labels.index(label) for label in labels]
    return replace(votes, emotions=tuple(votes.emotions[c] for c in columns), counts=votes.counts[:, columns])


def _notes(
    study: StudySummary, votes: StudyVotes, shared: Sequence[str], models: Sequence[ModelPredictions]
) -> tuple[str, ...]:
    notes = []
    if beyond := [label for label in votes.labels if label not in shared]:
        left_out = int(sum(votes.counts[:, votes.labels.index(label)].sum() for label in beyond))
        notes.append(
            f"This study also offers {', '.join(beyond)}, which no compared model can say: {left_out} of "
            f"{int(votes.counts.sum())} votes for emotions are left out here, and shares are of the rest."
        )
    if others := [model.name for model in models if set(model.labels) != set(shared)]:
        notes.append(f"Not compared, because their labels differ from the study's: {', '.join(others)}.")
    if study.protocol.response.mode == "multiple":
        notes.append(
            "Volunteers could choose several emotions, and each choice counts once: choices of one volunteer are not "
            "independent, so intervals are too narrow and the reference rows too low."
        )
    return tuple(notes)


def align(votes: StudyVotes, model: ModelPredictions) -> FloatArray:
    """A model's probabilities in the image and label order of `votes`, NaN for images it did not predict."""
    row = {image_id: index for index, image_id in enumerate(votes.image_ids)}
    columns = [model.labels.index(label) for label in votes.labels]
    known = [position for position, image_id in enumerate(model.image_ids) if image_id in row]
    aligned = np.full(votes.counts.shape, np.nan)
    aligned[[row[model.image_ids[position]] for position in known]] = model.probabilities[known][:, columns]
    return aligned
