"""The K neighbours of every training sample: the nearest in valence-arousal or feature space, or any."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import KDTree
from torch import Tensor

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
    _check_count(n, k)
    _, found = KDTree(points).query(points, k=k + 1, workers=-1)
    found = np.asarray(found, dtype=np.int64)
    # Where more than k samples coincide, a sample may be missing from its own list: then drop the last instead.
    is_self = found == np.arange(n)[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    neighbors: IntArray = found[~is_self].reshape(n, k)
    return neighbors


def nearest_in_features(features: Tensor, k: int, rows_at_once: int = 1024) -> Tensor:
    """Rows of the `k` samples with the nearest feature vectors (L2), nearest first.

    Args:
        features: `[N, D]`, any floating type, on any device.
        k: neighbours per sample, 1 <= k < N.
        rows_at_once: bounds the memory: N times this many distances exist at a time.

    Returns:
        int64 `[N, k]`; a row never contains its own index.

    Raises:
        TrainingError: fewer than k + 1 samples.
    """
    n = len(features)
    _check_count(n, k)
    points = features.float()
    found = []
    for start in range(0, n, rows_at_once):
        distances = torch.cdist(points[start : start + rows_at_once], points)
        rows = torch.arange(len(distances), device=points.device)
        distances[rows, rows + start] = torch.inf
        found.append(distances.topk(k, largest=False).indices)
    return torch.cat(found)


def random_neighbors(n: int, k: int) -> Tensor:
    """`k` different other rows for every sample, drawn with torch's generator. Returns int64 `[n, k]`.

    Raises:
        TrainingError: fewer than k + 1 samples.
    """
    _check_count(n, k)
    taken = torch.arange(n).unsqueeze(1)  # every row's own index, then also what it has drawn, ascending
    drawn = []
    for _ in range(k):
        row = torch.randint(n - taken.shape[1], (n, 1))
        for column in taken.T:  # the row-th of those not taken
            row += row >= column.unsqueeze(1)
        drawn.append(row)
        taken = torch.cat([taken, row], dim=1).sort(dim=1).values
    return torch.cat(drawn, dim=1)


def _check_count(n: int, k: int) -> None:
    if not 1 <= k < n:
        raise TrainingError(f"{k} neighbours need at least {k + 1} training images, there are {n}.")
