"""The supplement's Table 1: accuracy of every backbone without LDLVA (cross-entropy) and with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from ldlva.datasets import FaceDataset, Loader
from ldlva.errors import MissingPartError, TrainingError
from ldlva.inference import CONFIDENCE
from ldlva.training.config import TrainConfig, resolve_config
from ldlva.training.engine import complete, train
from ldlva.training.predict import Predictor
from ldlva.training.runs import Run
from ldlva.training.trainer import Progress

WITHOUT, WITH = "ce", "ldlva"

PUBLISHED: dict[str, dict[str, tuple[float, float]]] = {
    "rafdb": {
        "mobilenet_v2": (0.8545, 0.8862),
        "resnet18": (0.8627, 0.8957),
        "resnet50": (0.8706, 0.9051),
        "resnet101": (0.8828, 0.9126),
    },
    "affectnet": {
        "mobilenet_v2": (0.6132, 0.6506),
        "resnet18": (0.6224, 0.6574),
        "resnet50": (0.6319, 0.6623),
        "resnet101": (0.6350, 0.6648),
    },
}
"""Share right, (without, with) LDLVA: Le et al., WACV 2023, supplement, Table 1. From MS-Celeb-1M weights."""


@dataclass(frozen=True)
class Cell:
    """One run of the grid."""

    config: TrainConfig
    run: Run


def grid(out: Path, backbones: Sequence[str], settings: dict[str, Any]) -> list[Cell]:
    """The cells, row by row: every backbone without and with LDLVA, otherwise with equal settings.

    Raises:
        TrainingError: a setting is bad, or a run is in `out` already that was started with other settings.
    """
    cells = []
    for backbone in backbones:
        for method in (WITHOUT, WITH):
            config = resolve_config(**settings, backbone=backbone, method=method)
            run = Run(out / f"{backbone}-{method}")
            if run.exists() and run.config() != config:
                raise TrainingError(f"{run.folder} was started with other settings. Choose another --out.")
            cells.append(Cell(config, run))
    return cells


def train_grid(cells: Sequence[Cell], progress: Callable[[Cell], Progress], load: Loader) -> None:
    """Train what is not finished; a killed grid continues where it was.

    Raises:
        LdlvaError: as `engine.train`.
    """
    for cell in cells:
        if cell.run.is_finished():
            complete(cell.run, load)
        else:
            train(cell.config, cell.run, progress(cell), load)


def results(cells: Sequence[Cell], load: Loader) -> dict[str, Any]:
    """Accuracy of every finished cell on the test part, or the valid part where there is no test part."""
    config = cells[0].config
    dataset = _measured_part(config, load)
    rows: dict[str, dict[str, Any]] = {}
    for cell in cells:
        row = rows.setdefault(cell.config.backbone, {"backbone": cell.config.backbone})
        row["without" if cell.config.method == WITHOUT else "with"] = _accuracy(cell.run, dataset)
    for backbone, row in rows.items():
        row["gain"] = row["with"]["accuracy"] - row["without"]["accuracy"]
        row["published"] = {
            source: dict(zip(("without", "with"), table[backbone], strict=True))
            for source, table in PUBLISHED.items()
            if backbone in table
        }
    return {
        "data": dataset.describe(),
        "epochs": config.epochs,
        "image_size": config.image_size,
        "seed": config.seed,
        "init": config.init or "random",
        "rows": list(rows.values()),
    }


def _measured_part(config: TrainConfig, load: Loader) -> FaceDataset:
    try:
        return load(config.data, "test", config.filter, config.image_size)
    except MissingPartError:
        return load(config.data, "valid", config.filter, config.image_size)


def _accuracy(run: Run, dataset: FaceDataset) -> dict[str, Any]:
    """Share right with its exact binomial interval (Clopper-Pearson)."""
    predicted = Predictor(run).predict_dataset(dataset).probabilities.argmax(axis=1)
    right = int((predicted == dataset.labels).sum())
    interval = binomtest(right, len(dataset)).proportion_ci(CONFIDENCE)
    return {"accuracy": right / len(dataset), "interval": [interval.low, interval.high], "run": run.name}
