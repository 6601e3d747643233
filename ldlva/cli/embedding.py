"""Maps of faces: t-SNE of what models see in them, with the numbers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ldlva.cli.data import load_data
from ldlva.cli.output import Json, print_json
from ldlva.cli.training import ProgressPath
from ldlva.embedding.cache import cached, prune, weights_state
from ldlva.embedding.contact_sheet import contact_sheets
from ldlva.embedding.drawing import MOST_FACES, Faces, ModelView, draw
from ldlva.embedding.embedding import GROUPINGS, Embedding, write
from ldlva.embedding.figures import embedding_svg, interval
from ldlva.errors import LdlvaError
from ldlva.jobs import ProgressFile
from ldlva.projection import check_perplexity, suitable_perplexity
from ldlva.survey.embedding import study_faces
from ldlva.survey.open import open_repository

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL.Image import Image

    Found = tuple[Faces, list[ModelView], Iterable[Image], list[int]]

ALL_PARTS = "all"


def embed(
    study: Annotated[str | None, typer.Option(help="Name of a study: faces and features stored for it.")] = None,
    data: Annotated[str | None, typer.Option(help="A data set instead: faces, NAME:FOLDER or study:NAME.")] = None,
    split: Annotated[str, typer.Option(help="Of a data set: train, valid, test, or all.")] = ALL_PARTS,
    label_filter: Annotated[str | None, typer.Option("--filter", help="As for train.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A panel: a model that predicted the study, or a shipped one. May be repeated."),
    ] = None,
    run: Annotated[list[Path] | None, typer.Option(help="A panel: a finished run's folder; for a data set.")] = None,
    perplexity: Annotated[
        float | None, typer.Option(help="Default: 30, or a third of the faces where they are few.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of t-SNE and of the draw of --most faces.")] = 0,
    most: Annotated[int, typer.Option(help="Of more faces than this, a random part is drawn.", min=7)] = MOST_FACES,
    out: Annotated[Path | None, typer.Option(help="Folder for the figure, coordinates, numbers and pictures.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a map that is in --out.")] = False,
    progress: ProgressPath = None,
    as_json: Json = False,
) -> None:
    """Map faces by what models see in them (t-SNE), and measure in feature space how well emotions are told apart."""
    if (study is None) == (data is None):
        raise LdlvaError("Say which faces to map, with either --study NAME or --data NAME.")
    telling = ProgressFile(progress)
    telling("Reading faces")
    if study is not None:
        if run:
            raise LdlvaError("A study's faces are mapped by stored features: predict with the run first, then --model.")
        faces, views, pictures, state = _of_study(study, model or [], most, seed)
    else:
        faces, views, pictures, state = _of_data(
            str(data), split, label_filter, model or [], run or [], most, seed, telling
        )
    wanted = suitable_perplexity(len(faces)) if perplexity is None else perplexity
    check_perplexity(wanted, len(faces))
    sheets = []
    if out is not None:
        telling("Reading pictures", 0, len(faces))
        sheets = contact_sheets(pictures, lambda done: telling("Reading pictures", done, len(faces)))
    embedding = draw(faces, views, wanted, seed, len(sheets), state, telling, cached)
    if out is not None:
        write(embedding, sheets, embedding_svg(embedding), out, replace)
    prune()
    telling("Done", 1, 1)
    if as_json:
        print_json(embedding.numbers())
        return
    _print(embedding)
    if out is not None:
        print(f"Figure, coordinates and pictures: {out}")


def _of_study(name: str, models: Sequence[str], most: int, seed: int) -> Found:
    repository = open_repository()
    summary = repository.study(name)
    state = list(repository.version(summary))
    return (*study_faces(repository, summary, list(dict.fromkeys(models)), most, seed), state)


def _of_data(
    data: str,
    split: str,
    label_filter: str | None,
    models: Sequence[str],
    folders: Sequence[Path],
    most: int,
    seed: int,
    progress: ProgressFile,
) -> Found:
    from ldlva.training.features import dataset_faces
    from ldlva.training.runs import Run
    from ldlva.training.shipped import shipped_model

    runs = [shipped_model(name) for name in dict.fromkeys(models)] + [Run(folder) for folder in dict.fromkeys(folders)]
    if not runs:
        raise LdlvaError("Say which models look at the faces, with --model NAME (see `models list`) or --run FOLDER.")
    state = weights_state([one.folder for one in runs])
    found = dataset_faces(
        runs, lambda part, size: load_data(data, part, label_filter, size), data, split, most, seed, progress
    )
    return (*found, state)


def _print(embedding: Embedding) -> None:
    console = Console(width=max(Console().width, 134))
    drawn = f" (drawn from {embedding.of})" if embedding.of else ""
    table = Table(
        title=f"{len(embedding.names)} faces of {escape(embedding.title)}{drawn}, perplexity {embedding.perplexity:g}",
        box=SIMPLE,
        padding=(0, 1),
    )
    for name in ("Model", "Groups", "Silhouette", "Davies-Bouldin", "k-NN purity", "Chance", "k"):
        table.add_column(name, no_wrap=True)
    for panel in embedding.panels:
        for grouping in GROUPINGS:
            if (found := panel.separation.get(grouping)) is not None:
                values = (found.silhouette, found.davies_bouldin, found.purity)
                cells = (escape(interval(value)) for value in values)
                table.add_row(escape(panel.model), grouping, *cells, f"{found.chance:.3f}", str(found.k))
    console.print(table)
    console.print(f"Measured on {embedding.measured}, in feature space (Euclidean); 95% bootstrap intervals.")
