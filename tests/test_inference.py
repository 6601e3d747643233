"""Simulation and brute force as oracles."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from ldlva import inference
from ldlva.divergences import jeffreys_divergence, soft_cross_entropy, total_variation

JEFFREYS = partial(jeffreys_divergence, epsilon=1e-3)


def simulated(images: int, raters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(7, 0.4), images)
    return rng.multinomial(raters, truth), truth


def test_bootstrap_is_reproducible_and_paired() -> None:
    counts, truth = simulated(12, 10, 0)
    a = inference.paired_bootstrap(counts, [truth, truth], {"j": JEFFREYS}, 50, seed=1)["j"]
    b = inference.paired_bootstrap(counts, [truth, truth], {"j": JEFFREYS}, 50, seed=1)["j"]
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a[:, 0], a[:, 1])


def test_the_pool_of_redrawn_votes_gives_the_spread_of_drawing_them_anew() -> None:
    """The textbook two-stage bootstrap, slowly: faces with replacement, then raters of each drawn face."""
    counts, truth = simulated(25, 6, 0)
    rng = np.random.default_rng(5)
    slow = []
    for _ in range(4000):
        drawn = rng.integers(0, 25, 25)
        votes = rng.multinomial(6, counts[drawn] / 6) / 6
        slow.append(JEFFREYS(votes, truth[drawn]).mean())
    fast = inference.paired_bootstrap(counts, [truth], {"j": JEFFREYS}, 4000, seed=1)["j"][:, 0]
    assert fast.std() == pytest.approx(np.std(slow), rel=0.05)
    assert fast.mean() == pytest.approx(np.mean(slow), rel=0.03)


def test_replicated_means_are_means_of_the_drawn_members() -> None:
    counts, truth = simulated(12, 10, 0)
    pool = inference.RaterPool(counts, seed=3)
    means = inference.replicated(pool, [truth], {"j": JEFFREYS, "t": total_variation}, 5)
    values = {"j": JEFFREYS(pool.votes, truth).reshape(-1), "t": total_variation(pool.votes, truth).reshape(-1)}
    for r, draw in enumerate(pool.draws(5)):
        for name in values:
            assert means[name][r, 0] == pytest.approx(values[name][draw].mean(), rel=1e-5)
    np.testing.assert_array_equal(pool.image_counts(5).sum(axis=1), 12)


def test_interval_covers_the_expected_score_about_95_percent_of_the_time() -> None:
    """Soft cross-entropy is unbiased, so its expectation over new images and raters is known from a large sample."""
    prediction = np.array([0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05])
    rng = np.random.default_rng(7)
    large = rng.dirichlet(np.full(7, 0.4), 200_000)
    expected = soft_cross_entropy(large, prediction).mean()
    hits = 0
    studies = 200
    for study in range(studies):
        counts, _ = simulated(30, 10, 1000 + study)
        f = np.tile(prediction, (30, 1))
        observed = soft_cross_entropy(counts / 10, f)
        means = inference.paired_bootstrap(counts, [f], {"soft": soft_cross_entropy}, 300, seed=study)["soft"]
        interval = inference.estimate(observed, means[:, 0])
        hits += interval.low <= expected <= interval.high
    assert 0.91 <= hits / studies <= 0.98


def test_no_bound_lies_beyond_what_the_statistic_can_be() -> None:
    values, replicates = np.array([0.0, 0.0, 0.3]), np.array([0.0, 0.3, 0.9])
    assert inference.estimate(values, replicates).low < 0
    assert inference.estimate(values, replicates, minimum=0.0).low == 0
    assert inference.estimate(1 - values, replicates).high > 1
    assert inference.estimate(1 - values, replicates, maximum=1.0).high == 1


def test_intervals_have_the_width_of_a_mean_over_images() -> None:
    counts, truth = simulated(80, 10, 0)
    values = JEFFREYS(counts / 10, truth)
    means = inference.paired_bootstrap(counts, [truth], {"j": JEFFREYS}, 2000, seed=1)["j"][:, 0]
    found = inference.estimate(values, means)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std(ddof=1) / np.sqrt(80), rel=0.06)


@pytest.mark.parametrize("raters", [5, 20])
def test_a_perfect_models_interval_covers_the_floor_about_95_percent_of_the_time(raters: int) -> None:
    """The floor: what a model that knows every face's true distribution scores on average over faces and raters."""
    truth = np.random.default_rng(7).dirichlet(np.full(7, 0.4), 100_000)
    votes = np.random.default_rng(8).multinomial(raters, truth) / raters
    floor = JEFFREYS(votes, truth).mean()
    hits, studies = 0, 200
    for study in range(studies):
        counts, known = simulated(30, raters, 1000 + study)
        observed = JEFFREYS(counts / raters, known)
        means = inference.paired_bootstrap(counts, [known], {"j": JEFFREYS}, 300, seed=study)["j"]
        interval = inference.estimate(observed, means[:, 0], minimum=0)
        hits += interval.low <= floor <= interval.high
    assert 0.91 <= hits / studies <= 0.98
