"""How well groups of faces are told apart by a model's features: numbers in feature space, not in the picture.

t-SNE shows clusters where there are none and hides distances; these three look at the features themselves. All are
unchanged when features are shifted, turned or scaled, so models with other features can be compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray, IntArray
from ldlva.inference import Estimate, centred_interval

Features = npt.NDArray[np.float32]

NO_GROUP = -1
NEIGHBOURS = 10
SILHOUETTE_FACES = 2000
"""Silhouettes need all pairwise distances; of more faces than this a random part is taken, and said."""

REPLICATES = 500
METRIC = "euclidean"

_ROWS_AT_ONCE = 512
_SPARE = 4
"""Neighbours kept for each one asked for: a replicate leaves about a third of all faces out."""


@dataclass(frozen=True)
class Separation:
    """Three measures with 95% intervals (bootstrap over faces).

    Attributes:
        silhouette: mean over faces of (b − a) / max(a, b), in [−1, 1], higher is better separated (Rousseeuw 1987).
        davies_bouldin: mean over groups of the worst (S_i + S_j) / M_ij, at least 0, lower is better (Davies & Bouldin
            1979).
        purity: mean share of a face's k nearest neighbours that are of its group, in [0, 1].
        chance: what the purity would be if groups were dealt at random.
        k: of the purity.
        faces, groups: on how many the numbers rest.
        silhouette_faces: on how many the silhouette rests, where it is fewer.
        replicates: bootstrap replicates behind the intervals.
        metric: distance in feature space.
    """

    silhouette: Estimate
    davies_bouldin: Estimate
    purity: Estimate
    chance: float
    k: int
    faces: int
    groups: int
    silhouette_faces: int
    replicates: int = REPLICATES
    metric: str = METRIC

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def separation(features: Features, groups: IntArray, seed: int = 0, replicates: int = REPLICATES) -> Separation | None:
    """Measure how well `groups` are told apart.

    Every replicate draws N faces with replacement. A face drawn twice counts twice but is never its own neighbour.
    Intervals are percentile intervals moved to centre on the observed value (`inference.centred_interval`).

    Args:
        features: `[N, D]`.
        groups: int `[N]`, `NO_GROUP` for faces to leave out.
        seed: of the resampling.
        replicates: R.

    Returns:
        None where there are fewer than two groups with at least two faces, or no face more than groups.
    """
    grouped = groups != NO_GROUP
    points, codes = features[grouped], np.unique(groups[grouped], return_inverse=True)[1]
    sizes = np.bincount(codes)
    if len(sizes) < 2 or (sizes >= 2).sum() < 2:
        return None
    n = len(points)
    # Distances by way of products lose digits where all features lie far from the origin.
    points = points - points.mean(axis=0)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=replicates)
    k = max(1, min(NEIGHBOURS, (n - 1) // len(sizes)))
    sampled = np.sort(rng.choice(n, SILHOUETTE_FACES, replace=False)) if n > SILHOUETTE_FACES else np.arange(n)
    m = len(sampled)
    sampled_weights = weights if m == n else rng.multinomial(m, np.full(m, 1 / m), size=replicates)

    distances = pairwise_distances(points[sampled])
    part = np.unique(codes[sampled], return_inverse=True)[1]
    silhouettes = _silhouettes(distances, part, np.concatenate([np.ones((1, m), dtype=np.int64), sampled_weights]))
    bouldins = _davies_bouldins(points, codes, np.concatenate([np.ones((1, n), dtype=np.int64), weights]))
    neighbors = nearest_neighbors(points, min(n - 1, _SPARE * k))
    same = codes[neighbors] == codes[:, None]
    purities = _purities(neighbors, same, k, weights)
    return Separation(
        silhouette=centred_interval(float(silhouettes[0]), _defined(silhouettes[1:]), minimum=-1.0),
        davies_bouldin=centred_interval(float(bouldins[0]), _defined(bouldins[1:]), minimum=0.0),
        purity=centred_interval(float(same[:, :k].mean()), purities, minimum=0.0),
        chance=float((sizes * (sizes - 1)).sum() / (n * (n - 1))),
        k=k,
        faces=n,
        groups=len(sizes),
        silhouette_faces=m,
        replicates=replicates,
    )


def pairwise_distances(points: Features) -> npt.NDArray[np.float32]:
    """Euclidean distances `[N, N]`, exactly 0 on the diagonal."""
    wide = points.astype(np.float64)
    squares = (wide**2).sum(axis=1)
    products = wide @ wide.T
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))
    np.fill_diagonal(distances, 0)
    return np.asarray(distances, dtype=np.float32)


def nearest_neighbors(points: Features, count: int) -> IntArray:
    """The `count` nearest other faces of every face, nearest first, `[N, count]`; exact."""
    squares = (points**2).sum(axis=1)
    found = np.empty((len(points), count), dtype=np.int64)
    for start in range(0, len(points), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        nearness = squares - 2 * (points[rows] @ points.T)
        nearness[np.arange(len(nearness)), np.arange(start, start + len(nearness))] = np.inf
        near = np.argpartition(nearness, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(nearness, near, axis=1), axis=1, kind="stable")
        found[rows] = np.take_along_axis(near, order, axis=1)
    return found


def _defined(replicates: FloatArray) -> FloatArray:
    """Replicates in which two groups were drawn at all."""
    kept = replicates[np.isfinite(replicates)]
    return kept if len(kept) else np.zeros(1)


def _silhouettes(distances: npt.NDArray[np.float32], codes: IntArray, weights: IntArray) -> FloatArray:
    """Weighted mean silhouettes `[R]`; copies of one face are no neighbours of each other."""
    m, groups = len(codes), int(codes.max()) + 1
    member = np.zeros((m, groups), dtype=np.float32)
    member[np.arange(m), codes] = 1
    rows = np.arange(m)
    results = np.empty(len(weights))
    for replicate, drawn in enumerate(weights):
        weighted = member * drawn[:, None].astype(np.float32)
        sums = (distances @ weighted).astype(np.float64)
        sizes = weighted.sum(axis=0, dtype=np.float64)
        others = sizes[codes] - drawn
        within = np.divide(sums[rows, codes], others, out=np.zeros(m), where=others > 0)
        between = np.divide(sums, sizes, out=np.full_like(sums, np.inf), where=sizes > 0)
        between[rows, codes] = np.inf
        nearest = between.min(axis=1)
        largest = np.maximum(within, nearest)
        alone = (others <= 0) | ~np.isfinite(nearest) | (largest == 0)
        values = np.where(alone, 0.0, (nearest - within) / np.where(alone, 1.0, largest))
        present = (sizes > 0).sum() >= 2
        results[replicate] = (values * drawn).sum() / drawn.sum() if present else np.nan
    return results


def _davies_bouldins(points: Features, codes: IntArray, weights: IntArray) -> FloatArray:
    """Davies-Bouldin indices `[R]` of weighted faces."""
    replicates, groups = len(weights), int(codes.max()) + 1
    centroids = np.full((groups, replicates, points.shape[1]), np.nan)
    scatters = np.full((groups, replicates), np.nan)
    for group in range(groups):
        rows = codes == group
        drawn, wide = weights[:, rows].astype(np.float64), points[rows].astype(np.float64)
        totals = drawn.sum(axis=1)
        there = totals > 0
        centroid = (drawn[there] @ wide) / totals[there, None]
        centroids[group, there] = centroid
        squares = (wide**2).sum(axis=1)[:, None] + (centroid**2).sum(axis=1) - 2 * (wide @ centroid.T)
        away = np.sqrt(np.maximum(squares, 0))
        scatters[group, there] = (drawn[there].T * away).sum(axis=0) / totals[there]
    results = np.full(replicates, np.nan)
    for replicate in range(replicates):
        there = np.flatnonzero(np.isfinite(scatters[:, replicate]))
        if len(there) < 2:
            continue
        scatter, centroid = scatters[there, replicate], centroids[there, replicate]
        apart = np.linalg.norm(centroid[:, None] - centroid[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            results[replicate] = np.nan_to_num((scatter[:, None] + scatter) / apart, nan=0.0).max(axis=1).mean()
    return results


def _purities(neighbors: IntArray, same: npt.NDArray[np.bool_], k: int, weights: IntArray) -> FloatArray:
    """Weighted mean purities `[R]`: of every drawn face, the k nearest drawn others."""
    results = np.empty(len(weights))
    for replicate, drawn in enumerate(weights):
        counted = np.minimum(np.cumsum(drawn[neighbors], axis=1), k)
        shares = np.diff(counted, axis=1, prepend=0)
        found = counted[:, -1]
        pure = np.divide((shares * same).sum(axis=1), found, out=np.zeros(len(found)), where=found > 0)
        kept = drawn * (found > 0)
        results[replicate] = (pure * kept).sum() / max(1, kept.sum())
    return results
