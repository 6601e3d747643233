"""t-SNE of N faces with 512 features, and the numbers beside it. Usage: python bench/projection.py [N ...]"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ldlva.embedding.separation import separation
from ldlva.projection import tsne, version

WIDTH = 512
GROUPS = 7

for faces in [int(argument) for argument in sys.argv[1:]] or [1000, 10_000]:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, GROUPS, faces)
    centres = 0.6 * rng.normal(size=(GROUPS, WIDTH))
    features = np.maximum(rng.normal(size=(faces, WIDTH)) + centres[groups], 0).astype(np.float32)
    start = time.perf_counter()
    tsne(features, perplexity=30, seed=0)
    middle = time.perf_counter()
    separation(features, groups)
    end = time.perf_counter()
    print(f"{faces} x {WIDTH}: t-SNE {middle - start:.1f} s ({version()}), numbers {end - middle:.1f} s")
