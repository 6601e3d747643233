"""From a configuration to a finished run."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ldlva
from ldlva.datasets import FaceDataset, load_dataset
from ldlva.distributions import FloatArray, IntArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import MissingPartError, TrainingError
from ldlva.training.config import TrainConfig
from ldlva.training.images import resize_array
from ldlva.training.methods import METHODS, TrainingSet
from ldlva.training.runs import Run, git_revision
from ldlva.training.trainer import Compute, Progress, build_method, fit
from ldlva.training.valence_arousal import (
    out_of_fold_valence_arousal,
    read_valence_arousal,
    write_valence_arousal,
)

NOISE_STREAM = 1
"""Keeps the draw of noisy labels apart from the other uses of the seed."""


def train(config: TrainConfig, run: Run, progress: Progress) -> None:
    """Run the configuration to its end in the run folder; continues what is there.

    Raises:
        LdlvaError: the data, the settings or the folder do not allow it.
    """
    dataset = load_dataset(config.data, "train", config.filter)
    if run.exists():
        _check_same_data(run, dataset)
    else:
        run.create(config, run_record(config, dataset))
    training_set = training_part(dataset, config)
    valid = _valid_part(config)
    if METHODS[config.method].needs_valence_arousal:
        training_set = _with_valence_arousal(config, training_set, dataset.valence_arousal, run, progress)
    fit(build_method(config, training_set), training_set, valid, config, run, progress)


def run_record(config: TrainConfig, dataset: FaceDataset) -> dict[str, Any]:
    """What a reader of the run needs besides its configuration."""
    compute = Compute.from_config(config)
    source = None
    if METHODS[config.method].needs_valence_arousal:
        if config.valence_arousal is not None:
            source = f"file {config.valence_arousal}"
        elif dataset.valence_arousal is not None:
            source = "the data set's own"
        else:
            source = (
                f"pseudo: posteriors of {config.teacher_folds} out-of-fold cross-entropy teachers "
                f"({config.teacher_epochs} epochs each) times class coordinates (Russell & Mehrabian 1977)"
            )
    return {
        "data": {**dataset.describe(), "channels": dataset.channels, "sha256": fingerprint(dataset)},
        "valence_arousal_source": source,
        "distributions_source": dataset.reference()[0] if METHODS[config.method].needs_votes else None,
        "git_revision": git_revision(),
        "versions": {"ldlva": ldlva.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "compute": {
            "device": compute.device.type,
            "precision": "bfloat16" if compute.bfloat16 else "float32",
            "threads": torch.get_num_threads(),
        },
    }


def fingerprint(dataset: FaceDataset) -> str:
    """SHA-256 over names, labels and pixels."""
    digest = hashlib.sha256("\n".join(dataset.names).encode())
    digest.update(dataset.labels.tobytes())
    digest.update(dataset.images.tobytes())
    return digest.hexdigest()


def _check_same_data(run: Run, dataset: FaceDataset) -> None:
    if run.record().get("data", {}).get("sha256") != fingerprint(dataset):
        raise TrainingError(
            f"The images or labels changed since {run.folder} was started. Restore them, or start a new run."
        )


def training_part(dataset: FaceDataset, config: TrainConfig) -> TrainingSet:
    """What the configured method may see of `dataset`: images at training size, labels with the configured noise, and
    the votes only if the method is one that trains on them.

    Raises:
        DatasetError: the method trains on votes and the data set has none.
    """
    train = _at_training_size(dataset, config)
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


def _at_training_size(dataset: FaceDataset, config: TrainConfig) -> TrainingSet:
    return TrainingSet.from_dataset(dataset, resize_array(dataset.images, config.image_size))


def _valid_part(config: TrainConfig) -> TrainingSet | None:
    """The valid part if the data set has one; training does without."""
    try:
        dataset = load_dataset(config.data, "valid", config.filter)
    except MissingPartError:
        return None
    return _at_training_size(dataset, config)


def _with_valence_arousal(
    config: TrainConfig, train: TrainingSet, own: FloatArray | None, run: Run, progress: Progress
) -> TrainingSet:
    path = run.folder / "valence_arousal.csv"
    if not path.is_file():
        if config.valence_arousal is not None:
            coordinates = read_valence_arousal(Path(config.valence_arousal), train.names)
        elif own is not None:
            coordinates = own
        else:
            coordinates = out_of_fold_valence_arousal(config, train, run, progress)
        write_valence_arousal(path, train.names, coordinates)
    return replace(train, valence_arousal=read_valence_arousal(path, train.names))
