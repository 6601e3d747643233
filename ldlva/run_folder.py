"""What a run folder tells anybody, without torch: how far a run is, what became of it, how long it will still take.

```
RUNS/NAME/config.json, metrics.jsonl, ...   see `ldlva.training.runs`, which writes them
          progress.json                     where the training is; by the command that trains, twice a second at most
          job/                              process and log, if a page started it; see `ldlva.jobs`
```
What became of a run follows from these files and from whether its process lives, so it is right after a reload of the
page, a restart of the server, and a training that was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ldlva.errors import JobError, TrainingError
from ldlva.jobs import Job, JobState, process_identity

RunState = Literal["running", "finished", "stopped", "failed", "interrupted", "damaged"]
"""`interrupted`: its process is gone and left no word. All but `running`, `finished` and `damaged` can be resumed."""

Metrics = tuple[dict[str, Any], ...]

WRITE_SECONDS = 0.5
"""progress.json is written at most this often within an epoch."""

FRESH_SECONDS = 120
"""A run that trains on another machine counts as running this long after its last word."""

INTERRUPTED = "Its process ended before the last epoch: it was killed, or the machine was restarted."

READING = "reading images"
"""Stage before the first step."""

TEACHER_STAGE = re.compile(r"teacher (\d+)/(\d+)")
"""How `ldlva.training.teachers` names its stages."""

_PARTS = ("config.json", "metrics.jsonl", "checkpoint.pt", "model.safetensors", "job/job.json")


@dataclass(frozen=True)
class RunProgress:
    """Content of `progress.json`.

    Attributes:
        stage: `reading images`, `teacher 1/3`, `train`.
        epoch: of this stage, counted from 0, of `epochs`.
        step: done in this epoch, of `steps`.
        started: when the process began, seconds since 1970; `updated`: when it wrote this.
        seconds_per_step: measured over this stage in this process, validation included; None before the second step.
        pid: the process that trains, `process` its identity, `machine` where it runs.
    """

    stage: str
    epoch: int
    epochs: int
    step: int
    steps: int
    started: float
    updated: float
    seconds_per_step: float | None
    pid: int
    process: str | None
    machine: str

    def is_alive(self, now: float) -> bool:
        """Whether its process still trains; on another machine: whether it wrote lately."""
        if self.machine != machine():
            return now - self.updated < FRESH_SECONDS
        return self.process is not None and process_identity(self.pid) == self.process


@dataclass(frozen=True)
class Outlook:
    """How far a run is over all of its stages: a share in [0, 1], and the seconds left, None while unmeasured."""

    share: float
    seconds_left: float | None


@dataclass(frozen=True)
class RunSummary:
    """One run as its folder tells it.

    Attributes:
        name: the folder's path within the runs folder.
        folder: where it is.
        state: what became of it.
        reason: why it failed or is damaged, as a person may read it; else empty.
        config: the run's settings; of a run that never began, what it was to be.
        record: all of `config.json`; empty if the run never began.
        metrics: one dict a finished epoch.
        progress: where it is, or was when it ended.
        temperature: fitted after training, if it was.
        started: when the run was made.
        seconds: spent in finished epochs, the teachers' included.
        by_page: whether a page started the process that trains, and so can stop it.
    """

    name: str
    folder: Path
    state: RunState
    reason: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    metrics: Metrics = ()
    progress: RunProgress | None = None
    temperature: float | None = None
    started: datetime | None = None
    seconds: float = 0.0
    by_page: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether it got as far as reading its images; else there is nothing to resume."""
        return bool(self.record)

    @property
    def epochs_done(self) -> int:
        return int(self.metrics[-1]["epoch"]) if self.metrics else 0

    def last(self, metric: str) -> float | None:
        """A metric of the last finished epoch."""
        return self.metrics[-1].get(metric) if self.metrics else None

    def curve(self, metric: str) -> list[tuple[int, float]]:
        """(epoch, value) of every finished epoch that has the metric."""
        return [(int(row["epoch"]), float(row[metric])) for row in self.metrics if metric in row]

    def outlook(self, now: float) -> Outlook:
        """See `outlook`."""
        if self.progress is None or self.progress.stage == READING:
            return Outlook(0.0, None)
        teachers = (self.folder / "teacher").is_dir()
        return outlook(self.progress, self.config, int(self.record.get("data", {}).get("n", 0)), teachers, now)


