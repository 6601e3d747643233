"""How long a training step of each method takes, in one run, so that only the ratios need a quiet machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ldlva.emotions import EMOTION_NAMES
from ldlva.training.config import TrainConfig, resolve_config
from ldlva.training.methods import Batch, TrainingSet
from ldlva.training.trainer import (
    Compute,
    batches,
    build_method,
    build_optimizer,
    one_cycle,
    set_learning_rate,
    training_step,
)

CASES: dict[str, dict[str, Any]] = {
    "ce": {"method": "ce"},
    "ldlva": {"method": "ldlva"},
    "ldlva_forward": {"method": "ldlva", "options": {"neighbors": "forward"}},
    "dmue": {"method": "dmue"},
}
BASELINE = "ce"
SAMPLES = 512
EPOCH = 20
"""Past every warm-up and ramp."""
WARMUP_ROUNDS = 1


@dataclass(frozen=True)
class StepTimes:
    """Medians over rounds; in every round each case takes one step on the same batch.

    Attributes:
        seconds: by case.
        ratio_to_ce: by case, without cross-entropy itself.
        data_share_of_step: time to draw, augment and move a batch and to set the rate, over a cross-entropy step.
        rounds: how many.
        settings: backbone, image_size, batch_size, threads, precision, fast_small_maps.
    """

    seconds: dict[str, float]
    ratio_to_ce: dict[str, float]
    data_share_of_step: float
    rounds: int
    settings: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def time_train_steps(
    rounds: int = 12,
    batch_size: int = 64,
    threads: int = 1,
    fast_small_maps: bool = False,
    time_limit: float = 32.0,
) -> StepTimes:
    """Run interleaved steps of every case on ResNet-18 at 48 pixels.

    Args:
        rounds: at most this many are measured.
        batch_size: images per step.
        threads: torch threads. Several, beside any other load, wait for each other, and ratios mean nothing.
        fast_small_maps: as in the configuration of a run.
        time_limit: seconds after which no further round begins, once there is one.
    """
    started = time.monotonic()
    train = _random_faces()
    configs = {
        name: resolve_config(
            data="none",
            batch_size=batch_size,
            threads=threads,
            sampling="balanced",
            fast_small_maps=fast_small_maps,
            **case,
        )
        for name, case in CASES.items()
    }
    steppers = {name: _Stepper(config, train) for name, config in configs.items()}
    baseline = steppers[BASELINE]
    stream = _endless_batches(train, baseline.config, baseline.compute)
    seconds: dict[str, list[float]] = {name: [] for name in CASES}
    data_seconds: list[float] = []
    measured, longest = -WARMUP_ROUNDS, 0.0
    while measured < 1 or (measured < rounds and time.monotonic() - started + longest < time_limit):
        round_started = time.perf_counter()
        batch = next(stream)
        set_learning_rate(baseline.optimizer, baseline.config.learning_rate * one_cycle(0.5))
        data_elapsed = time.perf_counter() - round_started
        elapsed = {name: stepper.step(batch) for name, stepper in steppers.items()}
        measured += 1
        if measured > 0:
            longest = max(longest, time.perf_counter() - round_started)
            data_seconds.append(data_elapsed)
            for name, value in elapsed.items():
                seconds[name].append(value)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return StepTimes(
        seconds=medians,
        ratio_to_ce={name: value / medians[BASELINE] for name, value in medians.items() if name != BASELINE},
        data_share_of_step=statistics.median(data_seconds) / medians[BASELINE],
        rounds=measured,
        settings={
            "backbone": baseline.config.backbone,
            "image_size": baseline.config.image_size,
            "batch_size": batch_size,
            "threads": torch.get_num_threads(),
            "precision": "bfloat16" if baseline.compute.bfloat16 else "float32",
            "fast_small_maps": fast_small_maps,
        },
    )


class _Stepper:
    """One case, ready to take steps."""

    def __init__(self, config: TrainConfig, train: TrainingSet) -> None:
        self.config = config
        self.compute = Compute.from_config(config)
        self._method = build_method(config, train).to(self.compute.device).train()
        self._method.start_epoch(EPOCH)
        self.optimizer = build_optimizer(self._method, config)

    def step(self, batch: Batch) -> float:
        """Seconds of one training step."""
        started = time.perf_counter()
        training_step(self._method, batch, self.optimizer, self.compute)  # reading the loss waits for the device
        return time.perf_counter() - started


def _random_faces() -> TrainingSet:
    rng = np.random.default_rng(0)
    return TrainingSet(
        names=tuple(map(str, range(SAMPLES))),
        images=rng.integers(0, 256, (SAMPLES, 48, 48), dtype=np.uint8),
        labels=np.arange(SAMPLES) % len(EMOTION_NAMES),
        valence_arousal=rng.uniform(-1, 1, (SAMPLES, 2)),
    )


def _endless_batches(train: TrainingSet, config: TrainConfig, compute: Compute) -> Iterator[Batch]:
    while True:
        yield from batches(train, config, compute.device)
