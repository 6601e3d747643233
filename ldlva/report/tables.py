"""Tables of a report, each as CSV with all digits and as LaTeX (booktabs) as printed."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ldlva.comparison.comparison import Comparison, Scores
from ldlva.inference import Estimate
from ldlva.measures import (
    ACCURACY,
    COMPANIONS,
    EARTH_MOVERS,
    ENTROPY_CORRELATION,
    FURTHER,
    GRID,
    HEADLINE,
    TITLES,
)
from ldlva.report.source import ModelFacts
from ldlva.wording import counted, data_part

Cell = str | float | int | None

ABBREVIATED = {
    "total_variation": ("TV", "total variation"),
    EARTH_MOVERS: ("EMD", "earth mover's distance on the circumplex"),
    "kl": ("KL", "Kullback--Leibler"),
    "intersection": ("Inters.", "intersection"),
    ENTROPY_CORRELATION: ("EC", "entropy correlation"),
}
"""Column heads that would be too wide for a page, and what the caption says they are."""

SHRUNK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{% never wider than the page"
"""Begins what is scaled down to the line if it is wider."""


@dataclass(frozen=True)
class PaperTable:
    """A table: `raw` rows for CSV under `columns`; `printed` rows for LaTeX under `heads`, both LaTeX as they are."""

    name: str
    caption: str
    columns: Sequence[str]
    raw: Sequence[Sequence[Cell]]
    heads: Sequence[str]
    printed: Sequence[Sequence[str]]


def tables(comparison: Comparison, facts: Mapping[str, ModelFacts], study: str) -> list[PaperTable]:
    """All tables of a comparison; the paper's first only where a backbone has models with and without LDLVA."""
    found = [_jeffreys(comparison, facts, study), _measures(comparison, study), _differences(comparison, study)]
    if (gains := _backbones(comparison, facts, study)) is not None:
        found.insert(0, gains)
    return found


def _backbones(comparison: Comparison, facts: Mapping[str, ModelFacts], study: str) -> PaperTable | None:
    """The paper's Table 1: accuracy by backbone, without and with LDLVA; here against the human majority."""
    sides: dict[tuple[str, str], dict[str, list[tuple[str, Estimate]]]] = {}
    for model in comparison.models:
        one = facts[model.name]
        side = {"ce": "without", "ldlva": "with"}.get(one.method)
        if side is not None and one.backbone:
            sides.setdefault((one.backbone, one.trained_on), {}).setdefault(side, []).append(
                (model.name, model.estimates[ACCURACY])
            )
    raw: list[list[Cell]] = []
    printed = []
    for key in sorted(sides):
        pairs = [(a, b) for a in sides[key].get("without", []) for b in sides[key].get("with", [])]
        for (without_name, without), (with_name, with_) in pairs:
            gain = with_.mean - without.mean
            backbone, trained_on = key
            name = ", ".join(filter(None, key))
            raw.append([name, without_name, *_bounds(without), with_name, *_bounds(with_), gain])
            shown = latex(", ".join(filter(None, (backbone, data_part(trained_on)))))
            percents = (number(100 * value.mean, 2) for value in (without, with_))
            printed.append([shown, *percents, number(100 * gain, 2, signed=True)])
    if not raw:
        return None
    columns = ["backbone", "without", "accuracy_without", "low_without", "high_without"]
    columns += ["with", "accuracy_with", "low_with", "high_with", "gain"]
    return PaperTable(
        "table1_accuracy",
        f"Accuracy (\\%) against the human majority on {_faces(comparison)} of ``{latex(study)}'', without "
        "and with LDLVA. Layout of Table 1 of Le et al. (2023).",
        columns,
        raw,
        ["Backbone", "Without LDLVA", "With LDLVA", "Gain"],
        printed,
    )


