"""A data set's faces and what runs see in them, lined up for `ldlva.embedding.drawing`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from ldlva.datasets import SPLITS, FaceDataset
from ldlva.datasets.base import HUMAN_VOTES
from ldlva.embedding.cache import cached_arrays
from ldlva.embedding.drawing import Faces, ModelView, sample
from ldlva.embedding.embedding import digest
from ldlva.errors import MissingPartError
from ldlva.jobs import ProgressFile
from ldlva.training.engine import fingerprint
from ldlva.training.predict import Predictor
from ldlva.training.runs import Run

ALL_PARTS = "all"

Loader = Callable[[str, int], FaceDataset]
"""A part of the data set, at an image size."""


@dataclass(frozen=True)
class _Parts:
    """Parts of a data set with the rows that are used of each."""

    datasets: list[FaceDataset]
    rows: list[np.ndarray]

    @property
    def names(self) -> tuple[str, ...]:
        # Parts may use the same names.
        found = [[dataset.names[row] for row in rows] for dataset, rows in zip(self.datasets, self.rows, strict=True)]
        plain = [name for names in found for name in names]
        if len(set(plain)) == len(plain):
            return tuple(plain)
        return tuple(f"{d.split}/{name}" for d, names in zip(self.datasets, found, strict=True) for name in names)


def dataset_faces(
    runs: Sequence[Run], load: Loader, source: str, split: str, most: int, seed: int, progress: ProgressFile
) -> tuple[Faces, list[ModelView], list[Image.Image]]:
    """The faces, at most `most` of them, what every run sees in them, and the pictures.

    Colour pictures are made grey for a run that was trained on grey ones, and the other way round, as for a study's.

    Raises:
        LdlvaError: no such data, or a run that cannot be used.
    """
    progress("Reading faces")
    predictors = [Predictor(run) for run in runs]
    loaded: dict[int, list[FaceDataset]] = {}
    views = []
    for predictor in predictors:
        size = predictor.config.image_size
        if size not in loaded:
            loaded[size] = _load(load, split, size)
        parts = _sampled(loaded[size], most, seed)
        views.append(_view(predictor, parts, progress))
    parts = _sampled(loaded[predictors[0].config.image_size], most, seed)
    total = sum(len(dataset) for dataset in parts.datasets)
    faces = _faces(parts, source, total)
    pictures = [
        Image.fromarray(dataset.images[row])
        for dataset, rows in zip(parts.datasets, parts.rows, strict=True)
        for row in rows
    ]
    return faces, views, pictures


def _load(load: Loader, split: str, size: int) -> list[FaceDataset]:
    if split != ALL_PARTS:
        return [load(split, size)]
    found, missing = [], []
    for part in SPLITS:
        try:
            found.append(load(part, size))
        except MissingPartError as error:
            missing.append(error)
    if not found:
        raise missing[0]
    return found


def _sampled(datasets: list[FaceDataset], most: int, seed: int) -> _Parts:
    kept = sample(sum(len(dataset) for dataset in datasets), most, seed)
    starts = np.cumsum([0, *(len(dataset) for dataset in datasets)])
    rows = [kept[(kept >= start) & (kept < end)] - start for start, end in pairwise(starts)]
    return _Parts(datasets, rows)


def _faces(parts: _Parts, source: str, total: int) -> Faces:
    def joined(name: str) -> np.ndarray | None:
        arrays = [getattr(dataset, name) for dataset in parts.datasets]
        if any(array is None for array in arrays):
            return None
        return np.concatenate([array[rows] for array, rows in zip(arrays, parts.rows, strict=True)])

    labels, counts = joined("labels"), joined("vote_counts")
    if labels is None:
        raise ValueError("a data set has labels")
    if counts is not None and (counts.sum(axis=1) == 0).all():
        counts = None
    first = parts.datasets[0]
    reference, distributions = "", None
    if counts is not None:
        reference = HUMAN_VOTES
    elif first.has_reference:
        reference = first.reference()[0]
        distributions = np.concatenate(
            [dataset.reference()[1][rows] for dataset, rows in zip(parts.datasets, parts.rows, strict=True)]
        )
    return Faces(
        source=source,
        title=source,
        names=parts.names,
        labels=labels,
        parts=tuple(d.split for d, rows in zip(parts.datasets, parts.rows, strict=True) for _ in rows),
        counts=counts,
        distributions=distributions,
        reference=reference,
        of=total if total > sum(len(rows) for rows in parts.rows) else 0,
    )


def _view(predictor: Predictor, parts: _Parts, progress: ProgressFile) -> ModelView:
    stage = f"Looking through {predictor.name}"
    total = sum(len(rows) for rows in parts.rows)
    progress(stage, 0, total)
    before = 0
    found: list[dict[str, np.ndarray]] = []
    for dataset, rows in zip(parts.datasets, parts.rows, strict=True):

        def compute(
            dataset: FaceDataset = dataset, rows: np.ndarray = rows, before: int = before
        ) -> dict[str, np.ndarray]:
            images = dataset.images if len(rows) == len(dataset) else dataset.images[rows]
            predicted = predictor.predict_images(images, lambda done, _: progress(stage, before + done, total))
            return {"features": predicted.features, "probabilities": predicted.probabilities}

        if len(rows):
            key = digest(predictor.weights_sha256, fingerprint(dataset), rows.astype("<i8").tobytes())
            found.append(cached_arrays(key, compute))
        before += len(rows)
    return ModelView(
        predictor.name,
        predictor.config.method,
        predictor.weights_sha256,
        np.concatenate([one["features"] for one in found]),
        np.concatenate([one["probabilities"] for one in found]),
    )
