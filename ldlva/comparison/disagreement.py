"""Faces on which people disagree with each other, models with people, and models among themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ldlva.distributions import HEADLINE_EPSILON, FloatArray, IntArray, entropy, human_distribution
from ldlva.divergences import jeffreys_divergence, jensen_shannon_divergence

Z_95 = 1.959963984540054
NOBODY = -1
"""Majority of a face without votes, and choice of a model that has not predicted it."""


def ambiguity(counts: IntArray) -> FloatArray:
    """Entropy of the votes on every face in nats, `[N]`; NaN for a face without votes."""
    voted = counts.sum(axis=1) > 0
    found = np.full(len(counts), np.nan)
    if voted.any():
        found[voted] = entropy(human_distribution(counts[voted]))
    return found


def majority(counts: IntArray) -> IntArray:
    """The label with most votes, the first of several with equally many, `[N]`; `NOBODY` for a face without votes."""
    return np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), NOBODY)


def choice(predicted: FloatArray) -> IntArray:
    """A model's most probable label, `[N]`; `NOBODY` where it has not predicted."""
    known = ~np.isnan(predicted).any(axis=1)
    return np.where(known, np.nan_to_num(predicted).argmax(axis=1), NOBODY)


def divergence(counts: IntArray, predicted: FloatArray) -> FloatArray:
    """Jeffreys divergence of a model from the votes on every face, both clipped at 1e-3, `[N]`.

    NaN where there are no votes or no prediction. Few votes make it large by noise alone: compare faces with as many.
    """
    known = (counts.sum(axis=1) > 0) & ~np.isnan(predicted).any(axis=1)
    found = np.full(len(counts), np.nan)
    if known.any():
        found[known] = jeffreys_divergence(human_distribution(counts[known]), predicted[known], HEADLINE_EPSILON)
    return found


def conflict(predictions: Sequence[FloatArray]) -> FloatArray:
    """Mean Jensen-Shannon divergence over all pairs of models on every face, in nats, `[N]`.

    0 where all say the same, at most ln 2. NaN for a face that fewer than two models have predicted.
    """
    faces = len(predictions[0]) if predictions else 0
    total, pairs = np.zeros(faces), np.zeros(faces)
    for number, first in enumerate(predictions):
        for second in predictions[number + 1 :]:
            known = ~(np.isnan(first).any(axis=1) | np.isnan(second).any(axis=1))
            if known.any():
                total[known] += jensen_shannon_divergence(first[known], second[known])
                pairs[known] += 1
    return np.asarray(np.divide(total, pairs, out=np.full(faces, np.nan), where=pairs > 0))


def wilson_interval(counts: npt.ArrayLike, totals: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """95% score intervals of shares (Wilson, JASA 1927, Eq. 3-4), one share at a time; 0 to 1 where there are no votes.

    Args:
        counts: votes for the label, any shape.
        totals: all votes, of a shape that fits.
    """
    k, n = np.broadcast_arrays(np.asarray(counts, dtype=np.float64), np.asarray(totals, dtype=np.float64))
    safe = np.maximum(n, 1)
    share, square = k / safe, Z_95**2
    middle = (share + square / (2 * safe)) / (1 + square / safe)
    half = Z_95 * np.sqrt(share * (1 - share) / safe + square / (4 * safe**2)) / (1 + square / safe)
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    none = n == 0
    return np.where(none, 0.0, np.where(k == 0, 0.0, low)), np.where(none, 1.0, np.where(k == n, 1.0, high))


def highest_first(values: FloatArray) -> IntArray:
    """Rows by falling value, those without one last, ties in their order."""
    return np.argsort(np.where(np.isnan(values), np.inf, -values), kind="stable")


def top(values: FloatArray, count: int) -> IntArray:
    """The `count` rows with the highest values; fewer where fewer have one."""
    ordered = highest_first(values)
    return ordered[: min(count, int((~np.isnan(values)).sum()))]


def mean_divergence(counts: IntArray, predictions: Mapping[str, FloatArray]) -> FloatArray:
    """Mean of `divergence` over the models that predicted a face, `[N]`; NaN where none did or nobody voted."""
    values = np.array([divergence(counts, predicted) for predicted in predictions.values()])
    if len(values) == 0:
        return np.full(len(counts), np.nan)
    known = ~np.isnan(values)
    totals, models = np.where(known, values, 0).sum(axis=0), known.sum(axis=0)
    return np.asarray(np.divide(totals, models, out=np.full(len(counts), np.nan), where=models > 0))
