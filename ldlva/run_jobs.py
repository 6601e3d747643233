"""Training from a page: runs that are started, stopped and resumed as child processes."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ldlva.errors import JobError, TrainingError
from ldlva.jobs import PREDICTING, Job, jobs, new_job
from ldlva.run_folder import RunSummary, check_not_running, holds_run

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

_starting = threading.Lock()
"""A double click must not start a run twice."""


def check_name(root: Path, name: str) -> None:
    """Whether a new run may have this name.

    Raises:
        TrainingError: it is not a plain name, or it is taken.
    """
    if NAME.fullmatch(name) is None:
        raise TrainingError(
            f"{name!r} cannot be a run's name: up to 80 letters, digits, dots, dashes and underscores, beginning with "
            "a letter or digit."
        )
    if _is_taken(root / name):
        raise TrainingError(f"There is a run named {name!r} already. Choose another name, or resume that run.")


def free_name(root: Path, wanted: str) -> str:
    """`wanted`, with a number behind it if that name is taken."""
    wanted = re.sub(r"[^A-Za-z0-9._-]", "-", wanted).lstrip("._-")[:72] or "run"
    numbered = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, 10**6))
    return next(name for name in numbered if not _is_taken(root / name))


def start_run(root: Path, name: str, arguments: Sequence[str], config: dict[str, Any]) -> None:
    """Start `python -m ldlva train ARGUMENTS --out ROOT/NAME`.

    Args:
        root: the runs folder.
        name: of the new run.
        arguments: options of `train` without `--out`.
        config: what is being started, shown until the command has written the run's own record.

    Raises:
        LdlvaError: the name, or the process cannot be started.
    """
    with _starting:
        check_name(root, name)
        folder = (root / name).absolute()
        _start(folder, ["train", *arguments, "--out", str(folder)], config)


def resume_run(run: RunSummary) -> None:
    """Continue a run after its last finished epoch; one that never began is started anew.

    Raises:
        LdlvaError: it is running, or the process cannot be started.
    """
    with _starting:
        check_not_running(run.folder)
        if run.has_begun:
            _start(run.folder, ["train", "--resume", "--out", str(run.folder.absolute())], run.config)
        else:
            (run.folder / "progress.json").unlink(missing_ok=True)
            Job(run.folder / "job").restart()


def stop_run(run: RunSummary) -> None:
    """End a run that a page started; nothing happens if it has ended.

    Raises:
        JobError: it may not be ended by this user.
    """
    Job(run.folder / "job").stop()


def discard_run(run: RunSummary) -> None:
    """Delete the folder of a run that never began.

    Raises:
        LdlvaError: it has begun, or is running.
    """
    if run.has_begun or _is_taken(run.folder):
        raise TrainingError(f"{run.name} has begun to train. To delete it, choose Delete.")
    Job(run.folder / "job").remove()
    shutil.rmtree(run.folder, ignore_errors=True)


def delete_run(run: RunSummary) -> None:
    """Delete a run that has ended, its weights and its teachers. What it predicted is in the database, and stays.

    Raises:
        LdlvaError: it is training or predicting, it is no run, or its folder cannot be deleted.
    """
    with _starting:
        check_not_running(run.folder)
        predictions = _predictions(run)
        if Job(run.folder / "job").is_running():
            raise TrainingError(f"{run.name} is being trained. Stop it first.")
        if any(prediction.state() == "running" for prediction in predictions):
            raise TrainingError(f"{run.name} is predicting. Wait for it, then delete the run.")
        try:
            if not holds_run(run.folder):
                raise TrainingError(f"{run.folder} is not a run but holds some, perhaps. Delete it by hand.")
            shutil.rmtree(run.folder.resolve())
            if run.folder.is_symlink():
                run.folder.unlink()
        except OSError as error:
            raise TrainingError(f"{run.folder} cannot be deleted: {error.strerror or error}.") from None
        for ended in predictions:  # another run may have this name some day
            ended.remove()


def last_lines(run: RunSummary, count: int = 20) -> str:
    """The end of the log of a run that a page started."""
    try:
        lines = Job(run.folder / "job").log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join([line for line in lines if line.strip()][-count:])


def predict(run: RunSummary, study: str) -> None:
    """Start `python -m ldlva predict` with a finished run for a study.

    Raises:
        LdlvaError: it is not finished, is predicting already, or the process cannot be started.
    """
    if run.state != "finished":
        raise TrainingError(f"{run.name} has not finished training.")
    with _starting:
        before = prediction(run)
        if before is not None and before.state() == "running":
            raise TrainingError(f"{run.name} is predicting already.")
        arguments = ["predict", "--run", str(run.folder.absolute()), "--study", study]
        new_job().start(PREDICTING, arguments, {"run": str(run.folder.absolute()), "study": study})


def prediction(run: RunSummary) -> Job | None:
    """The latest prediction with this run that a page started."""
    return next(iter(_predictions(run)), None)


def _predictions(run: RunSummary) -> list[Job]:
    folder = str(run.folder.absolute())
    return [job for job in jobs(PREDICTING) if job.record()["details"].get("run") == folder]


def _is_taken(folder: Path) -> bool:
    """A folder with nothing but the traces of a start that failed is free."""
    if not folder.exists():
        return False
    try:
        traces = {path.name for path in folder.iterdir()} <= {"job", "progress.json"}
        return not traces or Job(folder / "job").state() == "running"
    except (OSError, JobError):
        return True


def _start(folder: Path, arguments: list[str], config: dict[str, Any]) -> None:
    check_not_running(folder)
    try:
        (folder / "job").mkdir(parents=True, exist_ok=True)
        (folder / "progress.json").unlink(missing_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written: {error.strerror}. Free space, or set LDLVA_RUNS.") from None
    Job(folder / "job").start("train", arguments, config)
