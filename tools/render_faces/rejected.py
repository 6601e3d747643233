"""Faces and people that were looked at and not shipped.

Each name maps to the reasons it was rejected, one per attempt. The number of reasons is added to the seed, so that a
rejected draw is replaced by the next one and the plan stays deterministic.
"""

from __future__ import annotations

PEOPLE: dict[str, tuple[str, ...]] = {}

FACES: dict[str, tuple[str, ...]] = {}
