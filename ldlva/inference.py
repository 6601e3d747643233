"""Uncertainty and floors for means over images, and agreement between raters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import krippendorff
import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray, IntArray, human_distribution

Statistic = Callable[[FloatArray, FloatArray], FloatArray]
"""Human distributions `[..., C]` and predictions `[..., C]` to one value per row `[...]`."""

CONFIDENCE = 0.95
_CHUNK_CELLS = 2_000_000


@dataclass(frozen=True)
class Estimate:
    """A mean over images with the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


def paired_bootstrap(
    counts: npt.ArrayLike,
    predictions: Sequence[FloatArray],
    statistics: Mapping[str, Statistic],
    replicates: int,
    seed: int,
) -> dict[str, FloatArray]:
    """Replicated means of several statistics for several predictors, all on the same resamples.

    Every replicate draws N images with replacement and, within each drawn image, as many raters as voted on it
    (multinomial from its observed distribution). All predictors see the same draws, so differences between columns
    are paired.

    Args:
        counts: votes `[N, C]`, every row with at least one vote.
        predictions: M arrays `[N, C]`, one per predictor.
        statistics: by name, e.g. Jeffreys divergence at one epsilon.
        replicates: R, number of resamples.
        seed: makes the result reproducible.

    Returns:
        `[R, M]` per statistic.
    """
    votes = np.asarray(counts, dtype=np.int64)
    observed, totals = human_distribution(votes), votes.sum(axis=1)
    n, classes = votes.shape
    rng = np.random.default_rng(seed)
    means = {name: np.empty((replicates, len(predictions))) for name in statistics}
    chunk = max(1, _CHUNK_CELLS // (n * classes))
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        drawn = rng.integers(0, n, size=(size, n))
        resampled = rng.multinomial(totals[drawn], observed[drawn]) / totals[drawn][..., None]
        for column, predicted in enumerate(predictions):
            for name, statistic in statistics.items():
                means[name][start : start + size, column] = statistic(resampled, predicted[drawn]).mean(axis=1)
    return means


def estimate(observed: float, replicates: FloatArray, minimum: float = -np.inf) -> Estimate:
    """Percentile interval of the replicates, shifted so that they centre on the observed mean.

    Resampling raters adds noise that divergences turn into an upward shift of every replicate; only their spread
    is evidence about uncertainty. Images already vary by their raters' noise, so resampling both is conservative.

    Args:
        observed: the statistic on the data itself.
        replicates: `[R]` from `paired_bootstrap`.
        minimum: the least value the statistic can take; no bound lies below it.
    """
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(replicates - replicates.mean() + observed, [tail, 1 - tail])
    return Estimate(float(observed), max(float(low), minimum), float(high))


def split_half_humans(
    counts: npt.ArrayLike, statistics: Mapping[str, Statistic], replicates: int, seed: int
) -> dict[str, float]:
    """Mean statistics between two random halves of each image's raters: what n/2 people say of the other n/2.

    Images with fewer than two votes cannot be split and are left out; with an odd number one rater sits out.

    Raises:
        ValueError: no image has two votes.
    """
    votes = np.asarray(counts, dtype=np.int64)
    votes = votes[votes.sum(axis=1) >= 2]
    if len(votes) == 0:
        raise ValueError("no image has two votes to split")
    rng = np.random.default_rng(seed)
    one_hot = np.eye(votes.shape[1])
    totals = dict.fromkeys(statistics, 0.0)
    for row in votes:
        ballots = np.repeat(np.arange(len(row)), row)
        half = len(ballots) // 2
        dealt = one_hot[rng.permuted(np.tile(ballots, (replicates, 1)), axis=1)]
        first, second = dealt[:, :half].mean(axis=1), dealt[:, half : 2 * half].mean(axis=1)
        for name, statistic in statistics.items():
            totals[name] += float(statistic(first, second).mean())
    return {name: total / len(votes) for name, total in totals.items()}


def perfect_model(
    counts: npt.ArrayLike, statistics: Mapping[str, Statistic], replicates: int, seed: int
) -> dict[str, float]:
    """Mean statistics of a model that knows each image's distribution exactly: pure sampling noise of n raters.

    The observed distribution stands in for the true one (plug-in), which understates the floor a little.
    """
    votes = np.asarray(counts, dtype=np.int64)
    rng = np.random.default_rng(seed)
    totals = dict.fromkeys(statistics, 0.0)
    for row, truth in zip(votes, human_distribution(votes), strict=True):
        n = int(row.sum())
        sampled = rng.multinomial(n, truth, size=replicates) / n
        for name, statistic in statistics.items():
            totals[name] += float(statistic(sampled, truth).mean())
    return {name: total / len(votes) for name, total in totals.items()}


def krippendorff_alpha(counts: IntArray) -> float | None:
    """Krippendorff's alpha (nominal) from votes `[N, C]`; 1 perfect, 0 chance.

    None where it is undefined: no image with two votes, or only one label ever chosen.
    """
    rated = counts[counts.sum(axis=1) >= 2]
    if len(rated) == 0 or (rated.sum(axis=0) > 0).sum() < 2:
        return None
    return float(krippendorff.alpha(value_counts=rated, level_of_measurement="nominal"))


def pairwise_agreement(counts: IntArray) -> FloatArray:
    """Share of rater pairs that chose the same label, `[N]`; NaN for an image with fewer than two votes."""
    n = counts.sum(axis=1).astype(np.float64)
    same = (counts * (counts - 1)).sum(axis=1)
    return np.asarray(np.divide(same, n * (n - 1), out=np.full(len(counts), np.nan), where=n >= 2))
