"""What can be trained: methods, backbones, data sets and every setting, as `python -m ldlva methods --json` tells it.

The command knows because it imports what trains; the web process, which must not, asks it. There is no second list.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ldlva.errors import TrainingError
from ldlva.settings import PROJECT_ROOT

ANSWER_SECONDS = 180
"""A busy machine takes long to load torch."""

Kind = Literal["integer", "number", "switch", "choice", "text"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)


class Setting(_Entry):
    """One setting of `train`.

    Attributes:
        name: as in the run's configuration.
        option: what it is on the command line; `--set` for a method's own.
        help: what it means.
        kind: what values it takes; `optional` where none at all is a value too.
        default: its value if nothing is said.
        minimum, maximum: bounds of a number, where it has any.
        choices: the values of a choice.
    """

    name: str
    option: str
    help: str
    kind: Kind
    optional: bool
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    def arguments(self, value: Any) -> list[str]:
        """The setting on the command line; nothing where the value is the default."""
        if value == self.default:
            return []
        if self.option == "--set":
            return ["--set", f"{self.name}={json.dumps(value)}"]
        return [self.option] if self.kind == "switch" else [self.option, str(value)]


class MethodEntry(_Entry):
    """A training method: what it is in one sentence, what it needs besides labels, and its own settings."""

    name: str
    summary: str
    needs_valence_arousal: bool
    needs_votes: bool
    needs_posteriors: bool
    settings: tuple[Setting, ...]


class BackboneEntry(_Entry):
    """A network, and how many million weights it has."""

    name: str
    million_weights: float


class DataEntry(_Entry):
    """A data set.

    Attributes:
        name: as on the command line.
        summary: what it is in one sentence.
        place: what must be said after the name and a colon, `folder` or `study`; None: nothing.
        filters: the rules for labels, the first is the default; empty if they cannot be listed.
    """

    name: str
    summary: str
    place: str | None
    filters: tuple[str, ...]


class WeightsEntry(_Entry):
    """Weights that a network of the given backbone and stem may start from, as `--init` names them."""

    name: str
    backbone: str
    stem: str


class Catalogue(_Entry):
    """Everything that a form for training offers."""

    methods: tuple[MethodEntry, ...]
    backbones: tuple[BackboneEntry, ...]
    data: tuple[DataEntry, ...]
    initial_weights: tuple[WeightsEntry, ...]
    settings: tuple[Setting, ...]
    default_method: str
    default_backbone: str

    def method(self, name: str) -> MethodEntry:
        return next(entry for entry in self.methods if entry.name == name)

    def setting(self, name: str) -> Setting:
        return next(entry for entry in self.settings if entry.name == name)


def ask_catalogue() -> Catalogue:
    """Ask the command, in a process of its own.

    Raises:
        TrainingError: it cannot answer, for instance because PyTorch is not installed.
    """
    path = os.pathsep.join(filter(None, (str(PROJECT_ROOT), os.environ.get("PYTHONPATH"))))
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "ldlva", "methods", "--json"],
            capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False, env=os.environ | {"PYTHONPATH": path},
        )  # fmt: skip
        return Catalogue.model_validate_json(answer.stdout)
    except subprocess.TimeoutExpired:
        raise TrainingError("The machine is too busy to tell what can be trained. Load the page again later.") from None
    except ValidationError:
        missing = "No module named 'torch" in answer.stderr
        last = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise TrainingError(
            "Training needs PyTorch, which is not installed here: pip install -r requirements.txt"
            if missing
            else f"`python -m ldlva methods` does not work here: {last.removeprefix('Error: ')}"
        ) from None
