"""One reader per data set, and `load_dataset` for the `NAME:FOLDER` form used on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ldlva.datasets import affectnet, faces, ferplus, folder, rafdb
from ldlva.datasets.base import SPLITS, FaceDataset, Split
from ldlva.errors import DatasetError

__all__ = [
    "READERS", "SPLITS", "FaceDataset", "Loader", "Reader", "Split", "check_split", "load_dataset", "unknown_dataset",
]  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """One data set.

    Attributes:
        load: takes (folder, split, filter, image size or None) and returns the part.
        filters: rules by which images and single labels are chosen; the first is the default.
        folder: where it is if the command does not say; None: the command must say.
    """

    load: Callable[[Path, Split, str, int | None], FaceDataset]
    filters: tuple[str, ...]
    folder: Path | None = None


READERS: dict[str, Reader] = {
    "ferplus": Reader(ferplus.load, ferplus.FILTERS),
    "rafdb": Reader(rafdb.load, rafdb.FILTERS),
    "affectnet": Reader(affectnet.load, affectnet.FILTERS),
    "folder": Reader(folder.load, folder.FILTERS),
    "faces": Reader(faces.load, faces.FILTERS, faces.FOLDER),
}


class Loader(Protocol):
    """Finds a data set by the name the command line gives it; `load_dataset`, or one that knows more."""

    def __call__(
        self, spec: str, split: str, rule: str | None = None, image_size: int | None = None
    ) -> FaceDataset: ...


def load_dataset(spec: str, split: str, rule: str | None = None, image_size: int | None = None) -> FaceDataset:
    """Load one part of a data set named as `faces` or `ferplus:FOLDER`.

    Args:
        spec: name of the reader, and after a colon the folder.
        split: `train`, `valid` or `test`.
        rule: one of the reader's filters; None: its first.
        image_size: side of the square that images are cropped and resized to; None: as they are, all alike.

    Raises:
        DatasetError: unknown name, split or filter, or the reader found a fault.
    """
    name, _, place = spec.partition(":")
    reader = READERS.get(name)
    folder = Path(place).expanduser() if place else reader.folder if reader else None
    if reader is None or folder is None:
        raise unknown_dataset(spec)
    part = check_split(split)
    rule = reader.filters[0] if rule is None else rule
    if rule not in reader.filters:
        raise DatasetError(f"{name} has no filter {rule!r}. Choose one of {', '.join(reader.filters)}.")
    return reader.load(folder, part, rule, image_size)


def unknown_dataset(spec: str, *more_forms: str) -> DatasetError:
    """The error about a name that no reader has; `more_forms` are names that the caller knows besides."""
    forms = [name if reader.folder else f"{name}:FOLDER" for name, reader in READERS.items()]
    return DatasetError(f"Unknown data set {spec!r}. Write one of {', '.join([*forms, *more_forms])}.")


def check_split(split: str) -> Split:
    """A part's name, or a clear error."""
    for known in SPLITS:
        if split == known:
            return known
    raise DatasetError(f"Unknown split {split!r}. Choose one of {', '.join(SPLITS)}.")
