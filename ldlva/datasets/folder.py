"""Your own labelled pictures: a folder with one sub-folder a class, or with a `labels.csv`.

```
DIR/train/happiness/a.jpg, DIR/valid/..., DIR/test/...    parts as you made them; any of the three may be absent
DIR/happiness/a.jpg                                       parts drawn: 80% train, 10% valid, 10% test
DIR/labels.csv                                            name,label[,split][,valence,arousal][,votes_neutral,...]
```
Classes are the product's emotion names or one of `SYNONYMS`. In `labels.csv`, `name` is the picture's path below DIR;
vote counts have one column for every emotion, with or without `votes_` before it. Without `split`, parts are drawn
likewise: by hash of the name, the same shares of every class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ldlva.datasets.base import FaceDataset, Split
from ldlva.datasets.decoded import ImageFile, common_channels, decode_images
from ldlva.datasets.listing import (
    UniqueNames,
    coordinate,
    held_out,
    place,
    read_rows,
    relative_name,
    whole_number,
)
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError

FILTERS = ("all",)

SHARES = {"valid": 0.1, "test": 0.1}
"""Of every class where parts are drawn; the rest is train."""

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}

SYNONYMS = {
    "neutrality": "neutral",
    "happy": "happiness", "joy": "happiness", "joyful": "happiness",
    "sad": "sadness",
    "surprised": "surprise", "surprising": "surprise",
    "fearful": "fear", "afraid": "fear", "scared": "fear",
    "disgusted": "disgust",
    "angry": "anger",
}  # fmt: skip
"""Other names of a class, in lower case. Each is read as the emotion it stands for."""

SPLIT_NAMES: dict[str, Split] = {
    "train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip

MOST_VOTES = 100_000
"""More votes than this on one face are a damaged file, not a crowd."""

LABELS_FILE = "labels.csv"
_PLAIN_COLUMNS = ("name", "label", "split", "valence", "arousal")


@dataclass(frozen=True)
class _Face:
    name: str
    label: int
    file: ImageFile
    split: Split | None = None
    valence_arousal: tuple[float, float] | None = None
    votes: tuple[int, ...] | None = None


def load(root: Path, split: Split, rule: str = "all", image_size: int | None = None) -> FaceDataset:
    """Read one part: grey images if every picture of every part is grey, else RGB.

    Raises:
        MissingPartError: no image of this part.
        DatasetError: the layout is not one of the above, or a file is missing or malformed (file and line are named).
    """
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder. Give the folder that holds your labelled pictures.")
    left_out: Counter[str] = Counter()
    faces = list(_read_labels(root / LABELS_FILE) if (root / LABELS_FILE).is_file() else _walk(root, left_out))
    if not faces:
        raise DatasetError(f"{root} has no labelled picture ({', '.join(sorted(SUFFIXES))}).")
    chosen_by = rule
    if faces[0].split is None:
        faces = _draw_parts(faces)
        shares = ", ".join(f"{share:.0%} {name}" for name, share in SHARES.items())
        chosen_by = f"{rule}; {shares}, the rest train, by hash of the name, stratified"
    kept = [face for face in faces if face.split == split]
    if not kept:
        present = sorted({face.split for face in faces if face.split})
        raise MissingPartError(f"{root} has no image for the part {split!r}. Parts there: {', '.join(present)}.")
    channels = common_channels(face.file.path for face in faces if face.file.path.is_file())
    return FaceDataset(
        source="folder",
        split=split,
        filter=chosen_by,
        names=tuple(face.name for face in kept),
        images=decode_images([face.file for face in kept], channels, image_size),
        labels=np.array([face.label for face in kept], dtype=np.int64),
        vote_counts=None if kept[0].votes is None else np.array([face.votes for face in kept], dtype=np.int64),
        valence_arousal=(
            None
            if kept[0].valence_arousal is None
            else np.array([face.valence_arousal for face in kept], dtype=np.float64)
        ),
        left_out=dict(left_out),
    )


def class_index(text: str, where: str) -> int:
    """Index into `EMOTION_NAMES` of a class named by an emotion or a synonym, in any case.

    Raises:
        DatasetError: it is neither.
    """
    name = text.strip().lower()
    name = SYNONYMS.get(name, name)
    if name not in EMOTION_NAMES:
        raise DatasetError(
            f"{where}: unknown class {text!r}. Classes are {', '.join(EMOTION_NAMES)}, or synonyms of these "
            f"({', '.join(SYNONYMS)}). Rename it, or take it out."
        )
    return EMOTION_NAMES.index(name)


def _draw_parts(faces: list[_Face]) -> list[_Face]:
    labels = np.array([face.label for face in faces], dtype=np.int64)
    parts: list[Split] = ["valid", "test", "train"]  # -1 is the last
    drawn = held_out([face.name for face in faces], labels, [SHARES["valid"], SHARES["test"]])
    return [replace(face, split=parts[part]) for face, part in zip(faces, drawn, strict=True)]


def _walk(root: Path, left_out: Counter[str]) -> Iterator[_Face]:
    top = _folders(root)
    by_split = [folder for folder in top if folder.name.lower() in SPLIT_NAMES]
    if by_split and len(by_split) < len(top):
        other = next(folder for folder in top if folder not in by_split)
        raise DatasetError(
            f"{root} has parts ({by_split[0].name}) and {other.name} side by side. Move one of them away."
        )
    if not top:
        raise DatasetError(
            f"{root} has neither {LABELS_FILE} nor a folder for each class ({', '.join(EMOTION_NAMES)}), "
            "by themselves or within train, valid and test."
        )
    parts: list[tuple[Split | None, Path]] = [(SPLIT_NAMES[part.name.lower()], part) for part in by_split]
    for split, folder in parts or [(None, root)]:
        for class_folder in _folders(folder):
            label = class_index(class_folder.name, str(folder))
            for path in sorted(class_folder.rglob("*")):
                if any(part.startswith(".") for part in path.relative_to(root).parts) or path.is_dir():
                    continue
                if path.suffix.lower() not in SUFFIXES:
                    left_out["not a picture by its name"] += 1
                    continue
                yield _Face(path.relative_to(root).as_posix(), label, ImageFile(path), split)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _read_labels(path: Path) -> Iterator[_Face]:
    rows = read_rows(path)
    line, header = next(rows, (1, []))
    columns = _columns([cell.lower() for cell in header], place(path, line))
    unique = UniqueNames(path)
    for line, cells in rows:
        where = place(path, line)
        if len(cells) != len(header):
            raise DatasetError(f"{where}: expected {len(header)} columns as in the first line, got {len(cells)}.")
        name = relative_name(cells[columns["name"]], where)
        unique.add(name, line)
        yield _Face(
            name=name,
            label=class_index(cells[columns["label"]], where),
            file=ImageFile(path.parent / name, where),
            split=_split(cells[columns["split"]], where) if "split" in columns else None,
            valence_arousal=(
                (
                    coordinate(cells[columns["valence"]], "valence", where),
                    coordinate(cells[columns["arousal"]], "arousal", where),
                )
                if "valence" in columns
                else None
            ),
            votes=(
                _votes([cells[columns[emotion]] for emotion in EMOTION_NAMES], where)
                if EMOTION_NAMES[0] in columns
                else None
            ),
        )


def _columns(header: list[str], where: str) -> dict[str, int]:
    """Place of every column by its name, votes by the emotion's."""
    names = [name.removeprefix("votes_") for name in header]
    known = (*_PLAIN_COLUMNS, *EMOTION_NAMES)
    if unknown := [cell for cell, name in zip(header, names, strict=True) if name not in known]:
        raise DatasetError(
            f"{where}: unknown column {unknown[0]!r}. Columns are {', '.join(_PLAIN_COLUMNS)}, and votes_neutral, ... "
            f"votes_anger. Rename it, or take it out."
        )
    if len(set(names)) < len(names):
        raise DatasetError(f"{where}: two columns have the same name.")
    for group in (("name", "label"), ("valence", "arousal"), EMOTION_NAMES):
        missing = [name for name in group if name not in names]
        if missing and (len(missing) < len(group) or group[0] == "name"):
            raise DatasetError(f"{where}: the column {missing[0]} is missing ({', '.join(group)} belong together).")
    return {name: index for index, name in enumerate(names)}


def _split(text: str, where: str) -> Split:
    split = SPLIT_NAMES.get(text.lower())
    if split is None:
        raise DatasetError(f"{where}: split must be train, valid or test, got {text!r}.")
    return split


def _votes(cells: list[str], where: str) -> tuple[int, ...]:
    votes = tuple(whole_number(cell, "a vote count", where) for cell in cells)
    if min(votes) < 0 or not 0 < sum(votes) <= MOST_VOTES:
        raise DatasetError(f"{where}: expected vote counts of 0 or more, 1 to {MOST_VOTES} in all, got {votes}.")
    return votes
