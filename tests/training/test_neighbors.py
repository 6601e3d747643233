from __future__ import annotations

import numpy as np
import pytest
import torch

from ldlva.errors import TrainingError
from ldlva.training.neighbors import nearest_in_features, nearest_neighbors, random_neighbors


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


@pytest.mark.parametrize("rows_at_once", [7, 1024])
def test_feature_neighbours_agree_with_brute_force(rows_at_once: int) -> None:
    features = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    distance = np.linalg.norm(features[:, None] - features[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    found = nearest_in_features(torch.from_numpy(features), 4, rows_at_once)
    np.testing.assert_array_equal(found.numpy(), np.argsort(distance, axis=1)[:, :4])


def test_random_neighbours_are_different_others_and_all_are_possible() -> None:
    torch.manual_seed(0)
    found = random_neighbors(9, 3)
    assert found.shape == (9, 3)
    assert all(len({i, *row}) == 4 for i, row in enumerate(found.tolist()))
    first = torch.stack([random_neighbors(4, 1)[0, 0] for _ in range(300)])
    assert torch.bincount(first)[1:].min() > 60
    assert sorted(random_neighbors(5, 4)[2].tolist()) == [0, 1, 3, 4]
    with pytest.raises(TrainingError, match="5 neighbours need at least 6"):
        random_neighbors(5, 5)
    with pytest.raises(TrainingError, match="5 neighbours need at least 6"):
        nearest_in_features(torch.zeros(5, 2), 5)
