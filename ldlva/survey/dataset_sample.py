"""A study's faces drawn from a data set: spread evenly over its labels, or over a model's uncertainty."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from ldlva.datasets.base import FaceDataset
from ldlva.distributions import FloatArray, IntArray, entropy
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import SurveyError
from ldlva.survey.records import NewImage
from ldlva.survey.sampling import balanced_order

MOST_CANDIDATES = 2000
"""Faces that a model predicts to choose among them; of larger data sets a random part."""


def by_label(dataset: FaceDataset, images: int, seed: int) -> list[NewImage]:
    """Faces spread over the labels as evenly as the data set allows, random within a label.

    Raises:
        SurveyError: fewer different faces than asked for.
    """
    _check(images, seed)
    return _different(dataset, [[int(row)] for row in balanced_order(dataset.labels, seed)], images)


def candidates(dataset: FaceDataset, seed: int) -> IntArray:
    """Rows for a model to predict: all, or a random part of a large data set."""
    rows = np.random.default_rng([seed, 2]).permutation(len(dataset))[:MOST_CANDIDATES]
    return np.asarray(np.sort(rows), dtype=np.int64)


def by_uncertainty(
    dataset: FaceDataset, rows: IntArray, probabilities: FloatArray, images: int, seed: int
) -> list[NewImage]:
    """Faces spread evenly from those a model is surest of to those it is least sure of.

    Candidates are ordered by the entropy of the model's distribution and cut into as many equal groups as there are
    faces to draw; each group gives one at random.

    Args:
        dataset: where the faces are.
        rows: `[M]` candidates.
        probabilities: `[M, C]` the model's distributions for them.
        images: how many faces.
        seed: which are drawn.

    Raises:
        SurveyError: fewer different faces than asked for.
    """
    _check(images, seed)
    generator = np.random.default_rng([seed, 3])
    order = rows[np.argsort(entropy(probabilities), kind="stable")]
    groups = [generator.permutation(group).tolist() for group in np.array_split(order, min(images, len(order)))]
    return _different(dataset, groups, images)


def encoded(dataset: FaceDataset, row: int) -> NewImage:
    """One face as a PNG file, named after its name in the data set."""
    content = io.BytesIO()
    pixels = np.asarray(dataset.images[row])
    Image.fromarray(pixels).save(content, "PNG")
    name = dataset.names[row].replace("/", "_").replace("\\", "_")
    label = EMOTION_NAMES[int(dataset.labels[row])]
    stem = name.rsplit(".", 1)[0]
    return NewImage(f"{stem}.png", content.getvalue(), "image/png", pixels.shape[1], pixels.shape[0], label)


def _check(images: int, seed: int) -> None:
    if images < 1:
        raise SurveyError("A study needs at least one image.")
    if not 0 <= seed < 2**31:
        raise SurveyError("The seed must be between 0 and 2147483647.")


def _different(dataset: FaceDataset, groups: Sequence[Sequence[int]], images: int) -> list[NewImage]:
    """One face of every group, no picture and no name twice, until there are enough."""
    chosen: list[NewImage] = []
    seen: set[str] = set()

    def fresh(group: Sequence[int]) -> Iterator[NewImage]:
        for row in group:
            image = encoded(dataset, row)
            digest = hashlib.sha256(image.content).hexdigest()
            if digest not in seen and image.name not in seen:
                seen.update((digest, image.name))
                yield image

    for group in groups:
        if len(chosen) == images:
            break
        chosen.extend(image for image in [next(fresh(group), None)] if image is not None)
    if len(chosen) < images:
        raise SurveyError(
            f"{dataset.source} {dataset.split} has only {len(chosen)} different faces to draw this way; {images} were "
            "asked for."
        )
    return chosen
