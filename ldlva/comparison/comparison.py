"""Models against people on the images of one study: the numbers behind the Compare page. Arrays in, report out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import PlainSerializer, PlainValidator, TypeAdapter

from ldlva.comparison.ambiguity import entropy_correlations
from ldlva.comparison.calibration import Temperature, calibrate
from ldlva.comparison.differences import TESTED, Difference, differences
from ldlva.comparison.floors import Floor, Halves, floors, split_halves
from ldlva.comparison.rater_equivalence import RaterEquivalence, rater_equivalence
from ldlva.comparison.verdict import verdict
from ldlva.distributions import FloatArray, IntArray, check_distributions
from ldlva.emotions import EMOTION_NAMES, valence_arousal_coordinates
from ldlva.inference import Estimate, RaterPool, estimate, replicated
from ldlva.measures import ACCURACY, ENTROPY_CORRELATION, HEADLINE, Measure, measures

REPLICATES = 2000
CORRELATION_REPLICATES = 500

_Column = Annotated[
    FloatArray, PlainValidator(lambda v: np.asarray(v, np.float64)), PlainSerializer(lambda a: a.tolist())
]
_Rows = Annotated[IntArray, PlainValidator(lambda v: np.asarray(v, np.int64)), PlainSerializer(lambda a: a.tolist())]

Report = Callable[[int, int], None]
"""Called with how many of how many steps are done."""


@dataclass(frozen=True)
class Scores:
    """Means over faces by measure, and the headline Jeffreys divergence per face `[N]`.

    `estimates` has the keys of `measures`, and `ENTROPY_CORRELATION` where it is defined. `against_half` is the mean
    headline divergence from a random half of each face's raters: what the split-half row compares with.
    """

    estimates: dict[str, Estimate]
    per_image: _Column
    equivalence: RaterEquivalence | None
    against_half: float | None


@dataclass(frozen=True)
class ModelScore:
    """One model, raw and, where a temperature could be had, calibrated.

    `clear_accuracy` is the accuracy on the faces with one most-voted label; None if there is no such face.
    """

    name: str
    raw: Scores
    calibrated: Scores | None
    temperature: Temperature | None
    clear_accuracy: float | None

    @property
    def estimates(self) -> dict[str, Estimate]:
        return self.raw.estimates

    @property
    def per_image(self) -> FloatArray:
        return self.raw.per_image

    @property
    def accuracy(self) -> float:
        """Share of faces whose most probable label has the most votes; any label tied for most counts."""
        return self.raw.estimates[ACCURACY].mean

    def scores(self, calibrated: bool) -> Scores | None:
        """Raw, or after temperature."""
        return self.calibrated if calibrated else self.raw


@dataclass(frozen=True)
class Coverage:
    """How many of the faces with votes a model predicted, and how many more could be compared without it."""

    name: str
    predicted: int
    costs: int


@dataclass(frozen=True)
class Comparison:
    """Models sorted from closest to people to farthest, by their raw predictions at the headline constant."""

    rows: _Rows
    votes_per_image: tuple[int, int]
    tied_faces: int
    models: tuple[ModelScore, ...]
    floors: tuple[Floor, ...]
    differences: tuple[Difference, ...]
    calibrated_differences: tuple[Difference, ...]
    left_out: dict[str, int]
    coverage: tuple[Coverage, ...]
    seed: int

    def verdict(self) -> list[str]:
        """The ranking in words, raw and after temperature."""
        return verdict(self.differences, self.calibrated_differences)

    def dump(self) -> str:
        """All of it, for `load`."""
        return json.dumps(_ADAPTER.dump_python(self))

    @staticmethod
    def load(content: str) -> Comparison:
        """What `dump` wrote.

        Raises:
            ValueError: it is something else.
        """
        return _ADAPTER.validate_python(json.loads(content))


_ADAPTER: TypeAdapter[Comparison] = TypeAdapter(Comparison)


@dataclass(frozen=True)
class _Votes:
    """What all models are measured against."""

    counts: IntArray
    human: FloatArray
    pool: RaterPool
    weights: npt.NDArray[np.float32]
    halves: Halves | None
    measures: dict[str, Measure]
    clear: npt.NDArray[np.bool_]


def compare(
    counts: IntArray,
    predictions: Mapping[str, FloatArray],
    seed: int = 0,
    labels: Sequence[str] = EMOTION_NAMES,
    temperatures: Mapping[str, Temperature] | None = None,
    report: Report | None = None,
) -> Comparison:
    """Score every model on the images that have votes and a prediction of every model, so that all are paired.

    Args:
        counts: votes `[N, C]`; rows without votes are left out and counted.
        predictions: model name to `[N, C]`; a row of NaN means the model has none for that image.
        seed: of the bootstrap, the floors, the permutations and the halves that temperatures are fitted on.
        labels: C names; labels without a place on the circumplex leave the earth mover's distance out.
        temperatures: those known to be fitted on other faces, by model; other models' are cross-fitted.
        report: called after every step.

    Raises:
        ValueError: no model, no image left, or a prediction that is not a distribution.
    """
    if not predictions:
        raise ValueError("there is no model to compare")
    names = list(predictions)
    steps = 1 + len(names)

    def done(step: int) -> None:
        if report is not None:
            report(step, steps)

    voted = counts.sum(axis=1) > 0
    has = np.array([~np.isnan(predictions[name]).any(axis=1) for name in names])
    rows = np.flatnonzero(voted & has.all(axis=0))
    if len(rows) == 0:
        raise ValueError("no image has both votes and a prediction of every model")
    done(0)
    against = _votes(counts[rows], labels, seed)
    statistics = {key: measure.function for key, measure in against.measures.items()}
    reference_rows = floors(against.counts, statistics, seed, against.halves)
    done(1)

    models, per_image, resampled = [], [], []
    for step, name in enumerate(names, start=2):
        raw = check_distributions(predictions[name][rows], name)
        calibrated = calibrate(raw, against.human, (temperatures or {}).get(name), seed)
        versions = [raw] if calibrated is None else [raw, calibrated[0]]
        scores, observed, means = _scores(against, versions)
        hits = observed[ACCURACY][:, 0]
        models.append(
            ModelScore(
                name=name,
                raw=scores[0],
                calibrated=scores[1] if calibrated else None,
                temperature=calibrated[1] if calibrated else None,
                clear_accuracy=float(hits[against.clear].mean()) if against.clear.any() else None,
            )
        )
        per_image.append({key: observed[key] for key in TESTED})
        resampled.append({key: means[key] for key in TESTED})
        done(step)

    def ranked(version: int) -> tuple[Difference, ...]:
        order = np.argsort([entry[HEADLINE][:, version].mean() for entry in per_image], kind="stable")
        return differences(
            [names[m] for m in order],
            {key: np.column_stack([per_image[m][key][:, version] for m in order]) for key in TESTED},
            {key: np.column_stack([resampled[m][key][:, version] for m in order]) for key in TESTED},
            seed,
        )

    totals = against.counts.sum(axis=1)
    return Comparison(
        rows=rows,
        votes_per_image=(int(totals.min()), int(totals.max())),
        tied_faces=int((~against.clear).sum()),
        models=tuple(sorted(models, key=lambda model: model.estimates[HEADLINE].mean)),
        floors=reference_rows,
        differences=ranked(0),
        calibrated_differences=ranked(1) if all(model.calibrated for model in models) else (),
        left_out={
            "without a vote for a label": int((~voted).sum()),
            "without a prediction": int((voted & ~has.all(axis=0)).sum()),
        },
        coverage=_coverage(names, has[:, voted]),
        seed=seed,
    )


def _votes(counts: IntArray, labels: Sequence[str], seed: int) -> _Votes:
    pool = RaterPool(counts, seed)
    return _Votes(
        counts=counts,
        human=pool.observed,
        pool=pool,
        weights=pool.image_counts(REPLICATES),
        halves=split_halves(counts, seed),
        measures=measures(_places(labels)),
        clear=(counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1,
    )


def _places(labels: Sequence[str]) -> FloatArray | None:
    return valence_arousal_coordinates(labels) if set(labels) <= set(EMOTION_NAMES) else None


def _scores(
    against: _Votes, versions: Sequence[FloatArray]
) -> tuple[list[Scores], dict[str, FloatArray], dict[str, FloatArray]]:
    """Scores of several versions of one model's predictions; per-face values `[N, V]`, replicated means `[R, V]`."""
    statistics = {key: measure.function for key, measure in against.measures.items()}
    observed = {key: np.column_stack([f(against.human, p) for p in versions]) for key, f in statistics.items()}
    means = replicated(against.pool, versions, statistics, REPLICATES)
    correlations = entropy_correlations(against.pool, versions, CORRELATION_REPLICATES)
    result = []
    for v, predicted in enumerate(versions):
        estimates = {
            key: estimate(observed[key][:, v], means[key][:, v], measure.minimum, measure.maximum)
            for key, measure in against.measures.items()
        }
        if (correlation := correlations[v]) is not None:
            estimates[ENTROPY_CORRELATION] = correlation
        half = None
        if against.halves is not None:
            half = float(statistics[HEADLINE](against.halves.first, predicted[against.halves.rows]).mean())
        equivalence = rater_equivalence(against.counts, predicted, against.weights)
        result.append(Scores(estimates, observed[HEADLINE][:, v], equivalence, half))
    return result, observed, means


def _coverage(names: Sequence[str], has: npt.NDArray[np.bool_]) -> tuple[Coverage, ...]:
    """From `[M, faces with votes]`."""
    lacking = (~has).sum(axis=0)
    return tuple(
        Coverage(name, int(has[m].sum()), int(((lacking == 1) & ~has[m]).sum())) for m, name in enumerate(names)
    )
