"""What every reader returns, and how a data set is named on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ldlva.distributions import IntArray

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

ImageArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FaceDataset:
    """One part of a data set, decoded.

    Attributes:
        source: reader name, e.g. `ferplus`.
        split: `train`, `valid` or `test`.
        filter: name of the rule that chose the images and labels; printed with every result.
        names: N image names, unique.
        images: uint8 `[N, H, W]` (grey) or `[N, H, W, 3]` (RGB).
        labels: int64 `[N]`, index into `EMOTION_NAMES`: the single label, all that training may use.
        vote_counts: int64 `[N, C]` human votes over `EMOTION_NAMES`, or None. Evaluation only.
    """

    source: str
    split: Split
    filter: str
    names: tuple[str, ...]
    images: ImageArray
    labels: IntArray
    vote_counts: IntArray | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for RGB."""
        return 1 if self.images.ndim == 3 else 3

    def describe(self) -> dict[str, Any]:
        """What identifies this part in a run's record."""
        return {"source": self.source, "split": self.split, "filter": self.filter, "n": len(self)}
