from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from ldlva.comparison.calibration import cross_fitted, fit_temperature, with_temperature
from ldlva.divergences import soft_cross_entropy


def logits(n: int = 4000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (n, 7))


def test_temperature_divides_the_logits() -> None:
    z = logits(20)
    np.testing.assert_allclose(with_temperature(softmax(z, axis=1), 1.7), softmax(z / 1.7, axis=1), rtol=1e-10)


def test_an_extreme_prediction_stays_a_distribution() -> None:
    result = with_temperature(np.array([[1.0, 0, 0], [0.5, 0.5, 0]]), 0.05)
    np.testing.assert_allclose(result.sum(axis=1), 1)
    assert np.isfinite(result).all()
    with pytest.raises(ValueError, match="positive"):
        with_temperature(result, 0)


@pytest.mark.parametrize("truth", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_votes_is_found_from_ten_votes_a_face(truth: float) -> None:
    z = logits()
    votes = np.random.default_rng(1).multinomial(10, softmax(z / truth, axis=1)) / 10
    assert fit_temperature(softmax(z, axis=1), votes) == pytest.approx(truth, rel=0.03)


def test_cross_fitting_never_fits_a_half_on_itself() -> None:
    """Two halves that need different temperatures: each gets the other's, so the fit is worse than none."""
    z = logits(2000)
    predicted = softmax(z, axis=1)
    order = np.random.default_rng(0).permutation(2000)
    truth = predicted.copy()
    truth[order[:1000]] = softmax(z[order[:1000]] / 4, axis=1)
    truth[order[1000:]] = softmax(z[order[1000:]] * 4, axis=1)
    calibrated, _ = cross_fitted(predicted, truth)
    assert soft_cross_entropy(truth, calibrated).mean() > soft_cross_entropy(truth, predicted).mean()
    np.testing.assert_allclose(calibrated[order[:1000]], softmax(z[order[:1000]] * 4, axis=1), atol=1e-3)


def test_cross_fitting_improves_a_model_that_is_too_sure() -> None:
    z = logits()
    votes = np.random.default_rng(1).multinomial(10, softmax(z / 2, axis=1)) / 10
    calibrated, temperature = cross_fitted(softmax(z, axis=1), votes)
    assert temperature == pytest.approx(2, rel=0.05)
    assert soft_cross_entropy(votes, calibrated).mean() < soft_cross_entropy(votes, softmax(z, axis=1)).mean()
