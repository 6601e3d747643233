from __future__ import annotations

import numpy as np
import pytest

from ldlva.comparison.scoring import score
from ldlva.distributions import human_distribution
from ldlva.divergences import jeffreys_divergence


def test_score_reproduces_the_published_floor_of_a_one_hot_majority() -> None:
    """A unanimous face predicted with certainty scores 0; one vote off scores what the formula says."""
    counts = np.array([[10, 0, 0, 0, 0, 0, 0], [9, 1, 0, 0, 0, 0, 0]])
    one_hot = np.zeros((2, 7))
    one_hot[:, 0] = 1
    d = jeffreys_divergence(counts / 10, one_hot, 1e-3)
    result = score(human_distribution(counts), one_hot, counts)
    assert d[0] == 0
    assert result["jeffreys"]["1e-3"] == pytest.approx(d.mean())
    assert set(result) == {"jeffreys", "soft_cross_entropy", "js", "intervals"}


def test_score_intervals_cover_the_mean_with_raters_and_without() -> None:
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.ones(7), 300)
    votes = rng.multinomial(10, truth)
    for counts in (votes, None):
        result = score(votes / 10, truth, counts)
        low, high = result["intervals"]["jeffreys"]["1e-3"]
        assert low < result["jeffreys"]["1e-3"] < high
        standard_error = jeffreys_divergence(votes / 10, truth, 1e-3).std() / np.sqrt(300)
        assert 3.5 * standard_error < high - low < 4.4 * standard_error
