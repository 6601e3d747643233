"""Where a training image's valence and arousal come from.

No valence-arousal network ships in any package, so unless the researcher gives a file, coordinates are *pseudo*:
class probabilities of a cross-entropy teacher that never saw the image (out of fold), times the class coordinates of
`ldlva.emotions`. A teacher that did see it would return its label with near certainty: every neighbourhood would be
its class.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from ldlva.distributions import FloatArray, IntArray
from ldlva.emotions import valence_arousal_coordinates
from ldlva.errors import TrainingError
from ldlva.training.config import TrainConfig
from ldlva.training.distributed import ALONE, Group
from ldlva.training.methods import TrainingSet
from ldlva.training.runs import Run, atomic_file
from ldlva.training.trainer import Compute, Progress, build_method, fit, posteriors


def read_valence_arousal(path: Path, names: tuple[str, ...]) -> FloatArray:
    """Read `name,valence,arousal` and return `[N, 2]` in the order of `names`; other names are ignored.

    Raises:
        TrainingError: no such file, a wrong header, a value outside [-1, 1], or a name without a row.
    """
    coordinates: dict[str, tuple[float, float]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            if next(reader, None) != ["name", "valence", "arousal"]:
                raise TrainingError(f"{path}, line 1: expected the header name,valence,arousal.")
            for line, row in enumerate(reader, start=2):
                try:
                    name, valence, arousal = row[0], float(row[1]), float(row[2])
                except (IndexError, ValueError):
                    raise TrainingError(f"{path}, line {line}: expected name,valence,arousal, got {row}.") from None
                if not (-1 <= valence <= 1 and -1 <= arousal <= 1):
                    raise TrainingError(f"{path}, line {line}: valence and arousal must lie in [-1, 1], got {row}.")
                coordinates[name] = (valence, arousal)
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from None
    missing = [name for name in names if name not in coordinates]
    if missing:
        raise TrainingError(f"{path} has no row for {len(missing)} of {len(names)} images, the first is {missing[0]}.")
    return np.array([coordinates[name] for name in names])


def write_valence_arousal(path: Path, names: tuple[str, ...], coordinates: FloatArray) -> None:
    """Write the file `read_valence_arousal` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "valence", "arousal"])
    writer.writerows((name, f"{v:.6f}", f"{a:.6f}") for name, (v, a) in zip(names, coordinates, strict=True))
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def out_of_fold_valence_arousal(
    config: TrainConfig, train: TrainingSet, run: Run, progress: Progress, group: Group = ALONE
) -> FloatArray:
    """Pseudo coordinates `[N, 2]` from `config.teacher_folds` cross-entropy teachers, each blind to its own fold.

    The teachers are runs under `teacher/` in the run folder, so a killed run resumes inside them.
    """
    teacher = config.model_copy(update={"method": "ce", "options": {}, "epochs": config.teacher_epochs})
    coordinates = np.zeros((len(train), 2))
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
        probabilities = posteriors(method.network, train.subset(held_out).images, Compute.from_config(config))
        coordinates[held_out] = probabilities @ valence_arousal_coordinates()
    return coordinates


def stratified_folds(labels: IntArray, folds: int, seed: int) -> list[IntArray]:
    """Disjoint row sets covering all samples, every class dealt evenly over them."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    dealt = order[np.argsort(labels[order], kind="stable")]
    return [np.sort(dealt[fold::folds]) for fold in range(folds)]
