"""Two processes over gloo against one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from ldlva.errors import TrainingError
from ldlva.training.distributed import Group
from tests.conftest import ROOT

NORMS = """
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from ldlva.training.distributed import Group, synchronise_norms
from ldlva.training.losses.adaptive_similarity import BiasedBatchNorm

group = Group.join()
torch.manual_seed(0)
network = nn.Sequential(
    nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5), BiasedBatchNorm(5)
)
images, weights = torch.randn(8, 1, 8, 8) * 3 + 1, torch.randn(8, 5)
part = group.part(8)
if group.size > 1:
    network = DistributedDataParallel(synchronise_norms(network, torch.device("cpu")))
output = network(images[part])
loss = (output * weights[part]).square().mean()
loss.backward()
plain = network.module if group.size > 1 else network
result = {
    "output": group.gather(output.detach()),
    "loss": torch.tensor(group.mean(float(loss.detach()), torch.device("cpu"))),
    **{f"grad {name}": p.grad for name, p in plain.named_parameters()},
    **{f"buffer {name}": b for name, b in plain.named_buffers() if "tracked" not in name},
}
if group.is_main:
    torch.save(result, OUT)
group.wait()
"""


def run(code: str, processes: int, folder: Path) -> dict[str, torch.Tensor]:
    """The code's results, saved by its main process to OUT."""
    out = folder / f"{processes}.pt"
    script = folder / f"script{processes}.py"
    script.write_text(textwrap.dedent(code).replace("OUT", repr(str(out))))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    environment |= {"MASTER_PORT": port, "WORLD_SIZE": str(processes)}
    started = [
        subprocess.Popen([sys.executable, str(script)], env={**environment, "RANK": str(rank)})
        for rank in range(processes)
    ]
    assert [process.wait(timeout=120) for process in started] == [0] * processes
    result: dict[str, torch.Tensor] = torch.load(out, weights_only=True)
    return result


def test_batch_statistics_and_gradients_are_those_of_one_process(tmp_path: Path) -> None:
    one, two = run(NORMS, 1, tmp_path), run(NORMS, 2, tmp_path)
    assert set(one) == set(two)
    for name, expected in one.items():
        torch.testing.assert_close(two[name], expected, rtol=1e-4, atol=1e-6)


def test_a_batch_is_shared_equally_or_not_at_all() -> None:
    assert Group(1, 4).part(64) == slice(16, 32)
    with pytest.raises(TrainingError, match="shared equally by 3"):
        Group(0, 3).part(64)


def test_a_process_alone_is_a_group_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    group = Group.join()
    assert group == Group()
    assert group.is_main
    assert group.mean(3.0, torch.device("cpu")) == 3.0
    torch.testing.assert_close(group.gather(torch.ones(2)), torch.ones(2))
