"""Cross-entropy against one label, a smoothed label, or a whole distribution.

Shapes: B batch, C classes. `weights` `[B]` are factors on the samples; the loss stays a mean over B.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def label_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean of -sum_j t_j ln softmax(z)_j with t = (1 - smoothing) one-hot + smoothing / C (Szegedy et al. 2016).

    Args:
        logits: `[B, C]`.
        labels: int64 `[B]`.
        weights: `[B]`.
        smoothing: share of the target spread evenly over all classes, in [0, 1).
    """
    per_sample = functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    return (per_sample * weights).mean()


def distribution_cross_entropy(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean of -sum_j d_j ln softmax(z)_j for target distributions d `[B, C]`, rows summing to 1."""
    per_sample = -(target * torch.log_softmax(logits, dim=1)).sum(dim=1)
    return (per_sample * weights).mean()
