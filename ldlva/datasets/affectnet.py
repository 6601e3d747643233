"""AffectNet (Mollahosseini, Hasani and Mahoor, 2017): web photographs with one label, valence and arousal each.

Two layouts are read. The release of 2021 (cropped faces):
```
train_set/images/123.jpg    train_set/annotations/123_exp.npy, 123_val.npy, 123_aro.npy
val_set/...                 likewise
```
and the first one (faces are cut out by the box in the list; the folder `Manually_Annotated_file_lists` is optional,
and images lie in `Manually_Annotated_Images`, that within `Manually_Annotated`, or in the folder given itself):
```
Manually_Annotated_file_lists/training.csv, validation.csv
    subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal
```
The test part was never published: the official validation set is `test` here, and `valid` is `HELD_OUT` of train.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ldlva.datasets.base import FaceDataset, Split
from ldlva.datasets.decoded import ImageFile, decode_images
from ldlva.datasets.listing import (
    UniqueNames,
    coordinate,
    finite_number,
    held_out,
    place,
    read_rows,
    relative_name,
    whole_number,
)
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError

FILTERS = ("seven",)

LABELS = (
    "neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger",
    "contempt", "none", "uncertain", "no face",
)  # fmt: skip
"""AffectNet's labels 0 to 10. Images with one of the last four are left out."""

COLUMNS = (
    "subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks", "expression",
    "valence", "arousal",
)  # fmt: skip

HELD_OUT = 0.05
"""Share of the official train set that is `valid`."""

NO_COORDINATE = -2.0
"""Stands for a valence or arousal that was not given."""

_LISTS = {"train": "training.csv", "test": "validation.csv"}
_SETS = {"train": "train_set", "test": "val_set"}


@dataclass(frozen=True)
class _Face:
    """An image with one of the seven labels. Its coordinates are read when it is known which part it belongs to."""

    name: str
    label: int
    file: ImageFile
    coordinates: Callable[[], tuple[float, float] | None]


