from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import TrainingError
from ldlva.training import teachers
from ldlva.training.config import resolve_config
from ldlva.training.methods import Method, TrainingSet
from ldlva.training.runs import Run
from tests.training.conftest import silent

HEADER = ",".join(("name", *EMOTION_NAMES))


def test_folds_cover_every_row_once_with_every_class_dealt_evenly() -> None:
    labels = np.array([0] * 90 + [1] * 9 + [2] * 2)
    folds = teachers.stratified_folds(labels, np.arange(101), 3, seed=0)
    assert sorted(np.concatenate(folds).tolist()) == list(range(101))
    assert [int((labels[fold] == 1).sum()) for fold in folds] == [3, 3, 3]
    assert all(29 <= int((labels[fold] == 0).sum()) <= 31 for fold in folds)


def test_the_same_picture_is_in_one_fold_whatever_its_names_and_labels(tiny_set: Callable[..., TrainingSet]) -> None:
    images = tiny_set(per_class=2).images[np.array([0, 1, 2, 0, 3, 1, 0, 4])]
    pictures = teachers.same_pictures(images)
    assert pictures.tolist() == [0, 1, 2, 0, 4, 1, 0, 7]
    for seed in range(5):
        folds = teachers.stratified_folds(np.array([0, 1, 2, 3, 0, 1, 2, 3]), pictures, 3, seed)
        assert sorted(np.concatenate(folds).tolist()) == list(range(8))
        assert any({0, 3, 6} <= set(fold.tolist()) for fold in folds)
        assert any({1, 5} <= set(fold.tolist()) for fold in folds)


def test_teachers_do_not_start_from_a_run_that_may_know_their_labels(
    tmp_path: Path, tiny_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    (tmp_path / "weights.pth").write_bytes(b"")
    monkeypatch.setenv("HOME", str(tmp_path))
    given = {"data": "x:y", "method": "ldlva_plus", "image_size": 32, "threads": 1}
    for init, expected in (
        (str(tmp_path / "other"), None),
        ("~/other", None),
        (str(tmp_path / "other" / "model.safetensors"), None),
        (str(tmp_path / "weights.pth"), str(tmp_path / "weights.pth")),
        ("torchvision", "torchvision"),
        (None, None),
    ):
        assert teachers.teachers_init(resolve_config(**given, init=init)) == expected

    monkeypatch.setattr(teachers, "fit", lambda *_, **__: None)
    run = Run(tmp_path / "run")
    teachers.teacher_posteriors(resolve_config(**given, init=str(tmp_path / "other")), tiny_set(), run, silent)
    assert Run(run.folder / "teacher" / "fold0").config().init is None


def test_a_teacher_of_other_folds_is_not_asked(
    tmp_path: Path, tiny_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier version dealt pictures otherwise: its teachers know labels that they would be asked about."""
    monkeypatch.setattr(teachers, "fit", lambda *_, **__: None)
    config = resolve_config(data="x:y", method="ldlva_plus", image_size=32, threads=1)
    run = Run(tmp_path / "run")
    teachers.out_of_fold_posteriors(config, tiny_set(), run, silent)
    teachers.out_of_fold_posteriors(config, tiny_set(), run, silent)
    with pytest.raises(TrainingError, match=r"was trained on another part of the images.*Delete .*teacher"):
        teachers.out_of_fold_posteriors(config.model_copy(update={"seed": 1}), tiny_set(), run, silent)


def test_a_teacher_finished_by_an_earlier_process_answers_on_the_device(
    tmp_path: Path, tiny_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU: loading the weights alone left the network on the CPU."""
    moved: list[Method] = []
    monkeypatch.setattr(Method, "to", lambda self, device: moved.append(self))
    monkeypatch.setattr(Run, "is_finished", lambda self: True)
    monkeypatch.setattr(Run, "load_weights", lambda self: {})
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda self, state: None)
    config = resolve_config(data="x:y", method="ldlva_plus", image_size=32, threads=1, teacher_folds=2)
    teachers.teacher_posteriors(config, tiny_set(), Run(tmp_path / "run"), silent)
    assert len(moved) == 2


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

    monkeypatch.setattr(teachers, "fit", record_fit)
    monkeypatch.setattr(teachers, "posteriors", record_posteriors)
    config = resolve_config(data="x:y", method="ldlva", image_size=32, teacher_folds=3, threads=1)
    found = teachers.teacher_posteriors(config, train, Run(tmp_path), silent)
    by_name = {name: image.tobytes() for name, image in zip(train.names, train.images, strict=True)}
    assert len(seen) == len(asked) == 3
    for taught, questions in zip(seen, asked, strict=True):
        assert questions.isdisjoint(by_name[name] for name in taught)
    assert set().union(*asked) == set(by_name.values())
    np.testing.assert_allclose(found, np.tile(np.eye(7)[1], (28, 1)))
    again = teachers.teacher_posteriors(config, train, Run(tmp_path), silent)
    assert len(seen) == 3  # read from the run's file, not asked again
    np.testing.assert_array_equal(again, found)


def test_another_runs_posteriors_are_taken_by_name(tmp_path: Path, tiny_set: Callable[..., TrainingSet]) -> None:
    train = tiny_set(per_class=1)
    file = tmp_path / "given.csv"
    rows = [f"{name},{','.join(str(v) for v in np.eye(7)[i])}" for i, name in enumerate(train.names)]
    file.write_text("\n".join([HEADER, *reversed(rows), "other.png,0,0,0,0,0,0,1"]))
    config = resolve_config(data="x:y", method="ldlva_plus", teacher_posteriors=str(file), image_size=32)
    np.testing.assert_array_equal(teachers.teacher_posteriors(config, train, Run(tmp_path), silent), np.eye(7))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,1,0,0,0,0,0", "line 2: expected name,neutral"),
        ("a,1.5,0,0,0,0,0,0", r"line 2: neutral .* must lie in \[0, 1\]"),
        ("a,.5,0,0,0,0,0,0", "probabilities of a do not sum to 1"),
        ("b,1,0,0,0,0,0,0", "no row for 1 of 1 images, the first is a"),
    ],
)
def test_bad_posteriors_are_named(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(TrainingError, match=message):
        teachers.read_posteriors(tmp_path / "p.csv", ("a",))