class ProgressWriter:
    """Writes a run's `progress.json`, each time as a whole file; nothing where the run's folder is not there yet."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "progress.json"
        self._started = time.time()
        self._stage = ""
        self._stage_began = (0.0, 0)
        self._written = 0.0
        self._identity = {"pid": os.getpid(), "process": process_identity(os.getpid()), "machine": machine()}

    def __call__(self, stage: str, epoch: int = 0, epochs: int = 0, step: int = 0, steps: int = 0) -> None:
        """Say where the training is; a stage's begin and an epoch's end are always written."""
        now, done = time.monotonic(), epoch * steps + step
        due = stage != self._stage or step == steps or now - self._written >= WRITE_SECONDS
        if stage != self._stage:
            self._stage, self._stage_began = stage, (now, done)
        if not due or not is_main_process() or not self._path.parent.is_dir():
            return
        began, first = self._stage_began
        content = RunProgress(
            stage=stage, epoch=epoch, epochs=epochs, step=step, steps=steps,
            started=self._started, updated=time.time(),
            seconds_per_step=(now - began) / (done - first) if done > first else None,
            **self._identity,  # type: ignore[arg-type]
        )  # fmt: skip
        scratch = self._path.with_name(f".progress.{os.getpid()}")
        # A full disk ends the training where it matters, at its checkpoint, and with a word about it.
        with contextlib.suppress(OSError):
            scratch.write_text(json.dumps(asdict(content)))
            scratch.replace(self._path)
            self._written = now


def machine() -> str:
    """Where this process runs: processes with the same value see each other's numbers."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return platform.node()


def is_main_process() -> bool:
    """Of several that `torchrun` started, one speaks for all."""
    return os.environ.get("RANK", "0") == "0"


