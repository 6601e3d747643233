"""LDLVA's calibration network g: how much one neighbour contributes to the target (Le et al. 2023, Eq. 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LOGIT_FLOOR = -1.3
"""The authors' code clips the logit here, so a score is never below sigmoid(-1.3) = 0.214."""


class BiasedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation over `[M, D]` that stores the *biased* batch variance, like Keras (eps 1e-3, old share .99).

    `torch.nn.BatchNorm1d` normalises with the biased variance but stores the unbiased one.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-3, momentum=0.01)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        with torch.no_grad():
            variance, mean = torch.var_mean(input.to(self.running_mean.dtype), dim=0, correction=0)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance, self.momentum)
        return functional.batch_norm(input, None, None, self.weight, self.bias, training=True, eps=self.eps)


class AdaptiveSimilarity(nn.Module):
    """Dense 512 - BN - ReLU - Dense 256 - BN - ReLU - Dense 1 - clip - sigmoid on [v_i, v_k].

    Args:
        feature_width: D, width of one feature vector.
        hidden: widths of the two hidden layers.
        logit_floor: logits are not below it; None: no clipping, as in the paper.
    """

    def __init__(
        self, feature_width: int, hidden: tuple[int, int] = (512, 256), logit_floor: float | None = LOGIT_FLOOR
    ) -> None:
        super().__init__()
        self.logit_floor = logit_floor
        self.dense0 = nn.Linear(2 * feature_width, hidden[0])
        self.norm0 = BiasedBatchNorm(hidden[0])
        self.dense1 = nn.Linear(hidden[0], hidden[1])
        self.norm1 = BiasedBatchNorm(hidden[1])
        self.dense2 = nn.Linear(hidden[1], 1)
        for layer in (self.dense0, self.dense1, self.dense2):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor, neighbor_features: Tensor) -> Tensor:
        """Scores zeta `[B, K]` for features `[B, D]` and neighbour features `[B, K, D]`."""
        logits = self.logits(features, neighbor_features)
        return torch.sigmoid(logits if self.logit_floor is None else logits.clamp(min=self.logit_floor))

    def logits(self, features: Tensor, neighbor_features: Tensor) -> Tensor:
        """Unclipped logits `[B, K]`."""
        batch, neighbors, width = neighbor_features.shape
        # dense0 on [v_i, v_k] is W_i v_i + W_k v_k: the first product is shared by all K neighbours.
        central = functional.linear(features, self.dense0.weight[:, :width], self.dense0.bias)
        lateral = functional.linear(neighbor_features, self.dense0.weight[:, width:])
        hidden = (central.unsqueeze(1) + lateral).reshape(batch * neighbors, -1)
        hidden = functional.relu(self.norm0(hidden))
        hidden = functional.relu(self.norm1(self.dense1(hidden)))
        logits: Tensor = self.dense2(hidden)
        return logits.reshape(batch, neighbors).to(features.dtype)  # the hidden layers may run in less
