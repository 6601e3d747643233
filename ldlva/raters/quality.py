"""How single raters voted, for a researcher to look at. Nobody is deleted: results are shown with and without.

Signs of a rater who did not look: always the same answer, answers faster than a face can be judged, and answers that
agree with the others' no more than chance would. None is proof. A rater who sees what others do not is no bad rater.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray, IntArray, human_distribution
from ldlva.divergences import total_variation
from ldlva.inference import Estimate
from ldlva.raters.agreement import Agreement, agreement, alpha_over_raters, masi_distances, set_agreement
from ldlva.raters.dawid_skene import dawid_skene

FEWEST_VOTES = 10
"""With fewer votes nothing is said about a rater."""

SAME_ANSWER = 0.9
"""Share of votes for one answer from which on a rater is said to give the same answer always."""

FAST_MS = 600
"""Half of the votes below this many milliseconds: faster than a face can be seen and an answer found and pressed."""

LITTLE = 0.1
"""Agreement with the others, corrected for chance (0 chance, 1 perfect), below which answers say little about faces."""


@dataclass(frozen=True)
class RaterVotes:
    """Current votes of identifiable raters, V of them, "none of these" being the last choice.

    Attributes:
        rater_ids: R numbers as in the export.
        raters: index of each vote's rater `[V]`.
        images: row of each vote's image `[V]`.
        choices: column of each vote's choice `[V]`; of several, of the first.
        response_ms: milliseconds of each vote `[V]`, NaN where unknown.
        sets: all that each vote chose `[V]`, as an index into `different_sets`; None where one choice is all.
        different_sets: columns of the choices in every set.
    """

    rater_ids: tuple[int, ...]
    raters: IntArray
    images: IntArray
    choices: IntArray
    response_ms: FloatArray
    sets: IntArray | None = None
    different_sets: tuple[frozenset[int], ...] = ()

    def counts(self, images: int, choices: int, kept: npt.NDArray[np.bool_] | None = None) -> IntArray:
        """Votes `[images, choices]` of all raters, or of those kept `[R]`."""
        return self._tally(self.choices, (images, choices), kept)

    def agreement(self, images: int, choices: int, kept: npt.NDArray[np.bool_] | None = None) -> Agreement:
        """How well all raters agree, or those kept `[R]`."""
        if self.sets is None:
            return agreement(self.counts(images, choices, kept))
        counts = self._tally(self.sets, (images, len(self.different_sets)), kept)
        return set_agreement(counts, self.different_sets)

    def alpha_over_raters(self, images: int, choices: int) -> Estimate | None:
        """Krippendorff's alpha with a jackknife interval over raters."""
        if self.sets is None:
            return alpha_over_raters(self.counts(images, choices), self.raters, self.images, self.choices)
        counts = self._tally(self.sets, (images, len(self.different_sets)), None)
        distances = masi_distances(self.different_sets)
        return alpha_over_raters(counts, self.raters, self.images, self.sets, distances)

    def _tally(self, columns: IntArray, shape: tuple[int, int], kept: npt.NDArray[np.bool_] | None) -> IntArray:
        result = np.zeros(shape, dtype=np.int64)
        chosen = slice(None) if kept is None else kept[self.raters]
        np.add.at(result, (self.images[chosen], columns[chosen]), 1)
        return result


@dataclass(frozen=True)
class Rater:
    """One rater; None where it cannot be said. `flags` are the signs found, in words.

    `agrees_with_others` is the mean share of the other raters of a face who gave the rater's answer;
    `beyond_chance` the same as (agreement - chance) / (1 - chance), chance being what the rater's
    answers, dealt to those faces at random, would reach. `expected_accuracy` is Dawid-Skene's.
    """

    id: int
    votes: int
    most_frequent_share: float
    longest_run: int
    median_ms: float | None
    agrees_with_others: float | None
    beyond_chance: float | None
    expected_accuracy: float
    gold_accuracy: float | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class RaterQuality:
    """All raters, and agreement with and without those with a flag.

    `changed_majorities` counts the faces whose most-voted answer differs without them, among the faces that still have
    votes; `moved` is the mean total variation between the two distributions of those faces.
    """

    raters: tuple[Rater, ...]
    everyone: Agreement
    without_flagged: Agreement
    changed_majorities: int
    moved: float
    gold: str | None

    @property
    def flagged(self) -> int:
        return sum(bool(rater.flags) for rater in self.raters)


