from __future__ import annotations

import numpy as np

from ldlva import figures
from ldlva.comparison.comparison import compare
from ldlva.emotions import EMOTION_NAMES, EMOTIONS
from ldlva.measures import GRID


def test_a_face_has_one_panel_per_source_in_emotion_colours() -> None:
    share = np.array([0.5, 0.5, 0, 0, 0, 0, 0])
    figure = figures.distribution_panels(EMOTION_NAMES, {"People (10)": share, "ldlva": np.full(7, 1 / 7)})
    assert [bar.marker.color for bar in figure.data] == [tuple(e.colour for e in EMOTIONS)] * 2
    np.testing.assert_allclose(figure.data[0].x, share)
    assert [annotation.text for annotation in figure.layout.annotations] == ["People (10)", "ldlva"]


def test_overall_distribution_shows_counts_and_shares() -> None:
    figure = figures.overall_distribution(EMOTION_NAMES, [3, 1, 0, 0, 0, 0, 0])
    assert figure.data[0].text[:3] == ("75% (3)", "25% (1)", "0")


def test_divergence_chart_has_intervals_for_models_and_rows_for_floors() -> None:
    rng = np.random.default_rng(0)
    votes = rng.multinomial(10, rng.dirichlet(np.ones(7), 8))
    report = compare(votes, {"a": np.full((8, 7), 1 / 7), "b": rng.dirichlet(np.ones(7), 8)})
    for constant in GRID:
        figure = figures.divergence_chart(report, constant, {"a": "#000", "b": "#111"})
        value = report.models[0].estimates[constant]
        assert figure.data[0].x[0] == value.mean
        assert figure.data[0].error_x.array[0] == value.high - value.mean
        assert len(figure.data[-1].x) == len(report.floors)


def test_divergence_chart_is_sorted_by_the_chosen_constant_and_has_room_for_its_numbers() -> None:
    votes = np.array([[10, 0, 0, 0, 0, 0, 0]] * 3 + [[7, 3, 0, 0, 0, 0, 0]] * 10)
    cautious, bold = np.full(votes.shape, 0.2 / 6), np.full(votes.shape, 1e-5)
    cautious[:, 0], bold[:, 0] = 0.8, 1 - 6e-5
    report = compare(votes, {"cautious": cautious, "bold": bold})
    orders = set()
    for constant in GRID:
        figure = figures.divergence_chart(report, constant, {"cautious": "#000", "bold": "#111"})
        means = [mark.x[0] for mark in figure.data if mark.mode == "markers+text"][:2]
        assert means == sorted(means)
        names = {model.name: model.estimates[constant].mean for model in report.models}
        orders.add(figure.layout.yaxis.ticktext[:2])
        assert list(figure.layout.yaxis.ticktext[:2]) == sorted(names, key=names.__getitem__)
        low, high = figure.layout.xaxis.range
        assert low <= -0.08 * (high - low)
        assert not any(mark.cliponaxis for mark in figure.data if mark.mode == "markers+text")
    assert len(orders) == 2


def test_epoch_curves_keep_their_axis_while_training_and_name_nothing_as_markup() -> None:
    curves = {"a<b>": [(1, 0.2), (2, 0.5)], "c": [(1, 0.4)]}
    figure = figures.epoch_curves(curves, {"a<b>": "#000", "c": "#111"}, epochs=15, percent=True)
    assert [line.name for line in figure.data] == ["a&lt;b&gt;", "c"]
    assert figure.layout.xaxis.range == (0.7, 15.3)
    assert figure.layout.xaxis.dtick == 2
    low, high = figure.layout.yaxis.range
    assert 0 <= low < 0.2 < 0.5 < high <= 1.02
    for epochs in (1, 8, 1000):
        axis = figures.epoch_curves({}, {}, epochs).layout.xaxis
        assert epochs / axis.dtick <= 8
