"""Which faces a volunteer sees, and in which order. Pure rules; the repository feeds and stores them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence


def presentation_order(
    image_ids: Sequence[int], votes_so_far: Mapping[int, int], faces: int | None, seed: int
) -> list[int]:
    """Choose a volunteer's faces, least-voted first with random ties, and shuffle them.

    The order is random for every volunteer, so fatigue and contrast effects spread evenly over the faces. How many
    votes a face has never shows in its position.

    Args:
        image_ids: all images of the study.
        votes_so_far: current votes by image; an absent image has none.
        faces: how many to show; None for all.
        seed: a volunteer's own; equal seeds and counts give equal orders.

    Returns:
        Distinct image ids, `min(faces, len(image_ids))` of them.

    Raises:
        ValueError: `faces` is below 1.
    """
    if faces is not None and faces < 1:
        raise ValueError(f"a volunteer must see at least one face, got {faces}")
    generator = random.Random(seed)
    candidates = list(image_ids)
    generator.shuffle(candidates)
    candidates.sort(key=lambda image_id: votes_so_far.get(image_id, 0))
    chosen = candidates[:faces]
    generator.shuffle(chosen)
    return chosen
