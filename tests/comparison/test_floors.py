"""Enumeration and brute force as oracles."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest

from ldlva.comparison.floors import floors, perfect_model, split_halves
from ldlva.divergences import jeffreys_divergence, total_variation

JEFFREYS = partial(jeffreys_divergence, epsilon=1e-3)


def halved(counts: list[list[int]]) -> float:
    halves = split_halves(np.array(counts), seed=0)
    assert halves is not None
    return float(total_variation(halves.first, halves.second).mean())


def test_split_half_with_two_raters_is_their_disagreement() -> None:
    # Image 1: both chose the same; image 2: they differ, total variation 1.
    assert halved([[2, 0], [1, 1]]) == pytest.approx(0.5)


def test_split_half_leaves_single_votes_out_and_seats_all_but_one_of_an_odd_number() -> None:
    halves = split_halves(np.array([[3, 2], [1, 0]]), seed=0)
    assert halves is not None
    np.testing.assert_array_equal(halves.rows, [0])
    np.testing.assert_allclose((halves.first * 2).round(), halves.first * 2)  # two raters each
    np.testing.assert_allclose(halves.first.sum(axis=-1), 1)
    assert split_halves(np.array([[1, 0]]), seed=0) is None


def test_split_half_matches_exhaustive_enumeration() -> None:
    """All ways to split four raters two and two."""
    ballots = np.array([0, 0, 1, 2])
    values = []
    for pair in itertools.combinations(range(4), 2):
        rest = [i for i in range(4) if i not in pair]
        values.append(total_variation(np.eye(3)[ballots[list(pair)]].mean(0), np.eye(3)[ballots[rest]].mean(0)))
    assert halved([[2, 1, 1]]) == pytest.approx(np.mean(values), abs=0.01)


def test_perfect_model_floor_matches_brute_force_and_shrinks_with_raters() -> None:
    truth = np.array([0.5, 0.3, 0.2])
    counts = np.array([5, 3, 2])
    rng = np.random.default_rng(3)
    brute = np.mean([JEFFREYS(rng.multinomial(10, truth) / 10, truth) for _ in range(20_000)])
    floor = perfect_model(counts[None], {"j": JEFFREYS}, seed=4)["j"]
    assert floor == pytest.approx(brute, rel=0.05)
    assert perfect_model(counts[None] * 10, {"j": JEFFREYS}, seed=4)["j"] < floor / 3


def test_class_frequencies_leave_each_face_out() -> None:
    votes = np.array([[2, 0], [0, 2], [0, 2]])
    rows = floors(votes, {"1e-3": JEFFREYS, "tv": total_variation}, 0, split_halves(votes, 0))
    by_name = {floor.name: floor.values["tv"] for floor in rows}
    assert by_name["class frequencies"] == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert by_name["uniform"] == pytest.approx(0.5)
