"""Comparing people with models."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ldlva.cli.output import Json, print_json
from ldlva.comparison import COMPANIONS, GRID, HEADLINE, Comparison
from ldlva.survey.comparing import compare_study
from ldlva.survey.open import open_repository


def compare(study: Annotated[str, typer.Option(help="Name of the study.")], as_json: Json = False) -> None:
    """Compare a study's votes with every model predicted for it: the numbers of the Compare page."""
    repository = open_repository()
    summary = repository.study(study)
    compared = compare_study(repository, summary)
    if as_json:
        print_json({"study": study, **compared.to_json()})
        return
    _print_comparison(compared.comparison, study)
    for note in compared.notes:
        print(note)


def _print_comparison(comparison: Comparison, study: str) -> None:
    # A cut-off number is worse than a wrapped line.
    console = Console(width=max(Console().width, 100))
    table = Table(
        title=f"Mean Jeffreys divergence from people, {len(comparison.rows)} faces of {study}",
        box=SIMPLE,
        padding=(0, 1),
    )
    table.add_column("clipped at", no_wrap=True)
    for name in (*GRID, f"95% at {HEADLINE}", "soft CE", "JS", "acc."):
        table.add_column(name, justify="right", no_wrap=True)
    for model in comparison.models:
        headline = model.estimates[HEADLINE]
        table.add_row(
            escape(model.name),
            *(f"{model.estimates[key].mean:.2f}" for key in GRID),
            f"{headline.low:.2f}–{headline.high:.2f}",
            *(f"{model.estimates[key].mean:.3f}" for key in COMPANIONS),
            f"{model.accuracy:.0%}",
        )
    table.add_section()
    for floor in comparison.floors:
        grid = (f"{floor.values[key]:.2f}" for key in GRID)
        table.add_row(floor.name, *grid, "", *(f"{floor.values[key]:.3f}" for key in COMPANIONS), "")
    console.print(table)
    for sentence in comparison.verdict():
        console.print(escape(sentence))
