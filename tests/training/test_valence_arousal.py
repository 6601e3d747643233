from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldlva.emotions import valence_arousal_coordinates
from ldlva.errors import TrainingError
from ldlva.training import valence_arousal
from ldlva.training.config import resolve_config
from ldlva.training.methods import Method, TrainingSet
from ldlva.training.runs import Run
from tests.training.conftest import silent


def test_folds_cover_every_row_once_with_every_class_dealt_evenly() -> None:
    labels = np.array([0] * 90 + [1] * 9 + [2] * 2)
    folds = valence_arousal.stratified_folds(labels, 3, seed=0)
    assert sorted(np.concatenate(folds).tolist()) == list(range(101))
    assert [int((labels[fold] == 1).sum()) for fold in folds] == [3, 3, 3]
    assert all(29 <= int((labels[fold] == 0).sum()) <= 31 for fold in folds)


def test_no_teacher_sees_the_images_it_is_asked_about(
    tmp_path: Path, tiny_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = tiny_set()
    seen: list[set[str]] = []

    def record_fit(method: Method, rest: TrainingSet, *_: Any, **__: Any) -> None:
        seen.append(set(rest.names))

    asked: list[set[bytes]] = []

    def record_posteriors(_: Any, images: np.ndarray, __: Any) -> np.ndarray:
        asked.append({image.tobytes() for image in images})
        return np.tile(np.eye(7)[1], (len(images), 1))

    monkeypatch.setattr(valence_arousal, "fit", record_fit)
    monkeypatch.setattr(valence_arousal, "posteriors", record_posteriors)
    config = resolve_config(data="x:y", method="ldlva", image_size=32, teacher_folds=3, threads=1)
    coordinates = valence_arousal.out_of_fold_valence_arousal(config, train, Run(tmp_path), silent)
    by_name = {name: image.tobytes() for name, image in zip(train.names, train.images, strict=True)}
    assert len(seen) == len(asked) == 3
    for taught, questions in zip(seen, asked, strict=True):
        assert questions.isdisjoint(by_name[name] for name in taught)
    assert set().union(*asked) == set(by_name.values())
    np.testing.assert_allclose(coordinates, np.tile(valence_arousal_coordinates()[1], (28, 1)))


def test_the_file_is_read_back_in_the_order_of_the_images(tmp_path: Path) -> None:
    path = tmp_path / "va.csv"
    valence_arousal.write_valence_arousal(path, ("a", "b"), np.array([[0.5, -0.25], [1, 0]]))
    assert valence_arousal.read_valence_arousal(path, ("b", "a")).tolist() == [[1, 0], [0.5, -0.25]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n", "line 1: expected the header"),
        ("name,valence,arousal\na,0.5\n", "line 2: expected name,valence,arousal"),
        ("name,valence,arousal\na,0.5,x\n", "line 2: expected name,valence,arousal"),
        ("name,valence,arousal\na,0.5,-2\n", r"line 2: valence and arousal must lie in \[-1, 1\]"),
        ("name,valence,arousal\na,0.5,nan\n", r"line 2: valence and arousal must lie in \[-1, 1\]"),
        ("name,valence,arousal\na,0.5,0\n", "no row for 1 of 2 images, the first is b"),
    ],
)
def test_a_bad_file_is_named_by_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "va.csv"
    path.write_text(content)
    with pytest.raises(TrainingError, match=message):
        valence_arousal.read_valence_arousal(path, ("a", "b"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        valence_arousal.read_valence_arousal(tmp_path / "nowhere.csv", ("a",))
