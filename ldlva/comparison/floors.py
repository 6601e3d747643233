"""Reference rows: what other people, a perfect model, the class frequencies and pure chance would score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray, IntArray, human_distribution
from ldlva.inference import RaterPool
from ldlva.measures import HEADLINE, Statistic

SPLITS = 100_000
"""Least number of (face, split) pairs behind the split-half row."""

FEWEST_SPLITS = 40


@dataclass(frozen=True)
class Floor:
    """A reference row: its means over faces by measure."""

    name: str
    meaning: str
    values: dict[str, float]


@dataclass(frozen=True)
class Halves:
    """Each face's raters split at random into two equal halves, several times: distributions `[K, N, C]`."""

    rows: IntArray
    first: FloatArray
    second: FloatArray


def floors(votes: IntArray, statistics: Mapping[str, Statistic], seed: int, halves: Halves | None) -> tuple[Floor, ...]:
    """Reference rows for votes `[N, C]`, best first.

    The first two rest on images with at least two votes: a single vote says nothing about how much votes scatter.

    Args:
        votes: every row with at least one vote.
        statistics: means to give, by name; with `HEADLINE`.
        seed: of the draws.
        halves: from `split_halves`.
    """
    human = human_distribution(votes)
    result = []
    if len(several := votes[votes.sum(axis=1) >= 2]) > 0:
        meaning = "knows every face's distribution; what is left is the noise of this many raters"
        result.append(Floor("perfect model", meaning, perfect_model(several, statistics, seed)))
    if halves is not None:
        values = {name: float(f(halves.first, halves.second).mean()) for name, f in statistics.items()}
        result.append(Floor("split-half people", "one half of the raters predicts the other half", values))
    if len(votes) >= 2:
        # Leave one out: an image's own votes must not be part of what predicts it.
        prior = (human.sum(axis=0) - human) / (len(votes) - 1)
        result.append(
            Floor(
                "class frequencies",
                "every face gets the mean distribution of the others",
                _means(human, prior, statistics),
            )
        )
    uniform = np.full_like(human, 1 / human.shape[1])
    result.append(Floor("uniform", "every emotion equally likely", _means(human, uniform, statistics)))
    return tuple(sorted(result, key=lambda floor: floor.values[HEADLINE]))


def _means(human: FloatArray, predicted: FloatArray, statistics: Mapping[str, Statistic]) -> dict[str, float]:
    return {name: float(f(human, predicted).mean()) for name, f in statistics.items()}


def perfect_model(counts: npt.ArrayLike, statistics: Mapping[str, Statistic], seed: int) -> dict[str, float]:
    """Mean statistics of a model that knows each image's distribution exactly: pure sampling noise of n raters.

    The observed distribution stands in for the true one (plug-in), which understates the floor a little.
    """
    pool = RaterPool(counts, seed)
    return {name: float(statistic(pool.votes, pool.observed).mean()) for name, statistic in statistics.items()}


def split_halves(counts: npt.ArrayLike, seed: int) -> Halves | None:
    """Random halves of every face's raters; with an odd number one rater sits out.

    Faces with fewer than two votes cannot be split and are left out; None if no face can.
    """
    votes = np.asarray(counts, dtype=np.int64)
    rows = np.flatnonzero(votes.sum(axis=1) >= 2)
    if len(rows) == 0:
        return None
    generator = np.random.default_rng(seed)
    splits = max(FEWEST_SPLITS, -(-SPLITS // len(rows)))
    all_votes = np.broadcast_to(votes[rows], (splits, len(rows), votes.shape[1]))
    half = votes[rows].sum(axis=1) // 2
    seated = _draw(generator, all_votes, 2 * half)
    first = _draw(generator, seated, half)
    size = half[:, None]
    return Halves(rows, first / size, (seated - first) / size)


def _draw(generator: np.random.Generator, counts: IntArray, size: IntArray) -> IntArray:
    """`size` `[N]` votes out of `counts` `[K, N, C]` without replacement (multivariate hypergeometric)."""
    left = counts.sum(axis=-1)
    wanted = np.broadcast_to(size, left.shape).copy()
    drawn = np.zeros_like(counts)
    for label in range(counts.shape[-1]):
        good = counts[..., label]
        left = left - good
        drawn[..., label] = generator.hypergeometric(good, left, wanted)
        wanted -= drawn[..., label]
    return drawn
