"""Which faces a volunteer sees, and in which order. Pure rules; `participation` feeds and stores them.

Blind: neither position nor number of faces tells how many votes a face has or what others said of it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ldlva.survey.records import Trial

FEWEST_BETWEEN = 3
"""Other faces between the two showings of a repeated face, where the list is long enough."""


@dataclass(frozen=True)
class FaceState:
    """How a face stands: current votes, votes promised by live claims, and how many it needs (None: no limit)."""

    image_id: int
    votes: int
    claims: int
    needed: int | None

    @property
    def has_room(self) -> bool:
        """Whether one more volunteer may be given this face."""
        return self.needed is None or self.votes + self.claims < self.needed

    @property
    def is_full(self) -> bool:
        """Whether it has all the votes it needs, claims aside."""
        return self.needed is not None and self.votes >= self.needed


def choose_faces(states: Iterable[FaceState], faces: int | None, generator: random.Random) -> list[int]:
    """Faces with room, those with the fewest votes and claims first, ties at random.

    Args:
        states: all faces that this volunteer could be given.
        faces: how many; None for all with room.
        generator: decides ties.

    Returns:
        Distinct image ids, fewer than `faces` where there is not enough room.

    Raises:
        ValueError: `faces` is below 1.
    """
    if faces is not None and faces < 1:
        raise ValueError(f"a volunteer must see at least one face, got {faces}")
    candidates = [state for state in states if state.has_room]
    generator.shuffle(candidates)
    candidates.sort(key=lambda state: state.votes + state.claims)
    return [state.image_id for state in candidates[:faces]]


def arrange(
    chosen: Sequence[int],
    practice: Sequence[int],
    gold: Sequence[int],
    repeated: int,
    order: Literal["random", "fixed"],
    generator: random.Random,
) -> list[Trial]:
    """A volunteer's whole list: practice first, then faces and gold faces mixed, repeats in the second half.

    Args:
        chosen: faces to be voted on.
        practice: in the order in which they are shown.
        gold: faces with known answers.
        repeated: how many of `chosen` are shown a second time, at most all.
        order: `random`, or `fixed`: by image id, which is the order of the study's files; repeats follow at the end.
        generator: decides everything that is random.
    """
    kinds: list[tuple[int, Literal["face", "gold"]]] = [(image_id, "face") for image_id in chosen]
    kinds += [(image_id, "gold") for image_id in gold]
    if order == "random":
        generator.shuffle(kinds)
    else:
        kinds.sort()
    trials = [Trial(image_id, 0, kind) for image_id, kind in kinds]
    for image_id in _repeated(trials, min(repeated, len(chosen)), generator):
        again = Trial(image_id, 1, "repeat")
        if order == "fixed":
            trials.append(again)
            continue
        first = next(index for index, trial in enumerate(trials) if trial.image_id == image_id)
        earliest = min(max(first + 1 + FEWEST_BETWEEN, len(trials) // 2), len(trials))
        trials.insert(generator.randint(earliest, len(trials)), again)
    return [*(Trial(image_id, 0, "practice") for image_id in practice), *trials]


def _repeated(trials: Sequence[Trial], count: int, generator: random.Random) -> list[int]:
    """Faces to be shown again: from the first half, where it has enough, so that the second showing is far away."""
    faces = [trial.image_id for trial in trials if trial.kind == "face"]
    reach = max(count, (len(faces) + 1) // 2)
    drawn = set(generator.sample(faces[:reach], count))
    return [image_id for image_id in faces if image_id in drawn]


def replace_full(trials: Sequence[Trial], full: Collection[int], spare: Sequence[int]) -> list[Trial]:
    """A list in which faces that filled up meanwhile give their places to spare ones, or vanish where there is none.

    Args:
        trials: the volunteer's list.
        full: faces of it that are not voted on yet and have no room any more.
        spare: faces with room that are not on the list.
    """
    replacement = dict(zip(dict.fromkeys(t.image_id for t in trials if t.image_id in full), spare, strict=False))
    return [
        Trial(replacement.get(trial.image_id, trial.image_id), trial.repeat, trial.kind)
        for trial in trials
        if trial.image_id not in full or trial.image_id in replacement
    ]


def option_order(options: Sequence[str], last: Sequence[str], shuffled: bool, generator: random.Random) -> list[str]:
    """Choices in the order of their buttons; `last` ("none of these", "other") stay at the end."""
    ordered = list(options)
    if shuffled:
        generator.shuffle(ordered)
    return [*ordered, *last]
