"""LDLVA with teachers: label distributions from neighbours in the teachers' class probabilities. This project's own.

Like LDLVA it mixes each label with what the sample's neighbours look like. Unlike LDLVA,
- neighbours are near in all C class probabilities, not in two coordinates made from them, in which anger, fear and
  disgust coincide;
- what a neighbour looks like is the opinion of a teacher that was not told its label, not of the network in training,
  which knows it by heart sooner or later;
- the sample is its own nearest neighbour, since the teacher was not told its label either;
- the label's weight is fixed: the loss is linear in it, so that a learned one drifts to whatever the network already
  agrees with.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ldlva.distributions import FloatArray
from ldlva.training.backbones import FaceNetwork
from ldlva.training.losses.cross_entropy import distribution_cross_entropy
from ldlva.training.losses.ldlva import target_distribution
from ldlva.training.methods.base import Batch, Method, Options, TrainingSet
from ldlva.training.neighbors import nearest_neighbors


class LdlvaPlusOptions(Options):
    """Settings."""

    label_weight: float = Field(0.5, ge=0, le=1, description="weight of the label in the target")
    neighbor_count: int = Field(8, ge=0, description="neighbours averaged with the sample itself; 0: none")


class LdlvaPlus(Method):
    """LDLVA improved, ours: neighbours, and what they look like, come from teachers that were not told their labels."""

    options_type = LdlvaPlusOptions
    needs_posteriors = True

    targets: Tensor

    def __init__(self, train: TrainingSet, network: FaceNetwork, options: Options) -> None:
        super().__init__(train, network, options)
        chosen = cast(LdlvaPlusOptions, options)
        if train.posteriors is None:
            raise ValueError("ldlva_plus needs posteriors in its training set")
        seen = torch.from_numpy(seen_by_teachers(train.posteriors, chosen.neighbor_count))
        label_weight = torch.full((len(train), 1), chosen.label_weight, dtype=seen.dtype)
        targets = target_distribution(torch.from_numpy(train.labels), label_weight, seen)
        # Rebuilt from the data, so not stored in checkpoints.
        self.register_buffer("targets", targets.float(), persistent=False)

    def loss(self, batch: Batch) -> Tensor:
        logits, _ = self.network(batch.images)
        return distribution_cross_entropy(logits, self.targets[batch.rows], batch.weights)


def seen_by_teachers(posteriors: FloatArray, neighbor_count: int) -> FloatArray:
    """Mean class probabilities `[N, C]` of every sample and its nearest others in `posteriors` `[N, C]`.

    Raises:
        TrainingError: fewer than `neighbor_count` + 1 samples.
    """
    seen = posteriors[:, None]
    if neighbor_count:
        seen = np.concatenate([seen, posteriors[nearest_neighbors(posteriors, neighbor_count)]], axis=1)
    mean: FloatArray = seen.mean(axis=1)
    return mean
