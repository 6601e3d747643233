"""Out-of-fold teachers: what images look like to a network that was not told their labels.

The images are dealt into folds. For each fold a cross-entropy network, the teacher, is trained on the others and asked
about this one. A teacher that had seen an image would return its label with near certainty: so the same picture under
two names is in one fold, and no teacher starts from the weights of another run, which may have been taught that label.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ldlva.datasets.images import ImageArray
from ldlva.distributions import FloatArray, IntArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import TrainingError
from ldlva.training.config import TrainConfig
from ldlva.training.distributed import ALONE, Group
from ldlva.training.image_table import read_image_table, write_image_table
from ldlva.training.initial_weights import is_run
from ldlva.training.methods import TrainingSet
from ldlva.training.methods.base import ImageRows
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
    teacher = config.model_copy(
        update={"method": "ce", "options": {}, "epochs": config.teacher_epochs, "init": teachers_init(config)}
    )
    compute = Compute.from_config(config)
    found = np.zeros((len(train), len(EMOTION_NAMES)))
    folds = stratified_folds(train.labels, same_pictures(train.images), config.teacher_folds, config.seed)
    for fold, held_out in enumerate(folds):
        fold_run = type(run)(run.folder / "teacher" / f"fold{fold}")
        rest = train.subset(np.setdiff1d(np.arange(len(train)), held_out))
        blind_to = hashlib.sha256("\n".join(train.names[row] for row in held_out).encode("utf-8", "surrogateescape"))
        if not fold_run.exists():
            role = f"teacher blind to fold {fold} of {config.teacher_folds}"
            fold_run.create(teacher, {"role": role, "blind_to_sha256": blind_to.hexdigest()})
        elif group.is_main and fold_run.record().get("blind_to_sha256") != blind_to.hexdigest():
            raise TrainingError(
                f"{fold_run.folder} was trained on another part of the images, by an earlier version. Delete "
                f"{fold_run.folder.parent} to train the teachers anew."
            )
        method = build_method(teacher, rest)
        if group.agreed(fold_run.is_finished()):
            method.network.load_state_dict(fold_run.load_weights())
        else:
            stage = f"teacher {fold + 1}/{config.teacher_folds}"
            fit(method, rest, None, teacher, fold_run, progress, stage, group)
        method.to(compute.device)  # `fit` did, unless an earlier process finished this teacher
        found[held_out] = posteriors(method.network, train.subset(held_out).images, compute)
    return found


def teachers_init(config: TrainConfig) -> str | None:
    """What teachers start from: the run's `init`, unless that is another run, which may have seen every label."""
    return None if config.init is not None and is_run(config.init) else config.init


def same_pictures(images: ImageArray | ImageRows) -> IntArray:
    """For every image the row of the first one with the same pixels, int64 `[N]`."""
    first: dict[bytes, int] = {}
    rows = [first.setdefault(hashlib.sha256(image.tobytes()).digest(), row) for row, image in enumerate(images)]
    return np.array(rows, dtype=np.int64)


def stratified_folds(labels: IntArray, pictures: IntArray, folds: int, seed: int) -> list[IntArray]:
    """Disjoint row sets covering all samples, every class dealt evenly over them.

    Args:
        labels: int64 `[N]`.
        pictures: int64 `[N]`, equal for samples that must not be parted; those go with the label of their first.
        folds: how many.
        seed: of the order.
    """
    _, firsts, picture_of = np.unique(pictures, return_index=True, return_inverse=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(firsts))
    dealt = order[np.argsort(labels[firsts][order], kind="stable")]
    fold_of = np.empty(len(firsts), dtype=np.int64)
    fold_of[dealt] = np.arange(len(firsts)) % folds
    return [np.flatnonzero(fold_of[picture_of] == fold) for fold in range(folds)]
