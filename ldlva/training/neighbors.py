"""The K neighbours of every training sample: the nearest in some space, or any."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import KDTree
from torch import Tensor

from ldlva.distributions import FloatArray, IntArray
from ldlva.errors import TrainingError


def nearest_neighbors(coordinates: npt.ArrayLike, k: int) -> IntArray:
    """Rows of the `k` nearest other samples, nearest first.

    Exact (Euclidean distance) and deterministic. Coordinates are often rounded or saturated, so many samples may lie
    on one spot, where a search tree compares each with each. So the tree holds every spot once. Of the samples on one
    spot, which are all equally near, a sample takes those that follow it in the data set, and the first follow the
    last: no few of them become everybody's neighbours.

    Args:
        coordinates: `[N, D]`, finite; valence and arousal, or class probabilities.
        k: neighbours per sample, 1 <= k < N.

    Returns:
        int64 `[N, k]`; a row never contains its own index, nor another twice.

    Raises:
        TrainingError: fewer than k + 1 samples.
    """
    points = np.asarray(coordinates, dtype=np.float64) + 0.0  # -0 becomes 0
    n = len(points)
    _check_count(n, k)

    # Samples ordered by spot, within a spot by row; spot s holds order[start[s] : start[s] + count[s]].
    order = np.lexsort(points.T[::-1])
    is_first = np.ones(n, dtype=bool)
    is_first[1:] = (points[order[1:]] != points[order[:-1]]).any(axis=1)
    start = np.flatnonzero(is_first)
    count = np.diff(start, append=n)
    spot = np.empty(n, dtype=np.int64)
    spot[order] = np.cumsum(is_first) - 1
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n) - start[spot[order]]

    spots, places = _spots_to_take_from(points[order[start]], count, k)
    taken, place = spots[spot], places[spot]
    # On its own spot a sample begins with the one after it; elsewhere where its own row number falls.
    first = np.where(taken == spot[:, None], rank[:, None] + 1, np.arange(n)[:, None])
    neighbors: IntArray = order[start[taken] + (first + place) % count[taken]]
    return neighbors


def _spots_to_take_from(positions: FloatArray, count: IntArray, k: int) -> tuple[IntArray, IntArray]:
    """For each spot, where its samples find their k neighbours.

    Args:
        positions: `[M, D]`, all different.
        count: `[M]` samples on every spot.
        k: neighbours per sample.

    Returns:
        int64 `[M, k]` twice: the spot of every neighbour, nearest first, and its place, counted from 0, among those
        taken from that spot.
    """
    own = np.arange(len(positions))
    spots = np.repeat(own[:, None], k, axis=1)
    places = np.repeat(np.arange(k)[None], len(positions), axis=0)
    small = np.flatnonzero(count <= k)
    if len(small) == 0 or len(positions) == 1:
        return spots, places
    # k + 1 spots hold enough samples, since each holds at least one and the first is one's own.
    width = min(k + 1, len(positions))
    _, found = KDTree(positions).query(positions[small], k=width, workers=-1)
    near = np.asarray(found, dtype=np.int64)
    # Spots closer than the distance can tell apart may come before one's own, or crowd it out: it goes first.
    is_own = near == small[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    near = np.concatenate([small[:, None], near[~is_own].reshape(len(small), width - 1)], axis=1)
    available = count[near]
    available[:, 0] -= 1  # oneself
    filled = np.cumsum(available, axis=1)
    for slot in range(k):
        which = (filled <= slot).sum(axis=1)
        rows = np.arange(len(small))
        spots[small, slot] = near[rows, which]
        places[small, slot] = slot - np.where(which > 0, filled[rows, which - 1], 0)
    return spots, places


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
