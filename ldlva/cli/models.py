"""Commands about the models that come with the product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from ldlva.cli.data import load_data
from ldlva.cli.output import Json, print_json
from ldlva.errors import LdlvaError
from ldlva.measures import HEADLINE

app = typer.Typer(no_args_is_help=True, help="The models that come with the product.")

CARDS = {
    "ferplus": {
        "limits": "Trained on small grey faces found by web search in 2013 (FER2013). Coloured pictures are made grey. "
        "Faces of other ages, places, poses or picture quality may be read worse. Not for judging single people.",
        "licence": "Weights may be used for research. FER+ labels are MIT licensed (Microsoft); the rights in the "
        "FER2013 images are unclear, and no image is part of this product.",
    },
    "faces": {
        "limits": "Trained on the built-in computer-made faces, on what the generator was told to show, which no "
        "person has judged. It shows the product and does not read photographs.",
        "licence": "CC0 1.0, like the faces.",
    },
}
"""What the card of a model trained on a data set says besides its metrics."""


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """The shipped models with what they were trained on and how they score."""
    from ldlva.training.shipped import shipped_models

    found = [
        {
            "name": run.name,
            "method": (record := run.record())["config"]["method"],
            "backbone": record["config"]["backbone"],
            "data": {**record["data"], "image_size": record["config"]["image_size"]},
            "metrics": record["card"]["metrics"],
        }
        for run in shipped_models()
    ]
    if as_json:
        print_json(found)
        return
    if not found:
        print("No models are shipped with this version.")
        return
    table = Table(box=SIMPLE, padding=(0, 1))
    table.add_column("Name", no_wrap=True)  # for copying: never cut off
    for column in ("Method", "Backbone", "Trained on", "Accuracy", f"Jeffreys at {HEADLINE}"):
        table.add_column(column)
    for model in found:
        metrics = model["metrics"]
        scores = (f"{metrics['accuracy']:.1%}", f"{metrics['jeffreys'][HEADLINE]:.2f}")
        table.add_row(model["name"], model["method"], model["backbone"], model["data"]["source"], *scores)
    Console(width=max(Console().width, 110)).print(table)


@app.command("ship")
def ship_model(
    run: Annotated[Path, typer.Option(help="Folder of a finished run.")],
    name: Annotated[str, typer.Option(help="Name of the model.")],
    data: Annotated[str, typer.Option(help="Data set for the card's metrics: faces, or NAME:FOLDER.")],
    split: Annotated[str, typer.Option(help="Part the metrics are measured on.")] = "valid",
) -> None:
    """Make a shipped model of a run: half precision, a card with its metrics, predictions for the demo study."""
    from ldlva.training.evaluation import evaluate
    from ldlva.training.runs import Run
    from ldlva.training.shipped import ship

    model_run = Run(run)
    dataset = load_data(data, split, image_size=model_run.config().image_size)
    if dataset.source not in CARDS:
        raise LdlvaError(f"No limits and licence are written for models of {dataset.source}: see CARDS in {__file__}.")
    metrics = {"data": dataset.describe(), **evaluate([model_run], lambda size: dataset)}
    model = ship(model_run, name, {"metrics": metrics, **CARDS[dataset.source]})
    print(f"Shipped as {model.folder}")


@app.command("predict-demo")
def predict_demo_study() -> None:
    """Compute every shipped model's predictions for the demo study anew."""
    from ldlva.training.shipped import shipped_models, write_demo_predictions

    for run in shipped_models():
        print(write_demo_predictions(run))
