"""The tables of the Compare page, as HTML. Their first column stays in sight on a phone.

A column has one number of digits, so that its numbers can be compared: two for Jeffreys divergences, three for all
other measures and for differences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from ldlva.comparison.comparison import Comparison, ModelScore, Scores
from ldlva.comparison.differences import Difference
from ldlva.comparison.floors import Floor
from ldlva.inference import Estimate
from ldlva.measures import ACCURACY, COMPANIONS, FURTHER, GRID, HEADLINE, SOFT, TITLES
from ldlva.wording import grouped

JEFFREYS_DIGITS = 2
DIGITS = 3
MOST_DIGITS = 6


def number(value: float, digits: int) -> str:
    """A number with a true minus and a fixed number of digits; with more of them where it would round to zero.

    Whether an interval holds zero can so be read from its bounds: only zero itself is printed as zero.
    """
    value = value or 0.0  # no minus before zero itself
    enough = (shown for shown in range(digits, MOST_DIGITS + 1) if value == 0 or round(value, shown) != 0)
    shown = next(enough, None)
    return (f"{value:.0e}" if shown is None else f"{value:.{shown}f}").replace("-", "−")


def main_table(comparison: Comparison, constant: str = HEADLINE) -> str:
    """Models, raw and after temperature, and reference rows: the grid, its companions, accuracy, worth in raters.

    Closest first at `constant`, whose column is marked.
    """
    heads = [
        *((f"ε = {key}", _mark(key, constant)) for key in GRID),
        ("Soft cross-entropy", ""),
        ("Jensen–Shannon", ""),
    ]
    heads += [("Accuracy", ""), ("Worth raters", "")]
    rows = []
    for model in _closest_first(comparison, constant):
        rows.append(_row(f"<b>{_name(model.name)}</b>", _scores(model.raw, constant)))
        if model.calibrated is not None and model.temperature is not None:
            mark = "*" if model.temperature.cross_fitted else ""
            name = f"after temperature {model.temperature.value:.2f}{mark}"
            rows.append(_row(name, _scores(model.calibrated, constant), "calibrated"))
    for floor in _floors(comparison, constant):
        cells = [_cell(number(floor.values[key], JEFFREYS_DIGITS), _mark(key, constant)) for key in GRID]
        cells += [_cell(number(floor.values[key], DIGITS)) for key in COMPANIONS]
        rows.append(_row(escape(floor.name), [*cells, _cell(f"{floor.values[ACCURACY]:.0%}"), _cell("")], "floor"))
    return _table(heads, rows)


def further_table(comparison: Comparison, constant: str = HEADLINE) -> str:
    """The measures that are not in the main table, in the order of its rows."""
    keys = [key for key in FURTHER if any(key in model.estimates for model in comparison.models)]
    rows = []
    for model in _closest_first(comparison, constant):
        cells = [_estimate(model.estimates.get(key), DIGITS) for key in keys]
        rows.append(_row(f"<b>{_name(model.name)}</b>", cells))
        if model.calibrated is not None:
            cells = [_estimate(model.calibrated.estimates.get(key), DIGITS) for key in keys]
            rows.append(_row("after temperature", cells, "calibrated"))
    for floor in _floors(comparison, constant):
        cells = [_cell(number(floor.values[key], DIGITS) if key in floor.values else "") for key in keys]
        rows.append(_row(escape(floor.name), cells, "floor"))
    return _table([(TITLES[key], "") for key in keys], rows)


def difference_table(differences: Sequence[Difference], constant: str = HEADLINE) -> str:
    """Every pair of models: how much closer the first is, with the p-value after Holm's correction below."""
    heads = [*((f"ε = {key}", _mark(key, constant)) for key in GRID), (TITLES[SOFT], ""), ("Holds at every ε", "")]
    rows = []
    for one in differences:
        cells = [
            _estimate(one.estimates[key], DIGITS, _mark(key, constant), p_value(one.adjusted[key]))
            for key in (*GRID, SOFT)
        ]
        name = f"<b>{_name(one.closer)}</b> before {_name(one.farther)}"
        rows.append(_row(name, [*cells, _cell("yes" if one.robust else "no")]))
    return _table(heads, rows)


