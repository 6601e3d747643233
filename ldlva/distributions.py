"""Vote counts to distributions, and the one place where zeros are handled.

Nothing here clips, renormalises or drops silently: zero handling is `clip_and_renormalise`, and its constant is
printed beside every number that used it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EPSILON_GRID: tuple[float, ...] = (1e-2, 1e-3, 1e-4, 1e-7)
"""Clipping constants every Jeffreys divergence is reported at; a ranking is robust only if it holds at all of them."""

HEADLINE_EPSILON = 1e-3


def epsilon_name(epsilon: float) -> str:
    """`0.001` -> `"1e-3"`: the key used in every table and JSON output."""
    mantissa, exponent = f"{epsilon:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def check_distributions(distributions: npt.ArrayLike, name: str = "distributions") -> FloatArray:
    """Return `[N, C]` float64 rows, or raise.

    Raises:
        ValueError: not two-dimensional, no row, a negative or non-finite entry, or a row that does not sum to 1.
    """
    array = np.asarray(distributions, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] == 0:
        raise ValueError(f"{name} must have shape [N, C] with N >= 1, got {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"{name} must be finite and non-negative")
    sums = array.sum(axis=1)
    if not np.allclose(sums, 1.0, atol=1e-4):
        row = int(np.argmax(np.abs(sums - 1.0)))
        raise ValueError(f"{name} row {row} sums to {sums[row]:.6g}, not 1")
    return array


def human_distribution(vote_counts: npt.ArrayLike) -> FloatArray:
    """Vote counts `[N, C]` (non-negative integers) to relative frequencies `[N, C]`, rows summing to 1.

    Raises:
        ValueError: a row has no votes (leave such images out before asking), or a count is negative.
    """
    counts = np.asarray(vote_counts, dtype=np.float64)
    if counts.ndim != 2:
        raise ValueError(f"vote_counts must have shape [N, C], got {counts.shape}")
    if (counts < 0).any():
        raise ValueError("vote_counts must not be negative")
    totals = counts.sum(axis=1, keepdims=True)
    if (totals == 0).any():
        raise ValueError(f"vote_counts row {int(np.argmin(totals))} has no votes")
    return np.asarray(counts / totals)


def clip_and_renormalise(distributions: npt.ArrayLike, epsilon: float) -> FloatArray:
    """Raise every entry to at least `epsilon`, then divide each row by its sum. Works on the last axis.

    Raises:
        ValueError: `epsilon` is outside [0, 1).
    """
    if not 0 <= epsilon < 1:
        raise ValueError(f"epsilon must be in [0, 1), got {epsilon}")
    clipped = np.maximum(np.asarray(distributions, dtype=np.float64), epsilon)
    return np.asarray(clipped / clipped.sum(axis=-1, keepdims=True))


def entropy(distributions: npt.ArrayLike) -> FloatArray:
    """Shannon entropy in nats along the last axis, with 0 ln 0 = 0."""
    p = np.asarray(distributions, dtype=np.float64)
    logarithms = np.log(p, out=np.zeros_like(p), where=p > 0)
    # 0.0 - x instead of -x: a certain row is 0.0, never a confusing "-0.0" on a page.
    return np.asarray(0.0 - (p * logarithms).sum(axis=-1))
