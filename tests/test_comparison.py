from __future__ import annotations

import json

import numpy as np
import pytest

from ldlva.comparison import GRID, HEADLINE, Comparison, compare, score
from ldlva.distributions import human_distribution
from ldlva.divergences import jeffreys_divergence


@pytest.fixture(scope="module")
def votes() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.multinomial(10, rng.dirichlet(np.full(7, 0.3), 40))


@pytest.fixture(scope="module")
def report(votes: np.ndarray) -> Comparison:
    human = votes / votes.sum(axis=1, keepdims=True)
    return compare(votes, {"far": 0.2 * human + 0.8 / 7, "near": 0.95 * human + 0.05 / 7})


def test_models_are_ranked_by_the_headline_divergence(report: Comparison, votes: np.ndarray) -> None:
    assert [model.name for model in report.models] == ["near", "far"]
    human = votes / votes.sum(axis=1, keepdims=True)
    expected = jeffreys_divergence(human, 0.95 * human + 0.05 / 7, 1e-3).mean()
    assert report.models[0].estimates[HEADLINE].mean == pytest.approx(expected)
    for model in report.models:
        for value in model.estimates.values():
            assert value.low < value.mean < value.high


def test_a_clear_difference_is_called_robust(report: Comparison) -> None:
    assert report.differences[0].robust
    assert "the ranking is robust" in report.verdict()[0]


def test_equal_models_are_not_ranked(votes: np.ndarray) -> None:
    human = votes / votes.sum(axis=1, keepdims=True)
    flat = 0.7 * human + 0.3 / 7
    sentence = compare(votes, {"a": flat, "b": flat}).verdict()[0]
    assert "no ranking" in sentence


def test_a_model_that_wins_only_at_some_constants_is_not_ranked() -> None:
    """Majority at .8 against majority at .9: the flatter one wins at 1e-2 and loses from 1e-3 on."""
    votes = np.array([[10, 0, 0, 0, 0, 0, 0]] * 3 + [[7, 3, 0, 0, 0, 0, 0]] * 10)
    flat, sharp = np.full(votes.shape, 0.2 / 6), np.full(votes.shape, 0.1 / 6)
    flat[:, 0], sharp[:, 0] = 0.8, 0.9
    report = compare(votes, {"sharp": sharp, "flat": flat})
    at = {model.name: model.estimates for model in report.models}
    assert at["flat"]["1e-2"].mean < at["sharp"]["1e-2"].mean
    assert at["sharp"]["1e-3"].mean < at["flat"]["1e-3"].mean
    assert "no ranking" in report.verdict()[0]


def test_a_handful_of_faces_ranks_nothing() -> None:
    votes = np.array([[10, 0, 0, 0, 0, 0, 0]])
    near, far = np.full((1, 7), 0.01), np.full((1, 7), 1 / 7)
    near[:, 0] = 0.94
    report = compare(votes, {"near": near, "far": far})
    assert not report.differences[0].robust
    assert report.verdict() == ["Too few faces with votes (1) to rank near and far."]


def test_floors_are_ordered_as_they_must_be(report: Comparison) -> None:
    floors = {floor.name: floor.values[HEADLINE] for floor in report.floors}
    assert floors["perfect model"] < floors["split-half people"] < floors["uniform"]
    assert set(floors) == {"perfect model", "split-half people", "class frequencies", "uniform"}


def test_single_votes_give_no_floor_of_agreement() -> None:
    votes = np.eye(7, dtype=np.int64)
    report = compare(votes, {"uniform": np.full((7, 7), 1 / 7)})
    assert {floor.name for floor in report.floors} == {"class frequencies", "uniform"}


def test_images_without_votes_or_without_a_prediction_are_left_out_and_counted(votes: np.ndarray) -> None:
    counts = votes.copy()
    counts[3] = 0
    uniform = np.full((40, 7), 1 / 7)
    partial = uniform.copy()
    partial[5] = np.nan
    report = compare(counts, {"a": uniform, "b": partial})
    assert len(report.rows) == 38
    assert report.left_out == {"without votes": 1, "without a prediction": 1}


@pytest.mark.parametrize("counts", [np.zeros((3, 7), dtype=np.int64)])
def test_nothing_to_compare_is_an_error(counts: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no image has both"):
        compare(counts, {"a": np.full((3, 7), 1 / 7)})
    with pytest.raises(ValueError, match="no model"):
        compare(counts + 1, {})


def test_the_report_is_plain_json(report: Comparison) -> None:
    content = json.loads(json.dumps(report.to_json()))
    assert content["headline_epsilon"] == "1e-3"
    assert list(content["models"][0]["jeffreys"]) == list(GRID)
    assert content["verdict"] == report.verdict()


def test_score_reproduces_the_published_floor_of_a_one_hot_majority() -> None:
    """A unanimous face predicted with certainty scores 0; one vote off scores what the formula says."""
    counts = np.array([[10, 0, 0, 0, 0, 0, 0], [9, 1, 0, 0, 0, 0, 0]])
    one_hot = np.zeros((2, 7))
    one_hot[:, 0] = 1
    d = jeffreys_divergence(counts / 10, one_hot, 1e-3)
    result = score(human_distribution(counts), one_hot, counts)
    assert d[0] == 0
    assert result["jeffreys"]["1e-3"] == pytest.approx(d.mean())
    assert set(result) == {"jeffreys", "soft_cross_entropy", "js", "intervals"}


def test_score_intervals_cover_the_mean_with_raters_and_without() -> None:
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.ones(7), 300)
    votes = rng.multinomial(10, truth)
    for counts in (votes, None):
        result = score(votes / 10, truth, counts)
        low, high = result["intervals"]["jeffreys"]["1e-3"]
        assert low < result["jeffreys"]["1e-3"] < high
        standard_error = jeffreys_divergence(votes / 10, truth, 1e-3).std() / np.sqrt(300)
        assert 3 * standard_error < high - low < 8 * standard_error
