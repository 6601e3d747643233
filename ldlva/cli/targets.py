"""Label distributions built from neighbours, measured against people before a network learns from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from ldlva.cli.data import load_data
from ldlva.cli.output import Json, print_json
from ldlva.comparison.scoring import score
from ldlva.emotions import EMOTION_NAMES
from ldlva.measures import COMPANIONS, HEADLINE, JEFFREYS, TITLES

PIXELS = 48
"""Pictures are read, of any size, and not looked at: labels and votes are what counts."""


def targets(
    data: Annotated[str, typer.Option(help="A data set with votes, e.g. ferplus:~/FERPlus, or study:NAME.")],
    teacher_posteriors: Annotated[
        Path, typer.Option(help="posteriors.csv of a run of ldlva or ldlva_plus on this data set.")
    ],
    valence_arousal: Annotated[
        Path | None, typer.Option(help="CSV name,valence,arousal. Default: the data set's own, or from the teachers.")
    ] = None,
    label_weight: Annotated[float, typer.Option(min=0, max=1, help="Weight of the label in every target.")] = 0.5,
    neighbors: Annotated[int, typer.Option(min=1, help="K, neighbours per face.")] = 8,
    split: Annotated[str, typer.Option(help="train, valid or test: the part that the run was trained on.")] = "train",
    label_filter: Annotated[str | None, typer.Option("--filter", help="As for train.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random neighbours and the bootstrap.")] = 0,
    as_json: Json = False,
) -> None:
    """How close to people the label comes when mixed with what its neighbours say: what LDLVA has to learn from."""
    from ldlva.training.targets import mixed, opinions
    from ldlva.training.teachers import read_posteriors
    from ldlva.training.valence_arousal import pseudo_valence_arousal, read_valence_arousal

    dataset = load_data(data, split, label_filter, PIXELS)
    measured_against, people = dataset.reference()
    posteriors = read_posteriors(teacher_posteriors.expanduser(), dataset.names)
    if valence_arousal is not None:
        coordinates = read_valence_arousal(valence_arousal.expanduser(), dataset.names)
    elif dataset.valence_arousal is not None:
        coordinates = dataset.valence_arousal
    else:
        coordinates = pseudo_valence_arousal(posteriors)
    rows: dict[str, dict[str, Any]] = {}
    for name, opinion in opinions(dataset.labels, posteriors, coordinates, neighbors, seed).items():
        target = mixed(dataset.labels, label_weight, opinion)
        divergence = JEFFREYS[HEADLINE].function(people, target)
        rows[name] = {
            **score(people, target, dataset.vote_counts, seed),
            "jeffreys_by_label": {
                emotion: float(divergence[own].mean())
                for label, emotion in enumerate(EMOTION_NAMES)
                if (own := dataset.labels == label).any()
            },
        }
    if as_json:
        settings = {"label_weight": label_weight, "neighbors": neighbors, "seed": seed}
        print_json({"data": dataset.describe(), "reference": measured_against, **settings, "besides_label": rows})
        return
    title = (
        f"{data} {split}, n = {len(dataset)}: {label_weight:g} label + {1 - label_weight:g} of another opinion, "
        f"against {measured_against}; means with 95% intervals"
    )
    console = Console(width=max(Console().width, 120))
    table = Table("Besides the label", TITLES[HEADLINE], *(TITLES[key] for key in COMPANIONS), box=SIMPLE, title=title)
    for name, row in rows.items():
        bounds = row["intervals"]
        values = [(row["jeffreys"][HEADLINE], bounds["jeffreys"][HEADLINE])]
        values += [(row[key], bounds[key]) for key in COMPANIONS]
        table.add_row(name, *(f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, (low, high) in values))
    console.print(table)
    by_label = Table("Besides the label", *rows["class frequencies"]["jeffreys_by_label"], box=SIMPLE)
    by_label.title = f"{TITLES[HEADLINE]}, by label"
    for name, row in rows.items():
        by_label.add_row(name, *(f"{value:.2f}" for value in row["jeffreys_by_label"].values()))
    console.print(by_label)
