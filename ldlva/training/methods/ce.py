"""Cross-entropy on the single label: the baseline."""

from __future__ import annotations

from torch import Tensor

from ldlva.training.losses.cross_entropy import label_cross_entropy
from ldlva.training.methods.base import Batch, Method


class CrossEntropy(Method):
    """Cross-entropy on the single label, as if it were the whole truth: the baseline."""

    def loss(self, batch: Batch) -> Tensor:
        logits, _ = self.network(batch.images)
        return label_cross_entropy(logits, batch.labels, batch.weights)
