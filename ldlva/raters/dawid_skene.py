"""Dawid & Skene (1979): how reliable each rater is, estimated together with what each face shows, by EM.

Every face is taken to show one emotion. Many faces show a mixture, so the numbers describe raters relative to each
other and are no truth about faces; nothing else in this product uses them.

A rater's confusion matrix is smoothed towards the one that fits all raters together (`PRIOR` votes a row): few votes
say little, and a rater is like the others until shown otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ldlva.distributions import FloatArray, IntArray

PRIOR = 4.0
ROUNDS = 200
TOLERANCE = 1e-7
_LEAST = 1e-12


@dataclass(frozen=True)
class DawidSkene:
    """Posterior over labels for each image `[N, C]`, confusion matrices `[R, C, C]` (true by chosen), label shares
    `[C]`, each rater's expected share of right answers `[R]`, and the log posterior after each round."""

    posterior: FloatArray
    confusion: FloatArray
    shares: FloatArray
    accuracy: FloatArray
    log_posterior: tuple[float, ...]


def dawid_skene(
    raters: IntArray, images: IntArray, choices: IntArray, rater_count: int, image_count: int, classes: int
) -> DawidSkene:
    """Fit to V votes given as rater, image and choice, each `[V]`."""
    counts = np.zeros((image_count, classes))
    np.add.at(counts, (images, choices), 1.0)
    pooled = _fit(
        np.zeros(len(raters), dtype=np.int64), images, choices, 1, counts, PRIOR * (np.eye(classes) + 1 / classes) / 2
    )
    return _fit(raters, images, choices, rater_count, counts, PRIOR * pooled.confusion[0])


def _fit(
    raters: IntArray, images: IntArray, choices: IntArray, rater_count: int, counts: FloatArray, prior: FloatArray
) -> DawidSkene:
    """EM to the largest posterior; `prior` `[C, C]` are votes added to every rater's confusion matrix."""
    classes = counts.shape[1]
    cells = raters * classes + choices
    posterior = (counts + 1 / classes) / (counts + 1 / classes).sum(axis=1, keepdims=True)
    history: list[float] = []
    for _ in range(ROUNDS):
        shares = (posterior.sum(axis=0) + 1) / (len(counts) + classes)
        votes = np.stack(
            [np.bincount(cells, posterior[images, true], minlength=rater_count * classes) for true in range(classes)]
        )
        confusion = votes.reshape(classes, rater_count, classes).transpose(1, 0, 2) + prior
        confusion /= confusion.sum(axis=2, keepdims=True)
        logs = np.log(np.maximum(confusion, _LEAST))
        likelihood = np.stack(
            [np.bincount(images, logs[raters, true, choices], minlength=len(counts)) for true in range(classes)], axis=1
        )
        joint = likelihood + np.log(shares)
        largest = joint.max(axis=1, keepdims=True)
        evidence = np.exp(joint - largest)
        total = evidence.sum(axis=1, keepdims=True)
        posterior = evidence / total
        prior_term = float((prior * logs).sum()) + float(np.log(shares).sum())
        history.append(float((largest + np.log(total)).sum()) + prior_term)
        if len(history) > 1 and history[-1] - history[-2] < TOLERANCE * abs(history[-2]):
            break
    accuracy = np.einsum("c,rcc->r", shares, confusion)
    return DawidSkene(posterior, confusion, shares, accuracy, tuple(history))
