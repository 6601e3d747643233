"""What was computed for a study is deleted once somebody's answers are erased, by whatever way that happens."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ldlva import cli, result_jobs
from ldlva.embedding import cache
from ldlva.embedding.embedding import write
from ldlva.errors import VolunteerError
from ldlva.jobs import MAKING, MAPPING, PREDICTING, Job, jobs, new_job
from ldlva.survey import erasure
from ldlva.survey.records import Withdrawal
from ldlva.survey.repository import Repository
from tests.embedding.test_embedding import drawn, some_faces
from tests.pages.test_pages import alert, html, open_page
from tests.pages.test_studies import press
from tests.survey.test_participation import create, protocol, vote_on


def computed(repository: Repository, name: str) -> list[Job]:
    """A result of every kind for a study, as its process leaves it."""
    made = []
    for kind in result_jobs.KINDS:
        job = new_job()
        details = {"subject": [repository.study(name).identity, 0], "version": [1]}
        record = {"kind": kind, "arguments": [], "details": details, "pid": 0, "process": None}
        (job.folder / "job.json").write_text(json.dumps(record))
        (job.folder / "exit.json").write_text('{"code": 0}')
        result_jobs.result_file(job).write_text("volunteer 1")
        made.append(job)
    return made


def remaining() -> set[Job]:
    return {job for kind in result_jobs.KINDS for job in jobs(kind)}


def two_studies(repository: Repository, **tables: object) -> None:
    for name in ("s", "other"):
        create(repository, protocol(**tables), 1, name)


def test_a_withdrawal_deletes_the_results_of_its_study_alone(sqlite_repository: Repository) -> None:
    two_studies(sqlite_repository)
    goes = sqlite_repository.enrol("s")
    vote_on(sqlite_repository, goes.token)
    results, others = computed(sqlite_repository, "s"), computed(sqlite_repository, "other")
    with pytest.raises(VolunteerError):
        erasure.withdraw(sqlite_repository, "mistyped")
    assert remaining() == {*results, *others}
    assert erasure.withdraw(sqlite_repository, goes.withdrawal_code).votes == 1
    assert remaining() == set(others)


def a_map(name: str) -> Path:
    """A map of a study, as the page has it computed."""
    folder = cache.folder("views") / f"of-{name}"
    write(drawn(replace(some_faces(), source=f"study:{name}")), [b"jpeg"], "<svg/>", folder)
    return folder


def ended_job(kind: str, code: int, **details: str) -> Job:
    job = new_job()
    record = {"kind": kind, "arguments": [], "details": details, "created_at": "2026-01-01T00:00:00+00:00"}
    (job.folder / "job.json").write_text(json.dumps(record | {"pid": 0, "process": None}))
    (job.folder / "exit.json").write_text(json.dumps({"code": code}))
    return job


def test_deleting_a_study_deletes_all_that_was_computed_for_it_and_nothing_else(sqlite_repository: Repository) -> None:
    two_studies(sqlite_repository)
    others = computed(sqlite_repository, "other")
    computed(sqlite_repository, "s")
    goes, stays = a_map("s"), a_map("other")
    gone = [
        ended_job(MAKING, 0, name="s"),
        ended_job(PREDICTING, 0, study="s", run="/r"),
        ended_job(MAPPING, 0, source="study:s", key="k"),
    ]
    kept = [
        ended_job(MAKING, 1, name="s"),  # may be tried again, with what was entered
        ended_job(MAKING, 0, name="other"),
        ended_job(PREDICTING, 0, study="other", run="/r"),
        ended_job(MAPPING, 0, source="study:other", key="k"),
    ]
    sqlite_repository.set_study_status("s", "closed")
    deleted, left = erasure.delete_study(sqlite_repository, sqlite_repository.study("s"))
    assert (deleted.faces, left) == (1, "")
    assert remaining() == set(others)
    assert not goes.exists() and stays.exists()
    assert not any(job.folder.exists() for job in gone)
    assert all(job.folder.exists() for job in kept)


def test_a_result_that_cannot_be_deleted_is_named_and_the_study_is_gone(
    sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_studies(sqlite_repository)
    results = computed(sqlite_repository, "s")
    sqlite_repository.set_study_status("s", "closed")
    app = open_page("studies", study="s")
    app.segmented_control(key="section").set_value("Data").run()
    app.text_input(key="delete-name").set_value("s")
    monkeypatch.setattr(Job, "remove", lambda _: None)
    press(app, "delete")
    assert "“T” (s) is gone for ever, with 1 face and 0 votes." in html(app)
    assert str(results[0].folder) in html(app)
    assert not sqlite_repository.has_study("s")


def test_a_withdrawal_deletes_the_maps_of_its_study(sqlite_repository: Repository) -> None:
    two_studies(sqlite_repository)
    volunteer = sqlite_repository.enrol("s")
    goes, stays = a_map("s"), a_map("other")
    erasure.withdraw(sqlite_repository, volunteer.withdrawal_code)
    assert not goes.exists() and stays.exists()


def test_a_volunteer_who_withdraws_while_the_study_is_deleted_is_not_shown_other_studies(
    sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_studies(sqlite_repository)
    volunteer = sqlite_repository.enrol("s")
    withdraw = sqlite_repository.withdraw

    def and_then_it_is_deleted(code: str) -> Withdrawal:
        erased = withdraw(code)
        sqlite_repository.set_study_status("s", "closed")
        sqlite_repository.delete_study(sqlite_repository.study("s"))
        return erased

    monkeypatch.setattr(sqlite_repository, "withdraw", and_then_it_is_deleted)
    assert erasure.withdraw(sqlite_repository, volunteer.withdrawal_code).votes == 0


def test_withdrawing_on_the_volunteers_page_deletes_results(sqlite_repository: Repository) -> None:
    two_studies(sqlite_repository)
    goes = sqlite_repository.enrol("s")
    computed(sqlite_repository, "s")
    app = open_page("withdraw", v=goes.token)
    press(app, "erase")
    press(app, "sure")
    assert 'role="status"' in html(app)
    assert not remaining()


def test_without_a_code_the_page_says_that_nothing_is_stored_under_it(sqlite_repository: Repository) -> None:
    app = open_page("withdraw")
    press(app, "erase")
    assert "Nothing is stored under this code" in alert(app)
    assert [button.key for button in app.button] == ["erase"]


def test_withdrawing_a_volunteer_as_a_researcher_deletes_results(sqlite_repository: Repository) -> None:
    two_studies(sqlite_repository)
    goes = sqlite_repository.enrol("s")
    computed(sqlite_repository, "s")
    app = open_page("studies", study="s")
    app.segmented_control(key="section").set_value("Data").run()
    app.text_input(key="withdrawal-code").set_value(goes.withdrawal_code)
    press(app, "withdraw")
    assert not remaining()


def test_the_command_deletes_results(sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    two_studies(sqlite_repository)
    goes = sqlite_repository.enrol("s")
    computed(sqlite_repository, "s")
    monkeypatch.setattr(sys, "argv", ["ldlva", "study", "withdraw", goes.withdrawal_code])
    with pytest.raises(SystemExit):
        cli.main()
    assert not remaining()


def test_a_result_that_cannot_be_deleted_is_logged_and_the_withdrawal_stands(
    sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    two_studies(sqlite_repository)
    goes = sqlite_repository.enrol("s")
    results = computed(sqlite_repository, "s")
    monkeypatch.setattr(Job, "remove", lambda _: None)
    erasure.withdraw(sqlite_repository, goes.withdrawal_code)
    assert sqlite_repository.study("s").withdrawn == 1
    assert all(str(job.folder) in caplog.text for job in results)
