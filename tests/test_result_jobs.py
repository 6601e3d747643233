"""A result is computed once per state, found again, and tidied up; newer votes may wait a minute."""

from __future__ import annotations

import time

import pytest

from ldlva import result_jobs
from ldlva.jobs import Job, jobs

COMMAND = ["predictions", "--help"]  # the quickest command there is


def finished(job: Job) -> Job:
    for _ in range(300):
        if job.state() != "running":
            return job
        time.sleep(0.05)
    raise AssertionError("the job never ended")


def made(subject: list[object], version: list[int]) -> Job:
    job = finished(result_jobs.find_or_start("test", subject, version, COMMAND))
    result_jobs.result_file(job).write_text("result")
    return job


def test_the_same_state_is_computed_once_and_another_subject_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made([1, None], [5, 7])
    assert result_jobs.find_or_start("test", [1, None], [5, 7], COMMAND) == first
    assert made([1, ["a"]], [5, 7]) != first
    # Newer votes: a fresh result serves; after a minute it does not.
    assert result_jobs.find_or_start("test", [1, None], [6, 8], COMMAND) == first
    monkeypatch.setattr(result_jobs, "FRESH_SECONDS", 0.0)
    assert made([1, None], [6, 8]) != first


@pytest.mark.parametrize("fresh", [0.0, 60.0])
def test_a_lost_result_is_computed_again(fresh: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_jobs, "FRESH_SECONDS", fresh)
    first = made([1], [1])
    result_jobs.result_file(first).unlink()
    assert result_jobs.find_or_start("test", [1], [1], COMMAND) != first


def test_old_results_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_jobs, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(result_jobs, "KEPT", 1)
    for version in range(3):
        made([1], [version])
    assert len(jobs("test")) == 2


def test_what_was_and_is_being_computed_for_a_study_is_forgotten_with_results_of_unknown_studies() -> None:
    other = finished(result_jobs.start("agreement", ["b", 0], [1], COMMAND))
    done = finished(result_jobs.start("agreement", ["a", 0], [1], COMMAND))
    unknown = finished(result_jobs.start("comparison", [1, None], [1], COMMAND))
    running = result_jobs.start("report", ["a", 0], [1], COMMAND)
    result_jobs.forget("a")
    assert not any(job.folder.exists() for job in (done, running, unknown))
    assert jobs("agreement") == [other]


def test_who_asks_for_another_result_ends_the_one_they_waited_for_unless_somebody_else_does() -> None:
    def asked(visit: result_jobs.Visit, subject: int) -> Job:
        return result_jobs.find_or_start("test", [subject], [1], COMMAND, visit)

    one, other = result_jobs.Visit(), result_jobs.Visit()
    first = asked(one, 1)
    assert asked(other, 1) == first
    second = asked(one, 2)
    assert first.state() == "running"
    assert asked(other, 2) == second
    assert jobs("test") == [second]
    result_jobs.result_file(finished(second)).write_text("result")
    third = asked(one, 3)
    assert asked(other, 3) == third
    del other  # closed the page
    assert asked(one, 2) == second
    assert jobs("test") == [second]


def test_placeholders_become_the_jobs_files() -> None:
    job = result_jobs.start("test", [1], [1], ["predictions", "--help", "{result}", "{progress}"])
    arguments = finished(job).record()["arguments"]
    assert arguments[2:] == [str(result_jobs.result_file(job)), str(job.progress_file)]
