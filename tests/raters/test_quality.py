"""Simulated raters whose behaviour is known."""

from __future__ import annotations

import numpy as np
import pytest

from ldlva.raters.dawid_skene import dawid_skene
from ldlva.raters.quality import RaterVotes, rater_quality

IMAGES, CHOICES = 40, 5
SKILL = 0.8


def simulated(seed: int = 0) -> tuple[RaterVotes, np.ndarray]:
    """Ten careful raters, one who always answers 2, one who guesses, one who is careful but answers at once."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CHOICES, IMAGES)
    raters, images, choices, times = [], [], [], []
    for rater in range(13):
        for image in range(IMAGES):
            careful = truth[image] if rng.random() < SKILL else rng.integers(0, CHOICES)
            raters.append(rater)
            images.append(image)
            choices.append({10: 2, 11: rng.integers(0, CHOICES)}.get(rater, careful))
            times.append(300.0 if rater == 12 else 2000.0)
    ids = tuple(range(100, 113))
    return RaterVotes(ids, np.array(raters), np.array(images), np.array(choices), np.array(times)), truth


def test_raters_who_did_not_look_are_flagged_and_careful_ones_are_not() -> None:
    votes, truth = simulated()
    quality = rater_quality(votes, IMAGES, CHOICES, truth.tolist())
    flags = {rater.id: rater.flags for rater in quality.raters}
    assert [flags[i] for i in range(100, 110)] == [()] * 10
    assert flags[110] == ("the same answer in 100% of votes", "agrees with others hardly more than chance")
    assert flags[111] == ("agrees with others hardly more than chance",)
    assert flags[112] == ("half of the votes within 300 ms",)
    assert quality.flagged == 3
    assert quality.raters[10].beyond_chance == pytest.approx(0)
    by_id = {rater.id: rater for rater in quality.raters}
    assert by_id[110].longest_run == IMAGES
    assert by_id[100].gold_accuracy == pytest.approx(SKILL + (1 - SKILL) / CHOICES, abs=0.15)
    assert quality.gold == "the data set's own label"


def test_results_with_and_without_flagged_raters_stand_side_by_side() -> None:
    votes, _ = simulated()
    quality = rater_quality(votes, IMAGES, CHOICES, None)
    assert (quality.everyone.votes, quality.without_flagged.votes) == (13 * IMAGES, 10 * IMAGES)
    assert quality.everyone.alpha is not None
    assert quality.without_flagged.alpha is not None
    assert quality.without_flagged.alpha.mean > quality.everyone.alpha.mean
    assert 0 < quality.moved < 0.5
    assert quality.gold is None


def test_agreement_with_others_leaves_the_rater_out() -> None:
    votes = RaterVotes((1, 2, 3), np.array([0, 1, 2]), np.array([0, 0, 0]), np.array([0, 0, 1]), np.full(3, np.nan))
    quality = rater_quality(votes, 1, 2, None)
    assert [rater.agrees_with_others for rater in quality.raters] == [0.5, 0.5, 0]
    assert all(rater.median_ms is None for rater in quality.raters)
    assert all(rater.flags == () for rater in quality.raters)  # too few votes to say anything


def test_dawid_skene_finds_the_truth_and_every_raters_skill_and_never_gets_worse() -> None:
    votes, truth = simulated(3)
    found = dawid_skene(votes.raters, votes.images, votes.choices, 13, IMAGES, CHOICES)
    assert (found.posterior.argmax(axis=1) == truth).mean() >= 0.95
    careful = SKILL + (1 - SKILL) / CHOICES
    np.testing.assert_allclose(found.accuracy[:10], careful, atol=0.17)
    assert found.accuracy[11] < 0.45
    assert (np.diff(found.log_posterior) >= -1e-8).all()
    np.testing.assert_allclose(found.confusion.sum(axis=2), 1)


def test_dawid_skene_weighs_a_reliable_rater_more_than_two_who_guess() -> None:
    """Rater 0 always agrees with a large careful majority elsewhere; on the last face two guessers outvote it."""
    rng = np.random.default_rng(0)
    truth = np.append(np.tile(np.arange(3), 20), 0)
    listed = [(r, i, truth[i]) for i in range(60) for r in range(4)]
    listed += [(r, i, int(rng.integers(0, 3))) for i in range(60) for r in (4, 5)]
    listed += [(0, 60, 0), (4, 60, 1), (5, 60, 1)]
    raters, images, choices = (np.array(column) for column in zip(*listed, strict=True))
    assert dawid_skene(raters, images, choices, 6, 61, 3).posterior[60].argmax() == 0
