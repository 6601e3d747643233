"""Targets measured before training: how close a label mixed with what its neighbours say comes to people.

A method that builds label distributions helps only if its targets are closer to people than the label with something
that knows nothing about the face. Here the opinions of a sample's neighbours are those of out-of-fold teachers, so this
says what a neighbourhood has to offer to a network that knows no label by heart; in LDLVA the network in training
speaks, and the label's weight is learned.
"""

from __future__ import annotations

import numpy as np
import torch

from ldlva.distributions import FloatArray, IntArray
from ldlva.training.losses import ldlva as losses
from ldlva.training.methods.ldlva_plus import seen_by_teachers
from ldlva.training.neighbors import nearest_neighbors, random_neighbors


def opinions(
    labels: IntArray, posteriors: FloatArray, valence_arousal: FloatArray, neighbor_count: int, seed: int = 0
) -> dict[str, FloatArray]:
    """What a target may say besides the label, from knowing nothing about the face to knowing most.

    Args:
        labels: int64 `[N]`.
        posteriors: `[N, C]` class probabilities by teachers that were not told the sample's label.
        valence_arousal: `[N, 2]` in [-1, 1].
        neighbor_count: K.
        seed: of the random neighbours.

    Returns:
        Distributions `[N, C]` by name. LDLVA's neighbours are weighted by their local similarity as in the authors'
        code (`losses.local_similarity`), without the learned calibration; all other means are plain.

    Raises:
        TrainingError: fewer than K + 1 samples.
    """
    n, classes = posteriors.shape
    said = torch.from_numpy(posteriors)
    near = torch.from_numpy(nearest_neighbors(valence_arousal, neighbor_count))
    similarity = losses.local_similarity(torch.from_numpy(valence_arousal), near)
    torch.manual_seed(seed)
    any_others = random_neighbors(n, neighbor_count)
    frequencies = np.bincount(labels, minlength=classes) / n
    return {
        "nothing (uniform)": np.full((n, classes), 1 / classes),
        "class frequencies": np.tile(frequencies, (n, 1)),
        "random faces": said[any_others].mean(dim=1).numpy(),
        "neighbours in valence-arousal (LDLVA)": losses.neighbor_distribution(said[near], similarity).numpy(),
        "neighbours in teachers' probabilities": posteriors[nearest_neighbors(posteriors, neighbor_count)].mean(axis=1),
        "teacher on the face": posteriors,
        "teacher on face and neighbours (ldlva_plus)": seen_by_teachers(posteriors, neighbor_count),
    }


def mixed(labels: IntArray, label_weight: float, opinion: FloatArray) -> FloatArray:
    """Targets `[N, C]`: the label with its weight, the rest as `opinion` `[N, C]` says (paper Eq. 6)."""
    weight = torch.full((len(labels), 1), label_weight, dtype=torch.float64)
    return losses.target_distribution(torch.from_numpy(labels), weight, torch.from_numpy(opinion)).numpy()
