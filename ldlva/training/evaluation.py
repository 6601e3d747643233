"""Finished runs scored on a data set, raw and after temperature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ldlva.comparison.calibration import FEWEST_FACES, OTHER_HALF, calibrate, fit_temperature, from_other_faces
from ldlva.comparison.label_offsets import cross_fitted_offsets
from ldlva.comparison.scoring import score
from ldlva.datasets import FaceDataset
from ldlva.distributions import FloatArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import TrainingError
from ldlva.training.predict import Predictor
from ldlva.training.runs import Run


def evaluate(runs: Sequence[Run], load: Callable[[int], FaceDataset]) -> dict[str, Any]:
    """What the `evaluate` command prints: accuracy against the single label, and divergences from the reference.

    `calibrated` is after a temperature that never saw these faces: the run's own, if it is from other faces; else one
    fitted on one half of them and applied to the other; None where they are too few for that. `with_label_offsets` is
    after a temperature and an offset for each label, always fitted on one half and applied to the other. `label_shares`
    is how often each label is chosen, in the mean over faces, by people and by the model.

    Several runs are an ensemble: the mean of their distributions. Single labels give accuracy and nothing else.

    Args:
        runs: at least one.
        load: gives the data set at an image size, the same faces at every size.

    Raises:
        TrainingError: no run, or one is not finished.
        DatasetError: the images do not fit a network.
    """
    if not runs:
        raise TrainingError("There is nothing to evaluate: name at least one run or model.")
    at_size = cache(load)
    predicted = []
    for run in runs:
        predictor = Predictor(run)
        dataset = at_size(predictor.config.image_size)
        predicted.append(predictor.predict_dataset(dataset).probabilities)
    probabilities = np.mean(predicted, axis=0)
    result = {
        "n": len(dataset),
        "filter": dataset.filter,
        "accuracy": _accuracy(probabilities, dataset),
    }
    if not dataset.has_reference:
        return result
    measured_against, reference = dataset.reference()
    own = runs[0].temperature() if len(runs) == 1 else None
    usable = None if own is None else from_other_faces(own, dataset.describe())
    found = calibrate(probabilities, reference, usable)
    calibrated = None
    if found is not None:
        predictions, temperature = found
        calibrated = {
            "temperature": temperature.value,
            "fitted_on": temperature.fitted_on,
            **score(reference, predictions, dataset.vote_counts),
        }
    shifted = None
    if (corrected := cross_fitted_offsets(probabilities, reference)) is not None:
        predictions, fit = corrected
        shifted = {
            "temperature": fit.temperature,
            "offsets": _by_label(fit.offsets),
            "fitted_on": OTHER_HALF,
            "accuracy": _accuracy(predictions, dataset),
            **score(reference, predictions, dataset.vote_counts),
        }
    return result | {
        "reference": measured_against,
        **score(reference, probabilities, dataset.vote_counts),
        "label_shares": {
            "reference": _by_label(reference.mean(axis=0)),
            "predicted": _by_label(probabilities.mean(axis=0)),
        },
        "calibrated": calibrated,
        "with_label_offsets": shifted,
    }


def _accuracy(probabilities: FloatArray, dataset: FaceDataset) -> float:
    return float((probabilities.argmax(axis=1) == dataset.labels).mean())


def _by_label(values: FloatArray) -> dict[str, float]:
    return dict(zip(EMOTION_NAMES, values.tolist(), strict=True))


def add_temperature(run: Run, valid: FaceDataset | None) -> None:
    """Fit the temperature of a finished run on a valid part's reference and keep it in the run folder, unless that was
    done, or the valid part has no reference or too few faces."""
    if valid is None or not valid.has_reference or len(valid) < FEWEST_FACES or run.temperature() is not None:
        return
    measured_against, reference = valid.reference()
    probabilities = Predictor(run).predict_dataset(valid).probabilities
    temperature = fit_temperature(probabilities, reference)
    run.write_temperature({"temperature": temperature, "fitted_on": valid.describe(), "reference": measured_against})