def rater_quality(votes: RaterVotes, images: int, choices: int, gold: Sequence[int | None] | None) -> RaterQuality:
    """Look at every rater.

    Args:
        votes: of raters who are people; votes dealt to raters at random say nothing here.
        images: N.
        choices: C, "none of these" included.
        gold: column of each image's own label from elsewhere, None where it has none; None: no gold at all.
    """
    counts = votes.counts(images, choices)
    accuracies = dawid_skene(votes.raters, votes.images, votes.choices, len(votes.rater_ids), images, choices).accuracy
    order = np.argsort(votes.raters, kind="stable")
    ends = np.searchsorted(votes.raters[order], np.arange(len(votes.rater_ids) + 1))
    raters = []
    for index, rater_id in enumerate(votes.rater_ids):
        own = order[ends[index] : ends[index + 1]]
        raters.append(_rater(rater_id, votes, own, counts, float(accuracies[index]), gold))
    kept = np.array([not rater.flags for rater in raters], dtype=bool)
    without = votes.counts(images, choices, kept)
    both = without.sum(axis=1) > 0
    changed, moved = 0, 0.0
    if both.any():
        before, after = counts[both], without[both]
        winners = [rows == rows.max(axis=1, keepdims=True) for rows in (before, after)]
        changed = int((winners[0] != winners[1]).any(axis=1).sum())
        moved = float(total_variation(human_distribution(before), human_distribution(after)).mean())
    named = "the data set's own label" if gold is not None and any(label is not None for label in gold) else None
    everyone, without_flagged = votes.agreement(images, choices), votes.agreement(images, choices, kept)
    return RaterQuality(tuple(raters), everyone, without_flagged, changed, moved, named)


def _rater(
    rater_id: int,
    votes: RaterVotes,
    own: IntArray,
    counts: IntArray,
    expected_accuracy: float,
    gold: Sequence[int | None] | None,
) -> Rater:
    choices, rows = votes.choices[own], votes.images[own]
    count = len(own)
    most = float(np.bincount(choices).max() / count) if count else 0.0
    known = votes.response_ms[own]
    known = known[~np.isnan(known)]
    median = float(np.median(known)) if len(known) else None
    agrees, beyond = _with_others(counts[rows], choices)
    labelled = [(choice, gold[row]) for choice, row in zip(choices, rows, strict=True)] if gold is not None else []
    right = [choice == label for choice, label in labelled if label is not None]
    flags = []
    if count >= FEWEST_VOTES:
        if most >= SAME_ANSWER:
            flags.append(f"the same answer in {most:.0%} of votes")
        if median is not None and median < FAST_MS:
            flags.append(f"half of the votes within {median:.0f} ms")
        if beyond is not None and beyond < LITTLE:
            flags.append("agrees with others hardly more than chance")
    return Rater(
        id=rater_id,
        votes=count,
        most_frequent_share=most,
        longest_run=_longest_run(choices),
        median_ms=median,
        agrees_with_others=agrees,
        beyond_chance=beyond,
        expected_accuracy=expected_accuracy,
        gold_accuracy=float(np.mean(right)) if right else None,
        flags=tuple(flags),
    )


def _with_others(counts: IntArray, choices: IntArray) -> tuple[float | None, float | None]:
    """Agreement with the other raters of the same faces, as it is and beyond chance.

    Args:
        counts: all votes on the faces this rater voted on `[V, C]`, the rater's own included.
        choices: the rater's `[V]`.
    """
    own = np.eye(counts.shape[1], dtype=np.int64)[choices]
    others = counts - own
    known = others.sum(axis=1) > 0
    if not known.any():
        return None, None
    shares = human_distribution(others[known])
    agrees = float((shares * own[known]).sum(axis=1).mean())
    chance = float(shares.mean(axis=0) @ own[known].mean(axis=0))
    return agrees, (agrees - chance) / (1 - chance) if chance < 1 else None


def _longest_run(choices: IntArray) -> int:
    """Most votes in a row for one answer, in the order they were cast."""
    if len(choices) == 0:
        return 0
    changes = np.flatnonzero(np.diff(choices)) + 1
    return int(np.diff(np.concatenate([[0], changes, [len(choices)]])).max())
