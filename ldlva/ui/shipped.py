"""The models that come with the product, as pages name them; without loading torch."""

from __future__ import annotations

import importlib.util
import json

from ldlva.settings import MODELS


def shipped_models() -> dict[str, str]:
    """Names of the models that come with the product, and a line about each; without loading torch."""
    found = {}
    for path in sorted(MODELS.glob("*/config.json")):
        try:
            record = json.loads(path.read_text())
            found[path.parent.name] = (
                f"{record['config']['method']} on {record['data']['source']}, accuracy "
                f"{record['card']['metrics']['accuracy']:.0%} on its validation part. {record['card']['limits']}"
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def torch_installed() -> bool:
    """Whether models can predict here; does not load it."""
    return importlib.util.find_spec("torch") is not None
