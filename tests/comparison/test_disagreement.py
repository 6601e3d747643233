"""Ambiguity, divergence, conflict and Wilson intervals against SciPy and plain loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import binomtest
from scipy.stats import entropy as scipy_entropy

from ldlva.comparison import disagreement
from ldlva.distributions import FloatArray, IntArray


@pytest.fixture
def faces() -> tuple[IntArray, list[FloatArray]]:
    """Votes on 9 faces, the last without any; three models, of which the second has not seen the first face."""
    rng = np.random.default_rng(0)
    counts = rng.multinomial(10, rng.dirichlet(np.ones(4), 9)).reshape(9, 4)
    counts[8] = 0
    models = [rng.dirichlet(np.ones(4), 9) for _ in range(3)]
    models[1][0] = np.nan
    return counts, models


def test_ambiguity_is_the_entropy_of_the_votes(faces: tuple[IntArray, list[FloatArray]]) -> None:
    counts, _ = faces
    found = disagreement.ambiguity(counts)
    assert found[:8] == pytest.approx([scipy_entropy(row) for row in counts[:8]])
    assert np.isnan(found[8])


def test_conflict_is_the_mean_over_pairs_of_models(faces: tuple[IntArray, list[FloatArray]]) -> None:
    _, models = faces
    found = disagreement.conflict(models)
    for row in range(9):
        pairs = [pair for pair in combinations(models, 2) if not np.isnan([pair[0][row], pair[1][row]]).any()]
        assert found[row] == pytest.approx(np.mean([jensenshannon(a[row], b[row]) ** 2 for a, b in pairs]))
    assert np.isnan(disagreement.conflict(models[:1])).all()
    assert np.isnan(disagreement.conflict(models[:2])[0])
    assert disagreement.conflict([models[0], models[0]]) == pytest.approx(np.zeros(9), abs=1e-12)


def test_divergence_is_jeffreys_clipped(faces: tuple[IntArray, list[FloatArray]]) -> None:
    counts, models = faces
    found = disagreement.divergence(counts, models[1])
    assert np.isnan(found[[0, 8]]).all()
    people, model = np.maximum(counts[3] / 10, 1e-3), np.maximum(models[1][3], 1e-3)
    people, model = people / people.sum(), model / model.sum()
    assert found[3] == pytest.approx(((people - model) * np.log(people / model)).sum())
    mean = disagreement.mean_divergence(counts, dict(zip("abc", models, strict=True)))
    each = [disagreement.divergence(counts, one) for one in models]
    assert mean[3] == pytest.approx(np.mean([one[3] for one in each]))
    assert mean[0] == pytest.approx(np.mean([each[0][0], each[2][0]]))
    assert np.isnan(mean[8])
    assert np.isnan(disagreement.mean_divergence(counts, {})).all()


def test_majority_and_choice_know_when_there_is_none(faces: tuple[IntArray, list[FloatArray]]) -> None:
    _, models = faces
    assert disagreement.majority(np.array([[2, 2, 0], [0, 0, 0]])).tolist() == [0, disagreement.NOBODY]
    assert disagreement.choice(models[1])[0] == disagreement.NOBODY
    assert disagreement.choice(models[0]).tolist() == models[0].argmax(axis=1).tolist()


@pytest.mark.parametrize(("votes", "total"), [(0, 10), (3, 10), (10, 10), (1, 1), (40, 97)])
def test_intervals_are_wilsons(votes: int, total: int) -> None:
    low, high = disagreement.wilson_interval(votes, total)
    expected = binomtest(votes, total).proportion_ci(method="wilson")
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_without_votes_a_share_may_be_anything() -> None:
    low, high = disagreement.wilson_interval([0, 2], [0, 4])
    assert (low[0], high[0]) == (0, 1)


def test_highest_first_puts_the_unknown_last_and_top_leaves_them_out() -> None:
    values = np.array([1.0, np.nan, 3.0, 1.0])
    assert disagreement.highest_first(values).tolist() == [2, 0, 3, 1]
    assert disagreement.top(values, 9).tolist() == [2, 0, 3]
