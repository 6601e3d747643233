from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy

from ldlva import distributions


def test_vote_counts_become_relative_frequencies() -> None:
    assert distributions.human_distribution([[1, 3], [2, 0]]).tolist() == [[0.25, 0.75], [1.0, 0.0]]


def test_an_image_without_votes_has_no_distribution() -> None:
    with pytest.raises(ValueError, match="row 1 has no votes"):
        distributions.human_distribution([[1, 2], [0, 0]])


def test_clipping_raises_zeros_and_renormalises() -> None:
    np.testing.assert_allclose(distributions.clip_and_renormalise([[1.0, 0.0]], 0.01), [[1 / 1.01, 0.01 / 1.01]])


@pytest.mark.parametrize(
    ("bad", "message"),
    [([[0.5, 0.6]], "sums to"), ([[1.5, -0.5]], "non-negative"), ([0.5, 0.5], "shape"), ([[np.nan, 1.0]], "finite")],
)
def test_what_is_not_a_distribution_is_refused(bad: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        distributions.check_distributions(bad)


def test_entropy_agrees_with_scipy_and_takes_zeros() -> None:
    p = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(distributions.entropy(p), scipy_entropy(p, axis=1), atol=1e-12)


@pytest.mark.parametrize(("value", "name"), [(1e-2, "1e-2"), (1e-3, "1e-3"), (1e-4, "1e-4"), (1e-7, "1e-7")])
def test_epsilon_names(value: float, name: str) -> None:
    assert distributions.epsilon_name(value) == name
