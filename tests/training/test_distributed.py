"""Two processes over gloo against one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from ldlva.errors import TrainingError
from ldlva.training.distributed import ALONE, Group, joined_group
from ldlva.training.methods import TrainingSet
from tests.conftest import ROOT, FerPlusMaker

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "ce": ("ce", {}),
    "label_smoothing": ("label_smoothing", {}),
    "soft": ("soft", {}),
    "center": ("center", {}),
    "total": ("total", {}),
    "dmue": ("dmue", {}),
    "dmue, authors' code": ("dmue", {"variant": "code"}),
    "ldlva": ("ldlva", {"warmup_epochs": 1}),
    "ldlva, forward": ("ldlva", {"neighbors": "forward", "warmup_epochs": 0, "neighbor_count": 2}),
}

STEPS = """
import sys
import torch
from ldlva.training.config import resolve_config
from ldlva.training.distributed import joined_group
from ldlva.training.methods import TrainingSet
from ldlva.training.trainer import Compute, batches, build_method, build_optimizer, seed_epoch, training_step
from tests.training.test_distributed import CASES

train = TrainingSet(**torch.load(sys.argv[1], weights_only=False))
cpu = Compute(torch.device("cpu"), bfloat16=False)
results = {}
with joined_group() as group:
    for case, (name, options) in CASES.items():
        config = resolve_config(
            data="x:y", method=name, options=options, backbone="resnet18", stem="small", image_size=32, batch_size=15,
            learning_rate=1e-5, threads=1,
        )
        method = build_method(config, train)
        shared = method.share(group)
        optimizer = build_optimizer(method, config)
        begun = {f"begun {key}": value.clone() for key, value in method.state_dict().items()}
        losses = []
        for epoch in range(2):
            seed_epoch(0, epoch)
            method.train()
            method.start_epoch(epoch)
            for batch in batches(train, config, cpu.device):
                losses.append(training_step(method, batch, optimizer, cpu, lambda: group.add_up_gradients(shared)))
        state = {key: value.clone() for key, value in method.state_dict().items()}
        results[case] = {"losses": torch.tensor(losses), **begun, **state}
        if group.size > 1 and group.rank == 1:
            torch.save(state, sys.argv[2] + f".{case}")
    if group.is_main:
        torch.save(results, sys.argv[2])
"""


def launch(processes: int, *command: str) -> list[str]:
    """Run a Python command line in `processes` processes as `torchrun` does; returns what each printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    environment |= {"MASTER_PORT": port, "WORLD_SIZE": str(processes)}
    started = [
        subprocess.Popen(
            [sys.executable, *command], env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for rank in range(processes)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=120)[0] for process in started]
    for process, output in zip(started, outputs, strict=True):
        assert process.returncode == 0, output
    return outputs


@pytest.fixture(scope="module")
def steps(
    tmp_path_factory: pytest.TempPathFactory, tiny_set: Callable[..., TrainingSet]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Losses and state of every case after two epochs of two steps each, in one process and in two."""
    folder = tmp_path_factory.mktemp("distributed")
    torch.save(asdict(tiny_set(per_class=5)), folder / "train.pt")
    (folder / "steps.py").write_text(STEPS)
    results = []
    for processes in (1, 2):
        out = folder / f"{processes}.pt"
        launch(processes, str(folder / "steps.py"), str(folder / "train.pt"), str(out))
        results.append(torch.load(out, weights_only=True))
    for case in CASES:
        follower = torch.load(folder / f"2.pt.{case}", weights_only=True)
        for name, value in follower.items():  # the processes must not drift apart
            torch.testing.assert_close(value, results[1][case][name], rtol=0, atol=0)
    return results[0], results[1]


@pytest.mark.parametrize("case", CASES)
def test_two_processes_learn_what_one_learns(case: str, steps: tuple[dict[str, Any], dict[str, Any]]) -> None:
    one, two = (result[case] for result in steps)
    assert set(one) == set(two)
    torch.testing.assert_close(two["losses"], one["losses"], rtol=2e-3, atol=0)
    assert len(one["losses"]) == 4
    for name, expected in one.items():
        # Small batches amplify rounding; a gradient that is not added up, or a mean that is off, is off by halves.
        begun = one[f"begun {name}"].double() if f"begun {name}" in one else torch.zeros(())
        moved = (expected.double() - begun).norm()
        difference = (two[name].double() - expected.double()).norm()
        assert difference <= 0.01 * moved + 1e-5 * expected.double().norm() + 1e-10, name


def test_torchrun_trains_ldlva_with_its_teachers(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    data = f"ferplus:{make_ferplus(per_emotion=4)}"
    arguments = [
        "-m", "ldlva", "train", "--data", data, "--method", "ldlva", "--backbone", "mobilenet_v2", "--epochs", "2",
        "--image-size", "32", "--batch-size", "14", "--threads", "1", "--teacher-folds", "2", "--teacher-epochs", "1",
        "--learning-rate", "0.00001", "--precision", "float32",
    ]  # fmt: skip
    metrics = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        outputs = launch(processes, *arguments, "--out", str(folder))
        assert ["Finished" in output for output in outputs] == [True, False][:processes]
        assert json.loads((folder / "config.json").read_text())["compute"]["processes"] == processes
        assert (folder / "model.safetensors").is_file()
        assert (folder / "temperature.json").is_file()
        metrics.append([json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()])
    for one, two in zip(*metrics, strict=True):
        for name in one.keys() - {"seconds"}:
            assert two[name] == pytest.approx(one[name], rel=1e-2)


def test_a_batch_is_shared_nearly_equally() -> None:
    assert [Group(rank, 4).part(66) for rank in range(4)] == [slice(0, 16), slice(16, 33), slice(33, 49), slice(49, 66)]
    with pytest.raises(TrainingError, match="3 processes cannot share 2"):
        Group(0, 3).part(2)


def test_a_process_alone_is_a_group_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_group() as group:
        assert group is ALONE
        assert group.is_main
        assert group.agreed(True)
        assert group.part(5) == slice(0, 5)
