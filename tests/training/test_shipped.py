"""The models as committed, and how they are made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ldlva.datasets.faces import survey_faces
from ldlva.errors import TrainingError
from ldlva.settings import MODELS
from ldlva.survey.demo import create_demo_study, store_shipped_predictions
from ldlva.survey.repository import Repository
from ldlva.training import shipped
from ldlva.training.predict import Predictor
from ldlva.training.runs import Run
from tests.training.test_predict import finished  # noqa: F401

LARGEST_TOTAL = 40 * 2**20


def test_all_shipped_models_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in MODELS.rglob("*") if path.is_file()) <= LARGEST_TOTAL


@pytest.mark.parametrize("run", shipped.shipped_models(), ids=lambda run: run.name)
def test_a_shipped_model_has_a_card_and_its_demo_predictions_can_be_recomputed(run: Run) -> None:
    card = run.record()["card"]
    assert {"metrics", "limits", "licence"} <= set(card)
    assert set(card["metrics"]["jeffreys"]) == {"1e-2", "1e-3", "1e-4", "1e-7"}
    stored, again = pq.read_table(run.folder / "demo.parquet"), shipped.predict_demo(run)
    assert stored["name"].to_pylist() == again["name"].to_pylist()
    np.testing.assert_allclose(stored["probabilities"].to_pylist(), again["probabilities"].to_pylist(), atol=1e-3)
    assert stored.schema.metadata[b"weights_sha256"].decode() == Predictor(run).weights_sha256


def test_shipping_keeps_the_predictions_and_gives_the_demo_study_some(
    finished: Run,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sqlite_repository: Repository,
) -> None:
    monkeypatch.setattr(shipped, "MODELS", tmp_path / "models")
    model = shipped.ship(finished, "tiny", {"metrics": {}})
    table = pq.read_table(model.folder / "demo.parquet")
    faces = [(face.file.name, face.file.read_bytes()) for face in survey_faces("demo")]
    whole = Predictor(finished).predict_files(faces)
    np.testing.assert_allclose(table["probabilities"].to_pylist(), whole.probabilities, atol=0.02)

    create_demo_study(sqlite_repository)
    store_shipped_predictions(sqlite_repository, model.folder)
    stored = {found.name: found for found in sqlite_repository.predictions(sqlite_repository.study("demo"))}["tiny"]
    np.testing.assert_allclose(stored.probabilities, table["probabilities"].to_pylist())

    with pytest.raises(TrainingError, match="exists already"):
        shipped.ship(finished, "tiny", {})


def test_an_unknown_model_is_named_with_the_known_ones() -> None:
    with pytest.raises(TrainingError, match=r"no shipped model named 'nope'\. Models: "):
        shipped.shipped_model("nope")
