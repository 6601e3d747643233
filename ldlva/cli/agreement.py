"""Agreement between raters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from ldlva.cli.output import Json, print_json, write_result
from ldlva.inference import Estimate
from ldlva.raters.agreement import Agreement
from ldlva.raters.quality import RaterQuality
from ldlva.survey.agreeing import outside_labels, study_agreement
from ldlva.survey.open import open_repository


def agreement(
    study: Annotated[str, typer.Option(help="Name of the study.")],
    result: Annotated[Path | None, typer.Option(help="File for the Results page, instead of printing.")] = None,
    as_json: Json = False,
) -> None:
    """How well raters agree, and how each of them voted; results with and without those who seem not to have looked."""
    repository = open_repository()
    summary = repository.study(study)
    votes = repository.votes(summary)
    found = study_agreement(repository, summary, votes)
    if result is not None:
        write_result(result, found.dump())
        return
    if as_json:
        print_json({"study": study, **found.to_json(votes)})
        return
    console = Console(width=max(Console().width, 100))
    columns = {"All votes": found.overall}
    if found.quality is not None and found.quality.flagged:
        columns["Volunteers"] = found.quality.everyone
        columns["Without flagged"] = found.quality.without_flagged
    outside = " and ".join(f"“{words}”" for words in outside_labels(summary))
    table = Table("", *columns, box=SIMPLE, title=f"Agreement on {study}, {outside} one choice like the others")
    for name, cell in (ROWS if votes.sets is None else SET_ROWS).items():
        table.add_row(name, *(cell(one) for one in columns.values()))
    console.print(table)
    if found.alpha_over_raters is not None:
        console.print(f"Alpha with a jackknife interval over raters: {interval(found.alpha_over_raters)}")
    if found.remark:
        console.print(found.remark)
    if found.quality is not None:
        _print_raters(console, found.quality)


def interval(value: Estimate | None) -> str:
    """A coefficient with its interval."""
    if value is None:
        return "–"
    return f"{value.mean:.3f}" + (f" [{value.low:.3f}, {value.high:.3f}]" if value.low == value.low else "")


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else f"{value:{form}}"


ROWS: dict[str, Callable[[Agreement], str]] = {
    "Krippendorff's alpha, jackknife over faces": lambda one: interval(one.alpha),
    "Fleiss' kappa": lambda one: _number(one.fleiss_kappa),
    "two raters agree (mean over faces)": lambda one: _number(one.pairwise, ".1%"),
    "entropy in nats (mean over faces)": lambda one: _number(one.entropy),
    "faces": lambda one: str(one.images),
    "votes": lambda one: str(one.votes),
}


SET_ROWS: dict[str, Callable[[Agreement], str]] = {
    "Krippendorff's alpha of sets of answers, jackknife over faces": lambda one: interval(one.alpha),
    "entropy of single answers in nats (mean over faces)": lambda one: _number(one.entropy),
    "faces": lambda one: str(one.images),
    "votes": lambda one: str(one.votes),
}
"""Where several answers were allowed: nothing that needs one answer a person."""


def _print_raters(console: Console, quality: RaterQuality) -> None:
    flagged = [rater for rater in quality.raters if rater.flags]
    console.print(f"{len(quality.raters)} volunteers, {len(flagged)} flagged. Nobody is left out of any other result.")
    if flagged:
        table = Table("Volunteer", "Votes", "Same answer", "Median ms", "Beyond chance", "Why", box=SIMPLE)
        for rater in flagged:
            speed, beyond = _number(rater.median_ms, ".0f"), _number(rater.beyond_chance, ".2f")
            share = f"{rater.most_frequent_share:.0%}"
            table.add_row(str(rater.id), str(rater.votes), share, speed, beyond, "; ".join(rater.flags))
        console.print(table)
        console.print(
            f"Without them the most-voted answer changes on {quality.changed_majorities} faces, and distributions "
            f"move by {quality.moved:.3f} (mean total variation)."
        )
