"""Cross-entropy with center loss (Wen et al., ECCV 2016)."""

from __future__ import annotations

from typing import cast

import torch
from pydantic import Field
from torch import Tensor

from ldlva.training.backbones import FaceNetwork
from ldlva.training.losses.center import center_loss, moved_centers
from ldlva.training.losses.cross_entropy import label_cross_entropy
from ldlva.training.methods.base import Batch, Method, Options, TrainingSet


class CenterOptions(Options):
    """Settings of center loss; `lambda` is a word of the language, hence `center_weight`."""

    center_weight: float = Field(0.003, ge=0, description="lambda, weight of the center loss (Wen et al.: .003)")
    center_rate: float = Field(0.5, ge=0, le=1, description="alpha, how far a centre moves (Wen et al.: .5)")


class Center(Method):
    """Cross-entropy + lambda/2 ||v - c_y||^2. Buffer: centers `[C, D]`, moved by their own rule."""

    options_type = CenterOptions

    centers: Tensor

    def __init__(self, train: TrainingSet, network: FaceNetwork, options: Options) -> None:
        super().__init__(train, network, options)
        self.options = cast(CenterOptions, options)
        self.register_buffer("centers", torch.zeros(network.classifier.out_features, network.feature_width))
        self._seen: tuple[Tensor, Tensor] | None = None

    def loss(self, batch: Batch) -> Tensor:
        logits, features = self.network(batch.images)
        self._seen = features.detach(), batch.labels
        pull = center_loss(features, batch.labels, self.centers)
        return label_cross_entropy(logits, batch.labels, batch.weights) + self.options.center_weight * pull

    @torch.no_grad()
    def after_step(self) -> None:
        if self._seen is not None:
            self.centers.copy_(moved_centers(*self._seen, self.centers, self.options.center_rate))
            self._seen = None
