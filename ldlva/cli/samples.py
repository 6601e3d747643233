"""The command that makes a study of a data set's faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ldlva.cli.training import ProgressPath, predict_with
from ldlva.datasets import load_dataset
from ldlva.errors import LdlvaError
from ldlva.jobs import ProgressFile
from ldlva.survey.dataset_sample import by_label, by_uncertainty, candidates, encoded
from ldlva.survey.new_studies import protocol_of
from ldlva.survey.open import open_repository
from ldlva.survey.protocol_file import read_protocol
from ldlva.survey.records import NewStudy

if TYPE_CHECKING:
    from ldlva.training.runs import Run

LABEL, UNCERTAINTY = "label", "uncertainty"


def sample(
    name: Annotated[str, typer.Option(help="Short name used in links: a-z, 0-9, - and _.")],
    data: Annotated[str, typer.Option(help="faces, or NAME:FOLDER, e.g. ferplus:~/FERPlus.")],
    images: Annotated[int, typer.Option(help="How many faces.")] = 21,
    by: Annotated[str, typer.Option(help="label: spread over the labels; uncertainty: over a model's.")] = LABEL,
    model: Annotated[str | None, typer.Option(help="The shipped model whose uncertainty it is.")] = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "valid",
    image_size: Annotated[
        int | None, typer.Option(min=1, help="Side in pixels of the square that every face is cropped and resized to.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which faces are drawn.")] = 0,
    title: Annotated[str | None, typer.Option(help="What volunteers read.")] = None,
    description: Annotated[str, typer.Option(help="One or two sentences for volunteers.")] = "",
    protocol: Annotated[Path | None, typer.Option(help="Protocol (TOML), instead of the two before.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Do not open it yet.")] = False,
    predict: Annotated[
        list[str] | None, typer.Option(help="A shipped model that predicts the faces at once. May be repeated.")
    ] = None,
    progress: ProgressPath = None,
) -> None:
    """Put up a study of faces of a data set, without its votes: volunteers give new ones."""
    if by not in (LABEL, UNCERTAINTY):
        raise LdlvaError(f"Unknown --by {by!r}. Choose label or uncertainty.")
    if (by == UNCERTAINTY) != (model is not None):
        raise LdlvaError("--by uncertainty needs --model, and --by label has none. Models: python -m ldlva models list")
    if protocol is not None and (title or description):
        raise LdlvaError("Title and description are in the protocol. Give either --protocol or them.")
    study = NewStudy(
        name=name,
        title=title or name,
        description=description,
        seed=seed,
        status="draft" if draft else "open",
        origin={
            "sample": by,
            "model": model,
            "data": data.partition(":")[0],
            "split": split,
            "image_size": image_size,
            "seed": seed,
        },
        protocol=read_protocol(protocol) if protocol else None,
    )
    protocol_of(study)  # wrong entries before the long work
    repository = open_repository()
    repository.check_new_name(name)
    judges, runs = _shipped([] if model is None else [model]), _shipped(predict or [])
    telling = ProgressFile(progress)
    telling("Reading the data set")
    dataset = load_dataset(data, split, image_size=image_size)
    study.origin["source"] = dataset.source
    if not judges:
        drawn = by_label(dataset, images, seed)
    else:
        rows = candidates(dataset, seed)
        files = [(face.name, face.content) for face in (encoded(dataset, int(row)) for row in rows)]
        [(_, predictions)] = predict_with(judges, files, telling)
        drawn = by_uncertainty(dataset, rows, predictions.probabilities, images, seed)
    files = [(image.name, image.content) for image in drawn]
    predicted = list(predict_with(runs, files, telling)) if runs else []
    telling("Storing the study")
    repository.create_study(study, drawn)
    ids = [image_id for image_id, _, _ in repository.images(repository.study(name))]
    for identity, predictions in predicted:
        repository.store_predictions(identity, ids, predictions.probabilities, predictions.features)
    telling("Done", len(drawn), len(drawn), report={"warning": None, "left_out": [], "notes": []})
    print(f"Study {name!r} with {len(drawn)} faces of {data} {split} is {study.status}.")


def _shipped(names: Sequence[str]) -> list[Run]:
    """Shipped models by name. torch is imported only for some: without it, faces are drawn by label all the same."""
    if not names:
        return []
    from ldlva.training.shipped import shipped_model

    return [shipped_model(name) for name in dict.fromkeys(names)]
