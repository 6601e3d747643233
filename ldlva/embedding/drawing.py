"""Computing an `Embedding` from models' features. Runs in a child process: t-SNE takes seconds to minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ldlva.distributions import FloatArray, IntArray, entropy, human_distribution
from ldlva.embedding.embedding import FORMAT, LABEL, MAJORITY, Embedding, Panel, digest, separation_from_json
from ldlva.embedding.separation import NO_GROUP, Features, Separation, separation
from ldlva.emotions import EMOTION_NAMES, EMOTIONS, Emotion
from ldlva.jobs import ProgressFile
from ldlva.projection import Projection, check_perplexity, tsne, version

MOST_FACES = 10_000
FEWEST_HELD_OUT = 50
"""Held-out faces from which on the numbers rest on them alone."""

Cache = Callable[[str, str, Callable[[], dict[str, Any]]], dict[str, Any]]
"""Given a kind, a key and how to compute it, the content: computed now or earlier."""


@dataclass(frozen=True)
class Faces:
    """What is known about N faces, whichever model looks at them.

    Attributes:
        source: where they come from, as the command names it: `study:NAME` or a data set.
        title: the same for a person.
        names: unique.
        parts: `train`, `valid` or `test` of a data set; empty for a study's faces.
        labels: int64 `[N]` single labels, index into `emotions`; `NO_GROUP` where there is none.
        counts: int64 `[N, C]` votes over `emotions`, or None.
        distributions: `[N, C]` where there are no votes but shares or mixtures, or None.
        reference: what the distributions are, for a person; empty if there are none.
        emotions: C labels.
        of: how many faces there are, if these are a random part of them.
    """

    source: str
    title: str
    names: tuple[str, ...]
    labels: IntArray
    parts: tuple[str, ...] = ()
    counts: IntArray | None = None
    distributions: FloatArray | None = None
    reference: str = ""
    emotions: tuple[Emotion, ...] = EMOTIONS
    of: int = 0

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class ModelView:
    """What one model sees in the faces: `features` `[N, D]` and `probabilities` `[N, C]` over its `labels`."""

    name: str
    method: str
    weights_sha256: str
    features: Features
    probabilities: FloatArray
    labels: tuple[str, ...] = EMOTION_NAMES


def draw(
    faces: Faces,
    views: Sequence[ModelView],
    perplexity: float,
    seed: int,
    sheets: int,
    state: Sequence[int],
    progress: ProgressFile,
    cache: Cache,
) -> Embedding:
    """Place the faces for every model, and measure how well groups are told apart.

    Raises:
        ProjectionError: see `projection.tsne`.
    """
    check_perplexity(perplexity, len(faces))
    majorities, entropies = _human_side(faces)
    kept, measured = _measured(faces)
    panels = []
    for number, view in enumerate(views, start=1):
        message = f"model {number} of {len(views)}" if len(views) > 1 else ""
        stage = f"Placing the faces as {view.name} sees them"
        progress(stage, message=message)
        projection = _cached_projection(view, perplexity, seed, cache, progress.within(stage, message))
        progress(f"Measuring {view.name}", message=message)
        numbers = {}
        for name, groups in ((LABEL, faces.labels), (MAJORITY, majorities)):
            found = _cached_separation(view.features[kept], groups[kept], cache)
            if found is not None:
                numbers[name] = found
        panels.append(
            Panel(
                model=view.name,
                method=view.method,
                weights_sha256=view.weights_sha256,
                width=view.features.shape[1],
                divergence=round(projection.divergence, 4),
                coordinates=np.round(projection.coordinates, 4).tolist(),
                labels=list(view.labels),
                choices=view.probabilities.argmax(axis=1).tolist(),
                confidences=np.round(view.probabilities.max(axis=1), 3).tolist(),
                separation=numbers,
            )
        )
    return Embedding(
        source=faces.source,
        title=faces.title,
        names=list(faces.names),
        parts=list(faces.parts),
        of=faces.of,
        palette=[[emotion.name, emotion.title, emotion.colour] for emotion in faces.emotions],
        labels=faces.labels.tolist(),
        majorities=majorities.tolist(),
        entropies=entropies,
        reference=faces.reference,
        human=faces.counts is not None,
        votes=[] if faces.counts is None else faces.counts.sum(axis=1).tolist(),
        measured=measured,
        perplexity=perplexity,
        seed=seed,
        panels=panels,
        versions=[version(), f"NumPy {np.__version__}"],
        sheets=sheets,
        state=list(state),
    )


def sample(count: int, most: int, seed: int) -> IntArray:
    """Rows of at most `most` of `count` faces, drawn without replacement, in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def _human_side(faces: Faces) -> tuple[IntArray, list[float | None]]:
    """Majorities (the first of several with equally many votes), and entropies of the reference distribution."""
    majorities = np.full(len(faces), NO_GROUP)
    entropies: list[float | None] = [None] * len(faces)
    if faces.counts is not None:
        voted = np.flatnonzero(faces.counts.sum(axis=1) > 0)
        majorities[voted] = faces.counts[voted].argmax(axis=1)
        rows, distributions = voted, human_distribution(faces.counts[voted]) if len(voted) else np.zeros((0, 1))
    elif faces.distributions is not None:
        rows, distributions = np.arange(len(faces)), faces.distributions
    else:
        return majorities, entropies
    for row, value in zip(rows, entropy(distributions), strict=True):
        entropies[row] = round(float(value), 3)
    return majorities, entropies


def _measured(faces: Faces) -> tuple[IntArray, str]:
    """Rows that the numbers rest on, and in words which."""
    everything = np.arange(len(faces))
    trained_on = np.array([part == "train" for part in faces.parts], dtype=bool)
    if not trained_on.any():
        return everything, f"all {len(faces):,} faces"
    held_out = np.flatnonzero(~trained_on)
    if len(held_out) < FEWEST_HELD_OUT:
        return everything, (
            f"{len(faces):,} faces of the train part: a model trained on them separates them better than new ones"
        )
    return held_out, f"the {len(held_out):,} faces that are not in the train part"


def _features_digest(features: Features) -> str:
    return digest(repr(features.shape), np.ascontiguousarray(features, dtype="<f4").tobytes())


def _cached_projection(
    view: ModelView, perplexity: float, seed: int, cache: Cache, report: Callable[[int, int], None]
) -> Projection:
    def compute() -> dict[str, Any]:
        projection = tsne(view.features, perplexity, seed, report)
        return {"coordinates": projection.coordinates.tolist(), "divergence": projection.divergence}

    key = digest(_features_digest(view.features), repr((perplexity, seed, version(), np.__version__, FORMAT)))
    found = cache("projections", key, compute)
    return Projection(np.array(found["coordinates"], dtype=np.float64), float(found["divergence"]))


def _cached_separation(features: Features, groups: IntArray, cache: Cache) -> Separation | None:
    def compute() -> dict[str, Any]:
        found = separation(features, groups)
        return {} if found is None else found.to_json()

    key = digest(_features_digest(features), groups.astype("<i8").tobytes(), repr((np.__version__, FORMAT)))
    found = cache("separations", key, compute)
    return separation_from_json(found) if found else None
