"""One model on a whole data set: the numbers of the `evaluate` command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ldlva.distributions import FloatArray, IntArray, check_distributions
from ldlva.inference import estimate, paired_bootstrap
from ldlva.measures import COMPANIONS, GRID, measures

REPLICATES = 500
"""Thousands of faces, where these give the bounds to two digits."""

SCORED = (*GRID, *COMPANIONS)


def score(reference: FloatArray, predicted: FloatArray, votes: IntArray | None, seed: int = 0) -> dict[str, Any]:
    """Means over faces with their 95% intervals.

    Args:
        reference: what the model is measured against, as distributions `[N, C]`.
        predicted: `[N, C]`.
        votes: the votes behind `reference`, `[N, C]`, whose raters are then resampled too; None: faces only.
        seed: of the bootstrap.
    """
    check_distributions(predicted)
    known = measures(None)
    statistics = {key: known[key].function for key in SCORED}
    per_face = {key: f(reference, predicted) for key, f in statistics.items()}
    means = {key: float(values.mean()) for key, values in per_face.items()}
    if votes is not None:
        resampled = paired_bootstrap(votes, [predicted], statistics, REPLICATES, seed)
        replicates = {key: values[:, 0] for key, values in resampled.items()}
    else:
        drawn = np.random.default_rng(seed).integers(0, len(reference), (REPLICATES, len(reference)))
        replicates = {key: values[drawn].mean(axis=1) for key, values in per_face.items()}
    bounds = {key: estimate(per_face[key], values, minimum=0.0) for key, values in replicates.items()}
    intervals = {key: [bound.low, bound.high] for key, bound in bounds.items()}

    def grouped(values: Mapping[str, Any]) -> dict[str, Any]:
        return {"jeffreys": {key: values[key] for key in GRID}, **{key: values[key] for key in COMPANIONS}}

    return {**grouped(means), "intervals": grouped(intervals)}
