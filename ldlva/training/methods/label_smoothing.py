"""Label smoothing: the simplest way to a less certain model (Szegedy et al., CVPR 2016)."""

from __future__ import annotations

from typing import cast

from pydantic import Field
from torch import Tensor

from ldlva.training.backbones import FaceNetwork
from ldlva.training.losses.cross_entropy import label_cross_entropy
from ldlva.training.methods.base import Batch, Method, Options, TrainingSet


class LabelSmoothingOptions(Options):
    """Settings of label smoothing."""

    eps: float = Field(0.1, ge=0, lt=1, description="share of the target spread evenly over all labels")


class LabelSmoothing(Method):
    """Cross-entropy against the label mixed with the uniform distribution."""

    options_type = LabelSmoothingOptions

    def __init__(self, train: TrainingSet, network: FaceNetwork, options: Options) -> None:
        super().__init__(train, network, options)
        self.options = cast(LabelSmoothingOptions, options)

    def loss(self, batch: Batch) -> Tensor:
        logits, _ = self.network(batch.images)
        return label_cross_entropy(logits, batch.labels, batch.weights, self.options.eps)
