"""How many raters a model is worth: the number of people whose mean vote predicts the crowd as well as the model.

After "survey equivalence" (Resnick, Kong, Schoenebeck & Weninger 2021, arXiv:2106.01254), with the quadratic score and
the plain mean of the raters, for which it has a closed form. Let p be a face's distribution over all imaginable raters.
The mean of k raters misses p by (1 - |p|^2) / k in expected squared distance, the model by |f - p|^2; a further vote,
as a one-hot vector, is missed by both 1 - |p|^2 farther. So the model equals

    k = mean (1 - |p|^2) / mean |f - p|^2

raters. From n >= 2 votes with distribution d, 1 - |p|^2 is estimated without bias by the share u of rater pairs that
disagree, and |f - p|^2 by |f - d|^2 - u / n. No zero handling and no clipping is involved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray, IntArray, human_distribution
from ldlva.divergences import squared_distance
from ldlva.inference import CONFIDENCE

NOTHING = 1e-5
"""A miss of less than this share of the scatter is rounding."""


@dataclass(frozen=True)
class RaterEquivalence:
    """Number of raters with its interval, each infinite where the data cannot tell the model from the crowd itself.

    `votes` is the mean number of votes behind a face: a number beyond it rests on the formula, not on a panel of that
    size that was observed.
    """

    raters: float
    low: float
    high: float
    votes: float

    @property
    def beyond_the_data(self) -> bool:
        return self.raters > self.votes

    def __str__(self) -> str:
        """The number with its interval, or "more than" what the data holds."""
        if self.beyond_the_data:
            return f"more than {self.votes:.0f}"
        high = f"{self.high:.1f}" if np.isfinite(self.high) else "∞"
        return f"{self.raters:.1f} [{self.low:.1f}, {high}]"


def disagreement(counts: IntArray) -> FloatArray:
    """Share of rater pairs of each face `[N, C]` that chose different labels, `[N]`; every face needs two votes."""
    n = counts.sum(axis=1)
    return np.asarray(1 - (counts * (counts - 1)).sum(axis=1) / (n * (n - 1)))


def rater_equivalence(
    counts: IntArray, predicted: FloatArray, weights: npt.NDArray[np.float32]
) -> RaterEquivalence | None:
    """How many raters a model is worth on faces with at least two votes; None if there is no such face.

    Args:
        counts: votes `[N, C]`.
        predicted: `[N, C]`.
        weights: how often each face is drawn in each replicate, `[R, N]` (`RaterPool.image_counts`). Every face
            brings its own raters, so drawing faces alone already carries the raters' noise.
    """
    n = counts.sum(axis=1)
    if not (n >= 2).any():
        return None
    usable = n >= 2
    scatter, excess = np.zeros(len(counts)), np.zeros(len(counts))
    scatter[usable] = disagreement(counts[usable])
    distance = squared_distance(human_distribution(counts[usable]), predicted[usable])
    excess[usable] = distance - scatter[usable] / n[usable]
    # Faces with one vote weigh nothing, in the sums and in every replicate.
    sums = (weights @ np.column_stack([scatter, excess]).astype(np.float32)).astype(np.float64)
    replicates = _ratio(sums[:, 0], sums[:, 1])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail], method="nearest")
    value = _ratio(np.array([scatter.sum()]), np.array([excess.sum()]))[0]
    return RaterEquivalence(float(value), float(low), float(high), float(n[usable].mean()))


def _ratio(scatter: FloatArray, excess: FloatArray) -> FloatArray:
    """Infinite where the model misses the crowd by nothing measurable."""
    return np.asarray(np.divide(scatter, excess, out=np.full(scatter.shape, np.inf), where=excess > NOTHING * scatter))
