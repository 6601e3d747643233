"""Post-hoc temperature: one number that makes all of a model's predictions flatter or sharper (Guo et al., ICML 2017).

It leaves every ranking of emotions as it is, so it tells a model that is wrong from one that is merely too sure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ldlva.distributions import FloatArray, IntArray
from ldlva.divergences import soft_cross_entropy

Fit = TypeVar("Fit")

RANGE = (0.05, 20.0)
"""Temperatures looked at."""

_SMALLEST = 1e-30
"""Keeps the logarithm of a probability that underflowed finite."""


FEWEST_FACES = 20
"""With fewer, half of them are too few to fit a temperature on."""

OTHER_HALF = "the votes of the other half of these faces"
"""What a cross-fitted correction was fitted on, in words."""


@dataclass(frozen=True)
class Temperature:
    """A temperature and what it was fitted on; `cross_fitted` if on the other half of the very faces it is used on."""

    value: float
    fitted_on: str
    cross_fitted: bool = False


def from_other_faces(stored: Mapping[str, Any], measured: Mapping[str, Any]) -> Temperature | None:
    """A run's stored temperature if it is known to be fitted on other faces than those measured, else None.

    Where both come from the same data set, they are other faces only if both name their part and the parts differ: what
    else may differ, a filter or the number of faces, leaves many the same. A study's votes are never taken for other
    faces, because the same picture may be in several studies.

    Args:
        stored: content of `temperature.json`.
        measured: `source` and `split` of the faces; `role` of built-in ones.
    """
    if not isinstance(fitted := stored.get("fitted_on"), Mapping):
        return None
    source, part = fitted.get("source"), fitted.get("split")
    same = source == measured.get("source") and measured.get("role") is None
    parts = {part, measured.get("split")}
    faces = fitted.get("n")
    if source == "study" or (same and (None in parts or len(parts) == 1)):
        return None
    if isinstance(faces, int) and faces < FEWEST_FACES:
        return None
    what = f"{source} {part}, {faces} faces, {stored.get('reference', 'human votes')}"
    return Temperature(float(stored["temperature"]), what)


def with_temperature(probabilities: FloatArray, temperature: float) -> FloatArray:
    """softmax(ln p / T), which is softmax(logits / T). `[N, C]` to `[N, C]`; above 1 flattens, below 1 sharpens.

    Raises:
        ValueError: the temperature is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    return softmax(log_probabilities(probabilities) / temperature)


def log_probabilities(probabilities: FloatArray) -> FloatArray:
    """ln p, finite where p underflowed."""
    return np.asarray(np.log(np.maximum(probabilities, _SMALLEST)))


def softmax(logits: FloatArray) -> FloatArray:
    """Of every row of `[N, C]`."""
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: FloatArray, reference: FloatArray) -> float:
    """The temperature with the least mean soft cross-entropy to `reference`; both `[N, C]`.

    Soft cross-entropy is linear in the reference, so the noise of few raters does not bias it, and convex in 1/T.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and the web process only reads temperatures

    result = minimize_scalar(
        lambda log_temperature: soft_cross_entropy(
            reference, with_temperature(probabilities, float(np.exp(log_temperature)))
        ).mean(),
        bounds=np.log(RANGE),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return float(np.exp(result.x))


def cross_fitted(probabilities: FloatArray, reference: FloatArray, seed: int = 0) -> tuple[FloatArray, float]:
    """Predictions after temperature where no other data is there to fit it: each random half gets the other's.

    Returns:
        The calibrated `[N, C]`, and the mean of the two temperatures.

    Raises:
        ValueError: fewer than two rows.
    """
    calibrated, temperatures = crosswise(probabilities, reference, fit_temperature, with_temperature, seed)
    return calibrated, float(np.mean(temperatures))


def crosswise(
    probabilities: FloatArray,
    reference: FloatArray,
    fit: Callable[[FloatArray, FloatArray], Fit],
    apply: Callable[[FloatArray, Fit], FloatArray],
    seed: int,
) -> tuple[FloatArray, list[Fit]]:
    """Fit a correction on each random half of the rows and apply it to the other half.

    Args:
        probabilities: predictions `[N, C]`.
        reference: what people said, `[N, C]`.
        fit: from predictions and reference of one half.
        apply: to the predictions of the other.
        seed: of the halves.

    Returns:
        The corrected predictions `[N, C]` and both fits.

    Raises:
        ValueError: fewer than two rows.
    """
    n = len(probabilities)
    if n < 2:
        raise ValueError("cross-fitting needs at least two faces")
    order: IntArray = np.random.default_rng(seed).permutation(n)
    halves = (order[: n // 2], order[n // 2 :])
    corrected = np.empty_like(probabilities)
    fits = []
    for fitted, applied in (halves, halves[::-1]):
        fits.append(fit(probabilities[fitted], reference[fitted]))
        corrected[applied] = apply(probabilities[applied], fits[-1])
    return corrected, fits


def calibrate(
    probabilities: FloatArray, reference: FloatArray, own: Temperature | None, seed: int = 0
) -> tuple[FloatArray, Temperature] | None:
    """Predictions `[N, C]` after a temperature that never saw the faces it is applied to.

    Args:
        probabilities: raw predictions.
        reference: what people said, `[N, C]`.
        own: the model's temperature, if it is known to come from other faces; None: cross-fit.
        seed: of the halves.

    Returns:
        The calibrated predictions and their temperature; None where one must be fitted on too few faces.
    """
    if own is not None:
        return with_temperature(probabilities, own.value), own
    if len(probabilities) < FEWEST_FACES:
        return None
    calibrated, temperature = cross_fitted(probabilities, reference, seed)
    return calibrated, Temperature(temperature, OTHER_HALF, cross_fitted=True)
