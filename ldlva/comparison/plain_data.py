"""A comparison as plain data: what `compare --json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ldlva.comparison.comparison import Comparison, ModelScore, Scores
from ldlva.comparison.differences import Difference
from ldlva.comparison.rater_equivalence import RaterEquivalence
from ldlva.inference import CONFIDENCE
from ldlva.measures import COMPANIONS, GRID, HEADLINE


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Means, intervals, tests and verdict; an infinite number of raters is null."""
    return {
        "headline_epsilon": HEADLINE,
        "epsilons": list(GRID),
        "zero_handling": "both distributions clipped at epsilon and renormalised",
        "confidence": CONFIDENCE,
        "seed": comparison.seed,
        "n": len(comparison.rows),
        "votes_per_image": list(comparison.votes_per_image),
        "tied_faces": comparison.tied_faces,
        "left_out": comparison.left_out,
        "coverage": [asdict(one) for one in comparison.coverage],
        "models": [_model(model) for model in comparison.models],
        "floors": [{"name": floor.name, **_grouped(floor.values)} for floor in comparison.floors],
        "differences": [_difference(one) for one in comparison.differences],
        "differences_after_temperature": [_difference(one) for one in comparison.calibrated_differences],
        "verdict": comparison.verdict(),
    }


def _model(model: ModelScore) -> dict[str, Any]:
    calibrated = None
    if model.calibrated is not None and model.temperature is not None:
        calibrated = {"temperature": asdict(model.temperature), **_scores(model.calibrated)}
    return {
        "name": model.name,
        **_scores(model.raw),
        "accuracy": model.accuracy,
        "accuracy_without_ties": model.clear_accuracy,
        "after_temperature": calibrated,
    }


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        **_grouped({key: asdict(value) for key, value in scores.estimates.items()}),
        "worth_raters": _raters(scores.equivalence),
        "against_half_of_raters": scores.against_half,
    }


def _raters(value: RaterEquivalence | None) -> dict[str, Any] | None:
    if value is None:
        return None
    numbers = {key: number if np.isfinite(number) else None for key, number in asdict(value).items()}
    return {**numbers, "beyond_the_data": value.beyond_the_data, "words": str(value)}


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "closer": difference.closer,
        "farther": difference.farther,
        **_tested({key: asdict(value) for key, value in difference.estimates.items()}),
        "p": _tested(difference.p_values),
        "p_holm": _tested(difference.adjusted),
        "robust": difference.robust,
    }


def _tested(values: Mapping[str, Any]) -> dict[str, Any]:
    grid = {key: values[key] for key in GRID}
    return {"jeffreys": grid, **{key: value for key, value in values.items() if key not in GRID}}


def _grouped(values: Mapping[str, Any]) -> dict[str, Any]:
    """The Jeffreys grid, its companions, and everything else under `measures`."""
    further = {key: value for key, value in values.items() if key not in (*GRID, *COMPANIONS)}
    return {
        "jeffreys": {key: values[key] for key in GRID},
        **{key: values[key] for key in COMPANIONS},
        "measures": further,
    }
