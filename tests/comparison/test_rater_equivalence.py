"""Enumeration of small panels and simulation as oracles."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ldlva.comparison.rater_equivalence import RaterEquivalence, disagreement, rater_equivalence
from ldlva.inference import RaterPool


def worth(counts: np.ndarray, predicted: np.ndarray) -> RaterEquivalence:
    found = rater_equivalence(counts, predicted, RaterPool(counts, 0).image_counts(500))
    assert found is not None
    return found


@pytest.mark.parametrize("k", [1, 2, 3])
def test_k_raters_miss_a_held_out_one_by_the_formula(k: int) -> None:
    """Every panel of k raters against every rater left out, in squared distance: (1 + 1 / k) times disagreement."""
    ballots = np.eye(3)[[0, 0, 1, 2, 0]]
    misses = [
        ((ballots[list(panel)].mean(axis=0) - ballots[other]) ** 2).sum()
        for panel in itertools.combinations(range(5), k)
        for other in set(range(5)) - set(panel)
    ]
    assert np.mean(misses) == pytest.approx((1 + 1 / k) * disagreement(np.array([[3, 1, 1]]))[0])


@pytest.mark.parametrize("panel", [1, 3, 8])
def test_a_panel_of_k_raters_is_worth_k_raters(panel: int) -> None:
    rng = np.random.default_rng(panel)
    truth = rng.dirichlet(np.full(7, 0.5), 3000)
    found = worth(rng.multinomial(12, truth), rng.multinomial(panel, truth) / panel)
    assert found.raters == pytest.approx(panel, rel=0.08)
    assert found.low < panel < found.high
    assert str(found).startswith(f"{found.raters:.1f} [")


def test_a_perfect_model_is_worth_more_than_the_data_can_tell() -> None:
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.full(7, 0.5), 400)
    found = worth(rng.multinomial(10, truth), truth)
    assert found.beyond_the_data
    assert str(found) == "more than 10"


def test_intervals_cover_the_panel_about_95_percent_of_the_time() -> None:
    hits = 0
    for study in range(200):
        rng = np.random.default_rng(study)
        truth = rng.dirichlet(np.full(7, 0.5), 60)
        found = worth(rng.multinomial(10, truth), rng.multinomial(3, truth) / 3)
        hits += found.low <= 3 <= found.high
    assert 0.89 <= hits / 200 <= 0.99


def test_single_votes_say_nothing_about_raters() -> None:
    counts = np.eye(7, dtype=np.int64)
    assert rater_equivalence(counts, np.full((7, 7), 1 / 7), np.ones((3, 7), np.float32)) is None
