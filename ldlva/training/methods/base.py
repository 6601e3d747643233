"""What the trainer needs from a method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from ldlva.datasets.base import FaceDataset
from ldlva.datasets.images import ImageArray
from ldlva.distributions import FloatArray, IntArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.training.backbones import FaceNetwork
from ldlva.training.distributed import Group, share_forward

Sampling = Literal["uniform", "balanced"]
"""How an epoch draws its batches: every image once, or every class equally often."""


class Options(BaseModel):
    """A method's own settings; unknown names and bad values are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageRows:
    """Some rows of an image array, gathered when asked for: part of a memory map is never held in memory as a whole.

    Args:
        images: uint8 `[N, S, S]` or `[N, S, S, 3]`.
        rows: int64 `[M]`.
    """

    def __init__(self, images: ImageArray | ImageRows, rows: IntArray) -> None:
        self._images = images
        self._rows = rows
        self.shape: tuple[int, ...] = (len(rows), *images.shape[1:])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: int | slice | IntArray) -> ImageArray:
        return self._images[self._rows[key]]

    def __iter__(self) -> Iterator[ImageArray]:
        return (self._images[row] for row in self._rows)


@dataclass(frozen=True)
class TrainingSet:
    """All that a method may learn from: images and single labels, and what it declares that it needs.

    Attributes:
        names: N image names.
        images: uint8 `[N, S, S]` or `[N, S, S, 3]`, perhaps a memory map: gather rows, do not ask for all of it.
        labels: int64 `[N]`.
        valence_arousal: float `[N, 2]`, only for methods that ask for it (`needs_valence_arousal`).
        distributions: `[N, C]` rows summing to 1, the votes, only for methods that ask for them (`needs_votes`): no
            other method can be trained on votes by accident.
        posteriors: `[N, C]` rows summing to 1, class probabilities by teachers that were not told the image's label,
            only for methods that ask for them (`uses_posteriors`).
    """

    names: tuple[str, ...]
    images: ImageArray | ImageRows
    labels: IntArray
    valence_arousal: FloatArray | None = None
    distributions: FloatArray | None = None
    posteriors: FloatArray | None = None

    @classmethod
    def from_dataset(cls, dataset: FaceDataset, images: ImageArray) -> TrainingSet:
        """Take the labels of `dataset`, leave its votes behind; `images` are the same faces at training size."""
        return cls(names=dataset.names, images=images, labels=dataset.labels)

    def subset(self, rows: IntArray) -> TrainingSet:
        """Images and labels of the given rows, without what a method must ask for."""
        return TrainingSet(tuple(self.names[i] for i in rows), ImageRows(self.images, rows), self.labels[rows])

    def class_weights(self) -> FloatArray:
        """Inverse class frequency `[C]`, scaled so that the mean over the samples is 1; 0 for an absent class."""
        counts = np.bincount(self.labels, minlength=len(EMOTION_NAMES))
        scale = len(self) / np.count_nonzero(counts)
        return np.divide(scale, counts, out=np.zeros(len(counts)), where=counts > 0)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def channels(self) -> int:
        return 1 if self.images.ndim == 3 else 3


@dataclass(frozen=True)
class Batch:
    """Samples of one step.

    Attributes:
        images: augmented, `[B, channels, S, S]`.
        labels: int64 `[B]`.
        rows: int64 `[B]`, their places in the training set.
        weights: `[B]`, a factor on each sample's classification loss: 1, or its class's weight. The loss stays a mean
            over B.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor
    weights: Tensor


class Method(nn.Module):
    """A network with a loss. Everything that must survive a restart is a parameter or a buffer.

    Args:
        train: the training set; a method keeps what it needs of it.
        network: with its initial weights.
        options: of the class's `options_type`.
    """

    options_type: ClassVar[type[Options]] = Options
    needs_valence_arousal: ClassVar[bool] = False
    needs_votes: ClassVar[bool] = False
    needs_posteriors: ClassVar[bool] = False
    default_sampling: ClassVar[Sampling] = "uniform"

    def __init__(self, train: TrainingSet, network: FaceNetwork, options: Options) -> None:
        super().__init__()
        self.network = network

    @classmethod
    def uses_valence_arousal(cls, options: Options) -> bool:
        """Whether a run with these options looks at the coordinates that the method may need."""
        return cls.needs_valence_arousal

    @classmethod
    def uses_posteriors(cls, options: Options) -> bool:
        """Whether a run with these options asks out-of-fold teachers; `needs_posteriors` says that every run does."""
        return cls.needs_posteriors

    def inference_network(self) -> FaceNetwork:
        """The network that predicts; its weights are what a finished run keeps."""
        return self.network

    def share(self, group: Group) -> list[nn.Module]:
        """Share the network's work out over the processes of `group`, once, before training.

        Returns:
            The modules whose gradients are then to be added up over the processes.
        """
        share_forward(self.network, group)
        return [self.network]

    def compile_network(self, **settings: Any) -> None:
        """Have `torch.compile` make faster code for what costs most; `settings` are its own."""
        self.network.backbone.compile(**settings)

    def start_epoch(self, epoch: int) -> None:
        """Called before the first batch of every epoch, counted from 0."""

    def loss(self, batch: Batch) -> Tensor | None:
        """Scalar loss of one batch; None if the batch cannot be learned from, and the step is left out."""
        raise NotImplementedError

    def after_step(self) -> None:
        """Called after the optimiser moved; updates what is not trained by the optimiser."""

    def epoch_metrics(self) -> dict[str, float]:
        """Figures about the method's own state, logged at the end of every epoch."""
        return {}
