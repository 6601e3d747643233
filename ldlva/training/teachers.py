"""Out-of-fold teachers: what images look like to a network that was not told their labels.

The images are dealt into folds. For each fold a cross-entropy network, the teacher, is trained on the others and asked
about this one. A teacher that had seen an image would return its label with near certainty.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ldlva.distributions import FloatArray, IntArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import TrainingError
from ldlva.training.config import TrainConfig
from ldlva.training.distributed import ALONE, Group
from ldlva.training.image_table import read_image_table, write_image_table
from ldlva.training.methods import TrainingSet
from ldlva.training.runs import Run
from ldlva.training.trainer import Compute, Progress, build_method, fit, posteriors

ROUNDING = 1e-4
"""How far a stored row's sum may be from 1: probabilities are kept with six decimals."""


def teacher_posteriors(
    config: TrainConfig, train: TrainingSet, run: Run, progress: Progress, group: Group = ALONE
) -> FloatArray:
    """Class probabilities `[N, C]` of every training image: from the run's `posteriors.csv`, which is made if it is not
    there, from the file that the configuration names or by training teachers.

    Raises:
        TrainingError: the named file is damaged or has no row for an image.
    """
    path = run.folder / "posteriors.csv"
    if not group.agreed(path.is_file()):
        if config.teacher_posteriors is not None:
            found = read_posteriors(Path(config.teacher_posteriors), train.names)
        else:
            found = out_of_fold_posteriors(config, train, run, progress, group)
        if group.is_main:
            write_image_table(path, train.names, EMOTION_NAMES, found)
        group.wait()
    return read_posteriors(path, train.names)


def read_posteriors(path: Path, names: tuple[str, ...]) -> FloatArray:
    """Read `name` and a probability for each emotion; `[N, C]` in the order of `names`, rows summing to 1.

    Raises:
        TrainingError: as `read_image_table`, or a row whose sum is not 1.
    """
    found = read_image_table(path, names, EMOTION_NAMES, 0, 1)
    sums = found.sum(axis=1, keepdims=True)
    if (wrong := np.abs(sums - 1).ravel() > ROUNDING).any():
        raise TrainingError(f"{path}: the probabilities of {names[int(wrong.argmax())]} do not sum to 1.")
    return np.asarray(found / sums)


def out_of_fold_posteriors(
    config: TrainConfig, train: TrainingSet, run: Run, progress: Progress, group: Group = ALONE
) -> FloatArray:
    """Class probabilities `[N, C]` by `config.teacher_folds` cross-entropy teachers, each blind to its own fold.

    The teachers are runs under `teacher/` in the run folder, so a killed run resumes inside them.
    """
    teacher = config.model_copy(update={"method": "ce", "options": {}, "epochs": config.teacher_epochs})
    found = np.zeros((len(train), len(EMOTION_NAMES)))
    for fold, held_out in enumerate(stratified_folds(train.labels, config.teacher_folds, config.seed)):
        fold_run = type(run)(run.folder / "teacher" / f"fold{fold}")
        rest = train.subset(np.setdiff1d(np.arange(len(train)), held_out))
        if not fold_run.exists():
            fold_run.create(teacher, {"role": f"teacher blind to fold {fold} of {config.teacher_folds}"})
        method = build_method(teacher, rest)
        if group.agreed(fold_run.is_finished()):
            method.network.load_state_dict(fold_run.load_weights())
        else:
            stage = f"teacher {fold + 1}/{config.teacher_folds}"
            fit(method, rest, None, teacher, fold_run, progress, stage, group)
        found[held_out] = posteriors(method.network, train.subset(held_out).images, Compute.from_config(config))
    return found


def stratified_folds(labels: IntArray, folds: int, seed: int) -> list[IntArray]:
    """Disjoint row sets covering all samples, every class dealt evenly over them."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    dealt = order[np.argsort(labels[order], kind="stable")]
    return [np.sort(dealt[fold::folds]) for fold in range(folds)]
