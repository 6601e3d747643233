"""Models that come with the product: `data/models/NAME`, a run folder reduced to what prediction needs.

```
data/models/NAME/config.json         the run's record, and `card`: metrics, limits, licence
                 model.safetensors   weights in half precision
                 temperature.json    temperature fitted on the valid part
                 demo.parquet        predictions and features for the demo study
```
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ldlva.datasets.faces import survey_faces
from ldlva.errors import TrainingError
from ldlva.run_folder import without_paths
from ldlva.settings import MODELS
from ldlva.training.predict import Predictor
from ldlva.training.runs import Run, disk_errors, write_json


def shipped_models() -> list[Run]:
    """All shipped models by name."""
    return [Run(path.parent) for path in sorted(MODELS.glob("*/model.safetensors"))]


def shipped_model(name: str) -> Run:
    """One shipped model.

    Raises:
        TrainingError: there is none of that name; the names there are follow.
    """
    known = {run.name: run for run in shipped_models()}
    if name not in known:
        raise TrainingError(f"There is no shipped model named {name!r}. Models: {', '.join(known) or 'none'}.")
    return known[name]


def ship(run: Run, name: str, card: dict[str, Any]) -> Run:
    """Make a shipped model of a finished run.

    Args:
        run: the run.
        name: the model's name.
        card: what a reader must know: metrics with their data, limits, licence.

    Raises:
        TrainingError: the run has not finished, or a model of that name exists.
    """
    model = Run(MODELS / name)
    if model.exists():
        raise TrainingError(f"A shipped model named {name!r} exists already: {model.folder}.")
    weights = run.load_weights()
    with disk_errors(model.folder):
        model.folder.mkdir(parents=True)
    model.save_weights({key: w.half() if w.is_floating_point() else w for key, w in weights.items()})
    write_json(model.folder / "config.json", {**without_paths(run.record()), "card": card})
    if (temperature := run.temperature()) is not None:
        model.write_temperature(temperature)
    write_demo_predictions(model)
    return model


def predict_demo(model: Run) -> pa.Table:
    """The model's predictions for the demo study: columns name, probabilities, features (half precision).

    The schema's metadata names the weights they come from, `weights_sha256`.
    """
    faces = survey_faces("demo")
    predictor = Predictor(model)
    predicted = predictor.predict_files([(face.file.name, face.file.read_bytes()) for face in faces])
    table = pa.table(
        {
            "name": [face.file.name for face in faces],
            "probabilities": pa.array(predicted.probabilities.tolist(), pa.list_(pa.float64())),
            "features": pa.array(list(predicted.features.astype(np.float16)), pa.list_(pa.float16())),
        }
    )
    return table.replace_schema_metadata({"weights_sha256": predictor.weights_sha256})


def write_demo_predictions(model: Run) -> Path:
    """Compute `demo.parquet` anew."""
    path = model.folder / "demo.parquet"
    table = predict_demo(model)
    with disk_errors(path):
        pq.write_table(table, path, compression="zstd")
    return path
