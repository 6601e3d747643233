"""Uncertainty and floors for means over images, and agreement between raters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def paired_bootstrap(
    counts: npt.ArrayLike, predictions: Sequence[FloatArray], statistic: Statistic, replicates: int, seed: int
) -> FloatArray:
    """Replicated mean of `statistic` for several predictors on the same resamples.

    Every replicate draws N images with replacement and, within each drawn image, as many raters as voted on it
    (multinomial from its observed distribution). All predictors see the same draws, so differences between columns
    are paired.

    Args:
        counts: votes `[N, C]`, every row with at least one vote.
        predictions: one `[N, C]` array per predictor.
        statistic: e.g. Jeffreys divergence at one epsilon.
        replicates: number of resamples.
        seed: makes the result reproducible.

    Returns:
        `[replicates, len(predictions)]`.
    """
    votes = np.asarray(counts, dtype=np.int64)
    observed, totals = human_distribution(votes), votes.sum(axis=1)
    n, classes = votes.shape
    rng = np.random.default_rng(seed)
    means = np.empty((replicates, len(predictions)))
    chunk = max(1, _CHUNK_CELLS // (n * classes))
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        drawn = rng.integers(0, n, size=(size, n))
        resampled = rng.multinomial(totals[drawn], observed[drawn]) / totals[drawn][..., None]
        for column, predicted in enumerate(predictions):
            means[start : start + size, column] = statistic(resampled, predicted[drawn]).mean(axis=1)
    return means


def estimate(observed: float, replicates: FloatArray) -> Estimate:
    """Percentile interval of the replicates, shifted so that they centre on the observed mean.

    Resampling raters adds noise that divergences turn into an upward shift of every replicate; only their spread
    is evidence about uncertainty. Images already vary by their raters' noise, so resampling both is conservative.

    Args:
        observed: the statistic on the data itself.
        replicates: `[R]` from `paired_bootstrap`.
    """
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(replicates - replicates.mean() + observed, [tail, 1 - tail])
    return Estimate(float(observed), float(low), float(high))


def split_half_humans(counts: npt.ArrayLike, statistic: Statistic, replicates: int, seed: int) -> float:
    """Mean statistic between two random halves of each image's raters: what n/2 people say of the other n/2.

    Images with fewer than two votes cannot be split and are left out; with an odd number one rater sits out.

    Raises:
        ValueError: no image has two votes.
    """
    votes = np.asarray(counts, dtype=np.int64)
    votes = votes[votes.sum(axis=1) >= 2]
    if len(votes) == 0:
        raise ValueError("no image has two votes to split")
    rng = np.random.default_rng(seed)
    total = 0.0
    for row in votes:
        half = int(row.sum()) // 2
        first = rng.multivariate_hypergeometric(row, half, size=replicates)
        rest = row - first
        if row.sum() % 2:
            rest = rest - np.array([rng.multivariate_hypergeometric(r, 1) for r in rest])
        total += float(statistic(first / half, rest / half).mean())
    return total / len(votes)


def perfect_model(counts: npt.ArrayLike, statistic: Statistic, replicates: int, seed: int) -> float:
    """Mean statistic of a model that knows each image's distribution exactly: pure sampling noise of n raters.

    The observed distribution stands in for the true one (plug-in), which understates the floor a little.
    """
    votes = np.asarray(counts, dtype=np.int64)
    rng = np.random.default_rng(seed)
    total = 0.0
    for row, truth in zip(votes, human_distribution(votes), strict=True):
        n = int(row.sum())
        sampled = rng.multinomial(n, truth, size=replicates) / n
        total += float(statistic(sampled, np.broadcast_to(truth, sampled.shape)).mean())
    return total / len(votes)


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
