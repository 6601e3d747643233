"""From a configuration to a finished run."""

from __future__ import annotations

import contextlib
import hashlib
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ldlva
from ldlva.datasets import FaceDataset, Loader, load_dataset
from ldlva.distributions import FloatArray, IntArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError, TrainingError
from ldlva.training.config import TrainConfig
from ldlva.training.distributed import ALONE, Group
from ldlva.training.evaluation import add_temperature
from ldlva.training.methods import METHODS, TrainingSet
from ldlva.training.methods.ldlva import LdlvaOptions
from ldlva.training.runs import Run, git_revision
from ldlva.training.teachers import teacher_posteriors, teachers_init
from ldlva.training.trainer import Compute, Progress, build_method, fit
from ldlva.training.valence_arousal import pseudo_valence_arousal, read_valence_arousal, write_valence_arousal

HASHED_AT_ONCE = 1024
"""Images read into memory for the fingerprint."""

NOISE_STREAM = 1
"""Keeps the draw of noisy labels apart from the other uses of the seed."""


def train(config: TrainConfig, run: Run, progress: Progress, load: Loader = load_dataset, group: Group = ALONE) -> None:
    """Run the configuration to its end in the run folder; continues what is there.

    Args:
        config: what to do.
        run: where.
        progress: told after every step.
        load: finds the data set that the configuration names.
        group: the processes that train together; all call this, with a `FollowedRun` in all but the main one.

    Raises:
        LdlvaError: the data, the settings or the folder do not allow it, or another process trains there.
    """
    with run.held():
        _train(config, run, progress, load, group)


def _train(config: TrainConfig, run: Run, progress: Progress, load: Loader, group: Group) -> None:
    dataset = load(config.data, "train", config.filter, config.image_size)
    if group.agreed(run.exists()):
        _check_same_run(config, run, dataset)
    else:
        _check_epochs(config)
        run.create(config, run_record(config, dataset, group))
    training_set = training_part(dataset, config)
    valid = _valid_part(config, load)
    valid_set = None if valid is None else TrainingSet.from_dataset(valid, valid.images)
    if METHODS[config.method].uses_posteriors(config.method_options()):
        posteriors = teacher_posteriors(config, training_set, run, progress, group)
        training_set = replace(training_set, posteriors=posteriors)
    if METHODS[config.method].uses_valence_arousal(config.method_options()):
        training_set = _with_valence_arousal(config, training_set, dataset.valence_arousal, run, progress, group)
    method = build_method(config, training_set, resumed=run.has_checkpoint())
    fit(method, training_set, valid_set, config, run, progress, group=group)
    if group.is_main:
        add_temperature(run, valid)


def complete(run: Run, load: Loader = load_dataset) -> None:
    """Give a finished run what it lacks if its process ended right after the weights were written: its temperature.

    A finished run needs its data no longer: where they are gone, it stays without.

    Raises:
        TrainingError: the folder cannot be written.
    """
    if run.temperature() is None:
        with contextlib.suppress(DatasetError):
            add_temperature(run, _valid_part(run.config(), load))


