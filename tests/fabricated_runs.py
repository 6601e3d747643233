"""Run folders as training leaves them, made without training."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ldlva.jobs import process_identity
from ldlva.run_folder import RunProgress, machine

CONFIG: dict[str, Any] = {
    "data": "ferplus:/data/FERPlus",
    "filter": None,
    "method": "ce",
    "options": {},
    "backbone": "resnet18",
    "stem": "standard",
    "init": None,
    "image_size": 48,
    "epochs": 15,
    "seed": 0,
    "batch_size": 64,
    "learning_rate": 0.05,
    "teacher_folds": 3,
    "teacher_epochs": 6,
}

GONE = {"pid": 2**22 + 1, "process": "no such process"}


def make_run(
    root: Path, name: str, epochs_done: int = 3, finished: bool = False, created_at: str = "", **config: Any
) -> Path:
    """A run with `epochs_done` lines of metrics; with weights if it is `finished`."""
    folder = root / name
    folder.mkdir(parents=True)
    method, teachers = config.get("method"), "posteriors of 3 out-of-fold cross-entropy teachers"
    record: dict[str, Any] = {
        "config": CONFIG | config,
        "data": {"source": "ferplus", "split": "train", "n": 640},
        "valence_arousal_source": f"pseudo: {teachers}" if method == "ldlva" else None,
        "posteriors_source": teachers if method == "ldlva_plus" else None,
    }
    if created_at:
        record["created_at"] = created_at
    (folder / "config.json").write_text(json.dumps(record))
    lines = [metrics(epoch) for epoch in range(1, epochs_done + 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if finished:
        (folder / "model.safetensors").write_bytes(b"")
        (folder / "temperature.json").write_text(json.dumps({"temperature": 1.25}))
    return folder


def metrics(epoch: int) -> dict[str, float]:
    """The line of one epoch."""
    return {
        "epoch": epoch,
        "loss": 1.9 / epoch**0.5,
        "valid_accuracy": 0.8 - 0.6 / epoch,
        "valid_cross_entropy": 0.6 + 1.2 / epoch,
        "seconds": 20.0,
    }


def write_progress(folder: Path, **values: Any) -> RunProgress:
    """A `progress.json` of this very process, which lives; `values` say otherwise."""
    now = time.time()
    known: dict[str, Any] = {
        "stage": "train", "epoch": 3, "epochs": 15, "step": 5, "steps": 10, "started": now - 70, "updated": now,
        "seconds_per_step": 2.0, "pid": os.getpid(), "process": process_identity(os.getpid()), "machine": machine(),
    }  # fmt: skip
    progress = RunProgress(**(known | values))
    (folder / "progress.json").write_text(json.dumps(asdict(progress)))
    return progress


def write_job(folder: Path, log: str = "", code: int | None = None, stopped: bool = False, **details: Any) -> None:
    """Traces of a process that a page started and that is gone."""
    (folder / "job").mkdir(parents=True, exist_ok=True)
    job = {"kind": "train", "arguments": ["train"], "details": details, "created_at": "2026-01-01T00:00:00+00:00"}
    (folder / "job" / "job.json").write_text(json.dumps(job | GONE))
    (folder / "job" / "log.txt").write_text(log)
    if code is not None:
        (folder / "job" / "exit.json").write_text(json.dumps({"code": code}))
    if stopped:
        (folder / "job" / "stopped").touch()
