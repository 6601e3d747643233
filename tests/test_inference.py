"""Simulation and brute force as oracles."""

from __future__ import annotations

import itertools
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


def test_chunked_bootstrap_gives_every_replicate(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, truth = simulated(12, 10, 0)
    monkeypatch.setattr(inference, "_CHUNK_CELLS", 12 * 7 * 8)
    means = inference.paired_bootstrap(counts, [truth], {"j": JEFFREYS}, 50, seed=1)["j"]
    assert means.shape == (50, 1)
    assert np.isfinite(means).all()
    assert (means > 0).all()


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
        observed = float(soft_cross_entropy(counts / 10, f).mean())
        means = inference.paired_bootstrap(counts, [f], {"soft": soft_cross_entropy}, 300, seed=study)["soft"]
        interval = inference.estimate(observed, means[:, 0])
        hits += interval.low <= expected <= interval.high
    assert 0.90 <= hits / studies <= 1.0


def test_split_half_with_two_raters_is_their_disagreement() -> None:
    # Image 1: both chose the same; image 2: they differ, total variation 1.
    value = inference.split_half_humans(np.array([[2, 0], [1, 1]]), {"tv": total_variation}, 10, seed=0)["tv"]
    assert value == pytest.approx(0.5)


def test_split_half_leaves_single_votes_out_and_takes_odd_numbers() -> None:
    value = inference.split_half_humans(np.array([[3, 0], [1, 0]]), {"tv": total_variation}, 10, seed=0)["tv"]
    assert value == 0
    with pytest.raises(ValueError, match="two votes"):
        inference.split_half_humans(np.array([[1, 0]]), {"tv": total_variation}, 10, seed=0)


def test_split_half_matches_exhaustive_enumeration() -> None:
    """All ways to split four raters two and two."""
    ballots = np.array([0, 0, 1, 2])
    values = []
    for pair in itertools.combinations(range(4), 2):
        rest = [i for i in range(4) if i not in pair]
        values.append(total_variation(np.eye(3)[ballots[list(pair)]].mean(0), np.eye(3)[ballots[rest]].mean(0)))
    found = inference.split_half_humans(np.array([[2, 1, 1]]), {"tv": total_variation}, 20_000, seed=0)["tv"]
    assert found == pytest.approx(np.mean(values), abs=0.01)


def test_no_bound_lies_below_what_the_statistic_can_be() -> None:
    replicates = np.array([0.0, 0.3, 0.9])
    assert inference.estimate(0.1, replicates).low < 0
    assert inference.estimate(0.1, replicates, minimum=0.0).low == 0


def test_perfect_model_floor_matches_brute_force_and_shrinks_with_raters() -> None:
    truth = np.array([0.5, 0.3, 0.2])
    counts = np.array([5, 3, 2])
    rng = np.random.default_rng(3)
    brute = np.mean([JEFFREYS(rng.multinomial(10, truth) / 10, truth) for _ in range(20_000)])
    floor = inference.perfect_model(counts[None], {"j": JEFFREYS}, 20_000, seed=4)["j"]
    assert floor == pytest.approx(brute, rel=0.05)
    assert inference.perfect_model(counts[None] * 10, {"j": JEFFREYS}, 2000, seed=4)["j"] < floor / 3


def test_agreement_of_unanimous_and_of_split_raters() -> None:
    assert inference.krippendorff_alpha(np.array([[5, 0], [0, 5]])) == pytest.approx(1.0)
    np.testing.assert_allclose(inference.pairwise_agreement(np.array([[4, 0], [2, 2], [1, 0]])), [1, 1 / 3, np.nan])


def test_agreement_is_undefined_without_two_votes_or_two_labels() -> None:
    assert inference.krippendorff_alpha(np.array([[1, 0], [0, 1]])) is None
    assert inference.krippendorff_alpha(np.array([[5, 0], [5, 0]])) is None
