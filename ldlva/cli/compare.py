"""Comparing people with models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ldlva.cli.output import Json, print_json, write_result
from ldlva.cli.training import ProgressPath
from ldlva.comparison.comparison import Comparison, Scores
from ldlva.comparison.verdict import MOST_NAMES
from ldlva.jobs import ProgressFile
from ldlva.measures import ACCURACY, COMPANIONS, FURTHER, GRID, HEADLINE, TITLES
from ldlva.survey.comparing import compare_study, dump_result
from ldlva.survey.open import open_repository


def compare(
    study: Annotated[str, typer.Option(help="Name of the study.")],
    model: Annotated[list[str] | None, typer.Option(help="Compare these only. May be repeated. Default: all.")] = None,
    seed: Annotated[int, typer.Option(help="Of resampling and permutations.")] = 0,
    result: Annotated[Path | None, typer.Option(help="File for the Compare page, instead of printing.")] = None,
    progress: ProgressPath = None,
    as_json: Json = False,
) -> None:
    """Compare a study's votes with every model predicted for it: the numbers of the Compare page."""
    telling = ProgressFile(progress)
    telling("Reading votes and predictions")
    repository = open_repository()
    summary = repository.study(study)
    compared = compare_study(repository, summary, model, seed, telling.within("Comparing models with people"))
    if result is not None:
        write_result(result, dump_result(compared))
        return
    if as_json:
        print_json({"study": study, **compared.to_json()})
        return
    _print_comparison(compared.comparison, study)
    for note in compared.notes:
        print(note)
    for name, why in compared.incomparable.items():
        print(f"Left out: {name}: {why}")


def _print_comparison(comparison: Comparison, study: str) -> None:
    # A cut-off number is worse than a wrapped line.
    console = Console(width=max(Console().width, 140))
    table = Table(
        title=f"Mean Jeffreys divergence from people, {len(comparison.rows):,} faces of {study}",
        box=SIMPLE,
        padding=(0, 1),
    )
    table.add_column("clipped at", no_wrap=True)
    for name in (*GRID, f"95% at {HEADLINE}", "soft CE", "JS", "acc.", "worth raters"):
        table.add_column(name, justify="right", no_wrap=True)
    for model in comparison.models:
        table.add_row(escape(model.name), *_cells(model.raw))
        if model.calibrated is not None and model.temperature is not None:
            mark = "*" if model.temperature.cross_fitted else ""
            name = f"  after temperature {model.temperature.value:.2f}{mark}"
            table.add_row(name, *_cells(model.calibrated), style="dim")
    table.add_section()
    for floor in comparison.floors:
        grid = (f"{floor.values[key]:.2f}" for key in GRID)
        companions = (f"{floor.values[key]:.3f}" for key in COMPANIONS)
        table.add_row(floor.name, *grid, "", *companions, f"{floor.values[ACCURACY]:.0%}", "")
    console.print(table)
    if any(model.temperature and model.temperature.cross_fitted for model in comparison.models):
        console.print("* fitted on one half of these faces and applied to the other, both ways", highlight=False)
    console.print(_further(comparison))
    for sentence in comparison.verdict():
        console.print(escape(sentence))
    if len(comparison.models) > MOST_NAMES:
        console.print("The table of every pair: --json, or python -m ldlva report", highlight=False)


def _cells(scores: Scores) -> list[str]:
    headline = scores.estimates[HEADLINE]
    return [
        *(f"{scores.estimates[key].mean:.2f}" for key in GRID),
        f"{headline.low:.2f}–{headline.high:.2f}",
        *(f"{scores.estimates[key].mean:.3f}" for key in COMPANIONS),
        f"{scores.estimates[ACCURACY].mean:.0%}",
        escape(str(scores.equivalence)) if scores.equivalence else "",
    ]


def _further(comparison: Comparison) -> Table:
    names = [key for key in FURTHER if any(key in model.estimates for model in comparison.models)]
    table = Table(box=SIMPLE, padding=(0, 1), title="Other measures, raw predictions")
    table.add_column("", no_wrap=True)
    for key in names:
        table.add_column(TITLES[key], justify="right")
    for model in comparison.models:
        found = (model.estimates.get(key) for key in names)
        table.add_row(escape(model.name), *(f"{value.mean:.3f}" if value else "–" for value in found))
    for floor in comparison.floors:
        table.add_row(floor.name, *(f"{floor.values[key]:.3f}" if key in floor.values else "" for key in names))
    return table
