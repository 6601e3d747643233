"""Every number that is reported about a model's predictions, under one name each, with its direction and its range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from ldlva import divergences
from ldlva.circumplex import MOST_LABELS, EarthMovers
from ldlva.distributions import EPSILON_GRID, HEADLINE_EPSILON, FloatArray, epsilon_name

Statistic = Callable[[FloatArray, FloatArray], FloatArray]
"""Human distributions `[..., C]` and predictions `[..., C]` to one value per row `[...]`."""

HEADLINE = epsilon_name(HEADLINE_EPSILON)
GRID = tuple(epsilon_name(e) for e in EPSILON_GRID)
SOFT = "soft_cross_entropy"
ACCURACY = "accuracy"
ENTROPY_CORRELATION = "entropy_correlation"
EARTH_MOVERS = "emd"
COMPANIONS = (SOFT, "js")


@dataclass(frozen=True)
class Measure:
    """One measure: its key in every JSON output, its name, its range, and whether larger means closer to people."""

    key: str
    title: str
    function: Statistic
    minimum: float = 0.0
    maximum: float = np.inf
    larger_is_closer: bool = False


JEFFREYS: dict[str, Measure] = {
    epsilon_name(e): Measure(
        epsilon_name(e), f"Jeffreys, ε = {epsilon_name(e)}", partial(divergences.jeffreys_divergence, epsilon=e)
    )
    for e in EPSILON_GRID
}

_OTHERS = (
    Measure(SOFT, "Soft cross-entropy", divergences.soft_cross_entropy),
    Measure("js", "Jensen–Shannon", divergences.jensen_shannon_divergence, maximum=float(np.log(2))),
    Measure(ACCURACY, "Accuracy", divergences.hits_majority, maximum=1.0, larger_is_closer=True),
    Measure("total_variation", "Total variation", divergences.total_variation, maximum=1.0),
    Measure("chebyshev", "Chebyshev", divergences.chebyshev_distance, maximum=1.0),
    Measure("clark", "Clark", divergences.clark_distance),
    Measure("canberra", "Canberra", divergences.canberra_distance),
    Measure("kl", "Kullback–Leibler", divergences.clipped_kullback_leibler),
    Measure("cosine", "Cosine", divergences.cosine_similarity, maximum=1.0, larger_is_closer=True),
    Measure("intersection", "Intersection", divergences.intersection_similarity, maximum=1.0, larger_is_closer=True),
)

STANDARD = ("chebyshev", "clark", "canberra", "kl", "cosine", "intersection")
"""The six measures of label distribution learning (Geng, TKDE 2016)."""

FURTHER = ("total_variation", EARTH_MOVERS, *STANDARD, ENTROPY_CORRELATION)
"""What stands beside the grid, soft cross-entropy, Jensen-Shannon and accuracy."""


def measures(coordinates: npt.ArrayLike | None) -> dict[str, Measure]:
    """All measures that are means over faces.

    Args:
        coordinates: places of the labels on the circumplex `[C, 2]`; None, too many or coinciding ones leave the
            earth mover's distance out.
    """
    found = JEFFREYS | {measure.key: measure for measure in _OTHERS}
    if coordinates is not None and 2 <= len(np.asarray(coordinates)) <= MOST_LABELS:
        try:
            distance = EarthMovers(coordinates)
        except ValueError:
            return found
        title = "Earth mover’s, circumplex"
        found[EARTH_MOVERS] = Measure(EARTH_MOVERS, title, distance, maximum=distance.greatest)
    return found


TITLES = {measure.key: measure.title for measure in (*JEFFREYS.values(), *_OTHERS)} | {
    EARTH_MOVERS: "Earth mover’s, circumplex",
    ENTROPY_CORRELATION: "Entropy correlation",
}
"""Names for pages, tables and figures."""
