from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ldlva.datasets import load_dataset
from ldlva.errors import DatasetError, TrainingError
from ldlva.training.methods import TrainingSet
from ldlva.training.predict import Predictor
from ldlva.training.runs import Run
from tests.conftest import FerPlusMaker, png
from tests.training.test_trainer import train_in


@pytest.fixture
def finished(tmp_path: Path, tiny_set: Callable[..., TrainingSet]) -> Run:
    run = train_in(tmp_path / "run", "ce", tiny_set())
    record = run.record() | {"data": {"channels": 1}}
    (run.folder / "config.json").write_text(json.dumps(record))
    return run


def test_predictions_are_distributions_with_features(finished: Run) -> None:
    predictions = Predictor(finished).predict_files([("a.png", png(1, 90)), ("b.png", png(2, 48))])
    assert predictions.probabilities.shape == (2, 7)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1)
    assert predictions.features.shape == (2, 512)


def test_files_and_data_sets_give_the_same_predictions(finished: Run, make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus()
    dataset = load_dataset(f"ferplus:{root}", "valid")
    files = [(name, (root / "FER2013Valid" / name).read_bytes()) for name in dataset.names]
    predictor = Predictor(finished)
    a, b = predictor.predict_dataset(dataset), predictor.predict_files(files)
    np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-6)


def test_an_unreadable_file_is_named(finished: Run) -> None:
    with pytest.raises(DatasetError, match=r"bad\.png cannot be read"):
        Predictor(finished).predict_files([("bad.png", b"nonsense")])


def test_an_unfinished_run_cannot_predict(finished: Run) -> None:
    (finished.folder / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match="not finished training"):
        Predictor(finished)


def test_a_damaged_weights_file_is_named(finished: Run) -> None:
    (finished.folder / "model.safetensors").write_bytes(b"x" * 64)
    with pytest.raises(TrainingError, match="is damaged"):
        Predictor(finished)


def test_weights_of_another_backbone_are_refused(finished: Run) -> None:
    record = finished.record()
    record["config"]["backbone"] = "resnet50"
    (finished.folder / "config.json").write_text(json.dumps(record))
    with pytest.raises(TrainingError, match="do not fit its record"):
        Predictor(finished)
