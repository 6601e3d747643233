"""Earth mover's distance between distributions over labels that have a place on the valence-arousal circumplex.

Moving votes from fear to anger, which lie side by side, costs less than from fear to happiness: the one measure here
for which a near miss is better than a far one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray

MOST_LABELS = 9
"""The exact method lists the corners of a polytope: 924 for 7 labels, 12,870 for 9, too many beyond."""

_CHUNK_CELLS = 8_000_000


def ground_distances(coordinates: npt.ArrayLike) -> FloatArray:
    """Euclidean distances `[C, C]` between places `[C, 2]` (valence, arousal)."""
    places = np.asarray(coordinates, np.float64)
    return np.asarray(np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=-1)))


class EarthMovers:
    """The exact earth mover's distance with Euclidean cost between the places of C labels; a `Statistic`.

    By Kantorovich-Rubinstein duality the distance is the largest value of phi . (d - f) over the potentials phi with
    phi_i - phi_j <= cost_ij. Those form a polytope that depends on the places alone, so its corners are listed once,
    and the distance of any number of distributions is one matrix product and a maximum.

    Args:
        coordinates: `[C, 2]`, distinct places.

    Raises:
        ValueError: two labels share a place, a place is not finite, or there are fewer than 2 or more than
            `MOST_LABELS` labels.
    """

    def __init__(self, coordinates: npt.ArrayLike) -> None:
        places = np.asarray(coordinates, np.float64)
        if not 2 <= len(places) <= MOST_LABELS or not np.isfinite(places).all():
            raise ValueError(f"the earth mover's distance needs 2 to {MOST_LABELS} labels with finite places")
        self.distances = ground_distances(places)
        self.greatest = float(self.distances.max())
        """The largest distance two distributions can have."""
        self._potentials = _potentials(tuple(map(tuple, self.distances.tolist())))

    def __call__(self, d: npt.ArrayLike, f: npt.ArrayLike) -> FloatArray:
        """Distance of d and f along their last axis, broadcast. Range [0, greatest distance of two labels]."""
        surplus = np.asarray(d, np.float64) - np.asarray(f, np.float64)
        rows = surplus.reshape(-1, surplus.shape[-1])
        result = np.empty(len(rows))
        step = max(1, _CHUNK_CELLS // len(self._potentials))
        for start in range(0, len(rows), step):
            result[start : start + step] = (rows[start : start + step] @ self._potentials.T).max(axis=1)
        return np.maximum(result, 0.0).reshape(surplus.shape[:-1])


@cache
def _potentials(distances: tuple[tuple[float, ...], ...]) -> npt.NDArray[Any]:
    """Corners `[V, C]` of the potentials with phi_0 = 0.

    The polytope's polar has the points (e_i - e_j) / cost_ij as corners; its facets are wanted, which Qhull lists.
    """
    from scipy.spatial import ConvexHull  # slow to import, and only whoever computes needs it

    cost = np.array(distances)
    classes = len(cost)
    if (cost[~np.eye(classes, dtype=bool)] <= 0).any():
        raise ValueError("two labels share a place on the circumplex")
    if classes == 2:
        return np.array([[0.0, cost[0, 1]], [0.0, -cost[0, 1]]])
    unit = np.eye(classes)
    ordered = [(i, j) for i in range(classes) for j in range(classes) if i != j]
    points = np.array([(unit[i] - unit[j]) / cost[i, j] for i, j in ordered])[:, 1:]
    equations = ConvexHull(points).equations  # normal . x + offset <= 0
    corners = np.unique((equations[:, :-1] / -equations[:, -1:]).round(12), axis=0)
    return np.column_stack([np.zeros(len(corners)), corners])
