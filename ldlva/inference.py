"""Uncertainty of means over images: a paired bootstrap over images and over raters within images.

The resampled votes are drawn once, as a pool of equally likely (image, votes) pairs. A replicate is N draws from the
pool with replacement, which is a draw of an image followed by a draw of its raters; every measure of every model is
computed once per member of the pool instead of once per replicate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray, human_distribution
from ldlva.measures import Statistic

CONFIDENCE = 0.95

POOL = 30_000
"""Least number of (image, votes) pairs: its own noise then changes a standard error by less than half a percent."""

FEWEST_REDRAWS = 8
"""Least number of redraws of every image's votes."""


@dataclass(frozen=True)
class Estimate:
    """A mean over images with the bounds of its confidence interval."""

    mean: float
    low: float
    high: float


class RaterPool:
    """Votes of N images, redrawn K times within every image (multinomial from its observed distribution).

    Args:
        counts: votes `[N, C]`, every row with at least one vote.
        seed: makes everything drawn from the pool reproducible.
    """

    def __init__(self, counts: npt.ArrayLike, seed: int) -> None:
        votes = np.asarray(counts, dtype=np.int64)
        self.observed = human_distribution(votes)
        totals = votes.sum(axis=1)
        self.images = len(votes)
        self.redraws = max(FEWEST_REDRAWS, -(-POOL // self.images))
        generator = np.random.default_rng(seed)
        shape = (self.redraws, self.images)
        self.votes = generator.multinomial(totals, self.observed, size=shape) / totals[:, None]
        """Distributions `[K, N, C]`."""
        self._seed = int(generator.integers(2**63))

    def values(self, statistics: Mapping[str, Statistic], predictions: Sequence[FloatArray]) -> npt.NDArray[np.float32]:
        """Every statistic of every prediction on the whole pool, `[K N, S M]`: statistics vary slowest.

        Single precision: a mean over images keeps six digits, its interval needs three.
        """
        columns = np.empty((self.redraws * self.images, len(statistics) * len(predictions)), dtype=np.float32)
        for s, statistic in enumerate(statistics.values()):
            for m, predicted in enumerate(predictions):
                columns[:, s * len(predictions) + m] = statistic(self.votes, predicted).reshape(-1)
        return columns

    def draws(self, replicates: int) -> list[npt.NDArray[np.int64]]:
        """Members of the pool, N a replicate; always the same ones, so that whatever uses them is paired."""
        generator = np.random.default_rng(self._seed)
        return [generator.integers(0, self.redraws * self.images, self.images) for _ in range(replicates)]

    def image_counts(self, replicates: int) -> npt.NDArray[np.float32]:
        """How often each image is drawn in each replicate, `[R, N]`."""
        counts = [np.bincount(draw % self.images, minlength=self.images) for draw in self.draws(replicates)]
        return np.array(counts, dtype=np.float32)

    def replicated_means(self, values: npt.NDArray[np.float32], replicates: int) -> FloatArray:
        """Means of columns of `values` `[K N, ...]` in every replicate, `[R, ...]`."""
        weights = np.full(self.images, 1 / self.images, dtype=np.float32)
        return np.array([weights @ values.take(draw, axis=0) for draw in self.draws(replicates)], dtype=np.float64)


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
    pool = RaterPool(counts, seed)
    return replicated(pool, predictions, statistics, replicates)


def replicated(
    pool: RaterPool, predictions: Sequence[FloatArray], statistics: Mapping[str, Statistic], replicates: int
) -> dict[str, FloatArray]:
    """`paired_bootstrap` on a pool that is there already."""
    means = pool.replicated_means(pool.values(statistics, predictions), replicates)
    count = len(predictions)
    return {name: means[:, s * count : (s + 1) * count] for s, name in enumerate(statistics)}


def estimate(values: FloatArray, replicates: FloatArray, minimum: float = -np.inf, maximum: float = np.inf) -> Estimate:
    """Percentile interval of the replicates, moved and rescaled to the mean of `values` and its standard error.

    Resampling raters adds noise that divergences turn into an upward shift of every replicate, so the replicates are
    centred on the observed mean. It also counts the raters' noise twice, since the images' own values carry it
    already; as Rao & Wu (JASA 1988) do for samples in two stages, the replicates are therefore rescaled to the
    standard error of a mean over images, s / sqrt(N), times Student's t over normal quantile for N images. Unscaled, a
    perfect model's interval covers its expected score nearly always instead of 95% of the time.

    Args:
        values: the statistic of every image, `[N]`.
        replicates: `[R]` from `paired_bootstrap`.
        minimum: the least value the statistic can take; no bound lies below it.
        maximum: the largest; no bound lies above it.
    """
    observed = float(values.mean())
    deviations = replicates - replicates.mean()
    if len(values) > 1 and (spread := deviations.std()) > 0:
        deviations = deviations * (_standard_error(values) / spread)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(deviations, [tail, 1 - tail]) + observed
    return Estimate(observed, max(float(low), minimum), min(float(high), maximum))


def _standard_error(values: FloatArray) -> float:
    """s / sqrt(N), wider by what few images do not tell about s."""
    from scipy.special import stdtrit  # slow to import, and the web process does not estimate

    widening = stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2) / NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return float(values.std(ddof=1) / np.sqrt(len(values)) * widening)


def centred_interval(
    observed: float, replicates: FloatArray, minimum: float = -np.inf, maximum: float = np.inf
) -> Estimate:
    """Percentile interval of replicates over images alone, moved to centre on the observed value."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(replicates - replicates.mean() + observed, [tail, 1 - tail])
    return Estimate(observed, max(float(low), minimum), min(float(high), maximum))
