"""One reader per data set, and `load_dataset` for the `NAME:FOLDER` form used on the command line."""

from __future__ import annotations

from pathlib import Path

from ldlva.datasets import ferplus
from ldlva.datasets.base import SPLITS, FaceDataset, Split
from ldlva.errors import DatasetError

__all__ = ["SPLITS", "FaceDataset", "Split", "load_dataset"]


def load_dataset(spec: str, split: str, rule: str = "argmax") -> FaceDataset:
    """Load one part of a data set named as `ferplus:DIR`.

    Raises:
        DatasetError: unknown name, split or filter, or the reader found a fault.
    """
    name, _, folder = spec.partition(":")
    if name != "ferplus" or not folder:
        raise DatasetError(f"Unknown data set {spec!r}. Write ferplus:FOLDER.")
    if split not in SPLITS:
        raise DatasetError(f"Unknown split {split!r}. Choose one of {', '.join(SPLITS)}.")
    if rule not in ferplus.FILTERS:
        raise DatasetError(f"Unknown filter {rule!r}. Choose one of {', '.join(ferplus.FILTERS)}.")
    return ferplus.load(Path(folder).expanduser(), split, rule)
