"""The "total loss" of the LDLVA supplement: cross-entropy on hard labels with LDLVA's discriminative loss."""

from __future__ import annotations

from typing import cast

import torch
from pydantic import Field
from torch import Tensor

from ldlva.training.backbones import FaceNetwork
from ldlva.training.losses.cross_entropy import label_cross_entropy
from ldlva.training.losses.ldlva import discriminative_loss, updated_centers
from ldlva.training.methods.base import Batch, Method, Options, TrainingSet


class TotalOptions(Options):
    """Settings; defaults are LDLVA's."""

    gamma: float = Field(0.01, ge=0, description="weight of the discriminative loss")
    center_rate: float = Field(0.5, ge=0, description="SGD rate of the class centres")


class Total(Method):
    """Cross-entropy + gamma L_D, every label with weight 1. Buffer: centers `[C, D]`, pulled and pushed as LDLVA's."""

    options_type = TotalOptions

    centers: Tensor

    def __init__(self, train: TrainingSet, network: FaceNetwork, options: Options) -> None:
        super().__init__(train, network, options)
        self.options = cast(TotalOptions, options)
        self.register_buffer("centers", torch.zeros(network.classifier.out_features, network.feature_width))
        self._seen: tuple[Tensor, Tensor, Tensor] | None = None

    def loss(self, batch: Batch) -> Tensor:
        logits, features = self.network(batch.images)
        full = torch.ones(len(features), 1, device=features.device)
        self._seen = features.detach(), batch.labels, full
        discriminative = discriminative_loss(features, batch.labels, full, self.centers)
        return label_cross_entropy(logits, batch.labels, batch.weights) + self.options.gamma * discriminative

    @torch.no_grad()
    def after_step(self) -> None:
        if self._seen is not None:
            self.centers.copy_(updated_centers(*self._seen, self.centers, self.options.center_rate))
            self._seen = None
