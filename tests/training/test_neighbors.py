from __future__ import annotations

import numpy as np
import pytest
import torch

from ldlva.errors import TrainingError
from ldlva.training.neighbors import nearest_in_features, nearest_neighbors, random_neighbors


@pytest.mark.parametrize("width", [2, 7])
def test_agrees_with_brute_force(width: int) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (200, width))
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_array_equal(nearest_neighbors(points, 8), np.argsort(distance, axis=1)[:, :8])


def test_coinciding_samples_are_never_their_own_neighbours() -> None:
    points = np.zeros((50, 2))
    found = nearest_neighbors(points, 8)
    assert found.shape == (50, 8)
    assert not (found == np.arange(50)[:, None]).any()
    assert all(len(set(row)) == 8 for row in found.tolist())


def layouts() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    spread = rng.uniform(-1, 1, (300, 2))
    third = spread.copy()
    third[rng.permutation(300)[:100]] = (0.81, 0.51)
    return {
        "grid": spread.round(1),
        "a third on one spot": third,
        "two spots": np.repeat([[0.0, 0.0], [1.0, 0.0]], [297, 3], axis=0),
        "pairs": np.repeat(spread[:150], 2, axis=0),
        "closer than a distance can tell": spread * 1e-200,
        "probabilities": np.repeat(rng.dirichlet(np.ones(7), 20).round(1), 15, axis=0),
        "zeros of both signs": np.where(spread > 0, 0.0, -0.0),
    }


@pytest.mark.parametrize("name", layouts())
@pytest.mark.parametrize("k", [1, 8])
def test_coinciding_samples_get_the_nearest_too(name: str, k: int) -> None:
    points = layouts()[name]
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    found = nearest_neighbors(points, k)
    np.testing.assert_array_equal(np.take_along_axis(distance, found, axis=1), np.sort(distance, axis=1)[:, :k])
    assert all(len({i, *row}) == k + 1 for i, row in enumerate(found.tolist()))
    np.testing.assert_array_equal(found, nearest_neighbors(points, k))


def test_no_few_of_coinciding_samples_are_everybodys_neighbours() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    points[:200] = (0.81, 0.51)
    assert np.bincount(nearest_neighbors(points, 8).ravel(), minlength=400)[:200].max() <= 16


def test_as_many_neighbours_as_there_are_others() -> None:
    points = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    assert nearest_neighbors(points, 3).tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [2, 1, 0]]


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
