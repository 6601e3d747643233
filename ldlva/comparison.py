"""Models against people on the images of one study: the numbers behind the Compare page. Arrays in, report out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from ldlva.distributions import (
    EPSILON_GRID,
    HEADLINE_EPSILON,
    FloatArray,
    IntArray,
    check_distributions,
    epsilon_name,
    human_distribution,
)
from ldlva.divergences import jeffreys_divergence, jensen_shannon_divergence, soft_cross_entropy
from ldlva.inference import (
    CONFIDENCE,
    Estimate,
    Statistic,
    estimate,
    paired_bootstrap,
    perfect_model,
    split_half_humans,
)

REPLICATES = 2000
FEWEST_IMAGES = 5
"""With fewer, a bootstrap over images has too little to resample: nothing is ranked."""
FLOOR_REPLICATES = 200
SCORE_REPLICATES = 500
"""For a single model on a whole data set: thousands of faces, where 500 give the bounds to two digits."""

STATISTICS: dict[str, Statistic] = {
    **{epsilon_name(e): partial(jeffreys_divergence, epsilon=e) for e in EPSILON_GRID},
    "soft_cross_entropy": soft_cross_entropy,
    "js": jensen_shannon_divergence,
}
"""Everything reported per predictor; the Jeffreys divergences under the name of their clipping constant."""

COMPANIONS = ("soft_cross_entropy", "js")

HEADLINE = epsilon_name(HEADLINE_EPSILON)
GRID = tuple(epsilon_name(e) for e in EPSILON_GRID)


@dataclass(frozen=True)
class ModelScore:
    """One model's means over images (`STATISTICS` keys) and its headline Jeffreys divergence per image `[N]`."""

    name: str
    estimates: dict[str, Estimate]
    accuracy: float
    per_image: FloatArray


@dataclass(frozen=True)
class Floor:
    """A reference row: what chance, the class frequencies, other people or a perfect model would score."""

    name: str
    meaning: str
    values: dict[str, float]


@dataclass(frozen=True)
class Difference:
    """Model `closer` against model `farther` on `images` faces: farther minus closer, per clipping constant."""

    closer: str
    farther: str
    images: int
    estimates: dict[str, Estimate]

    @property
    def same_order_everywhere(self) -> bool:
        return all(value.mean > 0 for value in self.estimates.values())

    @property
    def robust(self) -> bool:
        """The order holds, with an interval that excludes zero, at every clipping constant, on enough images."""
        return self.images >= FEWEST_IMAGES and all(value.low > 0 for value in self.estimates.values())


@dataclass(frozen=True)
class Comparison:
    """Models sorted from closest to people to farthest at the headline constant."""

    rows: IntArray
    votes_per_image: tuple[int, int]
    models: tuple[ModelScore, ...]
    floors: tuple[Floor, ...]
    differences: tuple[Difference, ...]
    left_out: dict[str, int]

    def verdict(self) -> list[str]:
        """The ranking in words, one sentence for the closest model against each other one."""
        return [_sentence(difference) for difference in self.differences]

    def to_json(self) -> dict[str, Any]:
        """The means, intervals and verdict as plain data."""
        return {
            "headline_epsilon": HEADLINE,
            "epsilons": list(GRID),
            "zero_handling": "both distributions clipped at epsilon and renormalised",
            "confidence": CONFIDENCE,
            "n": len(self.rows),
            "votes_per_image": list(self.votes_per_image),
            "left_out": self.left_out,
            "models": [
                {
                    "name": model.name,
                    "jeffreys": {key: asdict(model.estimates[key]) for key in GRID},
                    "soft_cross_entropy": asdict(model.estimates["soft_cross_entropy"]),
                    "js": asdict(model.estimates["js"]),
                    "accuracy": model.accuracy,
                }
                for model in self.models
            ],
            "floors": [
                {
                    "name": floor.name,
                    "jeffreys": {key: floor.values[key] for key in GRID},
                    "soft_cross_entropy": floor.values["soft_cross_entropy"],
                    "js": floor.values["js"],
                }
                for floor in self.floors
            ],
            "differences": [
                {
                    "closer": difference.closer,
                    "farther": difference.farther,
                    "jeffreys": {key: asdict(value) for key, value in difference.estimates.items()},
                    "robust": difference.robust,
                }
                for difference in self.differences
            ],
            "verdict": self.verdict(),
        }


