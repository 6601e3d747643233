"""The loss of LDLVA (Le et al., WACV 2023), as pure functions.

Where the paper and the authors' code differ, these follow the code, and are pinned to its numbers by
`tests/training/test_golden.py`; functions named `paper_...` follow the paper instead. `label_weight` is the
code's lambda = sigmoid(lambda_hat), the weight of the given label; the paper's lambda is 1 - label_weight. Shapes: B
batch, K neighbours, C classes, D feature width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LOG_FLOOR = 1e-10
"""Added to probabilities before the logarithm, as in the authors' code."""


def local_similarity(valence_arousal: Tensor, neighbor_index: Tensor, width: float = 0.5) -> Tensor:
    """s_ik = exp(-(|dv| + |da|) / width) of every sample and its neighbours (paper: squared L2, Eq. 3).

    Args:
        valence_arousal: `[N, 2]`, each in [-1, 1].
        neighbor_index: int64 `[N, K]`, rows of `valence_arousal`.
        width: positive scale of the decay.

    Returns:
        `[N, K]` in (0, 1].
    """
    difference = valence_arousal.unsqueeze(1) - valence_arousal[neighbor_index]
    return torch.exp(-difference.abs().sum(dim=-1) / width)


def paper_local_similarity(valence_arousal: Tensor, neighbor_index: Tensor, width: float = 0.5) -> Tensor:
    """s_ik = exp(-||a_i - a_k||^2 / width^2) (paper Eq. 3). Arguments and result as in `local_similarity`."""
    difference = valence_arousal.unsqueeze(1) - valence_arousal[neighbor_index]
    return torch.exp(-difference.square().sum(dim=-1) / width**2)


def neighbor_distribution(neighbor_probabilities: Tensor, contribution: Tensor) -> Tensor:
    """Contribution-weighted mean of the neighbours' predictions (paper Eq. 5).

    Args:
        neighbor_probabilities: `[B, K, C]`, rows summing to 1.
        contribution: `[B, K]` positive weights c_ik = zeta_ik s_ik.

    Returns:
        `[B, C]`, rows summing to 1.
    """
    weighted = (contribution.unsqueeze(-1) * neighbor_probabilities).sum(dim=1)
    return weighted / contribution.sum(dim=1, keepdim=True)


def target_distribution(labels: Tensor, label_weight: Tensor, neighbors: Tensor) -> Tensor:
    """label_weight * one-hot label + (1 - label_weight) * neighbour distribution (paper Eq. 6).

    Args:
        labels: int64 `[B]`.
        label_weight: `[B, 1]` in (0, 1).
        neighbors: `[B, C]` neighbour distribution.

    Returns:
        `[B, C]`, rows summing to 1.
    """
    one_hot = functional.one_hot(labels, neighbors.shape[1]).to(neighbors.dtype)
    return label_weight * one_hot + (1 - label_weight) * neighbors


def target_cross_entropy(target: Tensor, probabilities: Tensor, sample_weight: Tensor | None = None) -> Tensor:
    """Mean over the batch of -sum_j d_j ln(f_j + 1e-10); with weights still divided by B, as in the code.

    Args:
        target: `[B, C]`; gradients flow into it, which is how lambda and the calibration network learn.
        probabilities: `[B, C]` softmax outputs.
        sample_weight: optional `[B]`.
    """
    per_sample = -(target * torch.log(probabilities + LOG_FLOOR)).sum(dim=1)
    if sample_weight is not None:
        per_sample = per_sample * sample_weight
    return per_sample.mean()


def discriminative_loss(features: Tensor, labels: Tensor, label_weight: Tensor, centers: Tensor) -> Tensor:
    """1/2 mean_m w_m ||v_m - mu_{y_m}||^2 (first term of paper Eq. 9).

    Args:
        features: `[M, D]`: the batch, in the code followed by its neighbours.
        labels: int64 `[M]` hard labels of the same rows.
        label_weight: `[M, 1]`, a constant here (detached).
        centers: `[C, D]`, a constant here; moved by `updated_centers`.
    """
    squared = (features - centers[labels]).square().sum(dim=1)
    return 0.5 * (label_weight.detach().squeeze(1) * squared).mean()


