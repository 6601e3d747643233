"""Measures between a human distribution d and a predicted distribution f.

Every function takes two arrays whose last axis are the C classes, rows summing to 1, broadcasts them, and returns one
value per row. Logarithms are natural. Formulas: `docs/methods.md`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray, clip_and_renormalise

Measure = Callable[[npt.ArrayLike, npt.ArrayLike], FloatArray]


def _p_log_p_over_q(p: FloatArray, q: FloatArray) -> FloatArray:
    """p ln(p / q) with 0 ln 0 = 0, and +inf where q is 0 but p is not."""
    p, q = np.broadcast_arrays(p, q)
    with np.errstate(divide="ignore"):
        ratio = np.divide(p, q, out=np.ones(p.shape), where=p > 0)
    return np.asarray(p * np.log(ratio))


def kullback_leibler_divergence(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    """KL(d || f) = sum_j d_j ln(d_j / f_j); infinite where f_j = 0 < d_j. Range [0, inf]."""
    return np.asarray(_p_log_p_over_q(np.asarray(d, np.float64), np.asarray(f, np.float64)).sum(axis=-1))


def jeffreys_divergence(d: npt.ArrayLike, f: npt.ArrayLike, epsilon: float) -> FloatArray:
    """Jeffreys divergence of d and f after clipping both at `epsilon` and renormalising. Range [0, inf).

    sum_j (d_j - f_j) ln(d_j / f_j) = KL(d||f) + KL(f||d) (Jeffreys 1946; supplement of Le et al. 2023, Eq. 1-2).
    The supplement states no zero handling, so absolute values compare only within one `epsilon`; print it.

    Raises:
        ValueError: `epsilon` is not positive (the divergence would be infinite at any zero count).
    """
    if epsilon <= 0:
        raise ValueError("epsilon must be positive: Jeffreys divergence is infinite where a count is zero")
    p, q = clip_and_renormalise(d, epsilon), clip_and_renormalise(f, epsilon)
    return np.asarray(((p - q) * (np.log(p) - np.log(q))).sum(axis=-1))


def jensen_shannon_divergence(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    """JS(d, f) = (KL(d||m) + KL(f||m)) / 2 with m = (d + f) / 2; finite with zeros, no clipping. Range [0, ln 2]."""
    p, q = np.asarray(d, np.float64), np.asarray(f, np.float64)
    middle = (p + q) / 2
    return np.asarray((_p_log_p_over_q(p, middle) + _p_log_p_over_q(q, middle)).sum(axis=-1) / 2)


def soft_cross_entropy(d: npt.ArrayLike, f: npt.ArrayLike, epsilon: float = 1e-7) -> FloatArray:
    """-sum_j d_j ln f_j: linear in d, hence unbiased at any number of raters. Range [0, inf).

    Only f is clipped at `epsilon` and renormalised; the default leaves any float32 softmax practically unchanged.
    """
    return np.asarray(-(np.asarray(d, np.float64) * np.log(clip_and_renormalise(f, epsilon))).sum(axis=-1))


def total_variation(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    """Total variation distance, half the L1 distance. Range [0, 1]."""
    return np.asarray(np.abs(np.asarray(d, np.float64) - np.asarray(f, np.float64)).sum(axis=-1) / 2)


def clipped_kullback_leibler(d: npt.ArrayLike, f: npt.ArrayLike, epsilon: float = 1e-7) -> FloatArray:
    """KL(d || f) with only f clipped at `epsilon` and renormalised, as in `soft_cross_entropy`. Range [0, inf)."""
    return kullback_leibler_divergence(d, clip_and_renormalise(f, epsilon))


def chebyshev_distance(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    """max_j |d_j - f_j| (Geng 2016, Table 2). Range [0, 1]."""
    return np.asarray(np.abs(np.asarray(d, np.float64) - np.asarray(f, np.float64)).max(axis=-1))


def clark_distance(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    """sqrt(sum_j (d_j - f_j)^2 / (d_j + f_j)^2), 0 / 0 = 0 (Geng 2016, Table 2). Range [0, sqrt(C)]."""
    return np.asarray(np.sqrt((_relative_difference(d, f) ** 2).sum(axis=-1)))


def canberra_distance(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    """sum_j |d_j - f_j| / (d_j + f_j), 0 / 0 = 0 (Geng 2016, Table 2). Range [0, C]."""
    return np.asarray(_relative_difference(d, f).sum(axis=-1))


def cosine_similarity(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    """d . f / (|d| |f|) (Geng 2016, Table 2); larger is closer. Range [0, 1]."""
    p, q = np.asarray(d, np.float64), np.asarray(f, np.float64)
    lengths = np.sqrt((p * p).sum(axis=-1) * (q * q).sum(axis=-1))
    return np.asarray((p * q).sum(axis=-1) / lengths)


def intersection_similarity(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    """sum_j min(d_j, f_j), which is 1 - total variation (Geng 2016, Table 2); larger is closer. Range [0, 1]."""
    return np.asarray(np.minimum(np.asarray(d, np.float64), np.asarray(f, np.float64)).sum(axis=-1))


def squared_distance(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    """sum_j (d_j - f_j)^2. Range [0, 2]."""
    return np.asarray(((np.asarray(d, np.float64) - np.asarray(f, np.float64)) ** 2).sum(axis=-1))


def hits_majority(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    """1 where the most probable label of f has the most votes, else 0. Range [0, 1].

    Any label tied for most votes counts. Of several labels that f finds equally most probable one is drawn at random,
    in expectation: uniform predictions do not profit from the order of the labels.
    """
    p, q = np.broadcast_arrays(np.asarray(d, np.float64), np.asarray(f, np.float64))
    chosen = q == q.max(axis=-1, keepdims=True)
    return np.asarray((chosen & (p == p.max(axis=-1, keepdims=True))).sum(axis=-1) / chosen.sum(axis=-1))


def _relative_difference(d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
    p, q = np.broadcast_arrays(np.asarray(d, np.float64), np.asarray(f, np.float64))
    total = p + q
    return np.asarray(np.divide(np.abs(p - q), total, out=np.zeros(total.shape), where=total > 0))
