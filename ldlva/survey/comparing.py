"""A study's stored votes and predictions, lined up for `ldlva.comparison`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ldlva.comparison import Comparison, compare
from ldlva.distributions import FloatArray
from ldlva.errors import NotYetError, SurveyError
from ldlva.survey.records import ModelPredictions, StudySummary, StudyVotes
from ldlva.survey.repository import Repository


@dataclass(frozen=True)
class StudyComparison:
    """The votes, each model's predictions aligned with them (`[N, C]`, NaN where there is none), and the report."""

    votes: StudyVotes
    predictions: dict[str, FloatArray]
    comparison: Comparison

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
        return {**self.comparison.to_json(), "faces": faces}


def compare_study(repository: Repository, study: StudySummary) -> StudyComparison:
    """Compare a study's votes with all predictions stored for it.

    Raises:
        NotYetError: no votes or no predictions yet; says which command helps.
        SurveyError: no image has both.
    """
    votes = repository.votes(study)
    if not votes.counts.any():
        raise NotYetError(f"“{study.title}” has no votes yet. Share its link: it ends in /vote?study={study.name}")
    predictions = {
        model.name: align(votes, model) for model in repository.predictions(study) if model.labels == votes.labels
    }
    if not predictions:
        raise NotYetError(
            f"No model has predicted the faces of “{study.title}” yet. Train one, then run: "
            f"python -m ldlva predict --run runs/NAME --study {study.name}"
        )
    try:
        return StudyComparison(votes, predictions, compare(votes.counts, predictions))
    except ValueError as error:
        raise SurveyError(f"“{study.title}” cannot be compared: {error}.") from None


def align(votes: StudyVotes, model: ModelPredictions) -> FloatArray:
    """A model's probabilities in the image order of `votes`, NaN for images it did not predict."""
    row = {image_id: index for index, image_id in enumerate(votes.image_ids)}
    aligned = np.full(votes.counts.shape, np.nan)
    aligned[[row[image_id] for image_id in model.image_ids]] = model.probabilities
    return aligned
