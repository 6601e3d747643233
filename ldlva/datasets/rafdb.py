"""RAF-DB, basic emotions (Li, Deng and Du, CVPR 2017): aligned 100 x 100 colour faces, one label each.

```
basic/EmoLabel/list_patition_label.txt    train_00001.jpg 5
      EmoLabel/distribution_basic.txt     optional: train_00001.jpg and 7 shares of about 40 raters' votes
      Image/aligned/train_00001_aligned.jpg
```
The official split has no valid part: `HELD_OUT` of train, by hash of the name, is kept out of `train` and is `valid`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ldlva.datasets.base import FaceDataset, Split
from ldlva.datasets.decoded import ImageFile, decode_images
from ldlva.datasets.listing import UniqueNames, finite_number, held_out, place, read_words
from ldlva.distributions import FloatArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError

FILTERS = ("official",)

LABELS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
"""RAF-DB's labels 1 to 7, and the order of the shares."""

HELD_OUT = 0.1
"""Share of the official train part that is `valid`."""

ROUNDING = 0.02
"""A row of published shares may miss 1 by this much."""

_NAME = re.compile(r"(train|test)_\d+\.jpg")
_EMOTION_OF_LABEL = [EMOTION_NAMES.index(name) for name in LABELS]
_COLUMN_OF_EMOTION = [LABELS.index(name) for name in EMOTION_NAMES]


def load(root: Path, split: Split, rule: str = "official", image_size: int | None = None) -> FaceDataset:
    """Read one part: RGB images, single labels, and vote shares if `distribution_basic.txt` is there.

    Raises:
        MissingPartError: no image of this part is listed.
        DatasetError: a file is missing or malformed (file and line are named).
    """
    root = _find_root(root)
    listing = root / "EmoLabel" / "list_patition_label.txt"
    lines: dict[str, int] = {}
    labels: dict[str, int] = {}
    unique = UniqueNames(listing)
    for line, words in read_words(listing):
        where = place(listing, line)
        if len(words) != 2 or not _NAME.fullmatch(words[0]):
            raise DatasetError(f"{where}: expected a line like “train_00001.jpg 5”, got {' '.join(words)!r}.")
        if words[1] not in "1234567" or len(words[1]) != 1:
            raise DatasetError(f"{where}: the label must be 1 to 7, got {words[1]!r}.")
        unique.add(words[0], line)
        lines[words[0]], labels[words[0]] = line, int(words[1])
    official = "test" if split == "test" else "train"
    names = [name for name in lines if name.startswith(official)]
    emotions = np.array([_EMOTION_OF_LABEL[labels[name] - 1] for name in names], dtype=np.int64)
    if split == "test":
        kept, chosen_by = np.arange(len(names)), rule
    else:
        part = held_out(names, emotions, [HELD_OUT])
        kept = np.flatnonzero(part == (0 if split == "valid" else -1))
        chosen_by = f"{rule}; valid is {HELD_OUT:.0%} of the official train part, by hash of the name, stratified"
    if len(kept) == 0:
        raise MissingPartError(f"{listing} lists no image for the part {split!r}.")
    chosen = [names[row] for row in kept]
    shares = root / "EmoLabel" / "distribution_basic.txt"
    published = _read_shares(shares, labels) if shares.is_file() else None
    aligned = root / "Image" / "aligned"
    if not aligned.is_dir():
        raise DatasetError(f"{aligned} is not there. Unpack aligned.zip into {root / 'Image'}.")
    files = [ImageFile(aligned / _aligned(name), place(listing, lines[name])) for name in chosen]
    return FaceDataset(
        source="rafdb",
        split=split,
        filter=chosen_by,
        names=tuple(chosen),
        images=decode_images(files, 3, image_size),
        labels=emotions[kept],
        vote_shares=None if published is None else np.stack([published[name] for name in chosen]),
    )


def _aligned(name: str) -> str:
    return f"{name.removesuffix('.jpg')}_aligned.jpg"


def _find_root(root: Path) -> Path:
    """Accept the folder `basic`, or its parent as the archive unpacks it."""
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder. Give the folder of RAF-DB that holds EmoLabel and Image.")
    for candidate in (root, root / "basic"):
        if (candidate / "EmoLabel" / "list_patition_label.txt").is_file():
            return candidate
    raise DatasetError(f"{root} has no EmoLabel/list_patition_label.txt: this is not the layout of RAF-DB basic.")


def _read_shares(path: Path, labels: dict[str, int]) -> dict[str, FloatArray]:
    """Shares `[C]` in the product's order by image name.

    A line is an image's name and seven shares, or the shares alone in the order of the label list.
    """
    in_order = list(labels)
    shares: dict[str, FloatArray] = {}
    unique = UniqueNames(path)
    for row, (line, words) in enumerate(read_words(path)):
        where = place(path, line)
        if len(words) == len(LABELS):
            if row >= len(in_order):
                raise DatasetError(f"{where}: the label list has only {len(in_order)} images.")
            name, numbers = in_order[row], words
        else:
            name, numbers = words[0], words[1:]
        if len(numbers) != len(LABELS):
            raise DatasetError(f"{where}: expected an image name and {len(LABELS)} shares, got {' '.join(words)!r}.")
        if name not in labels:
            raise DatasetError(f"{where}: image {name!r} is not in the label list.")
        unique.add(name, line)
        values = np.array([finite_number(number, "a share", where) for number in numbers])
        if values.min() < 0 or abs(values.sum() - 1) > ROUNDING:
            raise DatasetError(f"{where}: the shares must be at least 0 and sum to 1, got {' '.join(numbers)!r}.")
        if values[labels[name] - 1] < values.max():
            raise DatasetError(
                f"{where}: the largest share of {name} is that of label {values.argmax() + 1}, the label list says "
                f"{labels[name]}. If the files do not belong together, take {path.name} away."
            )
        shares[name] = (values / values.sum())[_COLUMN_OF_EMOTION]  # stored rounded
    if len(shares) < len(labels):
        missing = next(name for name in labels if name not in shares)
        raise DatasetError(f"{path} has no line for {len(labels) - len(shares)} images, the first is {missing}.")
    return shares
