"""One reader per data set, and `load_dataset` for the `NAME:FOLDER` form used on the command line."""

from __future__ import annotations

from pathlib import Path

from ldlva.datasets import ferplus
from ldlva.datasets.base import SPLITS, FaceDataset, Split
from ldlva.errors import DatasetError

__all__ = ["SPLITS", "FaceDataset", "Split", "check_split", "load_dataset"]


def load_dataset(spec: str, split: str, rule: str = "argmax") -> FaceDataset:
    """Load one part of a data set named as `ferplus:DIR`.

    Raises:
        DatasetError: unknown name, split or filter, or the reader found a fault.
    """
    name, _, folder = spec.partition(":")
    if name != "ferplus" or not folder:
        raise DatasetError(f"Unknown data set {spec!r}. Write ferplus:FOLDER.")
    part = check_split(split)
    return ferplus.load(Path(folder).expanduser(), part, check_filter(rule))


def check_split(split: str) -> Split:
    """A part's name, or a clear error."""
    for known in SPLITS:
        if split == known:
            return known
    raise DatasetError(f"Unknown split {split!r}. Choose one of {', '.join(SPLITS)}.")


def check_filter(rule: str) -> ferplus.Filter:
    """A filter's name, or a clear error."""
    for known in ferplus.FILTERS:
        if rule == known:
            return known
    raise DatasetError(f"Unknown filter {rule!r}. Choose one of {', '.join(ferplus.FILTERS)}.")
