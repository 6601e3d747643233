"""The tables of the Compare page, as HTML. Their first column stays in sight on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ldlva.comparison.comparison import Comparison, ModelScore, Scores
from ldlva.comparison.differences import Difference
from ldlva.inference import Estimate
from ldlva.measures import ACCURACY, COMPANIONS, FURTHER, GRID, HEADLINE, SOFT, TITLES


def main_table(comparison: Comparison) -> str:
    """Models, raw and after temperature, and reference rows: the grid, its companions, accuracy, worth in raters."""
    heads = [*((f"ε = {key}", _headline(key)) for key in GRID), ("Soft cross-entropy", ""), ("Jensen–Shannon", "")]
    heads += [("Accuracy", ""), ("Worth raters", "")]
    rows = []
    for model in comparison.models:
        rows.append(_row(f"<b>{escape(model.name)}</b>", _scores(model.raw)))
        if model.calibrated is not None and model.temperature is not None:
            mark = "*" if model.temperature.cross_fitted else ""
            name = f"after temperature {model.temperature.value:.2f}{mark}"
            rows.append(_row(name, _scores(model.calibrated), "calibrated"))
    for floor in comparison.floors:
        cells = [_cell(f"{floor.values[key]:.2f}", _headline(key)) for key in GRID]
        cells += [_cell(f"{floor.values[key]:.3f}") for key in COMPANIONS]
        rows.append(_row(escape(floor.name), [*cells, _cell(f"{floor.values[ACCURACY]:.0%}"), _cell("")], "floor"))
    return _table(heads, rows)


def further_table(comparison: Comparison) -> str:
    """The measures that are not in the main table."""
    keys = [key for key in FURTHER if any(key in model.estimates for model in comparison.models)]
    rows = []
    for model in comparison.models:
        rows.append(_row(f"<b>{escape(model.name)}</b>", [_estimate(model.estimates.get(key)) for key in keys]))
        if model.calibrated is not None:
            cells = [_estimate(model.calibrated.estimates.get(key)) for key in keys]
            rows.append(_row("after temperature", cells, "calibrated"))
    for floor in comparison.floors:
        cells = [_cell(f"{floor.values[key]:.3f}" if key in floor.values else "") for key in keys]
        rows.append(_row(escape(floor.name), cells, "floor"))
    return _table([(TITLES[key], "") for key in keys], rows)


def difference_table(differences: Sequence[Difference]) -> str:
    """Every pair of models: how much closer the first is, with the p-value after Holm's correction below."""
    heads = [*((f"ε = {key}", _headline(key)) for key in GRID), (TITLES[SOFT], ""), ("Holds at every ε", "")]
    rows = []
    for one in differences:
        cells = [
            _cell(
                f"{one.estimates[key].mean:.2f}<span class='interval'>{one.estimates[key].low:.2f} to "
                f"{one.estimates[key].high:.2f}<br>{p_value(one.adjusted[key])}</span>",
                _headline(key),
            )
            for key in (*GRID, SOFT)
        ]
        name = f"<b>{escape(one.closer)}</b> before {escape(one.farther)}"
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
            entries.append((model.raw.against_half, f"<b>{escape(model.name)}</b>", ""))
        if model.calibrated is not None and model.calibrated.against_half is not None:
            entries.append((model.calibrated.against_half, f"{escape(model.name)}, after temperature", "calibrated"))
    rows = [_row(name, [_cell(f"{value:.2f}")], style) for value, name, style in sorted(entries)]
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
            sources.setdefault(model.temperature.fitted_on + mark, []).append(model.name)
    return [f"{source}: {', '.join(names)}" for source, names in sources.items()]


def _scores(scores: Scores) -> list[str]:
    cells = [_estimate(scores.estimates[key], _headline(key)) for key in GRID]
    cells += [_estimate(scores.estimates[key]) for key in COMPANIONS]
    hits = scores.estimates[ACCURACY]
    cells.append(_cell(f"{hits.mean:.0%}<span class='interval'>{hits.low:.0%} to {hits.high:.0%}</span>"))
    number, bracket, bounds = str(scores.equivalence or "").partition(" [")
    return [
        *cells,
        _cell(number + (f"<span class='interval'>{bounds[:-1].replace(', ', ' to ')}</span>" if bracket else "")),
    ]


def _estimate(value: Estimate | None, style: str = "") -> str:
    if value is None:
        return _cell("–")
    digits = 2 if abs(value.mean) >= 0.5 else 3
    interval = f"{value.low:.{digits}f} to {value.high:.{digits}f}"
    return _cell(f"{value.mean:.{digits}f}<span class='interval'>{interval}</span>", style)


def _cell(content: str, style: str = "") -> str:
    return f"<td{style}>{content}</td>"


def _headline(key: str) -> str:
    return ' class="headline"' if key == HEADLINE else ""


def _row(name: str, cells: Iterable[str], style: str = "") -> str:
    shown = f' class="{style}"' if style else ""
    return f"<tr{shown}><td>{name}</td>{''.join(cells)}</tr>"


def _table(heads: Iterable[tuple[str, str]], rows: Iterable[str]) -> str:
    head = "".join(f"<th{style}>{escape(name)}</th>" for name, style in heads)
    return (
        '<div class="table-wrap" tabindex="0"><table class="figures pinned"><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
