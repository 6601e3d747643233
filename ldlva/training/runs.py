"""The run folder: configuration, metrics, checkpoint and final weights, all written atomically.

```
runs/NAME/config.json        resolved configuration, git revision, versions, data (written once)
          metrics.jsonl      one line an epoch
          checkpoint.pt      state after the last finished epoch; all that --resume needs
          model.safetensors  network weights; present once training has finished
          temperature.json   temperature fitted on the valid part, where it has votes
          progress.json, job/  where the training is, see `ldlva.run_folder`
          valence_arousal.csv  LDLVA only: coordinates
          posteriors.csv, teacher/   out-of-fold posteriors and the runs that made them, for methods that need them
```
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ldlva.errors import TrainingError
from ldlva.training.config import TrainConfig, resolve_config

LOCK = ".lock"
"""File that the training process holds."""


@dataclass(frozen=True)
class Run:
    """Handle on one run folder; does no I/O until asked."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.folder / "config.json").is_file()

    def is_finished(self) -> bool:
        return (self.folder / "model.safetensors").is_file()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training here. The system lets go of what a killed process held.

        Raises:
            TrainingError: another process holds the folder, or it cannot be made.
        """
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / LOCK).open("a")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(f"{self.folder} is being trained already. Wait for it, or stop it first.") from None
            try:
                yield
            finally:
                if not self.exists():  # it failed before there was a run
                    with contextlib.suppress(OSError):
                        (self.folder / LOCK).unlink()
                        self.folder.rmdir()

    def create(self, config: TrainConfig, record: dict[str, Any]) -> None:
        """Start a run here.

        Raises:
            TrainingError: a run is here already.
        """
        if self.exists():
            raise TrainingError(
                f"{self.folder} already holds a run. Add --resume to continue it, or choose another --out."
            )
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(self.folder / "config.json", {"config": config.model_dump(), "created_at": created_at, **record})

    def record(self) -> dict[str, Any]:
        """Content of `config.json`.

        Raises:
            TrainingError: no run here, or its record is damaged.
        """
        path = self.folder / "config.json"
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            raise TrainingError(f"{self.folder} holds no run (no config.json).") from None
        except (OSError, ValueError) as error:
            raise TrainingError(f"{path} cannot be read: {error}") from None
        if not isinstance(content, dict) or "config" not in content:
            raise TrainingError(f"{path} is not a run's record.")
        return content

    def config(self) -> TrainConfig:
        return resolve_config(**self.record()["config"])

    def temperature(self) -> dict[str, Any] | None:
        """`temperature`, and what it was `fitted_on`; None if the data set had nothing to fit it on."""
        path = self.folder / "temperature.json"
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text())
            float(content["temperature"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"{path} is damaged: {error!r}.") from None
        return dict(content)

    def write_temperature(self, content: dict[str, Any]) -> None:
        write_json(self.folder / "temperature.json", content)

    def metrics(self) -> list[dict[str, Any]]:
        """One dict per finished epoch."""
        path = self.folder / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []

    def write_metrics(self, metrics: list[dict[str, Any]]) -> None:
        with atomic_file(self.folder / "metrics.jsonl") as file:
            file.write("".join(json.dumps(row) + "\n" for row in metrics).encode())

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        with atomic_file(self.folder / "checkpoint.pt") as file:
            torch.save(state, file)

    def has_checkpoint(self) -> bool:
        """Whether an epoch was finished here."""
        return (self.folder / "checkpoint.pt").is_file()

    def load_checkpoint(self) -> dict[str, Any] | None:
        """State after the last finished epoch, or None before the first.

        Raises:
            TrainingError: the file is damaged.
        """
        path = self.folder / "checkpoint.pt"
        if not self.has_checkpoint():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises whatever the damaged byte leads to
            raise TrainingError(
                f"{path} is damaged ({type(error).__name__}). Delete it to start the run over."
            ) from None
        return state

    def save_weights(self, weights: dict[str, Tensor]) -> None:
        path = self.folder / "model.safetensors"
        scratch = _scratch_name(path)
        with disk_errors(path, scratch):
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, scratch)
            scratch.replace(path)

    def load_weights(self) -> dict[str, Tensor]:
        """Weights of the finished network.

        Raises:
            TrainingError: training has not finished, or the file is damaged.
        """
        path = self.folder / "model.safetensors"
        if not self.exists():
            raise TrainingError(f"{self.folder} holds no run (no config.json).")
        if not path.is_file():
            raise TrainingError(f"{self.folder} has not finished training. Continue it with --resume.")
        try:
            return load_file(path)
        except SafetensorError as error:
            raise TrainingError(f"{path} is damaged: {error}") from None


class FollowedRun(Run):
    """A run that another process of the same training holds and writes; this one reads it."""

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        yield

    def create(self, config: TrainConfig, record: dict[str, Any]) -> None:
        pass

    def write_temperature(self, content: dict[str, Any]) -> None:
        pass

    def write_metrics(self, metrics: list[dict[str, Any]]) -> None:
        pass

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        pass

    def save_weights(self, weights: dict[str, Tensor]) -> None:
        pass


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    with atomic_file(path) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Write to a scratch file and move it over `path` at the end: readers and a killed process see old or new, whole.

    Raises:
        TrainingError: the disk is full or the folder cannot be written; `path` keeps its old content.
    """
    scratch = _scratch_name(path)
    with disk_errors(path, scratch):
        with scratch.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)


@contextlib.contextmanager
def disk_errors(path: Path, scratch: Path | None = None) -> Iterator[None]:
    """Turn what the operating system says about writing `path` into a clear error, and remove `scratch`."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        # torch and safetensors wrap a failed write in their own error types.
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            reason = "the disk is full. Free some space, then continue with --resume"
        else:
            reason = str(error)
        raise TrainingError(f"Cannot write {path}: {reason}.") from error
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)


def _scratch_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def git_revision() -> str:
    """Revision of the code that runs, with `-dirty` if tracked files differ; `unknown` outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return described.stdout.strip() or "unknown"
