"""FER+ (Barsoum et al., ICMI 2016): FER2013 faces, 48 x 48 grey, with ten human votes each.

Layout: `FER2013Train`, `FER2013Valid`, `FER2013Test` with PNG files and a headerless `label.csv`
(`name,"(0, 0, 48, 48)",10 counts`), and/or one `fer2013new.csv` (`Usage,Image name,10 counts`) beside them.
Either label file will do, and any of the three parts may be absent. Where both are there, `label.csv` counts: they are
not the same (1,073 of the 28,558 train faces and 246 of the 3,579 valid ones have other votes in the other file).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ldlva.datasets.base import FaceDataset, Split
from ldlva.datasets.decoded import ImageFile, decode_images
from ldlva.datasets.listing import place
from ldlva.distributions import IntArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError

COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip
"""The ten vote columns, in file order. The last three are outside the product's seven labels."""

FOLDERS: dict[Split, str] = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
MOST_VOTES = 1000
"""More votes than this on one face are a damaged file, not a crowd; FER+ has ten."""

_USAGE = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
_EMOTION_COLUMNS = [COLUMNS.index(name) for name in EMOTION_NAMES]

UNSEEN = "-unseen"
"""Ends a rule that leaves pictures of the train part out of the other two. FER2013 holds many pictures more than once,
also in two parts: 272 of the 3,529 valid faces are also among those that models are trained on."""

FILTERS = ("argmax", "majority", f"argmax{UNSEEN}", f"majority{UNSEEN}")

SEEN = "picture also in the train part"


@dataclass(frozen=True)
class FerPlusVotes:
    """File names and raw votes `[N, 10]` (columns `COLUMNS`) of one part, in file order, with their lines in `path`."""

    folder: Path
    names: tuple[str, ...]
    counts: IntArray
    path: Path
    lines: tuple[int, ...]


def majority_labels(counts: IntArray, rule: str) -> IntArray:
    """Single label per row as an index into `EMOTION_NAMES`, or -1 where the rule drops the image.

    Args:
        counts: raw votes `[N, 10]`.
        rule: `argmax`: the first largest of the ten columns, kept if it is one of the seven emotions.
            `majority`: the official FER+ rule: single votes are dropped as outliers, then the largest column must
            hold more than half of what is left and be one of the seven emotions.

    See `seen` for what the ending `-unseen` adds.
    """
    rule = rule.removesuffix(UNSEEN)
    votes = counts if rule == "argmax" else np.where(counts <= 1, 0, counts)
    winner = votes.argmax(axis=1)
    index_of_column = np.full(len(COLUMNS), -1)
    index_of_column[_EMOTION_COLUMNS] = np.arange(len(EMOTION_NAMES))
    labels = index_of_column[winner]
    if rule == "majority":
        labels[2 * votes.max(axis=1) <= votes.sum(axis=1)] = -1
    return np.asarray(labels, dtype=np.int64)


def read_votes(root: Path, split: Split) -> FerPlusVotes:
    """Read one part's labels.

    Raises:
        MissingPartError: the part's folder is absent.
        DatasetError: no data set there, no label file, or a malformed row (file and line are named).
    """
    root = _find_root(root)
    folder = root / FOLDERS[split]
    if not folder.is_dir():
        present = [part for part, name in FOLDERS.items() if (root / name).is_dir()]
        raise MissingPartError(
            f"FER+ part {split!r} is not at {folder}. Parts found there: {', '.join(present) or 'none'}."
        )
    local, shared = folder / "label.csv", root / "fer2013new.csv"
    if not local.is_file() and not shared.is_file():
        raise DatasetError(f"No labels for FER+ part {split!r}: expected {local} or {shared}.")
    path = local if local.is_file() else shared
    try:
        rows = list(_read_label_csv(path) if path is local else _read_fer2013new(path, split))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None
    if not rows:
        raise DatasetError(f"The FER+ label file for part {split!r} has no rows ({path}).")
    names = tuple(name for _, name, _ in rows)
    if len(set(names)) < len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise DatasetError(f"FER+ part {split!r} lists image {duplicate} twice.")
    counts = np.array([votes for _, _, votes in rows], dtype=np.int64)
    return FerPlusVotes(folder, names, counts, path, tuple(line for line, _, _ in rows))


