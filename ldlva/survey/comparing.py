"""A study's stored votes and predictions, lined up for `ldlva.comparison.comparison`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ldlva.comparison.calibration import Temperature, from_other_faces
from ldlva.comparison.comparison import Comparison, Report, compare
from ldlva.comparison.plain_data import to_json
from ldlva.distributions import FloatArray
from ldlva.errors import NotYetError, SurveyError
from ldlva.survey.records import ModelPredictions, StudySummary, StudyVotes
from ldlva.survey.repository import Repository


@dataclass(frozen=True)
class Alignment:
    """A study's votes and the predictions that can be compared with them.

    Attributes:
        votes: tallied, for the labels that are compared.
        predictions: by model, in the image and label order of `votes`: `[N, C]`, NaN where there is none.
        temperatures: of the models known to have theirs from other faces.
        incomparable: models that predicted the study's faces but not these labels, and why they are left out.
        notes: sentences that a reader must know, about models that were trained on these faces, votes for labels that
            no model knows, or several answers.
    """

    votes: StudyVotes
    predictions: dict[str, FloatArray]
    temperatures: dict[str, Temperature]
    incomparable: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StudyComparison:
    """The votes, each model's predictions aligned with them (`[N, C]`, NaN where there is none), and the report.

    `notes` are sentences a reader must know: votes or models left out because label sets differ, several answers.
    """

    votes: StudyVotes
    predictions: dict[str, FloatArray]
    comparison: Comparison
    incomparable: dict[str, str] = field(default_factory=dict)
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
        return {
            **to_json(self.comparison),
            "incomparable": self.incomparable,
            "notes": list(self.notes),
            "faces": faces,
        }


def align_study(repository: Repository, study: StudySummary, models: Collection[str] | None = None) -> Alignment:
    """A study's votes with the predictions of all its models, or of those named.

    Raises:
        NotYetError: no votes or no predictions yet; says which command helps.
        SurveyError: a named model did not predict the study, or no model predicts its labels.
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
    if models is not None:
        known = {model.name for model in stored}
        if missing := sorted(set(models) - known):
            raise SurveyError(
                f"{', '.join(missing)} did not predict “{study.title}”. Models that did: {', '.join(sorted(known))}."
            )
        stored = [model for model in stored if model.name in models]
    shared = shared_labels(votes.labels, [model.labels for model in stored])
    if shared is None:
        raise NotYetError(
            f"“{study.title}” asks for {', '.join(votes.labels)}. No model that predicted it can be compared: "
            + " ".join(f"{model.name}: {label_difference(model.labels, votes.labels)}" for model in stored)
            + " A model can only be compared where the study offers every label that it can say. Results shows what "
            "people said; predictions for exactly these labels can be imported: python -m ldlva predictions import"
        )
    incomparable = {model.name: why for model in stored if (why := label_difference(model.labels, shared))}
    stored = [model for model in stored if model.name not in incomparable]
    temperatures = {model.name: temperature(model.details, study.origin) for model in stored}
    compared = restrict(votes, shared)
    return Alignment(
        votes=compared,
        predictions={model.name: align(compared, model) for model in stored},
        temperatures={name: value for name, value in temperatures.items() if value is not None},
        incomparable=incomparable,
        notes=_notes(study, votes, shared, stored),
    )


def compare_study(
    repository: Repository,
    study: StudySummary,
    models: Collection[str] | None = None,
    seed: int = 0,
    report: Report | None = None,
) -> StudyComparison:
    """Compare a study's votes with all predictions stored for it, or with those of the models named.

    Raises:
        NotYetError: no votes or no predictions yet, or none that can be compared; says which command helps.
        SurveyError: an unknown model, or no image with both.
    """
    aligned = align_study(repository, study, models)
    return compare_aligned(aligned, study.title, seed, report)


