"""Permutation tests of paired differences, and Holm's correction for many of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray

FLIPS = 9_999
"""Random sign assignments; the smallest p-value is then 1 / 10,000."""

MOST_ENUMERATED = 13
"""With at most this many images all 2^N sign assignments are gone through, and the p-value is exact."""

_CHUNK = 512


def sign_flip_p_values(differences: npt.ArrayLike, seed: int) -> FloatArray:
    """Two-sided p-values of mean differences by flipping each image's sign.

    If two models were equally good, either could have made each of the two predictions of an image, so its difference
    could as well have the other sign (paired permutation test; Pitman 1937). The same flips serve all columns.

    Args:
        differences: `[N, D]`, D comparisons on the same N images.
        seed: of the flips.

    Returns:
        `[D]`, each in (0, 1].
    """
    values = np.asarray(differences, dtype=np.float64)
    observed = np.abs(values.sum(axis=0))
    # What differs only by rounding counts as equal, or ties would be decided by the order of summation.
    least = observed * (1 - 1e-6) - 1e-9
    n = len(values)
    if n <= MOST_ENUMERATED:
        bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return np.asarray((np.abs((2.0 * bits - 1) @ values) >= least).mean(axis=0))
    generator = np.random.default_rng(seed)
    single = values.astype(np.float32)
    at_least = np.zeros(values.shape[1])
    for start in range(0, FLIPS, _CHUNK):
        size = min(_CHUNK, FLIPS - start)
        drawn = np.unpackbits(np.frombuffer(generator.bytes(size * -(-n // 8)), np.uint8).reshape(size, -1), axis=1)
        signs = 2 * drawn[:, :n].astype(np.float32) - 1
        at_least += (np.abs(signs @ single) >= least).sum(axis=0)
    return np.asarray((1 + at_least) / (1 + FLIPS))


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """p-values adjusted for their number (Holm 1979): the chance of any false rejection stays below the level."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
