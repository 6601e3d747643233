from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ldlva.datasets import load_dataset
from ldlva.errors import TrainingError
from ldlva.training import engine, trainer
from ldlva.training.config import resolve_config
from ldlva.training.engine import train as train_run
from ldlva.training.methods import METHODS, TrainingSet
from ldlva.training.runs import Run
from ldlva.training.trainer import balanced_order, build_method, fit
from tests.conftest import ROOT, FerPlusMaker
from tests.training.conftest import silent

SETTINGS: dict[str, Any] = {
    "data": "x:y", "image_size": 32, "batch_size": 7, "epochs": 3, "threads": 1, "learning_rate": 0.02,
}  # fmt: skip


class KilledError(Exception):
    pass


def train_in(folder: Path, method: str, train: TrainingSet, kill_after: int | None = None, **extra: Any) -> Run:
    config = resolve_config(**(SETTINGS | extra), method=method)
    run = Run(folder)
    if not run.exists():
        run.create(config, {})

    def progress(stage: str, epoch: int, epochs: int, step: int, steps: int, metrics: dict[str, Any] | None) -> None:
        if kill_after is not None and epoch == kill_after and step == 2:
            raise KilledError

    fit(build_method(config, train), train, train, config, run, progress)
    return run


RESUMED: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in METHODS),
    ("ldlva", {"variant": "paper", "neighbor_space": "random"}),
    ("ldlva", {"neighbors": "forward", "neighbor_space": "features"}),
    ("ldlva", {"neighbors": "teachers"}),
]


@pytest.mark.parametrize(("method", "options"), RESUMED, ids=str)
def test_a_resumed_run_gives_the_numbers_of_an_uninterrupted_one(
    method: str, options: dict[str, Any], tmp_path: Path, tiny_set: Callable[..., TrainingSet]
) -> None:
    train = tiny_set(per_class=6)
    settings: dict[str, Any] = {"options": options, "backbone": "mobilenet_v2", "batch_size": 14, "epochs": 2}
    whole = train_in(tmp_path / "whole", method, train, **settings)
    with pytest.raises(KilledError):
        train_in(tmp_path / "killed", method, train, kill_after=1, **settings)
    assert len(Run(tmp_path / "killed").metrics()) == 1
    resumed = train_in(tmp_path / "killed", method, train, **settings)
    for name, tensor in whole.load_weights().items():
        torch.testing.assert_close(resumed.load_weights()[name], tensor, rtol=0, atol=0)
    without_time = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()] for run in (whole, resumed)
    ]
    assert without_time[0] == without_time[1]


def test_balanced_batches_hold_every_class_equally_often() -> None:
    labels = torch.tensor([0] * 90 + [1] * 9 + [3] * 3)
    torch.manual_seed(0)
    order = balanced_order(labels, 10)
    assert len(order) == 100
    for batch in labels[order].view(10, 10):
        assert sorted(torch.bincount(batch)[[0, 1, 3]].tolist()) == [3, 3, 4]
    drawn = order[labels[order] == 1]
    assert all(len(set(drawn[start : start + 9].tolist())) == 9 for start in range(0, len(drawn) - 9, 9))
    assert len(set(order[labels[order] == 0].tolist())) == int((labels[order] == 0).sum())  # none twice of 90


def test_a_balanced_set_smaller_than_a_batch_is_one_batch() -> None:
    labels = torch.tensor([0, 1, 1, 1, 2, 2])
    order = balanced_order(labels, 64)
    assert torch.bincount(labels[order]).tolist() == [2, 2, 2]


def test_sampling_is_the_methods_own_unless_chosen(tiny_set: Callable[..., TrainingSet]) -> None:
    chosen = {name: resolve_config(data="x:y", method=name).sampling for name in METHODS}
    assert chosen.pop("dmue") == "balanced"
    assert set(chosen.values()) == {"uniform"}
    assert resolve_config(data="x:y", method="dmue", sampling="uniform").sampling == "uniform"

    train = tiny_set(per_class=10)
    uneven = train.subset(np.flatnonzero((train.labels == 0) | (np.arange(70) < 21)))
    for sampling, even in (("balanced", True), ("uniform", False)):
        config = resolve_config(**SETTINGS, sampling=sampling)
        drawn: list[list[int]] = []
        for epoch in (0, 0, 1):
            trainer.seed_epoch(config.seed, epoch)
            drawn.append(torch.cat([b.rows for b in trainer.batches(uneven, config, torch.device("cpu"))]).tolist())
        assert drawn[0] == drawn[1] != drawn[2]
        counts = np.bincount(uneven.labels[drawn[0]], minlength=7)
        assert bool(counts.max() == counts.min()) is even


