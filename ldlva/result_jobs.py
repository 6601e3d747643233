"""Results that a process beside the web server computes once per state of a study: found again, started, tidied up.

A page asks for a result by what it depends on. If that was computed, it is read; if it is being computed, the page
shows how far it is; else a process starts. While votes keep coming in, a result of the same models that is less than
`FRESH_SECONDS` old serves too, so that the page shows something between two votes. What was computed for a study is
forgotten once somebody has their answers erased.

A visitor waits for one result at a time: who asks for another ends the computation they waited for before, unless
somebody else waits for it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from ldlva.errors import JobError
from ldlva.jobs import Job, end_jobs, jobs, new_job

COMPARISON, AGREEMENT, REPORT = KINDS = ("comparison", "agreement", "report")

FRESH_SECONDS = 60.0
KEPT = 20
"""Newest results of a kind that stay on disk."""

RESULT = "result"
"""File or folder in the job's folder that holds the result."""

_starting = threading.Lock()
"""Two visitors who ask for the same result get one process, and none that somebody else is about to end."""


class Visit:
    """Who waits for a result. A visitor's page keeps it; once it is gone, nobody waits any more."""


_awaited: WeakKeyDictionary[Visit, Job] = WeakKeyDictionary()
"""What each visit asked for last, of this server: another server on the same folder starts again what is ended here."""


def result_file(job: Job) -> Path:
    """Where the job's command puts its result."""
    return job.folder / RESULT


def age_seconds(job: Job) -> float:
    """How long ago the job was started."""
    return (datetime.now(UTC) - datetime.fromisoformat(job.record()["created_at"])).total_seconds()


def find(kind: str, subject: Sequence[Any], version: Sequence[int]) -> Job | None:
    """The job whose result is for `subject` at `version`; else a fresh finished one for another version of it.

    Args:
        kind: of result.
        subject: what it is about, in JSON's own types; first of all which study, by more than its number.
        version: state of the votes it rests on.
    """
    same = [job for job in jobs(kind) if job.record()["details"].get("subject") == list(subject)]
    exact = next((job for job in same if job.record()["details"].get("version") == list(version)), None)
    if exact is not None and not same_but_lost(exact):
        return exact
    finished = (job for job in same if job.state() == "finished" and not same_but_lost(job))
    return next((job for job in finished if age_seconds(job) < FRESH_SECONDS), None)


def forget(study: str) -> None:
    """Delete what was computed for a study, and stop what is being computed: somebody's answers were erased.

    Results that name no study go too: an earlier version had only its number, which any database may have.

    Args:
        study: as it is first in their subjects.

    Raises:
        JobError: some of it cannot be deleted; the rest is.
    """
    if left := [str(folder) for kind in KINDS for folder in end_jobs(kind, lambda job: _study(job) in (study, None))]:
        raise JobError(f"Results that rest on erased answers are still there. Delete {', '.join(left)}.")


def _study(job: Job) -> str | None:
    subject = job.record()["details"].get("subject") or [None]
    return subject[0] if isinstance(subject[0], str) else None


def same_but_lost(job: Job) -> bool:
    """Finished, but its result is gone."""
    return job.state() == "finished" and not result_file(job).exists()


def find_or_start(
    kind: str, subject: Sequence[Any], version: Sequence[int], command: Sequence[str], visit: Visit | None = None
) -> Job:
    """As `find`, starting `command` where there is nothing.

    Args:
        command: the arguments of `python -m ldlva`; `{result}` and `{progress}` stand for the job's files.
        visit: who asks; what they waited for before is ended if nobody else waits for it. None: it runs on.

    Raises:
        JobError: the process cannot be started.
    """
    with _starting:
        found = find(kind, subject, version)
        if visit is not None and (before := _awaited.pop(visit, None)) not in (None, found):
            _end_unless_awaited(before)
        job = found or start(kind, subject, version, command)
        if visit is not None:
            _awaited[visit] = job
        return job


def _end_unless_awaited(job: Job) -> None:
    """Stop and delete a computation that is under way and that no visit waits for."""
    with contextlib.suppress(JobError):  # deleted meanwhile
        if job not in _awaited.values() and job.state() == "running":
            job.stop()
            job.remove()


def start(kind: str, subject: Sequence[Any], version: Sequence[int], command: Sequence[str]) -> Job:
    """Start the command whatever was computed before; old results of this kind are deleted.

    Raises:
        JobError: the process cannot be started.
    """
    for old in [job for job in jobs(kind) if job.state() != "running"][KEPT:]:
        old.remove()
    job = new_job()
    files = {"{result}": str(result_file(job)), "{progress}": str(job.progress_file)}
    arguments = [files.get(part, part) for part in command]
    job.start(kind, arguments, {"subject": list(subject), "version": list(version)})
    return job