def seen(root: Path, votes: FerPlusVotes, split: Split, rule: str) -> npt.NDArray[np.bool_]:
    """Which rows `[N]` the ending `-unseen` of a rule leaves out: those whose file is also one of the train part.

    All False without that ending, and for the train part itself.

    Raises:
        DatasetError: as `read_votes` for the train part, or a file cannot be read.
    """
    if not rule.endswith(UNSEEN) or split == "train":
        return np.zeros(len(votes.names), dtype=bool)
    train = read_votes(root, "train")
    taught = set(_digests(train))
    return np.array([digest in taught for digest in _digests(votes)])


def _digests(votes: FerPlusVotes) -> Iterator[bytes]:
    for name, line in zip(votes.names, votes.lines, strict=True):
        try:
            yield hashlib.sha256((votes.folder / name).read_bytes()).digest()
        except OSError as error:
            raise DatasetError(f"{votes.folder / name} ({place(votes.path, line)}): {error.strerror}.") from None


def load(root: Path, split: Split, rule: str = "argmax", image_size: int | None = None) -> FaceDataset:
    """Read one part: grey images, single labels by `rule`, votes over the seven emotions.

    Images are 48 x 48 unless a size is asked for. Votes for contempt, unknown and no-face are outside the seven labels
    and not in `vote_counts`.

    Raises:
        DatasetError: as `read_votes`, or an image is missing or unreadable.
    """
    votes = read_votes(root, split)
    labels = majority_labels(votes.counts, rule)
    left_out = seen(root, votes, split, rule) & (labels >= 0)
    kept = np.flatnonzero((labels >= 0) & ~left_out)
    if len(kept) == 0:
        raise DatasetError(f"No image of FER+ part {split!r} at {root} passes the filter {rule!r}.")
    names = tuple(votes.names[i] for i in kept)
    files = [ImageFile(votes.folder / votes.names[i], place(votes.path, votes.lines[i])) for i in kept]
    return FaceDataset(
        source="ferplus",
        split=split,
        filter=rule,
        names=names,
        images=decode_images(files, 1, image_size),
        labels=labels[kept],
        vote_counts=votes.counts[kept][:, _EMOTION_COLUMNS],
        left_out={SEEN: int(left_out.sum())} if left_out.any() else {},
    )


def _find_root(root: Path) -> Path:
    """Accept the folder that holds the parts, or its parent as the archive unpacks it."""
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder. Give the folder that holds FER2013Train, FER2013Valid, ...")
    for candidate in (root, root / "FERPlus"):
        if any((candidate / name).is_dir() for name in FOLDERS.values()):
            return candidate
    raise DatasetError(f"{root} holds none of {', '.join(FOLDERS.values())}: this is not the FER+ layout.")


def _read_label_csv(path: Path) -> Iterator[tuple[int, str, list[int]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        for line, row in enumerate(csv.reader(file), start=1):
            if row:
                yield _parse_row(path, line, row[0], row[2:])


def _read_fer2013new(path: Path, split: Split) -> Iterator[tuple[int, str, list[int]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        for line, row in enumerate(csv.reader(file), start=1):
            if line == 1:
                if [cell.strip() for cell in row] != ["Usage", "Image name", *COLUMNS]:
                    raise DatasetError(f"{path}, line 1: expected the header Usage,Image name,{','.join(COLUMNS)}.")
                continue
            # The official file keeps rows of removed images with an empty name.
            if len(row) < 2 or not row[1]:
                continue
            if row[0] not in _USAGE:
                raise DatasetError(f"{path}, line {line}: unknown usage {row[0]!r}, expected {', '.join(_USAGE)}.")
            if _USAGE[row[0]] == split:
                yield _parse_row(path, line, row[1], row[2:])


def _parse_row(path: Path, line: int, name: str, cells: list[str]) -> tuple[int, str, list[int]]:
    if not name or Path(name).name != name or not name.isprintable():
        raise DatasetError(f"{path}, line {line}: {name!r} is not a plain image name.")
    try:
        votes = [int(cell) for cell in cells]
    except ValueError:
        raise DatasetError(f"{path}, line {line}: vote counts must be whole numbers, got {cells}.") from None
    if len(votes) != len(COLUMNS) or min(votes) < 0 or not 0 < sum(votes) <= MOST_VOTES:
        raise DatasetError(
            f"{path}, line {line}: expected {len(COLUMNS)} vote counts, 1 to {MOST_VOTES} in all, got {cells}."
        )
    return line, name, votes