def center_gradient(features: Tensor, labels: Tensor, label_weight: Tensor, centers: Tensor) -> Tensor:
    """Pull of each centre to its samples: sum_m w_m (mu_k - v_m) / (n_k + 1) / M; zero for an absent class.

    Shapes as in `discriminative_loss`; returns `[C, D]`.
    """
    weight = label_weight.squeeze(1)
    # Scatter w and w*v per class instead of forming the [M, D] differences against repeated centres.
    total_weight = torch.zeros(len(centers), dtype=features.dtype, device=features.device).index_add(0, labels, weight)
    weighted_sum = torch.zeros_like(centers).index_add(0, labels, weight.unsqueeze(1) * features)
    count = torch.bincount(labels, minlength=len(centers)).to(features.dtype)
    pull = total_weight.unsqueeze(1) * centers - weighted_sum
    return pull / (count + 1).unsqueeze(1) / len(features)


def push_gradient(centers: Tensor, strength: float = 0.1) -> Tensor:
    """strength * gradient of sum_{i<j} exp(-||mu_i - mu_j||^2 / D), which drives centres apart. Returns `[C, D]`.

    The paper divides by sqrt(D) (Eq. 9); the code, followed here, by D.
    """
    width = centers.shape[1]
    difference = centers.unsqueeze(1) - centers.unsqueeze(0)
    kernel = torch.exp(-difference.square().sum(dim=-1) / width)
    return strength * (-2.0 / width) * (kernel.unsqueeze(-1) * difference).sum(dim=1)


def updated_centers(
    features: Tensor, labels: Tensor, label_weight: Tensor, centers: Tensor, rate: float = 0.5
) -> Tensor:
    """Centres after one pull towards the batch and one push apart, both plain SGD at `rate`. Returns `[C, D]`."""
    pulled = centers - rate * center_gradient(features, labels, label_weight, centers)
    return pulled - rate * push_gradient(pulled)


def paper_center_push(centers: Tensor) -> Tensor:
    """Scalar sum_j sum_{k != j} exp(-||mu_j - mu_k||^2 / sqrt(D)) over ordered pairs (second term of paper Eq. 9)."""
    squared = (centers.unsqueeze(1) - centers.unsqueeze(0)).square().sum(dim=-1)
    kernel = torch.exp(-squared / centers.shape[1] ** 0.5)
    pairs: Tensor = kernel.sum() - len(centers)  # the diagonal is 1
    return pairs


def paper_updated_centers(
    features: Tensor, labels: Tensor, label_weight: Tensor, centers: Tensor, rate: float = 0.5
) -> Tensor:
    """Centres after one step of gradient descent at `rate` on both terms of the paper's L_D.

    The paper sums the first term over samples; here it is the mean, like every loss in this product. How it moves the
    centres it does not say; descending its own loss is the plain reading. Arguments as in `discriminative_loss`.
    """
    weight = label_weight.squeeze(1)
    total_weight = torch.zeros(len(centers), dtype=features.dtype, device=features.device).index_add(0, labels, weight)
    weighted_sum = torch.zeros_like(centers).index_add(0, labels, weight.unsqueeze(1) * features)
    pull = (total_weight.unsqueeze(1) * centers - weighted_sum) / len(features)
    scale = centers.shape[1] ** 0.5
    difference = centers.unsqueeze(1) - centers.unsqueeze(0)
    kernel = torch.exp(-difference.square().sum(dim=-1) / scale)
    push: Tensor = (-4.0 / scale) * (kernel.unsqueeze(-1) * difference).sum(dim=1)
    return centers - rate * (pull + push)
