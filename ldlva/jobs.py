"""Commands that run beside the web process: `python -m ldlva ...` in a process of its own, with a folder to tell of it.

```
JOBS/ID/job.json       what was started, when, and which process it is
        progress.json  how far the command says it is (see `ProgressFile`)
        log.txt        its output
        exit.json      its exit code, written by the command itself at its end
        stopped        present once somebody asked it to stop
        upload/        files it works on, if any; deleted once it has succeeded
```
A job's state follows from these files and from whether its process lives, never from the memory of the process that
started it: it survives a reload of the page and a restart of the server. A jobs folder belongs to one machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ldlva.errors import JobError
from ldlva.settings import PROJECT_ROOT, settings

JobState = Literal["running", "finished", "failed", "stopped"]

MAKING, MAPPING, PREDICTING = "study", "embedding", "predict"
"""Kinds of jobs that pages start about a study: that make one, map its faces, predict them. Results: `result_jobs`."""

Report = Callable[[int, int], None]
"""Called with how many of how many are done."""

WRITE_SECONDS = 0.2
"""A progress file is written at most this often within a stage."""

STOP_SECONDS = 5.0
"""A process that is asked to end and has not by then is killed."""

ABANDONED_SECONDS = 24 * 3600
"""A job folder that never got as far as starting is removed after this time."""

NICENESS = 10
"""Jobs give way to the web process: voters come first."""

_RECORD = {"kind", "arguments", "details", "pid", "process"}
_FOLDER_VARIABLE = "LDLVA_JOB_FOLDER"


@dataclass(frozen=True)
class Progress:
    """How far a command says it is; `total` is 0 where that is not known. `report` is what it tells at its end."""

    stage: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


class ProgressFile:
    """Writes a command's progress, each time as a whole file, so that no reader sees half of one.

    Args:
        path: the file; None writes nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stage = ""
        self._written = 0.0

    def __call__(
        self, stage: str, done: int = 0, total: int = 0, message: str = "", report: dict[str, Any] | None = None
    ) -> None:
        """Say how far the command is. A new stage, its end, and a report are always written.

        Raises:
            JobError: the file cannot be written.
        """
        if self._path is None:
            return
        due = stage != self._stage or done >= total > 0 or report is not None
        if not due and time.monotonic() - self._written < WRITE_SECONDS:
            return
        content = {"stage": stage, "done": done, "total": total, "message": message, "report": report or {}}
        _write_json(self._path, content)
        self._stage, self._written = stage, time.monotonic()

    def within(self, stage: str, message: str = "") -> Report:
        """A callback for one stage."""
        return lambda done, total: self(stage, done, total, message)


