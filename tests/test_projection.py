"""t-SNE keeps neighbours together, gives the same picture for the same seed, and refuses what it cannot do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ldlva.embedding.separation import nearest_neighbors
from ldlva.errors import ProjectionError
from ldlva.projection import ITERATIONS, check_perplexity, largest_perplexity, suitable_perplexity, tsne


def groups_of_features(faces: int, apart: float = 4.0) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(3)
    groups = np.arange(faces) % 3
    centres = apart * rng.normal(size=(3, 16))
    return (centres[groups] + rng.normal(size=(faces, 16))).astype(np.float32), groups


def test_groups_that_are_apart_stay_apart_and_the_seed_decides_the_picture() -> None:
    features, groups = groups_of_features(90)
    told: list[tuple[int, int]] = []
    first = tsne(features, 10, 0, lambda done, total: told.append((done, total)))
    assert first.coordinates.shape == (90, 2)
    nearest = nearest_neighbors(first.coordinates.astype(np.float32), 5)
    assert (groups[nearest] == groups[:, None]).mean() > 0.95
    assert told[-1] == (ITERATIONS, ITERATIONS)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert np.array_equal(tsne(features, 10, 0).coordinates, first.coordinates)
    assert np.isfinite(first.divergence)


def test_twenty_one_faces_can_be_mapped() -> None:
    features, _ = groups_of_features(21)
    assert suitable_perplexity(21) == largest_perplexity(21) == 6
    assert np.isfinite(tsne(features, 6, 0).coordinates).all()


@pytest.mark.parametrize(("perplexity", "faces"), [(7, 21), (1, 21), (2, 6)])
def test_an_impossible_perplexity_is_refused_with_what_is_possible(perplexity: float, faces: int) -> None:
    with pytest.raises(ProjectionError, match=r"allow 2 to 6|at least 7 faces"):
        check_perplexity(perplexity, faces)


def test_the_usual_perplexity_is_used_where_it_can_be() -> None:
    assert [suitable_perplexity(faces) for faces in (7, 50, 91, 10_000)] == [2, 16, 30, 30]


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_features_without_a_difference_or_without_a_value_are_refused(value: float) -> None:
    with pytest.raises(ProjectionError, match=r"not finite|the same features"):
        tsne(np.full((30, 4), value, dtype=np.float32), 5, 0)
