"""Pairs of models: how much closer to people one is than the other, with interval and permutation test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ldlva.distributions import FloatArray
from ldlva.inference import Estimate, estimate
from ldlva.measures import GRID, SOFT
from ldlva.permutation import holm, sign_flip_p_values

FEWEST_IMAGES = 5
"""With fewer, a bootstrap over images has too little to resample: nothing is ranked."""

LEVEL = 0.05
TESTED = (*GRID, SOFT)
"""Measures that models are tested on."""


@dataclass(frozen=True)
class Difference:
    """Model `closer` against model `farther` on `images` faces: farther minus closer, by measure of `TESTED`.

    `p_values` are of paired sign flips over images, `adjusted` the same after Holm's correction for all pairs.
    """

    closer: str
    farther: str
    images: int
    estimates: dict[str, Estimate]
    p_values: dict[str, float]
    adjusted: dict[str, float]

    @property
    def same_order_everywhere(self) -> bool:
        return all(self.estimates[key].mean > 0 for key in GRID)

    @property
    def identical(self) -> bool:
        """The two are as far from people on every face at every constant: the same predictions under two names."""
        return all(estimate.mean == estimate.low == estimate.high == 0 for estimate in self.estimates.values())

    @property
    def robust(self) -> bool:
        """The order holds at every clipping constant, each time with an interval that excludes zero and a corrected
        p-value below .05, on enough images."""
        return self.images >= FEWEST_IMAGES and self.intervals_exclude_zero and _all_below(self.adjusted)

    @property
    def intervals_exclude_zero(self) -> bool:
        """At every clipping constant, in favour of `closer`."""
        return all(self.estimates[key].low > 0 for key in GRID)

    @property
    def succeeds_uncorrected(self) -> bool:
        """Every permutation test has p < .05 before Holm's correction: as the only pair, it would have passed."""
        return _all_below(self.p_values)

    @property
    def soft_disagrees(self) -> bool:
        """Soft cross-entropy puts the other model first, with an interval that excludes zero."""
        return self.estimates[SOFT].high < 0


def _all_below(p_values: Mapping[str, float]) -> bool:
    return all(p_values[key] < LEVEL for key in GRID)


def differences(
    ranking: Sequence[str], per_image: Mapping[str, FloatArray], replicates: Mapping[str, FloatArray], seed: int
) -> tuple[Difference, ...]:
    """Every pair of models.

    Args:
        ranking: M names, closest to people first.
        per_image: by measure of `TESTED`, `[N, M]` in the order of `ranking`.
        replicates: by measure, replicated means `[R, M]`, paired.
        seed: of the sign flips.
    """
    pairs = list(combinations(range(len(ranking)), 2))
    if not pairs:
        return ()
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    columns = [per_image[key][:, second] - per_image[key][:, first] for key in TESTED]
    p_values = sign_flip_p_values(np.column_stack(columns), seed).reshape(len(TESTED), len(pairs))
    adjusted = [holm(row) for row in p_values]
    images = len(columns[0])
    return tuple(
        Difference(
            closer=ranking[a],
            farther=ranking[b],
            images=images,
            estimates={
                key: estimate(column[:, pair], replicates[key][:, b] - replicates[key][:, a])
                for key, column in zip(TESTED, columns, strict=True)
            },
            p_values={key: float(p_values[t, pair]) for t, key in enumerate(TESTED)},
            adjusted={key: float(adjusted[t][pair]) for t, key in enumerate(TESTED)},
        )
        for pair, (a, b) in enumerate(pairs)
    )