def test_another_seed_gives_another_result(tmp_path: Path, tiny_set: Callable[..., TrainingSet]) -> None:
    losses = [train_in(tmp_path / str(s), "ce", tiny_set(), seed=s).metrics()[-1]["loss"] for s in (0, 1)]
    assert losses[0] != losses[1]


def test_a_killed_command_resumes_to_the_identical_result(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    """kill -9 inside LDLVA's teachers and again inside its own epochs, through the real command."""
    data = f"ferplus:{make_ferplus(per_emotion=6)}"
    arguments = [
        "--data", data, "--method", "ldlva", "--epochs", "3", "--image-size", "32", "--batch-size", "7",
        "--threads", "1", "--teacher-folds", "2", "--teacher-epochs", "2",
    ]  # fmt: skip

    def command(out: Path, *more: str) -> list[str]:
        return [sys.executable, "-m", "ldlva", "train", "--out", str(out), *more]

    def kill_when(out: Path, exists: Path, *more: str) -> None:
        process = subprocess.Popen(command(out, *more), cwd=ROOT, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not exists.is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert exists.is_file()
        process.send_signal(signal.SIGKILL)
        process.wait()

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(whole, *arguments), cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    kill_when(killed, killed / "teacher" / "fold0" / "checkpoint.pt", *arguments)
    kill_when(killed, killed / "checkpoint.pt", "--resume")
    subprocess.run(command(killed, "--resume"), cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    first, second = Run(whole).load_weights(), Run(killed).load_weights()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (whole / "valence_arousal.csv").read_text() == (killed / "valence_arousal.csv").read_text()


def test_a_run_records_what_made_it(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    run = Run(tmp_path / "run")
    root = make_ferplus()
    settings = SETTINGS | {"data": f"ferplus:{root}", "epochs": 1}
    train_run(resolve_config(**settings), run, silent)
    record = json.loads((run.folder / "config.json").read_text())
    assert record["config"]["method"] == "ce"
    assert record["data"]["n"] == 14
    assert record["git_revision"]
    assert record["versions"]["torch"] == torch.__version__
    [row] = run.metrics()
    assert {"epoch", "loss", "valid_accuracy", "valid_cross_entropy", "seconds"} <= set(row)


def test_a_run_on_votes_learns_from_them_and_records_that_it_did(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    run = Run(tmp_path / "run")
    settings = SETTINGS | {"data": f"ferplus:{make_ferplus()}", "epochs": 1, "backbone": "mobilenet_v2"}
    train_run(resolve_config(**settings, method="soft"), run, silent)
    assert json.loads((run.folder / "config.json").read_text())["distributions_source"] == "human votes"
    assert run.is_finished()


def test_training_does_without_a_valid_part_but_not_with_a_broken_one(
    tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    from ldlva.errors import DatasetError

    root = make_ferplus()
    settings = SETTINGS | {"data": f"ferplus:{root}", "epochs": 1}
    (root / "FER2013Valid" / "label.csv").write_text("broken\n")
    with pytest.raises(DatasetError, match=r"label\.csv, line 1"):
        train_run(resolve_config(**settings), Run(tmp_path / "broken"), silent)
    for path in (root / "FER2013Valid").iterdir():
        path.unlink()
    (root / "FER2013Valid").rmdir()
    run = Run(tmp_path / "without")
    train_run(resolve_config(**settings), run, silent)
    assert "valid_accuracy" not in run.metrics()[0]


@pytest.mark.parametrize("method", ["ce", "ldlva"])
def test_a_memory_map_trains_to_the_weights_of_an_array(
    method: str, tmp_path: Path, tiny_set: Callable[..., TrainingSet]
) -> None:
    train = tiny_set()
    np.save(tmp_path / "images.npy", np.stack(list(train.images)))
    mapped = replace(train, images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = [train_in(tmp_path / str(i), method, s, batch_size=5, epochs=2) for i, s in enumerate((train, mapped))]
    a, b = (run.load_weights() for run in runs)
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_part_of_a_memory_map_is_gathered_only_when_asked_for(
    tmp_path: Path, tiny_set: Callable[..., TrainingSet]
) -> None:
    train = tiny_set()
    np.save(tmp_path / "images.npy", np.stack(list(train.images)))
    stored = np.load(tmp_path / "images.npy", mmap_mode="r+")
    rows = np.array([3, 5, 8, 20])
    part = replace(train, images=stored).subset(rows)
    stored[5] = 77
    assert (part.images.shape, part.images.ndim, len(part.images), part.channels) == ((4, 32, 32), 3, 4, 1)
    assert (part.images[1] == 77).all()
    np.testing.assert_array_equal(part.images[2:], train.images[rows[2:]])
    np.testing.assert_array_equal(part.images[np.array([3, 0])], train.images[rows[[3, 0]]])
    np.testing.assert_array_equal(part.subset(np.array([2])).images[0], train.images[8])


def test_the_fingerprint_covers_names_labels_and_pixels(
    make_ferplus: FerPlusMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load_dataset(f"ferplus:{make_ferplus()}", "train")
    digest = hashlib.sha256("\n".join(dataset.names).encode() + dataset.labels.tobytes() + dataset.images.tobytes())
    monkeypatch.setattr(engine, "HASHED_AT_ONCE", 3)
    assert engine.fingerprint(dataset) == digest.hexdigest()


def test_votes_never_reach_the_model(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    """Two data sets with the same labels and different votes train to the same weights."""
    root = make_ferplus(shared=False)
    settings = SETTINGS | {"data": f"ferplus:{root}", "epochs": 1}
    train_run(resolve_config(**settings), Run(tmp_path / "a"), silent)
    labels = root / "FER2013Train" / "label.csv"
    lines = [line.split('",')[0] + '",' for line in labels.read_text().splitlines()]
    votes = [line.split('",')[1].split(",") for line in labels.read_text().splitlines()]
    only_the_majority = [["10" if v == max(row, key=int) else "0" for v in row] for row in votes]
    labels.write_text("\n".join(a + ",".join(b) for a, b in zip(lines, only_the_majority, strict=True)) + "\n")
    train_run(resolve_config(**settings), Run(tmp_path / "b"), silent)
    a, b = Run(tmp_path / "a").load_weights(), Run(tmp_path / "b").load_weights()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_loss_that_is_no_number_stops_with_a_diagnosis(tmp_path: Path, tiny_set: Callable[..., TrainingSet]) -> None:
    config = resolve_config(**SETTINGS | {"learning_rate": 1e20}, method="ce")
    run = Run(tmp_path / "run")
    run.create(config, {})
    train = tiny_set()
    with pytest.raises(TrainingError, match=r"stopped being a number in epoch 1.*Lower the learning rate"):
        fit(build_method(config, train), train, None, config, run, silent)


def test_a_full_disk_keeps_the_old_checkpoint(
    tmp_path: Path, tiny_set: Callable[..., TrainingSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path)
    run.save_checkpoint({"epoch": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TrainingError, match=r"disk is full.*--resume"):
        run.save_checkpoint({"epoch": 2})
    assert run.load_checkpoint() == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_damaged_checkpoint_or_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"x" * 100)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is damaged"):
        Run(tmp_path).load_checkpoint()
    with pytest.raises(TrainingError, match="cannot be read"):
        Run(tmp_path).config()
    with pytest.raises(TrainingError, match="holds no run"):
        Run(tmp_path / "nowhere").load_weights()


def test_learning_rate_rises_then_falls_to_zero() -> None:
    rates = [trainer.one_cycle(position) for position in np.linspace(0, 1, 101)]
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates[0] < 0.1
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert int(np.argmax(rates)) == pytest.approx(15, abs=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "magic"}, r"Unknown method 'magic'.*ce, label_smoothing, .*ldlva"),
        ({"sampling": "stratified"}, "sampling: Input should be 'uniform' or 'balanced'"),
        ({"method": "dmue", "options": {"variant": "mine"}}, "variant: Input should be 'ours' or 'code'"),
        ({"backbone": "vgg"}, "Unknown backbone 'vgg'"),
        ({"epochs": 0}, "epochs: Input should be greater"),
        ({"method": "ldlva", "options": {"neighbours": 8}}, r"neighbours.*Options of ldlva: .*neighbor_count"),
        ({"method": "ldlva", "options": {"neighbor_count": 0}}, "neighbor_count: Input should be greater"),
        ({"method": "ce", "options": {"gamma": 8}}, "Options of ce: none"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_settings_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        resolve_config(**{"data": "x:y", **settings})