def read_progress(folder: Path) -> RunProgress | None:
    """Where the training in `folder` is, or was; None if it never said, or no longer readably."""
    try:
        return RunProgress(**json.loads((folder / "progress.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def outlook(progress: RunProgress, config: dict[str, Any], samples: int, teachers: bool, now: float) -> Outlook:
    """How far a run is over all stages, at the measured speed.

    A teacher's step and a step of the training itself are taken to last equally long until the latter is measured.

    Args:
        progress: where it is.
        config: its settings.
        samples: training images.
        teachers: whether the run trains LDLVA's teachers first.
        now: seconds since 1970.
    """
    batch, folds = max(1, int(config.get("batch_size", 1))), int(config.get("teacher_folds", 1))
    here, stage_total = progress.epoch * progress.steps + progress.step, progress.epochs * progress.steps
    if (teacher := TEACHER_STAGE.fullmatch(progress.stage)) is not None:
        number, folds = int(teacher[1]), int(teacher[2])
        done = (number - 1) * stage_total + here
        total = folds * stage_total + int(config.get("epochs", 0)) * max(1, samples // batch)
    else:
        rest = samples - samples // max(1, folds)
        before = folds * int(config.get("teacher_epochs", 0)) * max(1, rest // batch) if teachers else 0
        done, total = before + here, before + stage_total
    left = None
    if progress.seconds_per_step is not None:
        left = max(0.0, (total - done) * progress.seconds_per_step - max(0.0, now - progress.updated))
    return Outlook(min(1.0, done / total) if total > 0 else 0.0, left)


def about(seconds: float) -> str:
    """A span of time no more exact than an estimate deserves."""
    if seconds < 10:
        return "less than 10 s"
    if seconds < 90:
        return f"about {10 * round(seconds / 10)} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    hours, minutes = divmod(10 * round(seconds / 600), 60)
    return f"about {hours} h {minutes} min" if minutes else f"about {hours} h"


def check_not_running(folder: Path) -> None:
    """Two trainings in one folder would overwrite each other.

    Raises:
        TrainingError: another process trains there.
    """
    progress = read_progress(folder)
    if not is_main_process() or progress is None or progress.pid == os.getpid():
        return
    if progress.is_alive(time.time()):
        raise TrainingError(
            f"{folder} is being trained already, by process {progress.pid}. Wait for it, or stop it first."
        )


def find_runs(root: Path) -> list[RunSummary]:
    """All runs in a folder and in the folders in it (as `table1` makes), newest first; damaged ones too.

    Raises:
        TrainingError: the folder cannot be read.
    """
    if not root.is_dir():
        return []
    try:
        folders = list(_run_folders(root))
    except OSError as error:
        raise TrainingError(f"The runs folder {root} cannot be read: {error.strerror}.") from None
    now = time.time()
    runs = [read_run(folder, str(folder.relative_to(root)), now) for folder in folders]
    return sorted(runs, key=lambda run: (run.started or datetime.min.replace(tzinfo=UTC), run.name), reverse=True)


def read_run(folder: Path, name: str, now: float) -> RunSummary:
    """One run; whatever is wrong with it is in `reason`."""
    progress, job = read_progress(folder), Job(folder / "job")
    known: dict[str, Any] = {"progress": progress, "started": _made_at(folder)}
    job_state: JobState | None = None
    with contextlib.suppress(JobError, TypeError, ValueError):
        known["config"] = dict(job.record()["details"])
        job_state = job.state()
    try:
        known |= _content(folder, has_job=job_state is not None)
    except TrainingError as error:
        return RunSummary(name, folder, "damaged", str(error), **known)
    except OSError as error:
        return RunSummary(name, folder, "damaged", f"It cannot be read: {error.strerror}.", **known)
    if job_state == "running" or (progress is not None and progress.is_alive(now)):
        return RunSummary(name, folder, "running", by_page=job_state == "running", **known)
    if (folder / "model.safetensors").is_file():
        return RunSummary(name, folder, "finished", **known)
    if job_state == "stopped":
        return RunSummary(name, folder, "stopped", **known)
    if job_state == "failed":
        return RunSummary(name, folder, "failed", job.failure(), **known)
    return RunSummary(name, folder, "interrupted", INTERRUPTED, **known)


def without_paths(record: dict[str, Any]) -> dict[str, Any]:
    """A run's record with the last part alone of every path in its settings: what may be published.

    Folders tell who trained where, and nobody else has them.
    """
    config = record.get("config")
    if not isinstance(config, dict):
        return dict(record)
    name, _, place = str(config.get("data", "")).partition(":")
    short = {
        key: Path(path).name for key in ("init", "valence_arousal", "teacher_posteriors") if (path := config.get(key))
    }
    if place and name != "study":
        short["data"] = f"{name}:{Path(place).name}"
    published = {**record, "config": {**config, **short}}
    for source in [key for key, value in record.items() if key.endswith("_source") and isinstance(value, str)]:
        for key in ("valence_arousal", "teacher_posteriors"):
            if key in short:
                published[source] = published[source].replace(config[key], short[key])
    return published


def _run_folders(root: Path) -> Iterator[Path]:
    for folder in _subfolders(root):
        try:
            inside = [] if holds_run(folder) else [inner for inner in _subfolders(folder) if holds_run(inner)]
            yield from inside or ([folder] if holds_run(folder) else [])
        except OSError:
            yield folder  # its reading will say what is wrong


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def holds_run(folder: Path) -> bool:
    """Whether there is a run, or what is left of one, in the folder itself."""
    return any((folder / part).exists() for part in _PARTS)


def _made_at(folder: Path) -> datetime | None:
    for part in _PARTS:
        with contextlib.suppress(OSError):
            return datetime.fromtimestamp((folder / part).stat().st_mtime, UTC)
    return None


def _content(folder: Path, has_job: bool) -> dict[str, Any]:
    """What `config.json`, `metrics.jsonl` and `temperature.json` hold.

    Raises:
        TrainingError: one of them is missing or damaged.
    """
    path = folder / "config.json"
    if not path.exists():
        if has_job and not (folder / "checkpoint.pt").exists():
            return {}
        raise TrainingError("config.json is missing.")
    record = _read_object(path)
    config = record.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("epochs"), int):
        raise TrainingError("config.json is not a run's record.")
    found: dict[str, Any] = {"record": record, "config": config, "metrics": _read_metrics(folder / "metrics.jsonl")}
    found["seconds"] = sum(float(row.get("seconds", 0)) for row in found["metrics"])
    for teacher in folder.glob("teacher/*/metrics.jsonl"):
        found["seconds"] += sum(float(row.get("seconds", 0)) for row in _read_metrics(teacher))
    if isinstance(made := record.get("created_at"), str):
        with contextlib.suppress(ValueError):
            found["started"] = datetime.fromisoformat(made)
    if (temperature := folder / "temperature.json").exists():
        try:
            found["temperature"] = float(_read_object(temperature)["temperature"])
        except (KeyError, TypeError, ValueError):
            raise TrainingError("temperature.json has no temperature.") from None
    return found


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path.name} cannot be read: {error}.") from None
    if not isinstance(content, dict):
        raise TrainingError(f"{path.name} is not a JSON object.")
    return content


def _read_metrics(path: Path) -> Metrics:
    if not path.exists():
        return ()
    rows: list[dict[str, Any]] = []
    try:
        for line in path.read_text().splitlines():
            row = json.loads(line)
            int(row["epoch"])
            if not all(isinstance(value, int | float) for value in row.values()):
                raise ValueError("a value is not a number")
            rows.append(row)
    except OSError as error:
        raise TrainingError(f"{path.name} cannot be read: {error}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TrainingError(f"{path.name}, line {len(rows) + 1} is damaged.") from None
    return tuple(rows)
