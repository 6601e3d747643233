"""The losses of DMUE (She et al., CVPR 2021, "Dive into Ambiguity"), as pure functions.

They follow the authors' code and are pinned to its numbers by `tests/training/test_golden.py`. Shapes: B batch, C
classes, D feature width. Branch c is the auxiliary classifier that never sees class c; it has C - 1 outputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def branch_labels(labels: Tensor, branch: int) -> Tensor:
    """Labels of the rows that branch `branch` sees, numbered over the other C - 1 classes.

    Args:
        labels: int64 `[n]`, none of them `branch`.
        branch: the class left out.
    """
    return labels - (labels > branch).to(labels.dtype)


def latent_distribution(branch_logits: Tensor, branch: int, temperature: float) -> Tensor:
    """What branch c thinks of samples labelled c: softmax(z / T), and 0 for c itself.

    T = 1.2 > 1 flattens, although the authors call it sharpening. A constant: no gradient flows back.

    Args:
        branch_logits: `[n, C - 1]`.
        branch: c.
        temperature: T > 0.

    Returns:
        `[n, C]`, rows summing to 1.
    """
    probabilities = torch.softmax(branch_logits.detach() / temperature, dim=1)
    zero = probabilities.new_zeros(len(probabilities), 1)
    return torch.cat([probabilities[:, :branch], zero, probabilities[:, branch:]], dim=1)


def soft_loss(logits: Tensor, labels: Tensor, latent: Tensor) -> Tensor:
    """Mean over B x C of (1[j != y] softmax(z)_j - latent_j)^2; the softmax is not renormalised.

    Args:
        logits: `[B, C]` of the target branch, before the confidence.
        labels: int64 `[B]`.
        latent: `[B, C]`, 0 at the label.
    """
    probabilities = torch.softmax(logits, dim=1)
    others = 1 - functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return functional.mse_loss(probabilities * others, latent)


def normalized_gram(rows: Tensor) -> Tensor:
    """rows rows^T with each row divided by its L2 norm. `[n, D]` to `[n, n]`."""
    return functional.normalize(rows @ rows.T, dim=1)


def similarity_preserving_losses(
    features: Tensor, branch_logits: Sequence[Tensor], branch_rows: Sequence[Tensor]
) -> Tensor:
    """Mean squared difference of normalised Gram matrices, for each branch; their mean is L_SP.

    The paper compares features with features. The authors' code, followed here, compares the branch's *logits* with
    the target branch's features. Gradients reach both.

    Args:
        features: `[B, D]` of the target branch, after dropout and neck.
        branch_logits: one `[n_c, C - 1]` per branch.
        branch_rows: one int64 `[n_c]` per branch: its rows of the batch.

    Returns:
        `[C]`.
    """
    gram = features @ features.T
    return torch.stack(
        [
            functional.mse_loss(normalized_gram(logits), functional.normalize(gram[rows][:, rows], dim=1))
            for logits, rows in zip(branch_logits, branch_rows, strict=True)
        ]
    )


def ramp_up(epoch: float, beta: float) -> float:
    """Weight of the target branch's losses: exp(-5 (1 - e/beta)^2) up to epoch beta, then 1. Epochs count from 0."""
    return 1.0 if epoch > beta else math.exp(-5 * (1 - epoch / beta) ** 2)


def ramp_down(epoch: float, beta: float) -> float:
    """Weight of the auxiliary branches' loss: 1 before epoch beta, then exp(-(1 - beta/e)^2)."""
    return 1.0 if epoch < beta else math.exp(-((1 - beta / epoch) ** 2))


def total_loss(
    target: Tensor,
    soft: Tensor,
    similarity: Tensor,
    auxiliary: Tensor,
    up: float,
    down: float,
    soft_weight: float,
    similarity_weight: float,
) -> Tensor:
    """up (L_WCE + w L_soft + gamma L_SP) + down L_aux.

    Args:
        target: L_WCE, cross-entropy of the confidence-weighted logits.
        soft: L_soft.
        similarity: L_SP.
        auxiliary: L_aux, mean cross-entropy of the branches.
        up: `ramp_up` of the epoch.
        down: `ramp_down` of the epoch.
        soft_weight: w.
        similarity_weight: gamma.
    """
    return up * (target + soft_weight * soft + similarity_weight * similarity) + down * auxiliary
