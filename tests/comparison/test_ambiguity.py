"""SciPy's Spearman correlation is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from ldlva.comparison.ambiguity import entropy_correlations
from ldlva.distributions import entropy
from ldlva.inference import RaterPool


def test_the_correlation_is_scipys_and_its_interval_draws_faces() -> None:
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.full(7, 0.4), 60)
    counts, predicted = rng.multinomial(10, truth), 0.8 * truth + 0.2 / 7
    pool = RaterPool(counts, 1)
    [found] = entropy_correlations(pool, [predicted], 50)
    assert found is not None
    people, model = entropy(counts / 10).round(9), entropy(predicted)
    assert found.mean == pytest.approx(spearmanr(people, model).statistic)
    slow = np.array([spearmanr(people[i % 60], model[i % 60]).statistic for i in pool.draws(50)])
    low, high = np.quantile(slow - slow.mean() + found.mean, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, min(high, 1)))


def test_predictions_that_are_equally_sure_everywhere_have_no_correlation() -> None:
    counts = np.random.default_rng(0).multinomial(10, np.full(7, 1 / 7), 20)
    assert entropy_correlations(RaterPool(counts, 0), [np.full((20, 7), 1 / 7)], 10) == [None]