def half_table(comparison: Comparison) -> str:
    """Models and people against a random half of each face's raters: the comparison with equal numbers of raters."""
    people = next((floor for floor in comparison.floors if floor.name == "split-half people"), None)
    if people is None:
        return ""
    entries: list[tuple[float, str, str]] = [(people.values[HEADLINE], "the other half of the raters", "floor")]
    for model in comparison.models:
        if model.raw.against_half is not None:
            entries.append((model.raw.against_half, f"<b>{_name(model.name)}</b>", ""))
        if model.calibrated is not None and model.calibrated.against_half is not None:
            entries.append((model.calibrated.against_half, f"{_name(model.name)}, after temperature", "calibrated"))
    rows = [_row(name, [_cell(number(value, JEFFREYS_DIGITS))], style) for value, name, style in sorted(entries)]
    return _table([(f"ε = {HEADLINE}", "")], rows)


def p_value(value: float) -> str:
    """A p-value as papers print it."""
    return "p < .001" if value < 0.001 else f"p = {value:.3f}".replace("0.", ".")


def temperature_notes(models: Iterable[ModelScore]) -> list[str]:
    """What the temperatures were fitted on, one sentence for all models that share it."""
    sources: dict[str, list[str]] = {}
    for model in models:
        if model.temperature is not None:
            mark = " (*)" if model.temperature.cross_fitted else ""
            sources.setdefault(grouped(model.temperature.fitted_on) + mark, []).append(model.name)
    return [f"{source}: {', '.join(names)}" for source, names in sources.items()]


def _closest_first(comparison: Comparison, constant: str) -> list[ModelScore]:
    return sorted(comparison.models, key=lambda model: model.estimates[constant].mean)


def _floors(comparison: Comparison, constant: str) -> list[Floor]:
    return sorted(comparison.floors, key=lambda floor: floor.values[constant])


def _scores(scores: Scores, constant: str) -> list[str]:
    cells = [_estimate(scores.estimates[key], JEFFREYS_DIGITS, _mark(key, constant)) for key in GRID]
    cells += [_estimate(scores.estimates[key], DIGITS) for key in COMPANIONS]
    hits = scores.estimates[ACCURACY]
    cells.append(_cell(f"{hits.mean:.0%}<span class='interval'>[{hits.low:.0%}, {hits.high:.0%}]</span>"))
    raters, bracket, bounds = str(scores.equivalence or "").partition(" [")
    return [*cells, _cell(raters + (f"<span class='interval'>[{bounds}</span>" if bracket else ""))]


def _estimate(value: Estimate | None, digits: int, style: str = "", remark: str = "") -> str:
    """A cell with the interval below the number, and a remark below that."""
    if value is None:
        return _cell("–")
    interval = f"[{number(value.low, digits)}, {number(value.high, digits)}]{f'<br>{remark}' if remark else ''}"
    return _cell(f"{number(value.mean, digits)}<span class='interval'>{interval}</span>", style)


def _name(model: str) -> str:
    """A model's name, which may be broken after _ and - on a phone, and so not within a word."""
    return re.sub("([_-])", r"\1<wbr>", escape(model))


def _cell(content: str, style: str = "") -> str:
    return f"<td{style}>{content}</td>"


def _mark(key: str, constant: str) -> str:
    return ' class="headline"' if key == constant else ""


def _row(name: str, cells: Iterable[str], style: str = "") -> str:
    shown = f' class="{style}"' if style else ""
    return f"<tr{shown}><td>{name}</td>{''.join(cells)}</tr>"


def _table(heads: Iterable[tuple[str, str]], rows: Iterable[str]) -> str:
    head = "".join(f"<th{style}>{escape(name)}</th>" for name, style in heads)
    return (
        '<div class="table-wrap" tabindex="0"><table class="figures pinned"><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