def run_record(config: TrainConfig, dataset: FaceDataset, group: Group = ALONE) -> dict[str, Any]:
    """What a reader of the run needs besides its configuration."""
    compute = Compute.from_config(config)
    method = METHODS[config.method]
    source = None
    if method.uses_valence_arousal(config.method_options()):
        if config.valence_arousal is not None:
            source = f"file {config.valence_arousal}"
        elif dataset.valence_arousal is not None:
            source = "the data set's own"
        else:
            source = f"pseudo: {_teachers(config)} times class coordinates (Russell & Mehrabian 1977)"
    return {
        "data": {**dataset.describe(), "channels": dataset.channels, "sha256": fingerprint(dataset)},
        "valence_arousal_source": source,
        "distributions_source": dataset.reference()[0] if method.needs_votes else None,
        "posteriors_source": _teachers(config) if method.uses_posteriors(config.method_options()) else None,
        "git_revision": git_revision(),
        "versions": {"ldlva": ldlva.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "compute": {
            "device": compute.device.type,
            "precision": "bfloat16" if compute.bfloat16 else "float32",
            "threads": torch.get_num_threads(),
            "processes": group.size,
        },
    }


def _teachers(config: TrainConfig) -> str:
    if config.teacher_posteriors is not None:
        return f"posteriors of file {config.teacher_posteriors}"
    start = teachers_init(config) or "random weights"
    return (
        f"posteriors of {config.teacher_folds} out-of-fold cross-entropy teachers "
        f"({config.teacher_epochs} epochs each from {start})"
    )


def fingerprint(dataset: FaceDataset) -> str:
    """SHA-256 over names, labels and pixels, read piece by piece."""
    digest = hashlib.sha256("\n".join(dataset.names).encode("utf-8", "surrogateescape"))
    digest.update(dataset.labels.tobytes())
    for start in range(0, len(dataset), HASHED_AT_ONCE):
        digest.update(dataset.images[start : start + HASHED_AT_ONCE].tobytes())
    return digest.hexdigest()


def _check_epochs(config: TrainConfig) -> None:
    options = config.method_options()
    if isinstance(options, LdlvaOptions) and options.warmup_epochs >= config.epochs:
        raise TrainingError(
            f"The number of epochs, {config.epochs}, leaves none after the warm-up, which is plain cross-entropy: "
            "raise --epochs, or lower warmup_epochs."
        )


def _check_same_run(config: TrainConfig, run: Run, dataset: FaceDataset) -> None:
    if run.config() != config:
        raise TrainingError(f"{run.folder} was started with other settings. Choose another folder.")
    if run.record().get("data", {}).get("sha256") != fingerprint(dataset):
        raise TrainingError(
            f"The images or labels changed since {run.folder} was started. Restore them, or start a new run."
        )


def training_part(dataset: FaceDataset, config: TrainConfig) -> TrainingSet:
    """What the configured method may see of `dataset`: images, labels with the configured noise, and
    the votes only if the method is one that trains on them.

    Raises:
        DatasetError: the method trains on votes and the data set has none.
    """
    train = TrainingSet.from_dataset(dataset, dataset.images)
    if config.label_noise:
        train = replace(train, labels=noisy_labels(train.labels, config.label_noise, config.seed))
    if METHODS[config.method].needs_votes:
        train = replace(train, distributions=dataset.reference()[1])
    return train


def noisy_labels(labels: IntArray, share: float, seed: int) -> IntArray:
    """`share` of the labels, chosen at random, replaced by one of the other classes with equal chance."""
    rng = np.random.default_rng([seed, NOISE_STREAM])
    rows = rng.choice(len(labels), size=round(share * len(labels)), replace=False)
    noisy = labels.copy()
    noisy[rows] = (labels[rows] + rng.integers(1, len(EMOTION_NAMES), len(rows))) % len(EMOTION_NAMES)
    return noisy


def _valid_part(config: TrainConfig, load: Loader) -> FaceDataset | None:
    """The valid part if the data set has one; training does without."""
    try:
        return load(config.data, "valid", config.filter, config.image_size)
    except MissingPartError:
        return None


def _with_valence_arousal(
    config: TrainConfig,
    train: TrainingSet,
    own: FloatArray | None,
    run: Run,
    progress: Progress,
    group: Group,
) -> TrainingSet:
    path = run.folder / "valence_arousal.csv"
    if not group.agreed(path.is_file()):
        if config.valence_arousal is not None:
            coordinates = read_valence_arousal(Path(config.valence_arousal), train.names)
        elif own is not None:
            coordinates = own
        else:
            coordinates = pseudo_valence_arousal(teacher_posteriors(config, train, run, progress, group))
        if group.is_main:
            write_valence_arousal(path, train.names, coordinates)
        group.wait()
    return replace(train, valence_arousal=read_valence_arousal(path, train.names))