def compare_aligned(aligned: Alignment, title: str, seed: int = 0, report: Report | None = None) -> StudyComparison:
    """The comparison of votes and predictions that are lined up already.

    Raises:
        SurveyError: no image has both, or a prediction is not a distribution.
    """
    votes = aligned.votes
    try:
        found = compare(votes.counts, aligned.predictions, seed, votes.labels, aligned.temperatures, report)
    except ValueError as error:
        raise SurveyError(f"“{title}” cannot be compared: {error}.") from None
    return StudyComparison(votes, aligned.predictions, found, aligned.incomparable, aligned.notes)


def dump_result(compared: StudyComparison) -> str:
    """The report with the votes it rests on, for `load_result`."""
    votes = {"counts": compared.votes.counts.tolist(), "none": compared.votes.none_counts.tolist()}
    return json.dumps({"votes": votes, "comparison": compared.comparison.dump()})


def load_result(content: str, aligned: Alignment) -> StudyComparison:
    """What another process computed, with the votes as they were then.

    Raises:
        SurveyError: it is damaged, or of other images.
    """
    try:
        stored = json.loads(content)
        counts = np.array(stored["votes"]["counts"], dtype=np.int64)
        none_counts = np.array(stored["votes"]["none"], dtype=np.int64)
        comparison = Comparison.load(stored["comparison"])
    except (ValueError, KeyError, TypeError) as error:
        raise SurveyError(f"The stored comparison cannot be read: {error}") from None
    if counts.shape != aligned.votes.counts.shape:
        raise SurveyError("The stored comparison is of other images. Reload the page.")
    votes = replace(aligned.votes, counts=counts, none_counts=none_counts)
    return StudyComparison(votes, aligned.predictions, comparison, aligned.incomparable, aligned.notes)


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
    emotions = tuple(votes.emotions[c] for c in columns)
    return replace(votes, emotions=emotions, counts=votes.counts[:, columns], sets=None)


def learned_from(details: Mapping[str, Any], study: StudySummary) -> bool:
    """Whether a model was trained on the study's own faces: on the study, or on the part of a data set it shows."""
    data, origin = details.get("data", {}), study.origin
    if data.get("source") == "study":
        same_faces = (study.name, origin.get("cloned_from"))
        return str(details.get("config", {}).get("data")).removeprefix("study:") in same_faces
    part = (data.get("source"), data.get("split"))
    return None not in part and origin.get("role") is None and part == (origin.get("source"), origin.get("split"))


def _notes(
    study: StudySummary, votes: StudyVotes, shared: Sequence[str], models: Sequence[ModelPredictions]
) -> tuple[str, ...]:
    notes = []
    if taught := [model.name for model in models if learned_from(model.details, study)]:
        notes.append(
            f"{', '.join(taught)} learned from faces shown here: how close to people "
            f"{'it comes' if len(taught) == 1 else 'they come'} on these faces says little about others."
        )
    if beyond := [label for label in votes.labels if label not in shared]:
        left_out = int(sum(votes.counts[:, votes.labels.index(label)].sum() for label in beyond))
        notes.append(
            f"This study also offers {', '.join(beyond)}, which no compared model can say: {left_out} of "
            f"{int(votes.counts.sum())} votes for emotions are left out here, and shares are of the rest."
        )
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


def label_difference(predicted: Collection[str], asked: Collection[str]) -> str:
    """Why predictions for some labels cannot be compared with votes for others; empty if they can."""
    more, fewer = sorted(set(predicted) - set(asked)), sorted(set(asked) - set(predicted))
    parts = []
    if more:
        parts.append(f"it predicts {', '.join(more)}, which volunteers could not choose")
    if fewer:
        parts.append(f"it cannot predict {', '.join(fewer)}, which they could")
    return f"{'; '.join(parts)}." if parts else ""


def temperature(details: Mapping[str, Any], origin: Mapping[str, Any]) -> Temperature | None:
    """A model's own temperature if it is known to be fitted on other faces than the study's, else None."""
    stored = details.get("temperature")
    return from_other_faces(stored, origin) if isinstance(stored, Mapping) else None
