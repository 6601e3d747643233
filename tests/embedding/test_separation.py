"""Silhouette, Davies-Bouldin and k-NN purity against scikit-learn and against plain loops; intervals by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import davies_bouldin_score, silhouette_score
from sklearn.neighbors import NearestNeighbors

from ldlva.distributions import IntArray
from ldlva.embedding import separation as module
from ldlva.embedding.separation import NO_GROUP, Features, nearest_neighbors, separation


def draw(rng: np.random.Generator, faces: int, groups: int = 3, apart: float = 1.5) -> tuple[Features, IntArray]:
    codes = rng.integers(0, groups, faces)
    points = rng.normal(size=(faces, 6)) + apart * np.eye(6)[codes]
    return points.astype(np.float32), codes


@pytest.mark.parametrize("seed", range(4))
def test_the_three_measures_are_those_of_scikit_learn(seed: int) -> None:
    points, codes = draw(np.random.default_rng(seed), 120)
    found = separation(points, codes, replicates=20)
    assert found is not None
    assert found.silhouette.mean == pytest.approx(silhouette_score(points, codes), abs=1e-5)
    assert found.davies_bouldin.mean == pytest.approx(davies_bouldin_score(points, codes), rel=1e-5)
    near = NearestNeighbors(n_neighbors=found.k + 1).fit(points).kneighbors(points, return_distance=False)[:, 1:]
    assert found.purity.mean == pytest.approx((codes[near] == codes[:, None]).mean())
    for estimate in (found.silhouette, found.davies_bouldin, found.purity):
        assert estimate.low < estimate.mean < estimate.high
    assert found.k == 10


def test_neighbours_are_the_nearest_in_order_and_never_oneself() -> None:
    points, _ = draw(np.random.default_rng(0), 700)  # more than one block of rows
    expected = NearestNeighbors(n_neighbors=8, algorithm="brute").fit(points).kneighbors(return_distance=False)
    assert np.array_equal(nearest_neighbors(points, 8), expected)


def test_a_bootstrap_replicate_is_the_measure_of_the_drawn_faces_without_their_copies() -> None:
    """The weighted forms against the plain measure of a part of the faces, each drawn once."""
    points, codes = draw(np.random.default_rng(5), 40)
    drawn = (np.arange(40) % 3 > 0).astype(np.int64)[None]
    part = drawn[0] > 0
    distances = module.pairwise_distances(points)
    silhouettes = module._silhouettes(distances, codes, drawn)
    assert silhouettes[0] == pytest.approx(silhouette_score(points[part], codes[part]), abs=1e-5)
    bouldins = module._davies_bouldins(points, codes, drawn)
    assert bouldins[0] == pytest.approx(davies_bouldin_score(points[part], codes[part]), rel=1e-5)
    neighbors = nearest_neighbors(points, 39)
    purities = module._purities(neighbors, codes[neighbors] == codes[:, None], 4, drawn)
    near = nearest_neighbors(points[part], 4)
    assert purities[0] == pytest.approx((codes[part][near] == codes[part][:, None]).mean())


def test_copies_of_a_face_are_not_its_neighbours() -> None:
    """Were they, the purity of random groups would rise far above chance in every replicate."""
    rng = np.random.default_rng(1)
    points, codes = rng.normal(size=(200, 5)).astype(np.float32), rng.integers(0, 2, 200)
    neighbors = nearest_neighbors(points, 40)
    weights = rng.multinomial(200, np.full(200, 1 / 200), size=100)
    purities = module._purities(neighbors, codes[neighbors] == codes[:, None], 10, weights)
    assert abs(purities.mean() - 0.5) < 0.04


def test_intervals_cover_the_expected_value() -> None:
    """Of 40 intervals, at least 33 hold what the measure is in the mean over many draws of as many faces."""
    rng = np.random.default_rng(11)
    observed = []
    for _ in range(200):
        found = separation(*draw(rng, 80), replicates=1)
        assert found is not None
        observed.append([found.silhouette.mean, found.purity.mean])
    expected = np.mean(observed, axis=0)
    covered = np.zeros(2)
    for _ in range(40):
        found = separation(*draw(rng, 80), replicates=150)
        assert found is not None
        for column, interval in enumerate((found.silhouette, found.purity)):
            covered[column] += interval.low <= expected[column] <= interval.high
    assert (covered >= 33).all()


def test_shifting_turning_and_scaling_features_changes_nothing() -> None:
    points, codes = draw(np.random.default_rng(2), 90)
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(6, 6)))
    moved = (40 * (points @ turn) + 1000).astype(np.float32)
    first, second = separation(points, codes, replicates=50), separation(moved, codes, replicates=50)
    assert first is not None and second is not None
    for name in ("silhouette", "davies_bouldin", "purity"):
        assert getattr(first, name).mean == pytest.approx(getattr(second, name).mean, abs=2e-3)


def test_faces_without_a_group_do_not_count_and_one_group_is_no_separation() -> None:
    points, codes = draw(np.random.default_rng(4), 60)
    codes[:20] = NO_GROUP
    with_others = separation(points, codes, replicates=20)
    alone = separation(points[20:], codes[20:], replicates=20)
    assert with_others == alone
    assert separation(points, np.zeros(60, dtype=np.int64)) is None
    assert separation(points, np.full(60, NO_GROUP)) is None


def test_the_silhouette_of_many_faces_rests_on_a_part_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILHOUETTE_FACES", 100)
    points, codes = draw(np.random.default_rng(6), 300)
    found = separation(points, codes, replicates=20)
    assert found is not None
    assert (found.faces, found.silhouette_faces) == (300, 100)
    assert found.silhouette.mean == pytest.approx(silhouette_score(points, codes), abs=0.05)
