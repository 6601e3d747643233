"""Who gets into a study, on SQLite and on PostgreSQL."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from ldlva.errors import SurveyError, VolunteerError
from ldlva.languages import language
from ldlva.survey.database import Database
from ldlva.survey.invitations import study_path
from ldlva.survey.repository import Repository
from tests.survey.test_participation import create, protocol, vote_on


def secret_of(path: str) -> str:
    return parse_qs(urlsplit(path).query)["i"][0]


def kind(error: pytest.ExceptionInfo[VolunteerError]) -> str:
    return error.value.kind


def test_an_unlisted_or_invited_study_is_on_no_list(repository: Repository) -> None:
    create(repository, protocol(), 1, "open")
    create(repository, protocol(access={"listed": False}), 1, "unlisted")
    create(repository, protocol(access={"who": "link"}), 1, "invited")
    create(repository, protocol(), 1, "paused")
    repository.set_study_status("paused", "paused")
    assert [study.name for study in repository.listed_open_studies()] == ["open"]
    assert repository.invited_study("unlisted").name == "unlisted"


def test_a_link_needs_its_secret(repository: Repository) -> None:
    create(repository, protocol(access={"who": "link"}), 1)
    path = study_path(repository.study("s"))
    assert path is not None
    for wrong in (None, "", "x" * 24, secret_of(path)[:-1]):
        for attempt in (repository.enrol, repository.invited_study):
            with pytest.raises(VolunteerError) as caught:
                attempt("s", invitation=wrong)
            assert kind(caught) == "invitation"
    assert repository.invited_study("s", secret_of(path)).name == "s"
    assert repository.enrol("s", invitation=secret_of(path)).resumed is False


def test_a_one_time_link_takes_one_volunteer_and_leads_back_to_it(repository: Repository, database: Database) -> None:
    create(repository, protocol(access={"who": "one_time"}), 2)
    assert study_path(repository.study("s")) is None
    first, second = (secret_of(path) for path in repository.invite("s", ["Ann", "Bo"]))
    with pytest.raises(VolunteerError):
        repository.enrol("s", invitation=repository.study("s").link_secret)
    assert repository.returning("s", invitation=first) is None
    enrolment = repository.enrol("s", invitation=first)
    vote_on(repository, enrolment.token, 1)
    assert repository.returning("s", invitation=first) == enrolment.token
    again = repository.enrol("s", invitation=first)
    assert (again.token, again.resumed) == (enrolment.token, True)
    assert repository.ballot(again.token).done == 1
    assert repository.enrol("s", invitation=second).token != enrolment.token
    assert repository.study("s").volunteers == 2
    assert [(i.note, i.used_at is not None) for i in repository.invitations("s")] == [("Ann", True), ("Bo", True)]
    with database.read() as session:
        stored = str(session.execute(text("SELECT * FROM invitation")).all())
    assert first not in stored

    repository.withdraw(enrolment.withdrawal_code)
    with pytest.raises(VolunteerError) as caught:
        repository.enrol("s", invitation=first)
    assert kind(caught) == "used"
    [link, other] = repository.invitations("s")
    assert (link.note, link.used_at, other.note) == ("", link.created_at, "Bo")


def test_a_one_time_link_of_another_study_opens_nothing(repository: Repository) -> None:
    create(repository, protocol(access={"who": "one_time"}), 1, "one")
    create(repository, protocol(access={"who": "one_time"}), 1, "two")
    [path] = repository.invite("one", [""])
    with pytest.raises(VolunteerError) as caught:
        repository.enrol("two", invitation=secret_of(path))
    assert kind(caught) == "invitation"


@pytest.mark.parametrize("storage", ["hashed", "plain"])
def test_a_participants_number_takes_part_once_and_is_stored_as_the_protocol_says(
    repository: Repository, database: Database, storage: str
) -> None:
    access = {"participant_id": "PROLIFIC_PID", "participant_id_required": True, "participant_id_storage": storage}
    create(repository, protocol(access=access, completion={"per_volunteer": True}), 1)
    assert study_path(repository.study("s")) == "/vote?study=s&PROLIFIC_PID=ID"
    for missing in (None, " "):
        with pytest.raises(VolunteerError) as caught:
            repository.enrol("s", participant_id=missing)
        assert kind(caught) == "participant_id"
    first = repository.enrol("s", participant_id="5f3a-unmistakeable")
    again = repository.enrol("s", participant_id=" 5f3a-unmistakeable ")
    assert (again.token, again.resumed) == (first.token, True)
    assert repository.enrol("s", participant_id="another").token != first.token
    assert repository.study("s").volunteers == 2
    with database.read() as session:
        stored = str(session.execute(text("SELECT * FROM volunteer")).all())
    assert ("5f3a-unmistakeable" in stored) == (storage == "plain")
    assert first.token not in stored
    code = vote_on(repository, first.token).completion_code
    row = repository.volunteer_rows(repository.study("s"))[0]
    assert code == row["completion_code"]
    assert code
    assert (row["participant_id"] == "5f3a-unmistakeable") == (storage == "plain")


@pytest.mark.parametrize("storage", ["hashed", "plain"])
def test_a_participants_number_comes_by_one_link_only(repository: Repository, storage: str) -> None:
    access = {"who": "one_time", "participant_id": "P", "participant_id_storage": storage}
    create(repository, protocol(access=access), 1)
    create(repository, protocol(access=access), 1, "other")
    first, second = (secret_of(path) for path in repository.invite("s", ["", ""]))
    enrolment = repository.enrol("s", invitation=first, participant_id="77")
    with pytest.raises(VolunteerError, match="took part by another link before") as caught:
        repository.enrol("s", invitation=second, participant_id=" 77")
    assert language("en").text(f"errors.{kind(caught)}", **caught.value.values)
    assert [i.used_at is not None for i in repository.invitations("s")] == [True, False]
    assert repository.enrol("s", invitation=first, participant_id="77").token == enrolment.token
    [elsewhere] = repository.invite("other", [""])
    assert repository.enrol("other", invitation=secret_of(elsewhere), participant_id="77").resumed is False
    repository.withdraw(enrolment.withdrawal_code)
    assert repository.enrol("s", invitation=second, participant_id="77").resumed is False


def test_codes_differ_between_volunteers_and_appear_when_done(repository: Repository) -> None:
    create(repository, protocol(completion={"per_volunteer": True}), 2)
    tokens = [repository.enrol("s").token for _ in range(2)]
    assert vote_on(repository, tokens[0], 1).completion_code is None
    codes = {vote_on(repository, token).completion_code for token in tokens}
    assert len(codes) == 2
    assert None not in codes
    create(repository, protocol(completion={"code": "FIXED"}), 1, "fixed")
    assert vote_on(repository, repository.enrol("fixed").token).completion_code == "FIXED"


def test_bad_requests_for_links_are_refused(repository: Repository) -> None:
    create(repository, protocol(), 1)
    for notes in ([], [""] * 10_001, ["x" * 201]):
        with pytest.raises(SurveyError):
            repository.invite("s", notes)
    with pytest.raises(SurveyError, match="no study named 'nope'"):
        repository.invite("nope", [""])