@dataclass(frozen=True)
class Job:
    """Handle on one job folder."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def log_file(self) -> Path:
        return self.folder / "log.txt"

    @property
    def progress_file(self) -> Path:
        """Where the job's command is to write its progress."""
        return self.folder / "progress.json"

    @property
    def upload(self) -> Path:
        """Folder for files the command works on; made when first asked for."""
        folder = self.folder / "upload"
        with _disk_errors(folder):
            folder.mkdir(exist_ok=True)
        return folder

    def record(self) -> dict[str, Any]:
        """Content of `job.json`: `kind`, `arguments`, `details`, `created_at`, `pid`, `process`.

        Raises:
            JobError: the folder holds no job, or its record is damaged.
        """
        found = _read_json(self.folder / "job.json")
        if not set(found) >= _RECORD:
            raise JobError(f"{self.folder} holds no job.")
        return found

    def start(self, kind: str, arguments: Sequence[str], details: dict[str, Any] | None = None) -> None:
        """Start `python -m ldlva ARGUMENTS` detached from this process; again, if it has ended.

        Args:
            kind: what sort of job it is, e.g. "study"; see `jobs`.
            arguments: the command and its options.
            details: whatever the caller wants to remember with it.

        Raises:
            JobError: it is running, or cannot be started.
        """
        if self.is_running():
            raise JobError("This job is running already.")
        for name in ("progress.json", "exit.json", "stopped"):
            (self.folder / name).unlink(missing_ok=True)
        # Not another working directory: the environment may name files relative to this one.
        path = os.pathsep.join(filter(None, (str(PROJECT_ROOT), os.environ.get("PYTHONPATH"))))
        with _disk_errors(self.folder), self.log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ldlva", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", _FOLDER_VARIABLE: str(self.folder)},
                start_new_session=True,
            )
        # Its end is noticed by the files; this only keeps a dead child from lingering as a zombie.
        threading.Thread(target=process.wait, name=f"job-{self.id}", daemon=True).start()
        record = {
            "kind": kind,
            "arguments": list(arguments),
            "details": details or {},
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "pid": process.pid,
            "process": process_identity(process.pid),
        }
        _write_json(self.folder / "job.json", record)

    def restart(self) -> None:
        """Start the same command again.

        Raises:
            JobError: it is running, or cannot be started.
        """
        record = self.record()
        self.start(record["kind"], record["arguments"], record["details"])

    def state(self) -> JobState:
        """What became of it.

        Raises:
            JobError: the folder holds no job.
        """
        # The process first: it writes its exit code before it ends.
        if self._is_alive():
            return "running"
        if _read_json(self.folder / "exit.json").get("code") == 0:
            return "finished"
        return "stopped" if (self.folder / "stopped").exists() else "failed"

    def progress(self) -> Progress:
        """How far the command last said it was."""
        content = _read_json(self.progress_file)
        try:
            return Progress(**content)
        except TypeError:
            return Progress()

    def failure(self) -> str:
        """Why it failed, as a person may read it: the command's error message, else the last line of its log."""
        with contextlib.suppress(OSError):
            log = self.log_file.read_text(encoding="utf-8", errors="replace").strip()
            if "code" in _read_json(self.folder / "exit.json") and log:
                _, found, message = f"\n{log}".rpartition("\nError: ")
                return message if found else log.splitlines()[-1].strip()
        return "It ended without a word: it was killed, perhaps for want of memory, or the machine was restarted."

    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return (self.folder / "job.json").is_file() and self.state() == "running"

    def stop(self) -> None:
        """End the command and everything it started; nothing happens if it has ended.

        Raises:
            JobError: it may not be ended by this user.
        """
        if not self._is_alive():
            return
        pid = int(self.record()["pid"])
        (self.folder / "stopped").touch()
        try:
            os.killpg(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while self._is_alive() and time.monotonic() < deadline:
                time.sleep(0.05)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        except PermissionError:
            raise JobError(f"Process {pid} belongs to another user and cannot be stopped from here.") from None
        while self._is_alive():
            time.sleep(0.01)

    def remove(self) -> None:
        """Delete the folder with all that is in it.

        Raises:
            JobError: it is running.
        """
        if self.is_running():
            raise JobError("This job is running. Stop it first.")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_alive(self) -> bool:
        record = self.record()
        return record["process"] is not None and process_identity(record["pid"]) == record["process"]


def new_job() -> Job:
    """A new, empty job folder.

    Raises:
        JobError: it cannot be made.
    """
    root = settings().jobs
    folder = root / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    with _disk_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        for other in root.iterdir():
            if not (other / "job.json").exists() and time.time() - other.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
        # The upload may be confidential: nobody else on the machine reads it.
        folder.mkdir(mode=0o700)
    return Job(folder)


def jobs(kind: str) -> list[Job]:
    """All started jobs of a kind, newest first; damaged folders are passed over."""
    root = settings().jobs
    if not root.is_dir():
        return []
    folders = sorted((path for path in root.iterdir() if path.is_dir()), reverse=True)
    records = ((path, _read_json(path / "job.json")) for path in folders)
    return [Job(path) for path, record in records if set(record) >= _RECORD and record["kind"] == kind]


def end_jobs(kind: str, concerned: Callable[[Job], bool]) -> list[Path]:
    """Stop and delete the jobs of a kind that something no longer wanted concerns.

    Returns:
        Folders that are still there: another user's.
    """
    ended = []
    for job in jobs(kind):
        with contextlib.suppress(JobError):  # of another user, or deleted meanwhile
            if concerned(job):
                ended.append(job.folder)
                job.stop()
                job.remove()
    return [folder for folder in ended if folder.exists()]


@contextlib.contextmanager
def recorded() -> Iterator[None]:
    """Around a whole command: if it runs as a job, record how it ended, and delete its upload if that was well."""
    folder = os.environ.pop(_FOLDER_VARIABLE, None)
    if folder is None:
        yield
        return
    os.nice(NICENESS)
    code = 1
    try:
        yield
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        raise
    finally:
        if code == 0:
            shutil.rmtree(Path(folder) / "upload", ignore_errors=True)
        with contextlib.suppress(JobError):
            _write_json(Path(folder) / "exit.json", {"code": code})


def process_identity(pid: int) -> str | None:
    """A living process's start, so that another process with the same number is told apart; None if there is none.

    A process that has ended but was not yet collected by its parent counts as gone.
    """
    if Path("/proc/self/stat").exists():
        try:
            # The name, in parentheses, may hold anything; see proc_pid_stat(5) for the fields behind it.
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{boot} {fields[19]}"
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    status, _, started = shown.stdout.strip().partition(" ")
    return None if not status or status.startswith("Z") else started.strip()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _disk_errors(path):
        part.write_text(json.dumps(content))
        part.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    """The file's object; empty if there is none or it is damaged."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JobError(f"{path} cannot be written: {error.strerror}. Free space, or set LDLVA_JOBS.") from None
