"""The models that come with the product, as pages name them; without loading torch."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass

from ldlva.settings import MODELS

COMPUTER_MADE = "faces"
"""The data set of the built-in faces. Who learned from them does not read photographs, and the other way round."""


@dataclass(frozen=True)
class ShippedModel:
    """What a page says of one: a line about it, and the data set it learned from."""

    about: str
    source: str


def shipped_models() -> dict[str, ShippedModel]:
    """The models that come with the product, by name; without loading torch."""
    found = {}
    for path in sorted(MODELS.glob("*/config.json")):
        try:
            record = json.loads(path.read_text())
            source = str(record["data"]["source"])
            about = (
                f"{record['config']['method']} on {source}, accuracy "
                f"{record['card']['metrics']['accuracy']:.0%} on its validation part. {record['card']['limits']}"
            )
            found[path.parent.name] = ShippedModel(about, source)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def torch_installed() -> bool:
    """Whether models can predict here; does not load it."""
    return importlib.util.find_spec("torch") is not None
