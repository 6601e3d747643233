"""A study's faces with what people and models said about each, for looking at them one by one."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ldlva.comparison import disagreement
from ldlva.distributions import FloatArray, IntArray
from ldlva.errors import SurveyError
from ldlva.survey.comparing import align, restrict, shared_labels
from ldlva.survey.records import StudySummary, StudyVotes
from ldlva.survey.repository import Repository

PEOPLE = "people"

ORDERS = {
    "divergence": "Farthest from people",
    "ambiguity": "Most ambiguous",
    "conflict": "Models disagree most",
}
"""Key and name of what faces can be sorted by."""

UNITS = {"divergence": "J", "ambiguity": "nats", "conflict": "JS"}

LONGEST_NAME = 80
"""Of a study."""


@dataclass(frozen=True)
class View:
    """How a study's faces are looked at.

    Attributes:
        order: a key of `ORDERS`, highest value first.
        model: the one whose divergence counts where the order is divergence; None: the mean of all.
        labels: only faces that `who` sees one of these in; empty: all.
        who: `PEOPLE` or a model.
    """

    order: str
    model: str | None = None
    labels: tuple[str, ...] = ()
    who: str = PEOPLE

    def record(self, first: int) -> dict[str, Any]:
        """Plain data that say how the first faces of this view were chosen."""
        said: dict[str, Any] = {"order": self.order, "first": first}
        if self.model is not None:
            said["model"] = self.model
        if self.labels:
            said |= {"only": list(self.labels), "as_seen_by": self.who}
        return said


@dataclass(frozen=True)
class Exploration:
    """Votes and predictions of a study, aligned.

    Attributes:
        votes: tallied, over the labels that people and models share where there are models.
        predictions: by model, `[N, C]`, NaN where there is none.
        left_out: models whose labels differ.
    """

    votes: StudyVotes
    predictions: dict[str, FloatArray]
    left_out: tuple[str, ...]

    @cached_property
    def values(self) -> dict[str, FloatArray]:
        """What faces are sorted by, `[N]` each; NaN where it is not defined."""
        return {
            "divergence": disagreement.mean_divergence(self.votes.counts, self.predictions),
            "ambiguity": disagreement.ambiguity(self.votes.counts),
            "conflict": disagreement.conflict(list(self.predictions.values()))
            if self.predictions
            else np.full(len(self.votes.counts), np.nan),
        }

    @cached_property
    def choices(self) -> dict[str, IntArray]:
        """The human majority and every model's choice, `[N]`; `disagreement.NOBODY` where there is none."""
        models = {name: disagreement.choice(predicted) for name, predicted in self.predictions.items()}
        return {PEOPLE: disagreement.majority(self.votes.counts), **models}

    @property
    def orders(self) -> list[str]:
        """Keys of `ORDERS` that at least one face has a value for."""
        return [key for key in ORDERS if not np.isnan(self.values[key]).all()]

    def sort_values(self, order: str, model: str | None = None) -> FloatArray:
        """The values to sort by; of one model alone where `order` is divergence and a model is named."""
        if order == "divergence" and model is not None:
            return disagreement.divergence(self.votes.counts, self.predictions[model])
        return self.values[order]

    def rows(self, view: View) -> list[int]:
        """The faces of a view, highest value first, those without a value last."""
        ordered = disagreement.highest_first(self.sort_values(view.order, view.model))
        if view.labels:
            wanted = [column for column, label in enumerate(self.votes.labels) if label in view.labels]
            ordered = ordered[np.isin(self.choices[view.who][ordered], wanted)]
        return [int(row) for row in ordered]

    def first(self, view: View, count: int) -> list[int]:
        """The first faces of a view, at most `count`; none without a value to be sorted by."""
        rows = self.rows(view)
        return [rows[place] for place in disagreement.top(self.sort_values(view.order, view.model)[rows], count)]


def explore_study(repository: Repository, study: StudySummary) -> Exploration:
    """Line up a study's votes and predictions; either may be missing."""
    votes, stored = repository.votes(study), repository.predictions(study)
    shared = shared_labels(votes.labels, [model.labels for model in stored])
    if shared is None:
        return Exploration(votes, {}, tuple(model.name for model in stored))
    votes = restrict(votes, shared)
    fitting = [model for model in stored if set(model.labels) == set(shared)]
    return Exploration(
        votes,
        {model.name: align(votes, model) for model in fitting},
        tuple(model.name for model in stored if model not in fitting),
    )


def follow_up(repository: Repository, study: StudySummary, new_name: str, by: dict[str, int]) -> list[str]:
    """Make a draft of the faces with the highest values; how they were chosen is in its origin.

    Args:
        repository: of the study.
        study: the study.
        new_name: the draft.
        by: how many faces to take by which key of `ORDERS`; a face chosen twice is there once.

    Returns:
        Names of the chosen faces, without practice and gold faces that come along.

    Raises:
        SurveyError: nothing to choose by, or a bad or taken name.
    """
    explored = explore_study(repository, study)
    rows: dict[int, None] = {}
    for order, count in by.items():
        found = explored.first(View(order), count)
        if not found:
            needed = "votes" if order == "ambiguity" else "two models" if order == "conflict" else "votes and a model"
            raise SurveyError(f"No face of {study.name!r} can be chosen by {order}: that needs {needed}.")
        rows.update(dict.fromkeys(found))
    steps = [View(order).record(count) for order, count in by.items()]
    return follow_up_on(repository, study, new_name, explored, list(rows), {"by": steps})


def follow_up_on(
    repository: Repository,
    study: StudySummary,
    new_name: str,
    explored: Exploration,
    rows: Sequence[int],
    how: Mapping[str, Any],
) -> list[str]:
    """Make a draft of given faces.

    Args:
        repository: of the study.
        study: the study.
        new_name: the draft.
        explored: the study's faces.
        rows: of the faces to take.
        how: how they were chosen, which the draft's origin keeps together with on what grounds.

    Returns:
        Names of those faces.

    Raises:
        SurveyError: a bad or taken name.
    """
    names = [explored.votes.image_names[row] for row in rows]
    grounds = {"votes": study.votes, "models": list(explored.predictions), "faces": len(names)}
    repository.clone_study(study.name, new_name, faces=names, chosen={**how, **grounds})
    return names


def follow_up_name(study: StudySummary, taken: Collection[str]) -> str:
    """A name for a follow-up study, with a number behind it where those before are taken."""
    wanted = f"{study.name[: LONGEST_NAME - 15]}-again"
    numbered = (wanted if number == 1 else f"{wanted}-{number}" for number in itertools.count(1))
    return next(name for name in numbered if name not in taken)
