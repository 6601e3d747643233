"""Post-hoc label offsets: a temperature and a shift for each label, the same for all faces (bias-corrected temperature
scaling, Alexandari, Kundaje & Shrikumar, ICML 2020).

It gives every label the share that people give it and knows nothing about single faces. So it tells a model that merely
names some labels too rarely, as one does that learned from another mixture of them, from one that does not see them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ldlva.comparison.calibration import RANGE, crosswise, log_probabilities, softmax
from ldlva.distributions import FloatArray

FEWEST_FACES = 200
"""Half of them must tell a temperature and an offset for each label."""

LARGEST_OFFSET = 6.0
"""A label that nobody chose would otherwise be pushed towards minus infinity."""


@dataclass(frozen=True)
class LabelOffsets:
    """Predictions become softmax(ln p / temperature + offsets); offsets `[C]` in nats, of mean 0."""

    temperature: float
    offsets: FloatArray

    def apply(self, probabilities: FloatArray) -> FloatArray:
        """`[N, C]` to `[N, C]`."""
        return softmax(log_probabilities(probabilities) / self.temperature + self.offsets)


def fit_label_offsets(probabilities: FloatArray, reference: FloatArray) -> LabelOffsets:
    """The temperature and offsets with the least mean soft cross-entropy to `reference`; both `[N, C]`.

    That is convex in 1/T and the offsets, and unbiased at any number of raters, as for the temperature alone.
    """
    from scipy.optimize import minimize  # slow to import
    from scipy.special import log_softmax

    known = log_probabilities(probabilities)
    n, classes = known.shape

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        logits = known * parameters[0] + parameters[1:]
        predicted = log_softmax(logits, axis=1)
        excess = np.exp(predicted) - reference
        gradient = np.concatenate([[(excess * known).sum()], excess.sum(axis=0)])
        return float(-(reference * predicted).sum() / n), gradient / n

    result = minimize(
        loss,
        np.concatenate([[1.0], np.zeros(classes)]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(1 / RANGE[1], 1 / RANGE[0]), *[(-LARGEST_OFFSET, LARGEST_OFFSET)] * classes],
    )
    offsets = result.x[1:]
    return LabelOffsets(float(1 / result.x[0]), np.asarray(offsets - offsets.mean()))


def cross_fitted_offsets(
    probabilities: FloatArray, reference: FloatArray, seed: int = 0
) -> tuple[FloatArray, LabelOffsets] | None:
    """Each random half of the faces after the label offsets that were fitted on the other.

    Returns:
        The corrected predictions `[N, C]` and the mean of the two fits; None for fewer than `FEWEST_FACES`.
    """
    if len(probabilities) < FEWEST_FACES:
        return None
    corrected, fits = crosswise(
        probabilities, reference, fit_label_offsets, lambda predicted, fit: fit.apply(predicted), seed
    )
    mean = LabelOffsets(
        float(np.mean([fit.temperature for fit in fits])), np.mean([fit.offsets for fit in fits], axis=0)
    )
    return corrected, mean
