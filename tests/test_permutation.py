"""SciPy and simulation as oracles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import permutation_test

from ldlva.permutation import FLIPS, holm, sign_flip_p_values


def scipys(values: np.ndarray, resamples: float = np.inf) -> float:
    result = permutation_test(
        (values,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        n_resamples=resamples,
        vectorized=True,
        batch=5_000,
        rng=np.random.default_rng(5),
    )
    return float(result.pvalue)


def test_few_faces_are_enumerated_as_scipy_does() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.4, 1, (11, 3))
    np.testing.assert_allclose(sign_flip_p_values(values, 0), [scipys(column) for column in values.T])


def test_many_faces_agree_with_scipys_random_flips() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.12, 1, (200, 4))
    expected = [scipys(column, 49_999) for column in values.T]  # SciPy doubles the smaller tail, and with it the noise
    np.testing.assert_allclose(sign_flip_p_values(values, 1), expected, atol=0.02)


def test_no_difference_at_all_is_no_evidence_and_a_clear_one_has_the_smallest_value() -> None:
    values = np.column_stack([np.zeros(50), np.ones(50)])
    np.testing.assert_allclose(sign_flip_p_values(values, 0), [1, 1 / (1 + FLIPS)])


def test_false_alarms_and_power_at_a_known_effect() -> None:
    """40 faces, 300 studies. The power of a t test at d = 0.5, to which sign flips come close, is 0.87."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1, (40, 300))
    alarms = (sign_flip_p_values(noise, 1) < 0.05).mean()
    power = (sign_flip_p_values(noise + 0.5, 1) < 0.05).mean()
    assert 0.02 <= alarms <= 0.08
    assert 0.80 <= power <= 0.93


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1.0, 1.0])
    assert holm([0.02]) == pytest.approx([0.02])
