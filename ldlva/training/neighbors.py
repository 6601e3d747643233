"""The K nearest neighbours of every training sample in valence-arousal space."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from ldlva.distributions import IntArray
from ldlva.errors import TrainingError


def nearest_neighbors(valence_arousal: npt.ArrayLike, k: int) -> IntArray:
    """Rows of the `k` nearest other samples, nearest first.

    Args:
        valence_arousal: `[N, 2]`.
        k: neighbours per sample, 1 <= k < N.

    Returns:
        int64 `[N, k]`; a row never contains its own index, also where samples coincide.

    Raises:
        TrainingError: fewer than k + 1 samples.
    """
    points = np.asarray(valence_arousal, dtype=np.float64)
    n = len(points)
    if not 1 <= k < n:
        raise TrainingError(f"{k} neighbours need at least {k + 1} training images, there are {n}.")
    _, found = KDTree(points).query(points, k=k + 1, workers=-1)
    found = np.asarray(found, dtype=np.int64)
    # Where more than k samples coincide, a sample may be missing from its own list: then drop the last instead.
    is_self = found == np.arange(n)[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    neighbors: IntArray = found[~is_self].reshape(n, k)
    return neighbors
