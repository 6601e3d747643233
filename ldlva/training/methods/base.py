"""What the trainer needs from a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from ldlva.datasets.base import FaceDataset, ImageArray
from ldlva.distributions import IntArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.training.backbones import FaceNetwork


class Options(BaseModel):
    """A method's own settings; unknown names and bad values are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class TrainingSet:
    """All that a method may learn from: images and single labels. Votes are not part of it.

    Attributes:
        names: N image names.
        images: uint8 `[N, S, S]` or `[N, S, S, 3]`.
        labels: int64 `[N]`.
        valence_arousal: float `[N, 2]`, only for methods that ask for it.
    """

    names: tuple[str, ...]
    images: ImageArray
    labels: IntArray
    valence_arousal: npt.NDArray[np.float64] | None = None

    @classmethod
    def from_dataset(cls, dataset: FaceDataset, images: ImageArray) -> TrainingSet:
        """Take the labels of `dataset`, leave its votes behind; `images` are the same faces at training size."""
        return cls(names=dataset.names, images=images, labels=dataset.labels)

    def subset(self, rows: IntArray) -> TrainingSet:
        """The given rows, without valence-arousal."""
        return TrainingSet(tuple(self.names[i] for i in rows), self.images[rows], self.labels[rows])

    def __len__(self) -> int:
        return len(self.names)

    @property
    def channels(self) -> int:
        return 1 if self.images.ndim == 3 else 3


@dataclass(frozen=True)
class Batch:
    """Augmented images `[B, channels, S, S]`, labels int64 `[B]`, and their rows in the training set, int64 `[B]`."""

    images: Tensor
    labels: Tensor
    rows: Tensor


class Method(nn.Module):
    """A network with a loss. Everything that must survive a restart is a parameter or a buffer."""

    options_type: ClassVar[type[Options]] = Options
    needs_valence_arousal: ClassVar[bool] = False

    def __init__(self, train: TrainingSet, backbone: str, options: Options) -> None:
        super().__init__()
        self.network = FaceNetwork(backbone, train.channels, len(EMOTION_NAMES))

    def start_epoch(self, epoch: int) -> None:
        """Called before the first batch of every epoch, counted from 0."""

    def loss(self, batch: Batch) -> Tensor:
        """Scalar loss of one batch."""
        raise NotImplementedError

    def after_step(self) -> None:
        """Called after the optimiser moved; updates what is not trained by the optimiser."""

    def epoch_metrics(self) -> dict[str, float]:
        """Figures about the method's own state, logged at the end of every epoch."""
        return {}
