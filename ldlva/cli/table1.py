"""The supplement's Table 1 in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ldlva.cli.data import load_data
from ldlva.cli.output import Json, print_json
from ldlva.cli.training import TrainingProgress, initial_weights


def table1(
    data: Annotated[str, typer.Option(help="faces, or NAME:FOLDER, e.g. rafdb:~/RAF-DB.")],
    backbones: Annotated[str, typer.Option(help="Names with commas between.")] = (
        "mobilenet_v2,resnet18,resnet50,resnet101"
    ),
    out: Annotated[Path, typer.Option(help="Folder of the grid's runs.")] = Path("runs/table1"),
    epochs: Annotated[int | None, typer.Option(help="As for train.")] = None,
    image_size: Annotated[int | None, typer.Option(help="As for train.")] = None,
    stem: Annotated[str | None, typer.Option(help="As for train.")] = None,
    init: Annotated[str | None, typer.Option(help="As for train.")] = None,
    seed: Annotated[int | None, typer.Option(help="As for train.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="As for train.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="As for train.")] = None,
    threads: Annotated[int | None, typer.Option(help="As for train.")] = None,
    teacher_epochs: Annotated[int | None, typer.Option(help="As for train.")] = None,
    as_json: Json = False,
) -> None:
    """Train every backbone without and with LDLVA and print accuracies beside the paper's (supplement, Table 1).

    Give the same command again after an interruption: finished runs stay, half-done ones continue.
    """
    from ldlva.training.table1 import grid, results, train_grid

    given: dict[str, Any] = {
        "data": data,
        "epochs": epochs,
        "image_size": image_size,
        "stem": stem,
        "init": init and initial_weights(init),
        "seed": seed,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "threads": threads,
        "teacher_epochs": teacher_epochs,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    cells = grid(out, [name.strip() for name in backbones.split(",") if name.strip()], settings)
    with TrainingProgress() as progress:
        train_grid(cells, lambda cell: progress.of_run(cell.run.folder, cell.run.name), load_data)
    content = results(cells, load_data)
    if as_json:
        print_json(content)
        return
    part = content["data"]
    table = Table(
        title=f"Accuracy on {part['source']} {part['split']}, n = {part['n']}, {content['epochs']} epochs, "
        f"{content['image_size']} px, initial weights {content['init']}",
        caption="The paper's numbers start from MS-Celeb-1M weights.",
    )
    for column in ("Backbone", "Without LDLVA", "With LDLVA", "Gain", "Paper, RAF-DB", "Paper, AffectNet"):
        table.add_column(column, justify="left" if column == "Backbone" else "right")
    for row in content["rows"]:
        ours = (f"{row[k]['accuracy']:.1%} [{row[k]['interval'][0]:.1%}, {row[k]['interval'][1]:.1%}]" for k in SIDES)
        published = (row["published"].get(source) for source in ("rafdb", "affectnet"))
        theirs = (" → ".join(f"{numbers[k]:.2%}" for k in SIDES) if numbers else "none" for numbers in published)
        table.add_row(row["backbone"], *ours, f"{100 * row['gain']:+.1f} points", *theirs)
    Console().print(table)


SIDES = ("without", "with")
