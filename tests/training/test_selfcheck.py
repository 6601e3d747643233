"""`selfcheck`: every output is really compared, any shape is understood, and what is wrong is named."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldlva import cli
from ldlva.errors import TrainingError
from ldlva.training.selfcheck import CHECKS, check_file, check_folder, compared
from ldlva.training.selfcheck.golden import Arrays, read_arrays
from tests.training import golden_reference as reference

CONSTANTS = {"alpha": 5, "w": 0.25, "gamma": 130.0, "T": 0.8, "bn_eps": 1e-3}

OTHER_FILES: list[tuple[str, str, Callable[[np.random.Generator], reference.Arrays]]] = [
    ("ldlva_similarity", "one neighbour", lambda r: reference.ldlva_similarity(r, 3, 1)),
    ("ldlva_similarity", "many", lambda r: reference.ldlva_similarity(r, 40, 11)),
    (
        "ldlva_adaptive_similarity",
        "narrow layers, other norm constants",
        lambda r: reference.ldlva_adaptive_similarity(r, 4, 3, 5, (9, 6), 1e-2, 0.9),
    ),
    (
        "ldlva_adaptive_similarity",
        "one neighbour",
        lambda r: reference.ldlva_adaptive_similarity(r, 6, 1, 3, (4, 11), 1e-5, 0.5),
    ),
    ("ldlva_target", "two classes", lambda r: reference.ldlva_target(r, 5, 2, 2, 1.0)),
    ("ldlva_target", "saturated, ten classes", lambda r: reference.ldlva_target(r, 9, 3, 10, 25.0)),
    (
        "ldlva_discriminative",
        "two classes, five steps",
        lambda r: reference.ldlva_discriminative(r, 4, 2, 3, 2, 9, 5, 0.2, 1.0),
    ),
    (
        "ldlva_discriminative",
        "ten classes, most absent, far away",
        lambda r: reference.ldlva_discriminative(r, 3, 1, 8, 10, 30, 2, 0.9, 50.0),
    ),
    ("ldlva_lambda_step", "two classes", lambda r: reference.ldlva_lambda_step(r, 3, 2, 4, 2, 7, 0.5, 3.0, 1.0)),
    ("ldlva_lambda_step", "logits to 50", lambda r: reference.ldlva_lambda_step(r, 5, 3, 2, 9, 40, 0.02, 10.0, 20.0)),
    ("dmue_soft_loss", "two classes", lambda r: reference.dmue_soft_loss(r, r.integers(0, 2, 6), 2, 2.0)),
    ("dmue_soft_loss", "one class only", lambda r: reference.dmue_soft_loss(r, np.full(5, 3), 8, 25.0)),
    ("dmue_sp_loss", "two classes", lambda r: reference.dmue_sp_loss(r, np.array([0, 1, 1, 0, 1]), 2, 3)),
    ("dmue_sp_loss", "absent classes", lambda r: reference.dmue_sp_loss(r, np.array([0, 4, 4, 2, 0, 4]), 5, 4)),
    (
        "dmue_confidence",
        "two classes, one twice",
        lambda r: reference.dmue_confidence(r, np.array([1, 0, 0, 1, 0, 0]), 2, 3),
    ),
    (
        "dmue_confidence",
        "ten classes",
        lambda r: reference.dmue_confidence(r, reference.labels_with_all(r, 24, 10), 10, 6),
    ),
    (
        "dmue_sharpened_targets",
        "absent classes, sharpened, saturated",
        lambda r: reference.dmue_sharpened_targets(r, r.integers(0, 3, 8), 5, 0.5, 25.0),
    ),
    (
        "dmue_sharpened_targets",
        "two classes",
        lambda r: reference.dmue_sharpened_targets(r, r.integers(0, 2, 5), 2, 2.0, 1.0),
    ),
    (
        "dmue_ramp",
        "other epochs, ramps and factors",
        lambda r: reference.dmue_ramp((1, 4, 14.5), [0, 3, 4, 90, 14], {"": 1.0, "_lamda2.5": 2.5}),
    ),
    (
        "dmue_total",
        "two classes",
        lambda r: reference.dmue_total(r, reference.labels_with_all(r, 6, 2), 2, 3, [0, 5, 60], 9, CONSTANTS),
    ),
    (
        "dmue_total",
        "ten classes",
        lambda r: reference.dmue_total(r, reference.labels_with_all(r, 21, 10), 10, 2, [4], 0, CONSTANTS),
    ),
]


@pytest.mark.parametrize(("name", "case", "make"), OTHER_FILES, ids=[f"{n}: {c}" for n, c, _ in OTHER_FILES])
def test_other_shapes_and_values_agree_with_an_independent_reference(
    name: str, case: str, make: Callable[[np.random.Generator], reference.Arrays]
) -> None:
    comparisons = compared(name, make(np.random.default_rng(len(case))))
    assert comparisons
    assert {c.name: c.relative for c in comparisons if not c.agrees} == {}


class Watched(Mapping[str, Any]):
    """Arrays that remember which of them were asked for."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