def _jeffreys(comparison: Comparison, facts: Mapping[str, ModelFacts], study: str) -> PaperTable:
    """The supplement's Table 2: mean Jeffreys divergence by model; here with intervals, the grid and reference rows."""
    keys = (*GRID, *COMPANIONS, ACCURACY)
    columns = ["model", "version", "method", "backbone", "temperature", "cross_fitted"]
    columns += [f"{key}{suffix}" for key in keys for suffix in ("", "_low", "_high")]
    columns += ["worth_raters", "worth_raters_low", "worth_raters_high"]
    raw: list[list[Cell]] = []
    printed = []
    for model in comparison.models:
        one = facts[model.name]
        for calibrated in (False, True):
            if (scores := model.scores(calibrated)) is None:
                continue
            temperature = model.temperature if calibrated else None
            version = "after temperature" if calibrated else "raw"
            row: list[Cell] = [model.name, version, one.method, one.backbone]
            row += [temperature.value, int(temperature.cross_fitted)] if temperature else [None, None]
            raw.append([*row, *(v for key in keys for v in _bounds(scores.estimates[key])), *_raters(scores)])
            mark = r"$^{*}$" if temperature and temperature.cross_fitted else ""
            name = (
                f"\\quad after temperature {number(temperature.value, 2)}{mark}" if temperature else latex(model.name)
            )
            printed += _with_intervals(name, scores)
    for floor in comparison.floors:
        empty: list[Cell] = [floor.name, "reference", None, None, None, None]
        raw.append([*empty, *(v for key in keys for v in (floor.values[key], None, None)), None, None, None])
        shown = [number(floor.values[key], 2) for key in GRID] + [number(floor.values[COMPANIONS[0]], 3)]
        printed.append([f"\\emph{{{latex(floor.name)}}}", *shown, number(100 * floor.values[ACCURACY], 1), ""])
    return PaperTable(
        "table2_jeffreys",
        f"Mean Jeffreys divergence between human and predicted distributions of {_faces(comparison)} of "
        f"``{latex(study)}'', both clipped at $\\varepsilon$ and renormalised, with 95\\% intervals; "
        f"headline $\\varepsilon$ = {HEADLINE}. Layout of Table 2 of the supplement of Le et al. (2023). "
        "$^{*}$ Temperature fitted on the votes of the other half of these faces.",
        columns,
        raw,
        ["Model", *(f"$\\varepsilon$ = {key}" for key in GRID), "Soft CE", r"Acc. (\%)", "Worth raters"],
        printed,
    )


def _measures(comparison: Comparison, study: str) -> PaperTable:
    keys = [key for key in FURTHER if any(key in model.estimates for model in comparison.models)]
    columns = ["model", "version", *(f"{key}{suffix}" for key in keys for suffix in ("", "_low", "_high"))]
    raw: list[list[Cell]] = []
    printed = []
    for model in comparison.models:
        for calibrated in (False, True):
            if (scores := model.scores(calibrated)) is None:
                continue
            values = [scores.estimates.get(key) for key in keys]
            cells = [v for value in values for v in (_bounds(value) if value else (None, None, None))]
            raw.append([model.name, "after temperature" if calibrated else "raw", *cells])
            name = r"\quad after temperature" if calibrated else latex(model.name)
            printed.append([name, *(number(value.mean, 3) if value else "--" for value in values)])
    for floor in comparison.floors:
        known = [floor.values.get(key) for key in keys]
        raw.append([floor.name, "reference", *(v for value in known for v in (value, None, None))])
        shown = ["" if value is None else number(value, 3) for value in known]
        printed.append([f"\\emph{{{latex(floor.name)}}}", *shown])
    return PaperTable(
        "measures",
        f"Further measures on {_faces(comparison)} of ``{latex(study)}''. "
        f"{'; '.join(f'{short}: {meaning}' for key, (short, meaning) in ABBREVIATED.items() if key in keys)}. "
        "Cosine, intersection and entropy correlation: larger is closer to people.",
        columns,
        raw,
        ["Model", *(ABBREVIATED[key][0] if key in ABBREVIATED else latex(TITLES[key]) for key in keys)],
        printed,
    )


