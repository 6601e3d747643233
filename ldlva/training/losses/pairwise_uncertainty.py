"""DMUE's confidence in each sample's label, estimated from its similarity to the rest of the batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def cosine_similarities(features: Tensor) -> Tensor:
    """Cosines between all rows, `[B, D]` to `[B, B]`."""
    directions = functional.normalize(features, dim=1)
    return directions @ directions.T


def class_similarities(cosines: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean cosine of each sample to the batch's samples of each class, itself included.

    Args:
        cosines: `[B, B]`.
        labels: int64 `[B]`.
        classes: C.

    Returns:
        `[B, C]`; 0 for a class that the batch does not hold.
    """
    members = functional.one_hot(labels, classes).to(cosines.dtype)
    return cosines @ members / members.sum(dim=0).clamp(min=1)


def rescaled_rows(similarities: Tensor, present: Tensor) -> Tensor:
    """Each row's values moved and scaled to [0, 1] over the classes of the batch; 0 for the other classes.

    Args:
        similarities: `[B, C]`.
        present: bool `[C]`.
    """
    low = similarities.masked_fill(~present, torch.inf).min(dim=1, keepdim=True).values
    high = similarities.masked_fill(~present, -torch.inf).max(dim=1, keepdim=True).values
    # The floor only matters where a network has collapsed to one feature: 0 instead of 0/0.
    scaled = (similarities - low) / (high - low).clamp(min=1e-12)
    return scaled * present.to(scaled.dtype)


class PairwiseUncertainty(nn.Module):
    """Linear(2C, C) - PReLU - Linear(C, 1) - sigmoid on [class similarities, one-hot label].

    Args:
        classes: C.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.project0 = nn.Linear(2 * classes, classes)
        self.activation = nn.PReLU()
        self.project1 = nn.Linear(classes, 1)

    def statistics(self, features: Tensor, labels: Tensor) -> Tensor:
        """The projection's input `[B, 2C]` for features `[B, D]` before dropout and neck."""
        one_hot = functional.one_hot(labels, self.classes).to(features.dtype)
        similarities = class_similarities(cosine_similarities(features), labels, self.classes)
        return torch.cat([rescaled_rows(similarities, one_hot.sum(dim=0) > 0), one_hot], dim=1)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Confidence `[B, 1]` in (0, 1)."""
        hidden = self.activation(self.project0(self.statistics(features, labels)))
        return torch.sigmoid(self.project1(hidden))
