"""What every reader returns, and how a data set is named on the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ldlva.datasets.images import ImageArray
from ldlva.distributions import FloatArray, IntArray, human_distribution
from ldlva.errors import DatasetError

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

HUMAN_VOTES = "human votes"
PUBLISHED_SHARES = "human vote shares as published (number of votes unknown)"
EXPRESSION_MIXTURE = "expression mixture (the generator's truth, not human votes)"


@dataclass(frozen=True)
class FaceDataset:
    """One part of a data set, decoded.

    Attributes:
        source: reader name, e.g. `ferplus`.
        split: `train`, `valid` or `test`.
        filter: name of the rule that chose the images and labels; printed with every result.
        names: N image names, unique.
        images: uint8 `[N, H, W]` (grey) or `[N, H, W, 3]` (RGB); may be a read-only memory map larger than memory.
        labels: int64 `[N]`, index into `EMOTION_NAMES`: the single label, all that training may use.
        vote_counts: int64 `[N, C]` human votes over `EMOTION_NAMES`, or None.
        vote_shares: `[N, C]` rows summing to 1, where human votes were published as shares without their number, so
            that nothing that needs the number of raters (noise floors, split halves) can be said; or None.
        expression_mixture: `[N, C]` what rendered faces were told to show, or None. Not human.
        valence_arousal: `[N, 2]` the data set's own coordinates in [-1, 1], or None.
        left_out: images that the files list and this part does not have, counted by reason.
    """

    source: str
    split: Split
    filter: str
    names: tuple[str, ...]
    images: ImageArray
    labels: IntArray
    vote_counts: IntArray | None = None
    vote_shares: FloatArray | None = None
    expression_mixture: FloatArray | None = None
    valence_arousal: FloatArray | None = None
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for RGB."""
        return 1 if self.images.ndim == 3 else 3

    @property
    def has_reference(self) -> bool:
        """Whether there is a distribution to measure predictions against, or single labels only."""
        distributions = (self.vote_counts, self.vote_shares, self.expression_mixture)
        return any(given is not None for given in distributions)

    def reference(self) -> tuple[str, FloatArray]:
        """What predictions are measured against: its name, and `[N, C]` rows summing to 1.

        Raises:
            DatasetError: the data set has single labels only.
        """
        if self.vote_counts is not None:
            return HUMAN_VOTES, human_distribution(self.vote_counts)
        if self.vote_shares is not None:
            return PUBLISHED_SHARES, self.vote_shares
        if self.expression_mixture is not None:
            return EXPRESSION_MIXTURE, self.expression_mixture
        raise DatasetError(f"{self.source} has neither votes nor mixtures: there is nothing to measure against.")

    def describe(self) -> dict[str, Any]:
        """What identifies this part in a run's record."""
        described: dict[str, Any] = {
            "source": self.source, "split": self.split, "filter": self.filter, "n": len(self),
        }  # fmt: skip
        return described | ({"left_out": self.left_out} if self.left_out else {})
