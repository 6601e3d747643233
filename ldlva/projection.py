"""Features to the plane: t-SNE (van der Maaten & Hinton, JMLR 2008) as openTSNE computes it.

openTSNE is imported by the one function that computes: the web process asks only what perplexity is possible.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray
from ldlva.errors import ProjectionError

USUAL_PERPLEXITY = 30
FEWEST_FACES = 7
"""With fewer, the largest perplexity that makes sense is below 2."""

EARLY_ITERATIONS = 250
LATE_ITERATIONS = 500
ITERATIONS = EARLY_ITERATIONS + LATE_ITERATIONS

SEVERAL_THREADS_FROM = 2000
"""Faces; below, threads cost more than they save."""

_REPORT_EVERY = 25


@dataclass(frozen=True)
class Projection:
    """`coordinates` `[N, 2]`, and the Kullback-Leibler divergence that t-SNE minimised, at its end."""

    coordinates: FloatArray
    divergence: float


def largest_perplexity(faces: int) -> int:
    """The most that N faces allow: (N − 1) / 3, because t-SNE looks at three times the perplexity of neighbours."""
    return (faces - 1) // 3


def suitable_perplexity(faces: int) -> int:
    """The usual perplexity, or the largest that so few faces allow."""
    return max(1, min(USUAL_PERPLEXITY, largest_perplexity(faces)))


def check_perplexity(perplexity: float, faces: int) -> None:
    """Refuse what t-SNE cannot do.

    Raises:
        ProjectionError: too few faces, or a perplexity outside [2, (N − 1) / 3].
    """
    if faces < FEWEST_FACES:
        raise ProjectionError(f"A map needs at least {FEWEST_FACES} faces; here are {faces}.")
    largest = largest_perplexity(faces)
    if not 2 <= perplexity <= largest:
        raise ProjectionError(
            f"Perplexity {perplexity:g} is not possible: {faces} faces allow 2 to {largest}, a third of their number."
        )


def version() -> str:
    """What computes, for records and cache keys."""
    return f"openTSNE {importlib.metadata.version('openTSNE')}"


def tsne(
    features: npt.NDArray[np.float32],
    perplexity: float,
    seed: int,
    report: Callable[[int, int], None] | None = None,
) -> Projection:
    """Place faces in the plane so that those with similar features lie together.

    Exact nearest neighbours (Euclidean), PCA initialisation, 250 iterations of early exaggeration and 500
    more; openTSNE's other defaults. Barnes-Hut below 10,000 faces, interpolation by FFT from there on.

    Args:
        features: `[N, D]`.
        perplexity: in [2, (N − 1) / 3].
        seed: of whatever is random: solvers and ties.
        report: called with how many of how many iterations are done.

    Raises:
        ProjectionError: an impossible perplexity, features that are not finite or all alike, or openTSNE is missing.
    """
    check_perplexity(perplexity, len(features))
    if not np.isfinite(features).all():
        raise ProjectionError("The features hold values that are not finite: the model's training has diverged.")
    if np.ptp(features, axis=0).max() == 0:
        raise ProjectionError("All faces have the same features: there is nothing to place.")
    try:
        from openTSNE import TSNE
    except ImportError:
        raise ProjectionError("t-SNE needs openTSNE: pip install -r requirements.txt") from None

    finished = 0

    def told(iteration: int, divergence: float, embedding: npt.NDArray[np.float64]) -> None:
        nonlocal finished
        finished += _REPORT_EVERY
        if report is not None:
            report(min(finished, ITERATIONS), ITERATIONS)

    placed = TSNE(
        perplexity=perplexity,
        initialization="pca",
        metric="euclidean",
        neighbors="exact",
        early_exaggeration_iter=EARLY_ITERATIONS,
        n_iter=LATE_ITERATIONS,
        n_jobs=1 if len(features) < SEVERAL_THREADS_FROM else os.cpu_count() or 1,
        random_state=seed,
        callbacks=told,
        callbacks_every_iters=_REPORT_EVERY,
    ).fit(np.asarray(features, dtype=np.float32))
    if report is not None:
        report(ITERATIONS, ITERATIONS)
    return Projection(np.asarray(placed, dtype=np.float64), float(placed.kl_divergence))