def load(root: Path, split: Split, rule: str = "seven", image_size: int | None = None) -> FaceDataset:
    """Read one part: RGB images with one of the seven labels, valence and arousal.

    Images without valence and arousal are left out of every part, whatever the method, so that all methods see the
    same images. So are those of the list without a face box. What was left out is counted in `left_out`: labels and
    boxes for the whole official set, coordinates for the part.

    Raises:
        MissingPartError: no image of this part.
        DatasetError: a file is missing or malformed (file and line are named).
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder. Give the folder of AffectNet.")
    official = "test" if split == "test" else "train"
    left_out: Counter[str] = Counter()
    if any((root / name).is_dir() for name in _SETS.values()):
        faces = _read_annotations(root / _SETS[official], left_out)
    else:
        faces = _read_list(root, _LISTS[official], left_out)
    labels = np.array([face.label for face in faces], dtype=np.int64)
    chosen_by = rule
    if official == "train":
        part = held_out([face.name for face in faces], labels, [HELD_OUT])
        faces = [faces[row] for row in np.flatnonzero(part == (0 if split == "valid" else -1))]
        chosen_by = f"{rule}; valid is {HELD_OUT:.0%} of the official train set, by hash of the name, stratified"
    coordinates = [face.coordinates() for face in faces]
    kept = [(face, pair) for face, pair in zip(faces, coordinates, strict=True) if pair is not None]
    if len(kept) < len(faces):
        left_out["without valence and arousal"] = len(faces) - len(kept)
    if not kept:
        raise MissingPartError(f"AffectNet at {root} has no image for the part {split!r}.")
    return FaceDataset(
        source="affectnet",
        split=split,
        filter=chosen_by,
        names=tuple(face.name for face, _ in kept),
        images=decode_images([face.file for face, _ in kept], 3, image_size),
        labels=np.array([face.label for face, _ in kept], dtype=np.int64),
        valence_arousal=np.array([pair for _, pair in kept], dtype=np.float64),
        left_out=dict(left_out),
    )


def _read_list(root: Path, name: str, left_out: Counter[str]) -> list[_Face]:
    places = [root / "Manually_Annotated_file_lists", root]
    listing = next((folder / name for folder in places if (folder / name).is_file()), None)
    if listing is None:
        if any((folder / other).is_file() for folder in places for other in _LISTS.values()):
            raise MissingPartError(f"AffectNet at {root} has no {name}.")
        raise DatasetError(
            f"{root} is not the layout of AffectNet: it has neither {' nor '.join(_LISTS.values())} nor "
            f"{' nor '.join(_SETS.values())}."
        )
    inside = [Path("Manually_Annotated_Images"), Path("Manually_Annotated") / "Manually_Annotated_Images"]
    images = next((root / folder for folder in inside if (root / folder).is_dir()), root)
    faces: list[_Face] = []
    unique = UniqueNames(listing)
    rows = read_rows(listing)
    _, header = next(rows, (1, []))
    if tuple(header) != COLUMNS:
        raise DatasetError(f"{place(listing, 1)}: expected the header {','.join(COLUMNS)}.")
    for line, cells in rows:
        where = place(listing, line)
        if len(cells) != len(COLUMNS):
            raise DatasetError(f"{where}: expected {len(COLUMNS)} columns, got {len(cells)}.")
        image = relative_name(cells[0], where)
        unique.add(image, line)
        label = _label(cells[6], where)
        if label >= len(EMOTION_NAMES):
            left_out[LABELS[label]] += 1
            continue
        x, y, width, height = (
            whole_number(cell, column, where) for cell, column in zip(cells[1:5], COLUMNS[1:5], strict=True)
        )
        if width <= 0 or height <= 0:
            left_out["without a face box"] += 1
            continue
        file = ImageFile(images / image, where, (x, y, x + width, y + height))
        faces.append(_Face(image, label, file, partial(_coordinates, cells[7], cells[8], where, where)))
    return faces


def _read_annotations(folder: Path, left_out: Counter[str]) -> list[_Face]:
    annotations, images = folder / "annotations", folder / "images"
    if not folder.is_dir():
        raise MissingPartError(f"{folder} is not there.")
    if not annotations.is_dir():
        raise DatasetError(f"{annotations} is not there. Unpack the data set again.")
    ids = sorted(path.name.removesuffix("_exp.npy") for path in annotations.glob("*_exp.npy"))
    ids.sort(key=len)  # 9 before 10
    faces: list[_Face] = []
    for number in ids:
        path = annotations / f"{number}_exp.npy"
        label = _label(_scalar(path), str(path))
        if label >= len(EMOTION_NAMES):
            left_out[LABELS[label]] += 1
            continue
        file = ImageFile(images / f"{number}.jpg", path.name)
        faces.append(_Face(f"{number}.jpg", label, file, partial(_read_coordinates, annotations, number)))
    return faces


def _read_coordinates(annotations: Path, number: str) -> tuple[float, float] | None:
    valence, arousal = annotations / f"{number}_val.npy", annotations / f"{number}_aro.npy"
    return _coordinates(_scalar(valence), _scalar(arousal), str(valence), str(arousal))


def _scalar(path: Path) -> str:
    """The one value of a NumPy file, which AffectNet stores as a number or as text."""
    try:
        value: Any = np.load(path, allow_pickle=False)
        return str(value.item())
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{path} cannot be read ({error}). Unpack the data set again.") from None


def _label(text: str, where: str) -> int:
    label = whole_number(text, "expression", where)
    if not 0 <= label < len(LABELS):
        raise DatasetError(f"{where}: expression must be 0 to {len(LABELS) - 1}, got {text!r}.")
    return label


def _coordinates(valence: str, arousal: str, where_valence: str, where_arousal: str) -> tuple[float, float] | None:
    """Valence and arousal, or None where they were not given."""
    given = finite_number(valence, "valence", where_valence), finite_number(arousal, "arousal", where_arousal)
    if NO_COORDINATE in given:
        return None
    return coordinate(valence, "valence", where_valence), coordinate(arousal, "arousal", where_arousal)
