"""The Compare page: numbers that can be read, a choice of models that is kept, orders that say what they are."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from ldlva.comparison.comparison import Comparison, compare
from ldlva.comparison.differences import Difference
from ldlva.inference import Estimate
from ldlva.jobs import jobs
from ldlva.measures import ACCURACY, GRID, HEADLINE, SOFT
from ldlva.survey.repository import Repository
from ldlva.ui import comparison_tables
from ldlva.ui.compare import FREQUENCIES_NOTE, ORDERS, reference_note, scope
from ldlva.ui.comparison_tables import number
from tests.pages.test_pages import compare_only, computed, html, models_picker, open_page, voted_study


def change_page(app: AppTest, name: str) -> AppTest:
    """As by the menu, in the same visit."""
    app.switch_page(f"pages/{name}.py")
    app.query_params["study"] = "demo"
    return app.run()


def test_a_click_on_a_model_computes_nothing_and_leaves_the_page_as_it_is(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = computed(open_page("compare", study="demo"))
    assert app.button(key="compare-models").disabled
    shown = html(app)
    models_picker(app).set_value(["flat"]).run()
    assert html(app) == shown
    assert len(jobs("comparison")) == 1
    models_picker(app).set_value([]).run()
    assert "Choose at least one model." in html(app)
    assert app.button(key="compare-models").disabled
    assert "sharp is closer to people than flat" in html(app)


def test_another_choice_ends_the_computation_it_replaces(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = open_page("compare", study="demo")
    [first] = jobs("comparison")
    models_picker(app).set_value(["flat"]).run()
    app.button(key="compare-models").click().run()
    [second] = jobs("comparison")
    assert second != first
    assert "<b>flat</b>" in html(computed(app))


def test_the_choice_of_models_survives_another_page(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository, (("sharp", 0.9), ("middle", 0.5), ("flat", 0.3)))
    app = compare_only(computed(open_page("compare", study="demo")), ["flat", "sharp"])
    assert "middle" not in html(app)
    change_page(app, "results")
    assert [title.value for title in app.title] == ["Results"]
    app = computed(change_page(app, "compare"))
    assert "middle" not in html(app)
    assert set(models_picker(app).value) == {"flat", "sharp"}
    assert len(jobs("comparison")) == 2


@pytest.fixture(scope="module")
def report() -> Comparison:
    """Two models of which the one that is closer at 1e-3 is farther at 1e-7."""
    votes = np.array([[10, 0, 0, 0, 0, 0, 0]] * 3 + [[7, 3, 0, 0, 0, 0, 0]] * 10)
    cautious, bold = np.full(votes.shape, 0.2 / 6), np.full(votes.shape, 1e-5)
    cautious[:, 0], bold[:, 0] = 0.8, 1 - 6e-5
    return compare(votes, {"cautious_model": cautious, "bold-model": bold})


def test_numbers_have_a_true_minus_and_only_zero_is_zero() -> None:
    assert [number(value, 3) for value in (0.0123, -0.5, 0.0, -0.0)] == ["0.012", "−0.500", "0.000", "0.000"]
    assert [number(value, 2) for value in (-0.0004, 0.001, -3e-9)] == ["−0.0004", "0.001", "−3e−09"]


def columns(table: str) -> list[list[str]]:
    """The numbers of every column but the first, without markup."""
    rows = re.findall(r"<tr[^>]*>(<td.*?)</tr>", table)
    cells = [[re.sub(r"<[^>]+>", " ", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)[1:]] for row in rows]
    return [
        [number for cell in column for number in re.findall(r"\d+\.(\d+)", cell)] for column in zip(*cells, strict=True)
    ]


def test_every_column_has_one_number_of_digits(report: Comparison) -> None:
    main = columns(comparison_tables.main_table(report))
    expected = [2] * len(GRID) + [3, 3]
    for digits, column in zip(expected, main, strict=False):
        assert {len(decimals) for decimals in column if int(decimals)} == {digits}
    for column in columns(comparison_tables.further_table(report)):
        assert {len(decimals) for decimals in column if int(decimals)} <= {3}


def test_a_difference_shows_on_which_side_of_zero_its_bounds_are() -> None:
    keys = (*GRID, SOFT)
    one = Difference(
        "a",
        "b",
        9,
        dict.fromkeys(keys, Estimate(0.02, -0.0004, 0.05)),
        dict.fromkeys(keys, 0.04),
        dict.fromkeys(keys, 0.08),
    )
    table = comparison_tables.difference_table([one])
    assert "0.020<span class='interval'>[−0.0004, 0.050]<br>p = .080</span>" in table
    assert "-0.0" not in table


def test_rows_and_the_marked_column_follow_the_chosen_constant(report: Comparison) -> None:
    def order(table: str) -> list[str]:
        return [name.replace("<wbr>", "") for name in re.findall(r"<tr><td><b>(.*?)</b>", table)]

    names = {model.name: model.estimates for model in report.models}
    for constant in GRID:
        table = comparison_tables.main_table(report, constant)
        closest_first = sorted(names, key=lambda name: names[name][constant].mean)
        assert order(table) == order(comparison_tables.further_table(report, constant)) == closest_first
        assert re.findall(r'<th class="headline">(.*?)</th>', table) == [f"ε = {constant}"]
    assert order(comparison_tables.main_table(report, HEADLINE)) != order(
        comparison_tables.main_table(report, GRID[-1])
    )


def test_names_break_after_their_own_marks_only(report: Comparison) -> None:
    table = comparison_tables.main_table(report)
    assert "cautious_<wbr>model" in table
    assert "bold-<wbr>model" in table


def test_class_frequencies_that_do_worse_than_uniform_are_explained(report: Comparison) -> None:
    assert FREQUENCIES_NOTE not in reference_note(report)
    balanced = compare(10 * np.eye(7, dtype=np.int64).repeat(2, axis=0), {"a": np.full((14, 7), 1 / 7)})
    [frequencies] = [floor for floor in balanced.floors if floor.name == "class frequencies"]
    assert frequencies.values[ACCURACY] == 0
    assert FREQUENCIES_NOTE in reference_note(balanced)


def test_one_vote_a_face_is_said_to_be_no_crowd(report: Comparison) -> None:
    assert "one person's view" not in scope(report)
    assert "with 1 vote each" in (lone := scope(replace(report, votes_per_image=(1, 1))))
    assert "one person's view" in lone


def test_orders_say_which_model_they_go_by_and_the_chosen_constant_is_marked(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    app = computed(open_page("compare", study="demo"))
    for name, said in zip(ORDERS, ("the farthest model", "**sharp** alone", "**sharp** alone"), strict=True):
        app.segmented_control(key="order").set_value(name).run()
        assert any(said in caption.value for caption in app.caption)
    app.segmented_control(key="epsilon").set_value("1e-7").run()
    assert '<th class="headline">ε = 1e-7</th>' in html(app)
