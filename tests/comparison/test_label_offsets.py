from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from ldlva.comparison.label_offsets import FEWEST_FACES, LARGEST_OFFSET, cross_fitted_offsets, fit_label_offsets
from ldlva.divergences import soft_cross_entropy

OFFSETS = np.array([1.0, 0.5, 0, 0, -0.5, -1.5, 0.5])


def logits(n: int = 4000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (n, 7))


def votes(truth: np.ndarray, raters: int = 10) -> np.ndarray:
    return np.random.default_rng(1).multinomial(raters, truth) / raters


def test_the_temperature_and_offsets_that_made_the_votes_are_found() -> None:
    z = logits()
    fit = fit_label_offsets(softmax(z, axis=1), votes(softmax(z / 2 + OFFSETS, axis=1)))
    assert fit.temperature == pytest.approx(2, rel=0.05)
    np.testing.assert_allclose(fit.offsets, OFFSETS - OFFSETS.mean(), atol=0.1)


def test_offsets_give_every_label_its_share() -> None:
    z = logits()
    said = votes(softmax(z + OFFSETS, axis=1))
    predicted = softmax(z, axis=1)
    applied = fit_label_offsets(predicted, said).apply(predicted)
    np.testing.assert_allclose(applied.mean(axis=0), said.mean(axis=0), atol=1e-4)


def test_a_half_is_never_corrected_by_its_own_votes() -> None:
    """The halves are shifted in opposite directions: each gets the other's shift, which is worse than none."""
    z = logits(2000)
    predicted, truth = softmax(z, axis=1), softmax(z, axis=1)
    order = np.random.default_rng(0).permutation(2000)
    for rows, sign in ((order[:1000], 1), (order[1000:], -1)):
        truth[rows] = softmax(z[rows] + sign * OFFSETS, axis=1)
    corrected = cross_fitted_offsets(predicted, truth)
    assert corrected is not None
    assert soft_cross_entropy(truth, corrected[0]).mean() > soft_cross_entropy(truth, predicted).mean()
    np.testing.assert_allclose(corrected[0][order[:1000]], softmax(z[order[:1000]] - OFFSETS, axis=1), atol=1e-3)


def test_a_label_that_nobody_chose_keeps_a_finite_offset() -> None:
    z = logits(400)
    said = votes(softmax(z, axis=1))
    said[:, 5] = 0
    said[said.sum(axis=1) == 0, 0] = 1
    said /= said.sum(axis=1, keepdims=True)
    fit = fit_label_offsets(softmax(z, axis=1), said)
    assert fit.offsets[5] == fit.offsets.min()
    assert np.abs(fit.offsets).max() <= 2 * LARGEST_OFFSET


def test_few_faces_get_no_offsets() -> None:
    z = logits(FEWEST_FACES)
    predicted = softmax(z, axis=1)
    assert cross_fitted_offsets(predicted, votes(predicted)) is not None
    assert cross_fitted_offsets(predicted[1:], votes(predicted)[1:]) is None
