"""SciPy is the oracle of every measure."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import canberra, chebyshev, cosine, jensenshannon
from scipy.special import rel_entr
from scipy.stats import entropy as scipy_entropy

from ldlva import divergences
from ldlva.distributions import FloatArray, clip_and_renormalise

COUNTS = arrays(np.int64, (4, 7), elements=st.integers(0, 10)).filter(lambda a: bool((a.sum(axis=1) > 0).all()))


def distribution(counts: np.ndarray) -> FloatArray:
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


@given(COUNTS, COUNTS)
def test_kullback_leibler_is_scipys_relative_entropy(a: np.ndarray, b: np.ndarray) -> None:
    d, f = distribution(a), distribution(b)
    np.testing.assert_allclose(divergences.kullback_leibler_divergence(d, f), rel_entr(d, f).sum(axis=1), atol=1e-12)


@given(COUNTS, COUNTS, st.sampled_from([1e-2, 1e-3, 1e-4, 1e-7]))
def test_jeffreys_is_the_sum_of_both_relative_entropies_after_clipping(
    a: np.ndarray, b: np.ndarray, epsilon: float
) -> None:
    d, f = distribution(a), distribution(b)
    p, q = np.maximum(d, epsilon), np.maximum(f, epsilon)
    expected = scipy_entropy(p, q, axis=1) + scipy_entropy(q, p, axis=1)
    np.testing.assert_allclose(divergences.jeffreys_divergence(d, f, epsilon), expected, atol=1e-10)


@given(COUNTS, COUNTS)
def test_jensen_shannon_is_scipys_squared_distance(a: np.ndarray, b: np.ndarray) -> None:
    d, f = distribution(a), distribution(b)
    np.testing.assert_allclose(divergences.jensen_shannon_divergence(d, f), jensenshannon(d, f, axis=1) ** 2, atol=1e-9)


@given(COUNTS, COUNTS)
def test_soft_cross_entropy_is_entropy_plus_relative_entropy(a: np.ndarray, b: np.ndarray) -> None:
    d, f = distribution(a), clip_and_renormalise(distribution(b), 1e-7)
    expected = scipy_entropy(d, axis=1) + scipy_entropy(d, f, axis=1)
    np.testing.assert_allclose(divergences.soft_cross_entropy(d, f), expected, atol=1e-6)


def test_a_hand_computed_jeffreys_value() -> None:
    value = divergences.jeffreys_divergence([[0.5, 0.5]], [[0.25, 0.75]], 1e-7)
    assert value[0] == pytest.approx(0.25 * math.log(2) + 0.25 * math.log(1.5), abs=1e-9)


def test_jeffreys_refuses_to_run_without_zero_handling() -> None:
    with pytest.raises(ValueError, match="infinite"):
        divergences.jeffreys_divergence([[1.0, 0.0]], [[0.5, 0.5]], 0)


def test_measures_broadcast_over_replicates() -> None:
    d = np.full((5, 3, 7), 1 / 7)
    assert divergences.jeffreys_divergence(d, np.full((3, 7), 1 / 7), 1e-3).shape == (5, 3)
    assert divergences.jensen_shannon_divergence(d, np.full((3, 7), 1 / 7)).shape == (5, 3)


@given(COUNTS, COUNTS)
def test_standard_measures_are_scipys(a: np.ndarray, b: np.ndarray) -> None:
    d, f = distribution(a), distribution(b)
    pairs = list(zip(d, f, strict=True))
    for ours, scipys in (
        (divergences.chebyshev_distance, chebyshev),
        (divergences.canberra_distance, canberra),
        (divergences.cosine_similarity, lambda p, q: 1 - cosine(p, q)),
    ):
        np.testing.assert_allclose(ours(d, f), [scipys(p, q) for p, q in pairs], atol=1e-12)


@given(COUNTS, COUNTS)
def test_clark_intersection_and_squared_distance_by_loops(a: np.ndarray, b: np.ndarray) -> None:
    d, f = distribution(a), distribution(b)
    clark = [
        math.sqrt(sum((p - q) ** 2 / (p + q) ** 2 for p, q in zip(*rows, strict=True) if p + q > 0))
        for rows in zip(d, f, strict=True)
    ]
    np.testing.assert_allclose(divergences.clark_distance(d, f), clark, atol=1e-12)
    np.testing.assert_allclose(divergences.intersection_similarity(d, f), 1 - divergences.total_variation(d, f))
    np.testing.assert_allclose(divergences.squared_distance(d, f), np.linalg.norm(d - f, axis=1) ** 2, atol=1e-12)


def test_kullback_leibler_of_a_prediction_with_zeros_is_finite() -> None:
    assert np.isfinite(divergences.clipped_kullback_leibler([[0.5, 0.5]], [[1.0, 0.0]])).all()


def test_a_label_tied_for_most_votes_counts_and_tied_predictions_share_the_credit() -> None:
    votes = [[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1]]
    predicted = [[0.3, 0.6, 0.1], [0.1, 0.1, 0.8], [1 / 3, 1 / 3, 1 / 3], [0.4, 0.4, 0.2]]
    np.testing.assert_allclose(divergences.hits_majority(votes, predicted), [1, 0, 1 / 3, 1 / 2])
