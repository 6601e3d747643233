"""Center loss (Wen et al., ECCV 2016, "A Discriminative Feature Learning Approach for Deep Face Recognition")."""

from __future__ import annotations

import torch
from torch import Tensor


def center_loss(features: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """1/2 mean_i ||v_i - c_{y_i}||^2 (Eq. 2, as a mean over the batch like the cross-entropy beside it).

    Args:
        features: `[B, D]`.
        labels: int64 `[B]`.
        centers: `[C, D]`, a constant here; moved by `moved_centers`.
    """
    return 0.5 * (features - centers[labels]).square().sum(dim=1).mean()


def moved_centers(features: Tensor, labels: Tensor, centers: Tensor, rate: float) -> Tensor:
    """c_j - rate * sum_{i: y_i = j} (c_j - v_i) / (1 + n_j) (Eq. 4); an absent class stays. Returns `[C, D]`."""
    count = torch.bincount(labels, minlength=len(centers)).to(features.dtype).unsqueeze(1)
    total = torch.zeros_like(centers).index_add(0, labels, features)
    return centers - rate * (count * centers - total) / (1 + count)
