"""Seconds per training step of every method, interleaved in one run, and the ratio to cross-entropy.

python bench/train_step.py [--steps 30] [--batch-size 64] [--threads N]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ldlva.training.config import resolve_config
from ldlva.training.methods import METHODS, TrainingSet
from ldlva.training.trainer import Compute, batches, build_method, build_optimizer, training_step

SAMPLES = 4000
WARMUP_STEPS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    train = TrainingSet(
        names=tuple(map(str, range(SAMPLES))),
        images=rng.integers(0, 256, (SAMPLES, 48, 48), dtype=np.uint8),
        labels=rng.integers(0, 7, SAMPLES),
        valence_arousal=rng.uniform(-1, 1, (SAMPLES, 2)),
    )
    settings = {"data": "none:none", "batch_size": arguments.batch_size, "threads": arguments.threads}
    prepared = {}
    for name in METHODS:
        config = resolve_config(method=name, **settings)
        method = build_method(config, train).train()
        method.start_epoch(5)  # past any warm-up
        compute = Compute.from_config(config)
        prepared[name] = (method.to(compute.device), build_optimizer(method, config), compute)

    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    stream = batches(train, config, compute.device)
    for step in range(WARMUP_STEPS + arguments.steps):
        batch = next(stream)
        for name, (method, optimizer, compute) in prepared.items():
            started = time.perf_counter()
            training_step(method, batch, optimizer, compute)
            if step >= WARMUP_STEPS:
                seconds[name].append(time.perf_counter() - started)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    precision = "bfloat16" if compute.bfloat16 else "float32"
    print(f"ResNet-18, 48 px, batch {arguments.batch_size}, {arguments.threads} thread(s), {precision}; medians")
    for name, value in median.items():
        print(f"{name:12} {1000 * value:8.1f} ms   {value / median['ce']:.3f} x ce")


if __name__ == "__main__":
    main()
