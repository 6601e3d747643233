"""Commands about predictions as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ldlva.cli.output import Json, print_json
from ldlva.survey.open import open_repository
from ldlva.survey.prediction_files import read_predictions, store_imported, write_predictions

app = typer.Typer(no_args_is_help=True, help="Predictions as files: of models from outside, and for others.")


@app.command("import")
def import_predictions(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: a column `image`, and one of probabilities per label.")],
    study: Annotated[str, typer.Option(help="Name of the study.")],
    name: Annotated[str, typer.Option(help="Name of the model on the pages.")],
    partial: Annotated[bool, typer.Option("--partial", help="Accept that images of the study are missing.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what this model predicted for the study.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Store what a model from outside predicts for a study; every fault of the file is named."""
    repository = open_repository()
    summary = repository.study(study)
    votes = repository.votes(summary)
    found = read_predictions(file, file.name, summary.labels, votes.image_names, partial)
    store_imported(repository, summary, name, found, replace)
    if as_json:
        print_json({"study": study, "model": name, **found.to_json()})
        return
    print(f"Stored predictions of {name} for {len(found.images)} of {len(votes.image_names)} faces of {study!r}.")
    if found.rescaled:
        print(f"{found.rescaled} rows summed to one only after rounding; they were divided by their sum.")
    if found.missing:
        print(f"Missing: {', '.join(found.missing)}")
    if found.unknown:
        print(f"{len(found.unknown)} images of the file are not in the study and were passed over.")


@app.command("export")
def export_predictions(
    file: Annotated[Path, typer.Argument(help="File to write: .csv or .parquet.")],
    study: Annotated[str, typer.Option(help="Name of the study.")],
    model: Annotated[str, typer.Option(help="Name of the model, as on the pages.")],
) -> None:
    """Write what a model predicted for a study as a file that `predictions import` reads elsewhere."""
    repository = open_repository()
    count = write_predictions(file, repository, repository.study(study), model)
    print(f"Wrote the predictions of {model} for {count} faces of {study!r} to {file}.")