def _differences(comparison: Comparison, study: str) -> PaperTable:
    columns = ["version", "closer", "farther", "measure", "difference", "low", "high", "p", "p_holm", "robust"]
    raw: list[list[Cell]] = []
    printed = []
    for version, pairs in (("raw", comparison.differences), ("after temperature", comparison.calibrated_differences)):
        for pair in pairs:
            for key, value in pair.estimates.items():
                tests = [pair.p_values[key], pair.adjusted[key], int(pair.robust)]
                raw.append([version, pair.closer, pair.farther, key, *_bounds(value), *tests])
            values = [pair.estimates[key] for key in GRID]
            adjusted = max(pair.adjusted[key] for key in GRID)
            p = "$<.001$" if adjusted < 0.001 else f"{adjusted:.3f}"
            name = f"{latex(pair.closer)} before {latex(pair.farther)}"
            tests_shown = [p, "yes" if pair.robust else "no"]
            printed.append([name, *(number(value.mean, 2) for value in values), *tests_shown])
            note = "" if version == "raw" else f"\\quad {version}"
            printed.append([note, *(_interval(value, 2) for value in values), "", ""])
    return PaperTable(
        "differences",
        f"Differences of mean Jeffreys divergence (farther minus closer) on {_faces(comparison)} of "
        f"``{latex(study)}'' with 95\\% intervals; $p$: the largest over $\\varepsilon$ of the paired sign-flip "
        "test, Holm's "
        "correction for all pairs.",
        columns,
        raw,
        ["Pair", *(f"$\\varepsilon$ = {key}" for key in GRID), "$p$", "Robust"],
        printed,
    )


def write_table(table: PaperTable, folder: Path) -> None:
    """`NAME.csv` and `NAME.tex`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(["" if cell is None else cell for cell in row] for row in table.raw)
    lines = [
        "% needs \\usepackage{booktabs,graphicx}",
        r"\begin{table}[t]",
        r"\centering\small\setlength{\tabcolsep}{4pt}",
        f"\\caption{{{table.caption}}}",
        f"\\label{{tab:{table.name.replace('_', '-')}}}",
        r"\smallskip",
        SHRUNK,
        f"\\begin{{tabular}}{{l{'r' * (len(table.heads) - 1)}}}",
        r"\toprule",
        " & ".join(table.heads) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in table.printed),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]
    (folder / f"{table.name}.tex").write_text("\n".join(lines) + "\n", encoding="utf-8")


_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "’": "'",
    "“": "``",
    "”": "''",
    "ε": r"$\varepsilon$",
    "κ": r"$\kappa$",
    "α": r"$\alpha$",
    "Σ": r"$\sum$",
    "−": "$-$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "·": r"$\cdot$",
    "∞": r"$\infty$",
    "²": "$^2$",
    # These three exist in LaTeX's default fonts, but in other signs' places.
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
}


def latex(text: str) -> str:
    """Text as LaTeX prints it."""
    return re.sub(
        rf"[{re.escape(''.join(_SPECIAL))}&%$#_{{}}]", lambda sign: _SPECIAL.get(sign[0], f"\\{sign[0]}"), text
    )


def number(value: float, digits: int, signed: bool = False) -> str:
    """A rounded number for LaTeX, its sign a sign and no hyphen; what rounds to zero has none unless asked for."""
    shown = f"{value:{'+' if signed else ''}z.{digits}f}"
    return re.sub(r"^[+-]", lambda sign: f"${sign[0]}$", shown)


def _faces(comparison: Comparison) -> str:
    return counted(len(comparison.rows), "face")


def _bounds(value: Estimate) -> tuple[float, float, float]:
    return value.mean, value.low, value.high


def _raters(scores: Scores) -> list[Cell]:
    value = scores.equivalence
    return [None, None, None] if value is None else [value.raters, value.low, value.high]


def _with_intervals(name: str, scores: Scores) -> list[list[str]]:
    """A row of values and, below it, one of their intervals: side by side they would not fit on a page."""
    shown = [(scores.estimates[key], 2, 1) for key in GRID]
    shown += [(scores.estimates[COMPANIONS[0]], 3, 1), (scores.estimates[ACCURACY], 1, 100)]
    values = [number(factor * value.mean, digits) for value, digits, factor in shown]
    intervals = [_interval(value, digits, factor) for value, digits, factor in shown]
    raters, between = latex(str(scores.equivalence or "")).partition(" [")[::2]
    return [[name, *values, raters], ["", *intervals, _small(f"[{between}") if between else ""]]


def _interval(value: Estimate, digits: int, factor: int = 1) -> str:
    low, high = (number(factor * bound, digits) for bound in (value.low, value.high))
    return _small(f"[{low}, {high}]")


def _small(text: str) -> str:
    return f"{{\\scriptsize {text}}}"
