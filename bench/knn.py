"""Seconds for the nearest neighbours of 300,000 samples, and the ratio to brute force on a part of them.

python bench/knn.py [--samples 300000] [--part 300]

Brute force is timed for `--part` of the samples against all of them and scaled up; its distances must be the same.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ldlva.distributions import FloatArray, IntArray
from ldlva.emotions import valence_arousal_coordinates
from ldlva.training.neighbors import nearest_neighbors

NEIGHBORS = 8


def layouts(n: int) -> dict[str, FloatArray]:
    """Point sets `[n, 2]` as they occur: spread out, pseudo coordinates of sure and unsure teachers, coinciding."""
    rng = np.random.default_rng(0)
    spread = rng.uniform(-1, 1, (n, 2))
    classes = rng.choice(7, n, p=[0.25, 0.45, 0.09, 0.05, 0.03, 0.03, 0.1])  # about AffectNet's shares
    logits = rng.normal(0, 1, (n, 7))
    logits[np.arange(n), classes] += rng.gamma(2.0, 6.0, n)
    posteriors = np.exp(logits - logits.max(axis=1, keepdims=True))
    pseudo = posteriors / posteriors.sum(axis=1, keepdims=True) @ valence_arousal_coordinates()
    coinciding = spread.copy()
    coinciding[rng.choice(n, n // 3, replace=False)] = (0.81, 0.51)
    return {
        "uniform": spread,
        "pseudo": pseudo,
        "pseudo, 6 decimals (as stored)": pseudo.round(6),
        "two decimals": spread.round(2),
        "a third identical": coinciding,
        "seven spots": valence_arousal_coordinates()[classes],
    }


def brute_force(points: FloatArray, rows: IntArray) -> FloatArray:
    """Distances of the nearest others, one row at a time."""
    nearest = np.empty((len(rows), NEIGHBORS))
    for place, row in enumerate(rows):
        squared = ((points - points[row]) ** 2).sum(axis=1)
        squared[row] = np.inf
        nearest[place] = np.sqrt(np.sort(np.partition(squared, NEIGHBORS)[:NEIGHBORS]))
    return nearest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=300_000)
    parser.add_argument("--part", type=int, default=300)
    arguments = parser.parse_args()
    rows = np.random.default_rng(1).choice(arguments.samples, arguments.part, replace=False)
    print(f"{arguments.samples} samples, {NEIGHBORS} neighbours; brute force timed on {arguments.part} of them")
    for name, points in layouts(arguments.samples).items():
        started = time.perf_counter()
        found = nearest_neighbors(points, NEIGHBORS)
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        expected = brute_force(points, rows)
        brute = (time.perf_counter() - started) * arguments.samples / arguments.part
        distances = np.linalg.norm(points[found[rows]] - points[rows][:, None], axis=2)
        same = "same distances" if np.allclose(distances, expected, rtol=1e-12, atol=1e-15) else "DISTANCES DIFFER"
        print(f"{name:32} {seconds:6.2f} s   {seconds / brute:.5f} x brute force   {same}")


if __name__ == "__main__":
    main()
