from __future__ import annotations

import numpy as np
import pytest

from ldlva.errors import TrainingError
from ldlva.training.neighbors import nearest_neighbors


def test_agrees_with_brute_force() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_array_equal(nearest_neighbors(points, 8), np.argsort(distance, axis=1)[:, :8])


def test_coinciding_samples_are_never_their_own_neighbours() -> None:
    points = np.zeros((50, 2))
    found = nearest_neighbors(points, 8)
    assert found.shape == (50, 8)
    assert not (found == np.arange(50)[:, None]).any()
    assert all(len(set(row)) == 8 for row in found.tolist())


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(TrainingError, match="8 neighbours need at least 9"):
        nearest_neighbors(np.zeros((8, 2)), 8)
