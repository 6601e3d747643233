"""Figures can be read with few models and with all that are shipped, and fit the page of a paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import matplotlib
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ldlva.report import plots
from ldlva.report.drawing import PAGE_HEIGHT, PAGE_WIDTH, model_styles, spread, text_width, wrapped
from ldlva.survey.comparing import StudyComparison
from tests.report.fabricated import SHIPPED, compared

FIGURES: dict[str, Callable[[StudyComparison], Figure]] = {
    "divergence": lambda found: plots.divergence(found.comparison, "1e-3"),
    "faces": plots.faces,
    "votes": plots.votes,
    "epsilon": lambda found: plots.epsilon_grid(found.comparison),
}


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with matplotlib.rc_context(plots.STYLE):
        yield
    plt.close("all")


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Everything written, with its place in inches. Ticks outside their axis' limits are not drawn."""
    shown = [one for one in figure.findobj(Text) if isinstance(one, Text) and one.get_visible() and one.get_text()]
    hidden = {
        id(label)
        for axes in figure.findobj(Axes)
        if isinstance(axes, Axes)
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim()))
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not axes.axison or not min(limits) <= tick.get_loc() <= max(limits)
    }
    places = ((one.get_text(), one.get_window_extent()) for one in shown if id(one) not in hidden)
    return [(text, Bbox(box.get_points() / figure.dpi)) for text, box in places]


def overlap(one: Bbox, other: Bbox) -> bool:
    """By more than rounding."""
    shared = Bbox.intersection(one, other)
    return shared is not None and min(shared.width, shared.height) > 0.01


@pytest.mark.parametrize("models", [2, 7, 16])
@pytest.mark.parametrize("name", FIGURES)
def test_nothing_lies_on_anything_else_and_all_fits_the_page(name: str, models: int) -> None:
    figure = FIGURES[name](compared(SHIPPED[:models]))
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    assert width <= PAGE_WIDTH
    assert height <= PAGE_HEIGHT
    written = texts(figure)
    for text, box in written:
        assert -0.01 <= box.x0 < box.x1 <= width + 0.01, text
        assert -0.01 <= box.y0 < box.y1 <= height + 0.01, text
    assert [(a, b) for (a, one), (b, other) in combinations(written, 2) if overlap(one, other)] == []
    for legend in figure.legends:
        for axes in figure.axes:
            assert not overlap(legend.get_window_extent(), axes.get_window_extent())
    assert all(axes.get_legend() is None for axes in figure.axes)


@pytest.mark.parametrize("models", [5, 9])
def test_faces_stand_in_blocks_that_each_begin_with_people(models: int) -> None:
    figure = plots.faces(compared(SHIPPED[:models]))
    titles = [text.replace("\n", "") for text in (axes.get_title() for axes in figure.axes) if text]
    assert [title for title in titles if title != "People"] == SHIPPED[:models]
    assert titles.count("People") == (1 if models == 5 else 2)
    shown = {axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()}
    assert len(shown) == plots.FACES


def test_fewer_faces_are_shown_where_all_would_leave_the_page() -> None:
    figure = plots.faces(compared([f"model-{number:02d}" for number in range(25)]))
    assert figure.get_size_inches()[1] <= PAGE_HEIGHT
    assert 1 <= len({axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()}) < plots.FACES


def test_no_two_models_look_the_same_in_any_figure() -> None:
    styles = model_styles(SHIPPED)
    assert len({(one.colour, one.marker) for one in styles.values()}) == len(SHIPPED)
    assert len({(one.colour, one.line) for one in styles.values()}) == len(SHIPPED)
    assert len({(one.marker, one.line) for one in model_styles(SHIPPED[:8]).values()}) == 1
    found = compared(SHIPPED)
    [axes] = plots.epsilon_grid(found.comparison).axes
    lines = [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.lines[: len(SHIPPED)]]
    assert len(set(lines)) == len(SHIPPED)
    [axes] = plots.votes(found).axes
    assert len({(line.get_color(), line.get_marker()) for line in axes.lines}) == len(SHIPPED)
    assert len({line.get_xdata()[0] for line in axes.lines}) == len(SHIPPED)  # type: ignore[index]


def test_a_name_with_dollars_is_no_formula() -> None:
    figure = plots.epsilon_grid(compared(["a$_1$b", "other"]).comparison)
    figure.draw_without_rendering()
    assert not figure.legends[0].get_texts()[0].get_parse_math()


def test_names_are_broken_at_their_joints_into_lines_of_about_one_length() -> None:
    name = "ferplus-mobilenet-ldlva_plus"
    assert wrapped(name, 1000, 6) == name
    assert wrapped(name, text_width(name, 6) - 1, 6) == "ferplus-mobilenet-\nldlva_plus"
    narrow = wrapped("x" * 50, 30, 6).split("\n")
    assert "".join(narrow) == "x" * 50
    assert max(text_width(line, 6) for line in narrow) <= 30
    assert wrapped("", 30, 6) == ""


def test_labels_are_pushed_apart_no_farther_than_needed() -> None:
    assert spread([1, 5, 9], 1, 0, 10) == [1, 5, 9]
    assert spread([5, 5], 1, 0, 10) == [4.5, 5.5]
    assert spread([0, 0, 9.8, 10], 1, 0, 10) == [0, 1, 9, 10]
    assert spread([3, 3.5, 3.6, 8], 1, 0, 10) == pytest.approx([2.3667, 3.3667, 4.3667, 8], abs=1e-3)
    assert spread([], 1, 0, 10) == []