CONSTANTS_NOT_NEEDED = {
    "ldlva_target": {"num_classes"},
    "ldlva_discriminative": {"num_classes", "idx", "neighbor_idx"},  # both are in `indices`
    "ldlva_lambda_step": {"num_classes", "lamb_momentum"},  # a first step has no momentum
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_change_in_any_output_is_noticed_and_nothing_is_left_unread(name: str, golden_folder: Path) -> None:
    arrays = read_arrays(golden_folder / f"{name}.npz")
    watched = Watched(arrays)
    outputs = [comparison.name for comparison in compared(name, watched)]
    assert set(arrays) - watched.read == CONSTANTS_NOT_NEEDED.get(name, set())
    for output in outputs:
        changed = arrays[output].copy()
        flat = changed.reshape(-1)
        flat[-1] += np.asarray(1e-4 * max(1, float(np.abs(flat).max())) if changed.dtype.kind == "f" else 1).astype(
            changed.dtype
        )
        # Some outputs (G_main_0, e2e_branch_targets_0) may not be inputs of others, so exactly they disagree.
        disagreeing = [c.name for c in compared(name, {**arrays, output: changed}) if not c.agrees]
        assert disagreeing == [output]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ldlva", "selfcheck", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    assert isinstance(code, int | None)
    return code or 0


def test_the_command_reports_every_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], golden_folder: Path
) -> None:
    assert run(monkeypatch, "--golden", str(golden_folder), "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is True
    assert list(report["files"]) == list(CHECKS)
    assert report["absent"] == []
    assert report["tolerance"] == {"relative": 1e-5, "absolute": 1e-7}
    assert all(0 <= file["largest_relative_difference"] < 1e-5 for file in report["files"].values())
    assert run(monkeypatch, "--golden", str(golden_folder)) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in CHECKS)


def test_a_faulty_file_is_named_and_the_others_are_still_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], golden_folder: Path, tmp_path: Path
) -> None:
    for path in golden_folder.glob("*.npz"):
        shutil.copy(path, tmp_path / path.name)

    def rewrite(name: str, **replaced: Any) -> None:
        arrays = {**read_arrays(golden_folder / f"{name}.npz"), **replaced}
        np.savez(tmp_path / f"{name}.npz", **{key: value for key, value in arrays.items() if value is not None})

    whole = (golden_folder / "dmue_total.npz").read_bytes()
    (tmp_path / "dmue_total.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "dmue_ramp.npz").write_text("no arrays")
    rewrite("ldlva_similarity", knn_weights=None)
    rewrite("dmue_soft_loss", labels=np.array([], dtype=np.int64))
    rewrite("ldlva_target", ce=np.float32(np.nan))
    rewrite("dmue_confidence", score=np.zeros((2, 1), np.float32))
    np.savez(tmp_path / "dmue_sharpened_targets.npz", labels=np.array([{}], dtype=object))
    (tmp_path / "ldlva_discriminative.npz").unlink()

    assert run(monkeypatch, "--golden", str(tmp_path), "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] is False
    assert report["absent"] == ["ldlva_discriminative"]
    files = report["files"]
    assert files["ldlva_lambda_step"]["passed"] and files["dmue_sp_loss"]["passed"]
    errors = {name: file["error"] for name, file in files.items() if file["error"]}
    assert "array knn_weights is missing" in errors.pop("ldlva_similarity")
    assert "do not fit together" in errors.pop("dmue_soft_loss")
    assert set(errors) == {"dmue_total", "dmue_ramp", "dmue_sharpened_targets"}
    assert all("cannot be read" in error for error in errors.values())
    assert files["ldlva_target"]["differing"] == {"ce": "holds values that are not finite"}
    assert "has shape (2, 1), ours (20, 1)" in files["dmue_confidence"]["differing"]["score"]
    assert run(monkeypatch, "--golden", str(tmp_path)) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "NOT CHECKED" in shown and "DIFFERS" in shown and "ldlva_discriminative" in shown


def test_a_folder_without_golden_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="none of the golden files"):
        check_folder(tmp_path)
    with pytest.raises(TrainingError, match="is not a folder"):
        check_folder(tmp_path / "nowhere")


def test_a_file_is_never_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "exploded",))

    np.savez(tmp_path / "dmue_ramp.npz", epochs=np.array([Bomb()], dtype=object))
    assert "cannot be read" in str(check_file(tmp_path / "dmue_ramp.npz").error)
    assert not (tmp_path / "exploded").exists()
