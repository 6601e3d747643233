from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ldlva.training.methods import TrainingSet


def silent(stage: str, epoch: int, epochs: int, step: int, steps: int, metrics: dict[str, Any] | None) -> None:
    """A progress listener that ignores everything."""


@pytest.fixture(scope="session")
def tiny_set() -> Callable[..., TrainingSet]:
    """Make a learnable set: every class is a bright patch at its own place in noise."""

    def make(per_class: int = 4, size: int = 32, seed: int = 0) -> TrainingSet:
        rng = np.random.default_rng(seed)
        labels = np.tile(np.arange(7), per_class)
        images = rng.integers(0, 60, (len(labels), size, size), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4 * label : 4 * label + 4, 8:24] = 250
        coordinates = np.clip(rng.normal(0, 0.4, (len(labels), 2)), -1, 1)
        votes = rng.dirichlet(np.ones(7), len(labels)) + 2 * np.eye(7)[labels]
        names = tuple(f"f{i}.png" for i in range(len(labels)))
        shares = votes / votes.sum(axis=1, keepdims=True)
        posteriors = rng.dirichlet(np.ones(7), len(labels))
        return TrainingSet(names, images, labels, coordinates, shares, posteriors)

    return make