def compare(counts: IntArray, predictions: Mapping[str, FloatArray], seed: int = 0) -> Comparison:
    """Score every model on the images that have votes and a prediction of every model, so that all are paired.

    Args:
        counts: votes `[N, C]`; rows without votes are left out and counted.
        predictions: model name to `[N, C]`; a row of NaN means the model has none for that image.
        seed: of the bootstrap and the floors.

    Raises:
        ValueError: no model, no image left, or a prediction that is not a distribution.
    """
    if not predictions:
        raise ValueError("there is no model to compare")
    voted = counts.sum(axis=1) > 0
    predicted = np.all([~np.isnan(p).any(axis=1) for p in predictions.values()], axis=0)
    rows = np.flatnonzero(voted & predicted)
    if len(rows) == 0:
        raise ValueError("no image has both votes and a prediction of every model")
    votes = counts[rows]
    human = human_distribution(votes)
    names = list(predictions)
    arrays = [check_distributions(predictions[name][rows], name) for name in names]

    observed = {key: np.array([f(human, p).mean() for p in arrays]) for key, f in STATISTICS.items()}
    replicates = paired_bootstrap(votes, arrays, STATISTICS, REPLICATES, seed)
    order = np.argsort(observed[HEADLINE], kind="stable")
    headline = STATISTICS[HEADLINE]
    models = tuple(
        ModelScore(
            name=names[m],
            estimates={key: estimate(observed[key][m], replicates[key][:, m], minimum=0.0) for key in STATISTICS},
            accuracy=accuracy(votes, arrays[m]),
            per_image=headline(human, arrays[m]),
        )
        for m in order
    )
    best = order[0]
    differences = tuple(
        Difference(
            closer=names[best],
            farther=names[m],
            images=len(rows),
            estimates={
                key: estimate(observed[key][m] - observed[key][best], replicates[key][:, m] - replicates[key][:, best])
                for key in GRID
            },
        )
        for m in order[1:]
    )
    per_image = votes.sum(axis=1)
    return Comparison(
        rows=rows,
        votes_per_image=(int(per_image.min()), int(per_image.max())),
        models=models,
        floors=floors(votes, seed),
        differences=differences,
        left_out={"without votes": int((~voted).sum()), "without a prediction": int((voted & ~predicted).sum())},
    )


def floors(votes: IntArray, seed: int) -> tuple[Floor, ...]:
    """Reference rows for votes `[N, C]`, best first.

    The first two rest on images with at least two votes: a single vote says nothing about how much votes scatter.
    """
    human = human_distribution(votes)
    result = []
    if len(several := votes[votes.sum(axis=1) >= 2]) > 0:
        noise = perfect_model(several, STATISTICS, FLOOR_REPLICATES, seed)
        meaning = "knows every face's distribution; what is left is the noise of this many raters"
        result.append(Floor("perfect model", meaning, noise))
        halves = split_half_humans(several, STATISTICS, FLOOR_REPLICATES, seed)
        result.append(Floor("split-half people", "one half of the raters predicts the other half", halves))
    if len(votes) >= 2:
        # Leave one out: an image's own votes must not be part of what predicts it.
        prior = (human.sum(axis=0) - human) / (len(votes) - 1)
        result.append(_fixed("class frequencies", "every face gets the mean distribution of the others", human, prior))
    uniform = np.full_like(human, 1 / human.shape[1])
    result.append(_fixed("uniform", "every emotion equally likely", human, uniform))
    return tuple(sorted(result, key=lambda floor: floor.values[HEADLINE]))


def _fixed(name: str, meaning: str, human: FloatArray, predicted: FloatArray) -> Floor:
    return Floor(name, meaning, {key: float(f(human, predicted).mean()) for key, f in STATISTICS.items()})


def score(reference: FloatArray, predicted: FloatArray, votes: IntArray | None, seed: int = 0) -> dict[str, Any]:
    """Means over faces with their 95% intervals for one model on a data set: the output of the `evaluate` command.

    Args:
        reference: what the model is measured against, as distributions `[N, C]`.
        predicted: `[N, C]`.
        votes: the votes behind `reference`, `[N, C]`, whose raters are then resampled too; None: faces only.
        seed: of the bootstrap.
    """
    check_distributions(predicted)
    per_face = {key: f(reference, predicted) for key, f in STATISTICS.items()}
    means = {key: float(values.mean()) for key, values in per_face.items()}
    if votes is not None:
        resampled = paired_bootstrap(votes, [predicted], STATISTICS, SCORE_REPLICATES, seed)
        replicates = {key: values[:, 0] for key, values in resampled.items()}
    else:
        drawn = np.random.default_rng(seed).integers(0, len(reference), (SCORE_REPLICATES, len(reference)))
        replicates = {key: values[drawn].mean(axis=1) for key, values in per_face.items()}
    bounds = {key: estimate(means[key], values, minimum=0.0) for key, values in replicates.items()}
    intervals = {key: [bound.low, bound.high] for key, bound in bounds.items()}

    def grouped(values: Mapping[str, Any]) -> dict[str, Any]:
        return {"jeffreys": {key: values[key] for key in GRID}, **{key: values[key] for key in COMPANIONS}}

    return {**grouped(means), "intervals": grouped(intervals)}


def accuracy(votes: IntArray, predicted: FloatArray) -> float:
    """Share of images whose most probable label has the most votes; any label tied for most counts."""
    top = predicted.argmax(axis=1)
    return float((votes[np.arange(len(votes)), top] == votes.max(axis=1)).mean())


def _sentence(difference: Difference) -> str:
    closer, farther = difference.closer, difference.farther
    if difference.images < FEWEST_IMAGES:
        return f"Too few faces with votes ({difference.images}) to rank {closer} and {farther}."
    if not difference.same_order_everywhere:
        return (
            f"Whether {closer} or {farther} is closer to people depends on the zero-handling constant: "
            "this data gives no ranking of the two."
        )
    ranked = f"{closer} is closer to people than {farther} at every zero-handling constant"
    if not difference.robust:
        return f"{ranked}, but on {difference.images} faces a 95% interval of the difference includes zero: unsettled."
    return f"{ranked}, and no 95% interval of the difference includes zero: the ranking is robust."
