"""Jobs are real child processes here: nothing about starting, killing and stopping is imitated."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ldlva import jobs
from ldlva.errors import JobError
from ldlva.jobs import Job, Progress, ProgressFile, new_job

PATIENCE_SECONDS = 120
"""Jobs give way to everything else, so on a busy machine they start late."""

PROBE = """\
import os, pathlib, subprocess, sys, time
from ldlva.jobs import ProgressFile, recorded
with recorded():
    what = sys.argv[1]
    ProgressFile(pathlib.Path(os.environ["PROBE_PROGRESS"]))("Working", 3, 4, "so far")
    if what == "fail":
        print("first line"); print("Error: three pictures are broken:\\n- c.png", file=sys.stderr); sys.exit(1)
    if what == "raise":
        raise RuntimeError("a bug")
    if what == "sleep":
        child = subprocess.Popen(["sleep", "60"])
        print(child.pid, flush=True)
        time.sleep(60)
"""
"""Stands in for the package `ldlva` in a child: fails, sleeps or ends as it is told."""


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Job]:
    """Start a job whose command is `PROBE`, run by the interpreter that `sys.executable` names."""
    program = tmp_path / "python"
    (tmp_path / "probe.py").write_text(PROBE)
    program.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} {tmp_path / "probe.py"} "$@"\n')
    program.chmod(0o755)

    def begin(what: str) -> Job:
        job = new_job()
        (job.upload / "a.png").touch()
        monkeypatch.setenv("PROBE_PROGRESS", str(job.progress_file))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(program))
            job.start("probe", [what], {"title": "A job"})
        return job

    return begin


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE_SECONDS} s"
        time.sleep(0.02)


def test_a_job_runs_tells_how_far_it_is_and_finishes(start: Callable[[str], Job]) -> None:
    job = start("end")
    until(lambda: job.state() != "running")
    assert job.state() == "finished"
    assert job.progress() == Progress("Working", 3, 4, "so far")
    assert job.progress().share == 0.75
    assert not (job.folder / "upload").exists()
    assert [found.id for found in jobs.jobs("probe")] == [job.id]
    assert jobs.jobs("train") == []


def test_a_real_command_runs_as_a_job() -> None:
    job = new_job()
    job.start("study", ["study", "status", "nope", "open"])
    until(lambda: job.state() != "running")
    assert job.state() == "failed"
    assert job.failure() == "There is no study named 'nope'. Studies: none yet."


@pytest.mark.parametrize(
    ("what", "message"), [("fail", "three pictures are broken:\n- c.png"), ("raise", "RuntimeError: a bug")]
)
def test_a_failure_tells_the_error_or_the_last_line(start: Callable[[str], Job], what: str, message: str) -> None:
    job = start(what)
    until(lambda: job.state() != "running")
    assert job.state() == "failed"
    assert job.failure() == message
    assert (job.upload / "a.png").exists()


def test_a_killed_job_has_failed_and_can_be_started_again(start: Callable[[str], Job]) -> None:
    job = start("sleep")
    until(job.progress_file.exists)
    assert job.state() == "running"
    with pytest.raises(JobError, match="running already"):
        job.restart()
    with pytest.raises(JobError, match="Stop it first"):
        job.remove()
    os.kill(job.record()["pid"], signal.SIGKILL)
    until(lambda: job.state() != "running")
    os.killpg(job.record()["pid"], signal.SIGKILL)  # what it had started
    assert job.state() == "failed"
    assert "was killed" in job.failure()
    job.restart()
    until(lambda: job.state() != "running")
    assert "was killed" not in job.failure()  # the real command, which knows no `sleep`
    job.remove()
    assert not job.folder.exists()


def test_stopping_ends_everything_the_job_started(start: Callable[[str], Job]) -> None:
    job = start("sleep")
    until(lambda: job.log_file.read_text().strip())
    grandchild = int(job.log_file.read_text())
    assert jobs.process_identity(grandchild) is not None
    job.stop()
    assert job.state() == "stopped"
    until(lambda: jobs.process_identity(grandchild) is None)
    job.stop()
    assert job.state() == "stopped"


def test_a_job_that_ignores_the_request_to_end_is_killed(
    start: Callable[[str], Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "STOP_SECONDS", 0.1)
    job = new_job()
    stubborn = ["sh", "-c", "trap '' TERM; echo ready; while true; do sleep 1; done"]
    process = subprocess.Popen(stubborn, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    record = {"kind": "probe", "arguments": [], "details": {}, "pid": process.pid}
    content = record | {"process": jobs.process_identity(process.pid)}
    (job.folder / "job.json").write_text(json.dumps(content))
    job.stop()
    process.wait(timeout=10)
    process.stdout.close()
    assert job.state() == "stopped"


def test_the_state_survives_the_process_that_started_it(tmp_path: Path) -> None:
    """As after a restart of the server: nothing but files is left."""
    code = (
        "from ldlva.jobs import new_job; job = new_job();"
        "job.start('study', ['study', 'status', 'nope', 'open']); print(job.folder)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    job = Job(Path(shown.stdout.strip()))
    until(lambda: job.state() != "running")
    assert job.state() == "failed"
    assert "no study named 'nope'" in job.failure()


def test_another_process_with_the_same_number_is_not_the_job(start: Callable[[str], Job]) -> None:
    job = start("end")
    until(lambda: job.state() != "running")
    record = job.record()
    (job.folder / "exit.json").unlink()
    (job.folder / "job.json").write_text(json.dumps(record | {"pid": os.getpid()}))
    assert job.state() == "failed"
    job.stop()  # must not end this very process
    assert not (job.folder / "stopped").exists()


def test_progress_is_written_whole_and_not_too_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "WRITE_SECONDS", 60)
    job = Job(tmp_path)
    progress = ProgressFile(job.progress_file)
    step = progress.within("Reading", "a.png")
    step(1, 3)
    step(2, 3)
    assert job.progress() == Progress("Reading", 1, 3, "a.png")
    step(3, 3)
    assert job.progress().done == 3
    progress("Predicting", 0, 9)
    assert job.progress().stage == "Predicting"
    progress("Predicting", 1, 9, report={"faces": 9})
    assert job.progress().report == {"faces": 9}
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
    ProgressFile(None)("Reading", 1, 2)


def test_damaged_folders_are_passed_over_and_old_empty_ones_removed() -> None:
    abandoned, young = new_job(), new_job()
    (young.folder / "job.json").write_text("{")
    (new_job().folder / "job.json").write_text('{"kind": "study"}')
    os.utime(abandoned.folder, (0, 0))
    assert jobs.jobs("study") == []
    assert new_job().folder.stat().st_mode & 0o077 == 0
    assert not abandoned.folder.exists()
    with pytest.raises(JobError, match="holds no job"):
        young.record()
    young.progress_file.write_text('{"unknown": 1}')
    assert young.progress() == Progress()
