"""Does a model find ambiguous what people find ambiguous: Spearman's correlation of entropies over faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ldlva.distributions import FloatArray, IntArray, entropy
from ldlva.inference import Estimate, RaterPool, centred_interval

DIGITS = 9
"""Entropies that differ less count as ties: the same votes in another order must not rank differently."""


def entropy_correlations(pool: RaterPool, predictions: Sequence[FloatArray], replicates: int) -> list[Estimate | None]:
    """Spearman's correlation of people's and each model's entropies, with the pool's draws of images.

    Every face brings its own raters, whose noise lowers the correlation; drawing faces carries it along.

    Args:
        pool: votes of N images.
        predictions: M arrays `[N, C]`.
        replicates: R.

    Returns:
        One a model; None where one side has the same entropy on every face.
    """
    human = _groups(entropy(pool.observed))
    models = [_groups(entropy(predicted)) for predicted in predictions]
    observed = [_spearman(human, model) for model in models]
    resampled = np.empty((replicates, len(models)))
    for r, draw in enumerate(pool.draws(replicates)):
        images = draw % pool.images
        people = _midranks(human[images])
        for m, model in enumerate(models):
            resampled[r, m] = _pearson(people, _midranks(model[images]))
    result: list[Estimate | None] = []
    for m, value in enumerate(observed):
        usable = resampled[np.isfinite(resampled[:, m]), m]
        defined = np.isfinite(value) and len(usable) > 0
        result.append(centred_interval(float(value), usable, -1.0, 1.0) if defined else None)
    return result


def _groups(values: FloatArray) -> IntArray:
    """Numbers of the distinct values in rising order."""
    return np.unique(values.round(DIGITS), return_inverse=True)[1]


def _midranks(groups: IntArray) -> FloatArray:
    """Ranks by group number, ties sharing their mean rank."""
    sizes = np.bincount(groups)
    return np.asarray((np.cumsum(sizes) - (sizes - 1) / 2)[groups])


def _spearman(a: IntArray, b: IntArray) -> float:
    return _pearson(_midranks(a), _midranks(b))


def _pearson(a: FloatArray, b: FloatArray) -> float:
    """NaN where one side does not vary."""
    x, y = a - a.mean(), b - b.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else float("nan")
