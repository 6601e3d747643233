"""Finished runs scored on a data set, raw and after temperature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ldlva.comparison.calibration import FEWEST_FACES, calibrate, fit_temperature, from_other_faces
from ldlva.comparison.scoring import score
from ldlva.datasets import FaceDataset
from ldlva.errors import TrainingError
from ldlva.training.predict import Predictor
from ldlva.training.runs import Run


def evaluate(runs: Sequence[Run], load: Callable[[int], FaceDataset]) -> dict[str, Any]:
    """What the `evaluate` command prints: accuracy against the single label, and divergences from the reference.

    `calibrated` is after a temperature that never saw these faces: the run's own, if it is from other faces; else one
    fitted on one half of them and applied to the other; None where they are too few for that.

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
    return result | {
        "reference": measured_against,
        **score(reference, probabilities, dataset.vote_counts),
        "calibrated": calibrated,
    }


def add_temperature(run: Run, valid: FaceDataset | None) -> None:
    """Fit the temperature of a finished run on a valid part's reference and keep it in the run folder, unless that was
    done, or the valid part has no reference or too few faces."""
    if valid is None or not valid.has_reference or len(valid) < FEWEST_FACES or run.temperature() is not None:
        return
    measured_against, reference = valid.reference()
    probabilities = Predictor(run).predict_dataset(valid).probabilities
    temperature = fit_temperature(probabilities, reference)
    run.write_temperature({"temperature": temperature, "fitted_on": valid.describe(), "reference": measured_against})
