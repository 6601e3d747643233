"""What can be trained, for people and for the Training page, which must not import torch itself."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import typer.main
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from ldlva.catalogue import BackboneEntry, Catalogue, DataEntry, Kind, MethodEntry, Setting, WeightsEntry
from ldlva.cli.data import STUDY
from ldlva.cli.output import Json
from ldlva.cli.training import train
from ldlva.datasets import READERS
from ldlva.survey import dataset as study_data

DRAWN_APART = frozenset({"data", "method", "options", "backbone"})
"""Settings of a run that the catalogue describes more fully than a setting."""

_KINDS: dict[str, Kind] = {"integer": "integer", "number": "number", "boolean": "switch", "string": "text"}


def methods(as_json: Json = False) -> None:
    """List the training methods with their own settings, the backbones and the data sets."""
    found = catalogue()
    if as_json:
        print(found.model_dump_json(indent=2))
        return
    console = Console()
    table = Table("Method", "What it is", "Its own settings (--set NAME=VALUE)")
    for entry in found.methods:
        table.add_row(entry.name, entry.summary, "\n".join(f"{s.name} = {s.default}" for s in entry.settings))
    console.print(table)
    table = Table("Backbone", "Million weights")
    for backbone in found.backbones:
        table.add_row(backbone.name, f"{backbone.million_weights:.1f}")
    console.print(table)
    table = Table("Data set", "What it is")
    for data in found.data:
        table.add_row(f"{data.name}:{data.place.upper()}" if data.place else data.name, data.summary)
    console.print(table)


def catalogue() -> Catalogue:
    """Everything that can be trained, from the classes and tables that train it."""
    from ldlva.training.backbones import BACKBONES
    from ldlva.training.config import TrainConfig
    from ldlva.training.methods import METHODS
    from ldlva.training.shipped import shipped_models

    command = typer.main.get_command(_train_app())
    options = {option.opts[0].removeprefix("--").replace("-", "_"): option for option in command.params}
    shipped = {run.name: run.config() for run in shipped_models()}
    return Catalogue(
        methods=tuple(
            MethodEntry(
                name=name,
                summary=_summary(method),
                needs_valence_arousal=method.needs_valence_arousal,
                needs_votes=method.needs_votes,
                needs_posteriors=method.needs_posteriors,
                settings=_settings(method.options_type, dict.fromkeys(method.options_type.model_fields, "--set")),
            )
            for name, method in METHODS.items()
        ),
        backbones=tuple(BackboneEntry(name=name, million_weights=_million_weights(name)) for name in BACKBONES),
        data=(*_readers(), DataEntry(name=STUDY, summary=_first_sentence(study_data.__doc__), place=STUDY, filters=())),
        initial_weights=tuple(
            WeightsEntry(name=name, backbone=config.backbone, stem=config.stem) for name, config in shipped.items()
        ),
        default_method=TrainConfig.model_fields["method"].default,
        default_backbone=TrainConfig.model_fields["backbone"].default,
        settings=_settings(TrainConfig, {n: o.opts[0] for n, o in options.items() if n not in DRAWN_APART}),
    )


def _readers() -> Iterator[DataEntry]:
    for name, reader in READERS.items():
        yield DataEntry(
            name=name,
            summary=_first_sentence(sys.modules[reader.load.__module__].__doc__),
            place=None if reader.folder else "folder",
            filters=reader.filters,
        )


def _train_app() -> typer.Typer:
    app = typer.Typer()
    app.command()(train)
    return app


def _summary(method: type) -> str:
    """What a method is: its docstring's first sentence, or its module's where the class says "See the module."."""
    said = _first_sentence(method.__doc__)
    return _first_sentence(sys.modules[method.__module__].__doc__) if said == "See the module." else said


def _first_sentence(text: str | None) -> str:
    """The first sentence of a docstring on one line, without its code marks."""
    paragraph = " ".join(inspect.cleandoc(text or "").split("\n\n")[0].replace("`", "").split())
    return re.split(r"(?<=\.)\s+(?=[A-Z])", paragraph)[0]


def _million_weights(backbone: str) -> float:
    import torch

    from ldlva.emotions import EMOTION_NAMES
    from ldlva.training.backbones import FaceNetwork

    with torch.device("meta"):
        network = FaceNetwork(backbone, 3, len(EMOTION_NAMES))
    return sum(weights.numel() for weights in network.parameters()) / 1e6


def _settings(model: type[BaseModel], options: Mapping[str, str]) -> tuple[Setting, ...]:
    """The fields of a configuration for which there is an option, as its JSON schema tells them."""
    properties: dict[str, dict[str, Any]] = model.model_json_schema()["properties"] if model.model_fields else {}
    return tuple(_setting(name, properties[name], options[name]) for name in properties if name in options)


def _setting(name: str, schema: dict[str, Any], option: str) -> Setting:
    kinds = [part for part in schema.get("anyOf", [schema]) if part["type"] != "null"]
    [found] = kinds
    maximum = found.get("maximum")
    if maximum is None and "exclusiveMaximum" in found:
        maximum = found["exclusiveMaximum"] - (1 if found["type"] == "integer" else 0)
    return Setting(
        name=name,
        option=option,
        help=schema.get("description", ""),
        kind="choice" if "enum" in found else _KINDS[found["type"]],
        optional="anyOf" in schema,
        default=schema.get("default"),
        minimum=found.get("minimum", found.get("exclusiveMinimum")),
        maximum=maximum,
        choices=tuple(found.get("enum", ())),
    )
