"""Agreement between raters, from votes per image alone: coefficients, their jackknife intervals, pairwise agreement.

A vote is for one label, or, where several may be ticked, for a set of labels: sets that share labels are then closer to
each other than sets that share none (`masi_distances`).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray, IntArray, entropy
from ldlva.inference import Estimate

NORMAL_QUANTILE = 1.959964
"""Of a 95% interval from a jackknife standard error."""


def krippendorff_alpha(counts: IntArray, distances: FloatArray | None = None) -> float | None:
    """Krippendorff's alpha from votes `[N, C]`; 1 perfect, 0 chance.

    alpha = 1 - (n - 1) sum_i sum_ck n_ic n_ik d_ck / (n_i - 1) / sum_ck n_c n_k d_ck over the images with at least two
    votes (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").

    None where it is undefined: no image with two votes, or only one label ever chosen.

    Args:
        counts: votes.
        distances: d, how far the answers are from each other `[C, C]`, 0 from themselves; None: 1 (nominal).
    """
    parts = _alpha_parts(counts, distances)
    value = _alpha(parts.disagreement.sum(), parts.totals, distances)
    return None if np.isnan(value) else float(value)


def alpha_over_images(counts: IntArray, distances: FloatArray | None = None) -> Estimate | None:
    """Krippendorff's alpha with a jackknife interval over images: would other faces have given the same?"""
    alpha = krippendorff_alpha(counts, distances)
    if alpha is None:
        return None
    parts = _alpha_parts(counts, distances)
    left_out = _alpha(parts.disagreement.sum() - parts.disagreement, parts.totals - parts.counts, distances)
    return jackknife_interval(alpha, left_out)


def alpha_over_raters(
    counts: IntArray,
    raters: npt.NDArray[np.int64],
    images: npt.NDArray[np.int64],
    choices: npt.NDArray[np.int64],
    distances: FloatArray | None = None,
) -> Estimate | None:
    """Krippendorff's alpha with a jackknife interval over raters: would other people have given the same?

    Args:
        counts: votes `[N, C]`, exactly those listed.
        raters: who cast each vote `[V]`, from 0.
        images: row of each vote.
        choices: column of each vote.
        distances: as for `krippendorff_alpha`.
    """
    alpha = krippendorff_alpha(counts, distances)
    if alpha is None:
        return None
    order = np.argsort(raters, kind="stable")
    starts = np.flatnonzero(np.diff(raters[order], prepend=-1))
    parts = _alpha_parts(counts, distances)
    left_out = []
    for votes in np.split(order, starts[1:]):
        rows, position = np.unique(images[votes], return_inverse=True)
        fewer = counts[rows].copy()
        np.subtract.at(fewer, (position, choices[votes]), 1)
        changed = _alpha_parts(fewer, distances)
        disagreement = parts.disagreement.sum() - parts.disagreement[rows].sum() + changed.disagreement.sum()
        totals = parts.totals - parts.counts[rows].sum(axis=0) + changed.totals
        left_out.append(float(_alpha(disagreement, totals, distances)))
    return jackknife_interval(alpha, np.array(left_out))


def masi_distances(sets: Sequence[Set[int]]) -> FloatArray:
    """How far sets of labels are from each other, `[S, S]`, 0 to 1 (Passonneau 2006, "Measuring agreement on set-valued
    items (MASI) for semantic and pragmatic annotation").

    1 - J M: J is the share of the two sets' labels that both have (Jaccard), M is 1 for equal sets, 2/3 where one
    contains the other, 1/3 where they overlap, and 0 where they share nothing.
    """

    def likeness(one: Set[int], other: Set[int]) -> float:
        shared = len(one & other) / len(one | other)
        if one == other:
            return 1.0
        return shared * (2 / 3 if one <= other or other <= one else 1 / 3)

    return np.array([[1 - likeness(one, other) for other in sets] for one in sets]).reshape(len(sets), len(sets))


def jackknife_interval(value: float, left_out: FloatArray) -> Estimate | None:
    """Normal 95% interval with the delete-one jackknife's standard error (Efron & Stein 1981).

    Args:
        value: on all the data.
        left_out: without each unit in turn `[U]`; NaN where undefined then, which makes the interval undefined.
    """
    n = len(left_out)
    if n < 2 or not np.isfinite(left_out).all():
        return None
    error = np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
    return Estimate(value, max(-1.0, value - NORMAL_QUANTILE * error), min(1.0, value + NORMAL_QUANTILE * error))


def fleiss_kappa(counts: IntArray) -> float | None:
    """Fleiss' kappa (1971) from votes `[N, C]`: (P - P_e) / (1 - P_e), P the mean over images of the share of rater
    pairs that agree, P_e the sum of the squared shares of the labels in all votes.

    Images with fewer than two votes are left out. With unequal numbers of votes an image counts once, however many
    voted on it; Fleiss defined it for equal ones. None where it is undefined.
    """
    rated = counts[counts.sum(axis=1) >= 2]
    if len(rated) == 0:
        return None
    shares = rated.sum(axis=0) / rated.sum()
    chance = float((shares**2).sum())
    return None if chance >= 1 else (float(pairwise_agreement(rated).mean()) - chance) / (1 - chance)


def pairwise_agreement(counts: IntArray) -> FloatArray:
    """Share of rater pairs that chose the same label, `[N]`; NaN for an image with fewer than two votes."""
    n = counts.sum(axis=1).astype(np.float64)
    same = (counts * (counts - 1)).sum(axis=1)
    return np.asarray(np.divide(same, n * (n - 1), out=np.full(len(counts), np.nan), where=n >= 2))


def vote_entropy(counts: IntArray) -> FloatArray:
    """Entropy of each image's votes in nats, `[N]`; NaN for an image without votes."""
    n = counts.sum(axis=1, keepdims=True)
    return np.where(n[:, 0] > 0, entropy(counts / np.maximum(n, 1)), np.nan)


@dataclass(frozen=True)
class Agreement:
    """How well raters agree on the images of one study. Means are over images; None where nothing is defined."""

    images: int
    votes: int
    alpha: Estimate | None
    """With a jackknife interval over images."""
    fleiss_kappa: float | None
    pairwise: float | None
    entropy: float | None
    """Of the labels in an image's votes; where several may be ticked, each tick is one of them."""


def agreement(counts: IntArray) -> Agreement:
    """All coefficients from votes `[N, C]` for one label each; "none of these" may be one of the C choices."""
    return Agreement(
        images=int((counts.sum(axis=1) > 0).sum()),
        votes=int(counts.sum()),
        alpha=_alpha_estimate(counts, None),
        fleiss_kappa=fleiss_kappa(counts),
        pairwise=_mean(pairwise_agreement(counts)),
        entropy=_mean(vote_entropy(counts)),
    )


def set_agreement(counts: IntArray, sets: Sequence[Set[int]]) -> Agreement:
    """What can be said where a vote is for several labels at once: no coefficient that takes ticks for people.

    Args:
        counts: votes `[N, S]`, a column for every set of labels that was ticked.
        sets: columns of the labels, of every set.
    """
    return Agreement(
        images=int((counts.sum(axis=1) > 0).sum()),
        votes=int(counts.sum()),
        alpha=_alpha_estimate(counts, masi_distances(sets)),
        fleiss_kappa=None,
        pairwise=None,
        entropy=_mean(vote_entropy(label_counts(counts, sets))),
    )


def label_counts(counts: IntArray, sets: Sequence[Set[int]]) -> IntArray:
    """How often each label was ticked `[N, C]`, up to the last that was; arguments as for `set_agreement`."""
    labels = 1 + max((label for one in sets for label in one), default=0)
    has = np.array([[label in one for label in range(labels)] for one in sets], dtype=np.int64)
    return np.asarray(counts @ has.reshape(len(sets), labels))


def _alpha_estimate(counts: IntArray, distances: FloatArray | None) -> Estimate | None:
    """With an interval where there is one."""
    alpha = alpha_over_images(counts, distances)
    if alpha is None and (value := krippendorff_alpha(counts, distances)) is not None:
        return Estimate(value, float("nan"), float("nan"))
    return alpha


def _mean(values: FloatArray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


@dataclass(frozen=True)
class _AlphaParts:
    """Of images with two votes or more: votes `[N, C]` (others zero), disagreement `[N]`, totals `[C]`."""

    counts: FloatArray
    disagreement: FloatArray
    totals: FloatArray


def _alpha_parts(counts: IntArray, distances: FloatArray | None) -> _AlphaParts:
    n = counts.sum(axis=1)
    paired = np.where(n[:, None] >= 2, counts, 0).astype(np.float64)
    sizes = paired.sum(axis=1)
    pairs = _pairs(paired, distances)
    disagreement = np.divide(pairs, sizes - 1, out=np.zeros(len(counts)), where=sizes >= 2)
    return _AlphaParts(paired, disagreement, paired.sum(axis=0))


def _pairs(counts: FloatArray, distances: FloatArray | None) -> FloatArray:
    """Sum of the distances between all ordered pairs of votes `[..., C]`."""
    if distances is None:
        return np.asarray(counts.sum(axis=-1) ** 2 - (counts**2).sum(axis=-1))
    return np.asarray(((counts @ distances) * counts).sum(axis=-1))


def _alpha(disagreement: npt.ArrayLike, totals: FloatArray, distances: FloatArray | None) -> FloatArray:
    """NaN where only one label was ever chosen. `totals` `[..., C]`."""
    n = totals.sum(axis=-1)
    expected = _pairs(totals, distances)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - (n - 1) * np.asarray(disagreement) / expected, np.nan)
