from __future__ import annotations

import json

import numpy as np
import pytest

from ldlva.comparison.calibration import Temperature, with_temperature
from ldlva.comparison.comparison import Comparison, compare
from ldlva.comparison.plain_data import to_json
from ldlva.divergences import jeffreys_divergence
from ldlva.measures import EARTH_MOVERS, GRID, HEADLINE


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
        for key in (*GRID, "soft_cross_entropy", "js", EARTH_MOVERS, "kl"):
            value = model.estimates[key]
            assert value.low < value.mean < value.high


def test_a_clear_difference_is_called_robust(report: Comparison) -> None:
    assert report.differences[0].robust
    assert "the ranking is robust" in report.verdict()[0]


def test_the_same_predictions_under_two_names_are_called_the_same(votes: np.ndarray) -> None:
    flat = np.full((len(votes), 7), 1 / 7)
    verdict = compare(votes, {"a": flat, "b": flat}).verdict()
    assert "a and b predict the same." in verdict
    assert not any("ranking" in sentence or "closer" in sentence for sentence in verdict)


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
    assert report.left_out == {"without a vote for a label": 1, "without a prediction": 1}


@pytest.mark.parametrize("counts", [np.zeros((3, 7), dtype=np.int64)])
def test_nothing_to_compare_is_an_error(counts: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no image has both"):
        compare(counts, {"a": np.full((3, 7), 1 / 7)})
    with pytest.raises(ValueError, match="no model"):
        compare(counts + 1, {})


def test_the_report_is_plain_json(report: Comparison) -> None:
    content = json.loads(json.dumps(to_json(report)))
    assert content["headline_epsilon"] == "1e-3"
    assert list(content["models"][0]["jeffreys"]) == list(GRID)
    assert content["verdict"] == report.verdict()


def test_a_comparison_survives_being_stored(report: Comparison) -> None:
    again = Comparison.load(report.dump())
    assert to_json(again) == to_json(report)
    np.testing.assert_array_equal(again.rows, report.rows)
    np.testing.assert_array_equal(again.models[0].per_image, report.models[0].per_image)
    with pytest.raises(ValueError):
        Comparison.load("{}")


def test_every_pair_is_tested_and_the_clear_one_survives_holm(votes: np.ndarray) -> None:
    human = votes / votes.sum(axis=1, keepdims=True)
    uniform = np.full(votes.shape, 1 / 7)
    report = compare(votes, {"a": 0.9 * human + 0.1 / 7, "b": 0.4 * human + 0.6 / 7, "c": uniform})
    pairs = [(one.closer, one.farther) for one in report.differences]
    assert pairs == [("a", "b"), ("a", "c"), ("b", "c")]
    for one in report.differences:
        for key in GRID:
            assert one.p_values[key] <= one.adjusted[key] < 0.05
    # Three pairs: the smallest p-value is multiplied by three.
    assert report.differences[0].adjusted[HEADLINE] == pytest.approx(3 * report.differences[0].p_values[HEADLINE])


def test_a_temperature_of_other_faces_is_used_and_none_known_is_cross_fitted(votes: np.ndarray) -> None:
    human = votes / votes.sum(axis=1, keepdims=True)
    predicted = 0.9 * human + 0.1 / 7
    own = Temperature(1.5, "other faces")
    report = compare(votes, {"known": predicted, "unknown": predicted}, temperatures={"known": own})
    by_name = {model.name: model for model in report.models}
    assert by_name["known"].temperature == own
    expected = jeffreys_divergence(human, with_temperature(predicted, 1.5), 1e-3).mean()
    assert by_name["known"].calibrated is not None
    assert by_name["known"].calibrated.estimates[HEADLINE].mean == pytest.approx(expected)
    assert by_name["unknown"].temperature is not None
    assert by_name["unknown"].temperature.cross_fitted
    assert len(report.calibrated_differences) == 1
    assert report.verdict()[-1].startswith("After temperature: ")


def test_too_few_faces_fit_no_temperature() -> None:
    votes = np.random.default_rng(0).multinomial(10, np.full(7, 1 / 7), 6)
    report = compare(votes, {"a": np.full((6, 7), 1 / 7)})
    assert report.models[0].calibrated is None
    assert report.calibrated_differences == ()


def test_the_model_that_narrows_the_comparison_is_named(votes: np.ndarray) -> None:
    full, partial = np.full((40, 7), 1 / 7), np.full((40, 7), 1 / 7)
    partial[:10] = np.nan
    coverage = {one.name: one for one in compare(votes, {"full": full, "partial": partial}).coverage}
    assert (coverage["full"].predicted, coverage["full"].costs) == (40, 0)
    assert (coverage["partial"].predicted, coverage["partial"].costs) == (30, 10)


def test_own_labels_have_no_earth_movers_distance(votes: np.ndarray) -> None:
    labels = [f"label{i}" for i in range(7)]
    report = compare(votes, {"a": np.full((40, 7), 1 / 7)}, labels=labels)
    assert EARTH_MOVERS not in report.models[0].estimates
    assert EARTH_MOVERS in compare(votes, {"a": np.full((40, 7), 1 / 7)}).models[0].estimates


def test_split_half_compares_with_models_against_half_of_the_raters(votes: np.ndarray) -> None:
    """Fewer raters are noisier, so the same model is farther from half of them."""
    report = compare(votes, {"uniform": np.full((40, 7), 1 / 7)})
    score = report.models[0].raw
    assert score.against_half is not None
    assert score.against_half > score.estimates[HEADLINE].mean


def test_progress_is_told(votes: np.ndarray) -> None:
    told: list[tuple[int, int]] = []
    compare(votes, {"a": np.full((40, 7), 1 / 7)}, report=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]
