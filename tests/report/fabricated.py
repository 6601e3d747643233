"""Comparisons of any number of models, without waiting for a bootstrap of each."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from ldlva.comparison.comparison import Comparison, Scores, compare
from ldlva.comparison.differences import Difference
from ldlva.emotions import EMOTIONS
from ldlva.inference import Estimate
from ldlva.report.source import ModelFacts, ReportSource
from ldlva.survey.comparing import Alignment, StudyComparison
from ldlva.survey.records import StudyVotes

FACES = 24

SHIPPED = [
    f"{data}-mobilenet-{method}"
    for method in ("ce", "ldlva", "label_smoothing", "dmue", "soft", "center", "total", "ldlva_plus")
    for data in ("ferplus", "faces")
]
"""Names like those of the models that come with the product, as long as theirs."""


@cache
def _two() -> tuple[StudyVotes, Comparison]:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(10, rng.dirichlet(np.full(len(EMOTIONS), 0.4), FACES))
    votes = StudyVotes(
        emotions=EMOTIONS,
        image_ids=tuple(range(FACES)),
        image_names=tuple(f"a_rather_long_name_of_face-{row:07d}.png" for row in range(FACES)),
        image_labels=(None,) * FACES,
        counts=counts,
        none_counts=np.zeros(FACES, dtype=np.int64),
        raters=counts.sum(axis=1),
    )
    predictions = {name: rng.dirichlet(np.ones(len(EMOTIONS)), FACES) for name in ("one", "other")}
    return votes, compare(counts, predictions, labels=votes.labels)


def compared(names: list[str]) -> StudyComparison:
    """Models of these names, each a little farther from people than the one before; all pairs' differences differ in
    their models' names alone."""
    votes, two = _two()
    rng = np.random.default_rng(1)
    model, pair = two.models[0], two.differences[0]
    models = tuple(replace(model, name=name, raw=_farther(model.raw, 0.03 * place)) for place, name in enumerate(names))
    pairs: tuple[Difference, ...] = tuple(
        replace(pair, closer=closer, farther=farther)
        for place, closer in enumerate(names)
        for farther in names[place + 1 :]
    )
    predictions = {name: rng.dirichlet(np.ones(len(EMOTIONS)), FACES) for name in names}
    comparison = replace(two, models=models, differences=pairs, calibrated_differences=())
    return StudyComparison(votes, predictions, comparison)


def _farther(scores: Scores, by: float) -> Scores:
    estimates = {key: Estimate(one.mean + by, one.low + by, one.high + by) for key, one in scores.estimates.items()}
    return replace(scores, estimates=estimates, per_image=scores.per_image * (1 + by))


def report_source(found: StudyComparison, title: str, facts: dict[str, ModelFacts]) -> ReportSource:
    """What a report says about it."""
    aligned = Alignment(found.votes, found.predictions, {}, {}, ())
    origin = {"source": "ferplus"}
    return ReportSource("demo", title, origin, 10, 0, 0, aligned, facts, "ldlva 0")
