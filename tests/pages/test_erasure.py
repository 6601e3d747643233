"""What was computed for a study is deleted once somebody's answers are erased, by whatever way that happens."""

from __future__ import annotations

import json
import sys

import pytest

from ldlva import cli, result_jobs
from ldlva.errors import VolunteerError
from ldlva.jobs import Job, jobs, new_job
from ldlva.survey import erasure
from ldlva.survey.repository import Repository
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


def test_deleting_a_study_deletes_its_results_alone(sqlite_repository: Repository) -> None:
    two_studies(sqlite_repository)
    others = computed(sqlite_repository, "other")
    computed(sqlite_repository, "s")
    sqlite_repository.set_study_status("s", "closed")
    erasure.delete_study(sqlite_repository, sqlite_repository.study("s"))
    assert remaining() == set(others)


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
