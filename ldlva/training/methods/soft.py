"""Soft labels: trained on the votes themselves, the upper bound of every method that sees single labels only."""

from __future__ import annotations

import torch
from torch import Tensor

from ldlva.training.backbones import FaceNetwork
from ldlva.training.losses.cross_entropy import distribution_cross_entropy
from ldlva.training.methods.base import Batch, Method, Options, TrainingSet


class SoftLabels(Method):
    """Cross-entropy against each image's vote distribution."""

    needs_votes = True

    distributions: Tensor

    def __init__(self, train: TrainingSet, network: FaceNetwork, options: Options) -> None:
        super().__init__(train, network, options)
        if train.distributions is None:
            raise ValueError("soft labels need distributions in their training set")
        # Rebuilt from the data, so not stored in checkpoints.
        self.register_buffer("distributions", torch.from_numpy(train.distributions).float(), persistent=False)

    def loss(self, batch: Batch) -> Tensor:
        logits, _ = self.network(batch.images)
        return distribution_cross_entropy(logits, self.distributions[batch.rows], batch.weights)
