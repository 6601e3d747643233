"""SciPy's linear programming is the oracle of the earth mover's distance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from ldlva.circumplex import MOST_LABELS, EarthMovers, ground_distances
from ldlva.emotions import EMOTION_NAMES, valence_arousal_coordinates

EMOTIONS = valence_arousal_coordinates()


def transport(cost: np.ndarray, d: np.ndarray, f: np.ndarray) -> float:
    """The cheapest plan that moves d to f."""
    n = len(d)
    conditions = np.zeros((2 * n, n * n))
    for i in range(n):
        conditions[i, i * n : (i + 1) * n] = 1
        conditions[n + i, i::n] = 1
    return float(linprog(cost.ravel(), A_eq=conditions, b_eq=np.concatenate([d, f])).fun)


def places(count: int) -> np.ndarray:
    return EMOTIONS if count == 7 else np.random.default_rng(count).uniform(-1, 1, (count, 2))


@pytest.mark.parametrize("count", [2, 3, 5, 7, 8])
def test_distances_are_those_of_the_linear_programme(count: int) -> None:
    rng = np.random.default_rng(0)
    d, f = rng.dirichlet(np.full(count, 0.3), 12), rng.dirichlet(np.full(count, 0.3), 12)
    found = EarthMovers(places(count))(d, f)
    expected = [transport(ground_distances(places(count)), a, b) for a, b in zip(d, f, strict=True)]
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_labels_on_a_line_are_the_difference_of_distribution_functions() -> None:
    line = np.column_stack([np.array([-0.5, 0.0, 0.1, 0.9]), np.zeros(4)])
    d, f = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.3, 0.2, 0.1])
    expected = (np.abs(np.cumsum(d - f))[:-1] * np.diff(line[:, 0])).sum()
    assert EarthMovers(line)(d, f) == pytest.approx(expected)


def test_a_near_miss_is_nearer_than_a_far_one() -> None:
    one_hot = dict(zip(EMOTION_NAMES, np.eye(7), strict=True))
    distance = EarthMovers(EMOTIONS)
    near, far = distance(one_hot["fear"], one_hot["anger"]), distance(one_hot["fear"], one_hot["happiness"])
    assert near == pytest.approx(np.hypot(-0.64 + 0.51, 0.60 - 0.59))
    assert near < far <= distance.greatest
    assert distance(one_hot["fear"], one_hot["fear"]) == 0
    assert distance(np.eye(7)[None], np.eye(7)[:, None]).shape == (7, 7)


@pytest.mark.parametrize(
    "bad", [np.zeros((3, 2)), np.array([[0.0, np.nan], [1, 1]]), np.zeros((1, 2)), np.zeros((MOST_LABELS + 1, 2))]
)
def test_labels_without_places_of_their_own_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError):
        EarthMovers(bad)
