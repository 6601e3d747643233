"""Finished runs scored on a data set, raw and after temperature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ldlva.comparison.calibration import cross_fitted, fit_temperature, with_temperature
from ldlva.comparison.scoring import score
from ldlva.datasets import FaceDataset
from ldlva.distributions import FloatArray
from ldlva.errors import TrainingError
from ldlva.training.predict import Predictor
from ldlva.training.runs import Run


def evaluate(runs: Sequence[Run], load: Callable[[int], FaceDataset]) -> dict[str, Any]:
    """What the `evaluate` command prints: accuracy against the single label, and divergences from the reference.

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
        "accuracy": float((probabilities.argmax(axis=1) == dataset.labels).mean()),
    }
    if not dataset.has_reference:
        return result
    measured_against, reference = dataset.reference()
    calibrated, calibration = _calibrated(runs, probabilities, reference, dataset)
    return result | {
        "reference": measured_against,
        **score(reference, probabilities, dataset.vote_counts),
        "calibrated": {**calibration, **score(reference, calibrated, dataset.vote_counts)},
    }


def fit_run_temperature(run: Run, valid: FaceDataset) -> None:
    """Fit the temperature of a finished run on a valid part's reference and keep it in the run folder."""
    measured_against, reference = valid.reference()
    probabilities = Predictor(run).predict_dataset(valid).probabilities
    temperature = fit_temperature(probabilities, reference)
    run.write_temperature({"temperature": temperature, "fitted_on": valid.describe(), "reference": measured_against})


def _calibrated(
    runs: Sequence[Run], probabilities: FloatArray, reference: FloatArray, dataset: FaceDataset
) -> tuple[FloatArray, dict[str, Any]]:
    """Predictions after the run's own temperature; where it was fitted on these very faces, or there is none (an
    ensemble), after one fitted on one half of the faces and applied to the other."""
    own = runs[0].temperature() if len(runs) == 1 else None
    if own is not None and own["fitted_on"] != dataset.describe():
        temperature = float(own["temperature"])
        return with_temperature(probabilities, temperature), {"temperature": temperature, "fitted_on": own["fitted_on"]}
    calibrated, temperature = cross_fitted(probabilities, reference)
    return calibrated, {"temperature": temperature, "fitted_on": "the other half of these faces"}
