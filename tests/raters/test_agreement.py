"""The krippendorff package, published values and brute force as oracles."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest

from ldlva.distributions import entropy
from ldlva.raters import agreement

FLEISS_1971 = np.array(
    [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]
)  # fmt: skip
"""The textbook example with kappa 0.210."""


def simulated(seed: int = 0, images: int = 30) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.multinomial(rng.integers(1, 9, images), rng.dirichlet(np.full(5, 0.4), images))


def test_alpha_is_that_of_the_krippendorff_package() -> None:
    for seed in range(20):
        counts = simulated(seed)
        rated = counts[counts.sum(axis=1) >= 2]
        expected = krippendorff.alpha(value_counts=rated, level_of_measurement="nominal")
        assert agreement.krippendorff_alpha(counts) == pytest.approx(expected)


def test_agreement_of_unanimous_and_of_split_raters() -> None:
    assert agreement.krippendorff_alpha(np.array([[5, 0], [0, 5]])) == pytest.approx(1.0)
    np.testing.assert_allclose(agreement.pairwise_agreement(np.array([[4, 0], [2, 2], [1, 0]])), [1, 1 / 3, np.nan])


def test_agreement_is_undefined_without_two_votes_or_two_labels() -> None:
    assert agreement.krippendorff_alpha(np.array([[1, 0], [0, 1]])) is None
    assert agreement.krippendorff_alpha(np.array([[5, 0], [5, 0]])) is None
    assert agreement.fleiss_kappa(np.array([[1, 0], [0, 1]])) is None
    assert agreement.fleiss_kappa(np.array([[5, 0], [5, 0]])) is None
    empty = agreement.agreement(np.zeros((3, 2), dtype=np.int64))
    assert (empty.images, empty.alpha, empty.pairwise, empty.entropy) == (0, None, None, None)


def test_fleiss_kappa_of_the_textbook_example() -> None:
    assert agreement.fleiss_kappa(FLEISS_1971) == pytest.approx(0.210, abs=0.0005)


def test_the_jackknife_over_images_leaves_each_out() -> None:
    counts = simulated()
    slow = np.array([agreement.krippendorff_alpha(np.delete(counts, i, axis=0)) for i in range(30)])
    error = np.sqrt(29 / 30 * ((slow - slow.mean()) ** 2).sum())
    found = agreement.alpha_over_images(counts)
    assert found is not None
    assert found.mean == pytest.approx(agreement.krippendorff_alpha(counts))
    assert found.high - found.low == pytest.approx(2 * 1.959964 * error)


def test_the_jackknife_over_raters_leaves_each_out() -> None:
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.full(4, 0.4), 15)
    listed = [(r, i, rng.choice(4, p=truth[i])) for r in range(8) for i in range(15) if rng.random() < 0.5]
    raters, images, choices = (np.array(column) for column in zip(*listed, strict=True))

    def counted(kept: np.ndarray) -> np.ndarray:
        counts = np.zeros((15, 4), dtype=np.int64)
        np.add.at(counts, (images[kept], choices[kept]), 1)
        return counts

    slow = np.array([agreement.krippendorff_alpha(counted(raters != r)) for r in range(8)])
    error = np.sqrt(7 / 8 * ((slow - slow.mean()) ** 2).sum())
    found = agreement.alpha_over_raters(counted(raters >= 0), raters, images, choices)
    assert found is not None
    assert found.high - found.mean == pytest.approx(min(1.959964 * error, 1 - found.mean))


def test_alphas_interval_covers_its_value_in_a_large_population() -> None:
    rng = np.random.default_rng(1)

    def study(images: int) -> np.ndarray:
        return rng.multinomial(8, rng.dirichlet(np.full(5, 0.4), images))

    true = agreement.krippendorff_alpha(study(100_000))
    assert true is not None
    found = [agreement.alpha_over_images(study(40)) for _ in range(300)]
    covered = [one is not None and one.low <= true <= one.high for one in found]
    assert 0.91 <= np.mean(covered) <= 0.98


def test_entropies_are_those_of_the_shares() -> None:
    counts = np.array([[3, 1], [4, 0], [0, 0]])
    expected = np.array([float(entropy([0.75, 0.25])), 0.0, np.nan])
    np.testing.assert_allclose(agreement.vote_entropy(counts), expected)


BOTH, FIRST, THIRD, LATER = frozenset({0, 1}), frozenset({0}), frozenset({2}), frozenset({1, 2})


def test_masi_distances_of_equal_contained_overlapping_and_disjoint_sets() -> None:
    found = agreement.masi_distances([BOTH, FIRST, THIRD, LATER])
    expected = [[0, 2 / 3, 1, 8 / 9], [2 / 3, 0, 1, 1], [1, 1, 0, 2 / 3], [8 / 9, 1, 2 / 3, 0]]
    np.testing.assert_allclose(found, expected)


def test_alpha_of_sets_is_the_one_computed_by_hand() -> None:
    """Face 1: {0, 1} and {0}; face 2: {0, 1} and {2}.

    Observed, in ordered pairs: 2 * 2/3 + 2 * 1 = 10/3. Of all four answers: {0, 1} and {0} twice, {0, 1} and {2} twice,
    {0} and {2} once, each both ways: 2 * (2 * 2/3 + 2 * 1 + 1) = 26/3. Alpha: 1 - 3 * (10/3) / (26/3) = -2/13.
    """
    sets = [BOTH, FIRST, THIRD]
    counts = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 1]])  # one answer on the third face pairs with none
    assert agreement.krippendorff_alpha(counts, agreement.masi_distances(sets)) == pytest.approx(-2 / 13)
    found = agreement.set_agreement(counts, sets)
    assert found.alpha is not None
    assert found.alpha.mean == pytest.approx(-2 / 13)
    assert (found.images, found.votes, found.fleiss_kappa, found.pairwise) == (3, 5, None, None)
    # Ticks: twice 0 and once 1; 0, 1 and 2 once each; 2.
    two_to_one = -(2 / 3) * np.log(2 / 3) - (1 / 3) * np.log(1 / 3)
    assert found.entropy == pytest.approx((two_to_one + np.log(3) + 0) / 3)


def test_two_ticks_of_everybody_are_perfect_agreement() -> None:
    found = agreement.set_agreement(np.array([[5, 0], [0, 5]]), [BOTH, LATER])
    assert found.alpha is not None
    assert found.alpha.mean == pytest.approx(1)
    assert agreement.set_agreement(np.zeros((2, 0), dtype=np.int64), []).alpha is None


def test_sets_of_one_label_each_agree_as_labels_do() -> None:
    counts = simulated(3)
    sets = [frozenset({label}) for label in range(counts.shape[1])]
    assert agreement.set_agreement(counts, sets).alpha == agreement.agreement(counts).alpha


def test_the_jackknives_leave_out_with_distances_too() -> None:
    rng = np.random.default_rng(0)
    distances = agreement.masi_distances([BOTH, FIRST, THIRD, LATER])
    raters, images = np.repeat(np.arange(6), 12), np.tile(np.arange(12), 6)
    choices = rng.integers(0, 4, 72)

    def counted(kept: np.ndarray) -> np.ndarray:
        counts = np.zeros((12, 4), dtype=np.int64)
        np.add.at(counts, (images[kept], choices[kept]), 1)
        return counts

    def interval(left_out: list[float | None]) -> float:
        values = np.array(left_out, dtype=np.float64)
        return float(1.959964 * np.sqrt((len(values) - 1) / len(values) * ((values - values.mean()) ** 2).sum()))

    everything = counted(raters >= 0)
    over_images = agreement.alpha_over_images(everything, distances)
    over_raters = agreement.alpha_over_raters(everything, raters, images, choices, distances)
    assert over_images is not None and over_raters is not None
    slow = [agreement.krippendorff_alpha(np.delete(everything, i, axis=0), distances) for i in range(12)]
    assert over_images.mean - over_images.low == pytest.approx(interval(slow))
    slow = [agreement.krippendorff_alpha(counted(raters != r), distances) for r in range(6)]
    assert over_raters.mean - over_raters.low == pytest.approx(interval(slow))
