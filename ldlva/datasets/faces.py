"""The built-in computer-made faces (CC0): for trying everything out where no photographs are at hand.

`tools/render_faces` made what lies in `data/faces`.

A face's `expression_mixture` is what the generator was told to show, not what people see. Claims about people need
people's votes, and claims about real faces need real faces.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from ldlva.datasets.base import FaceDataset, Split
from ldlva.datasets.images import ImageArray, fit_image
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError
from ldlva.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "data" / "faces"
FILTERS = ("argmax",)
SURVEY_ROLES = ("demo", "extra")


@dataclass(frozen=True)
class SurveyFace:
    """One face to vote on.

    Attributes:
        name: unique, says nothing about the expression.
        file: the JPEG.
        expression: the emotion with the largest share of the mixture.
    """

    name: str
    file: Path
    expression: str


def survey_faces(role: str, folder: Path = FOLDER) -> list[SurveyFace]:
    """The faces of one role: `demo` (the demo study) or `extra` (practice, gold, a second study).

    Raises:
        DatasetError: unknown role, or the manifest is missing or malformed.
    """
    if role not in SURVEY_ROLES:
        raise DatasetError(f"Unknown role {role!r}. Choose one of {', '.join(SURVEY_ROLES)}.")
    manifest = folder / "survey.csv"
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["role"] == role]
        mixtures = np.array([[float(row[f"expression_mixture_{name}"]) for name in EMOTION_NAMES] for row in rows])
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise DatasetError(f"The built-in faces are incomplete: {manifest} cannot be read ({error}).") from None
    return [
        SurveyFace(row["name"], folder / row["file"], EMOTION_NAMES[mixture.argmax()])
        for row, mixture in zip(rows, mixtures, strict=True)
    ]


def load(folder: Path, split: Split, rule: str = "argmax", image_size: int | None = None) -> FaceDataset:
    """Read one part of the training set: RGB images with the mixture's largest share as the label.

    Images are 112 x 112 unless a size is asked for.
    The parts hold different people. Valence and arousal are the generator's too: class coordinates weighted by the
    mixture, times intensity.

    Raises:
        DatasetError: the file is missing or malformed.
    """
    path = folder / "training.parquet"
    try:
        table = pq.read_table(path, filters=[("split", "=", split)])
        images = np.stack([_decode(content, image_size) for content in table["jpeg"].to_pylist()])
        mixture = np.array(table["expression_mixture"].to_pylist(), dtype=np.float64)
        valence_arousal = np.column_stack([table["valence"].to_numpy(), table["arousal"].to_numpy()])
        names = tuple(table["name"].to_pylist())
        mixture /= mixture.sum(axis=1, keepdims=True)  # stored in four decimals
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise DatasetError(f"The built-in faces are incomplete: {path} cannot be read ({error}).") from None
    return FaceDataset(
        source="faces",
        split=split,
        filter=rule,
        names=names,
        images=images,
        labels=mixture.argmax(axis=1),
        expression_mixture=mixture,
        valence_arousal=valence_arousal.astype(np.float64),
    )


def _decode(content: bytes, image_size: int | None) -> ImageArray:
    with Image.open(io.BytesIO(content)) as image:
        return fit_image(image, 3, image_size)
