"""Every test here runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select, text

from ldlva.errors import SurveyError
from ldlva.survey.database import Database
from ldlva.survey.records import NewModel, NewStudy, NewVote
from ldlva.survey.repository import Repository
from ldlva.survey.schema import Vote
from tests.conftest import pictures

STUDY = NewStudy("demo", "Demo faces")


def vote_count(database: Database, current_only: bool) -> int:
    query = select(func.count()).select_from(Vote)
    with database.read() as session:
        return session.scalar(query.where(Vote.superseded_at.is_(None)) if current_only else query) or 0


def test_a_study_is_listed_with_its_counts(repository: Repository) -> None:
    repository.create_study(STUDY, pictures(3))
    study = repository.study("demo")
    assert (study.images, study.votes, study.volunteers, study.status) == (3, 0, 0, "open")
    assert [found.name for found in repository.studies()] == ["demo"]
    repository.create_study(NewStudy("later", "Later faces"), pictures(2))
    assert list(repository.study_titles().items()) == [("later", "Later faces"), ("demo", "Demo faces")]
    repository.clone_study("demo", "demo-2")
    assert list(repository.study_titles().values()) == ["Demo faces (demo-2)", "Later faces", "Demo faces (demo)"]


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (replace(STUDY, name="Demo Study"), "Bad study name"),
        (replace(STUDY, labels=("neutral", "joy")), "Unknown emotion 'joy'"),
        (replace(STUDY, faces_per_volunteer=0), "faces.per_volunteer is 0; allowed is"),
    ],
)
def test_a_bad_study_is_refused(repository: Repository, study: NewStudy, message: str) -> None:
    with pytest.raises(SurveyError, match=message):
        repository.create_study(study, pictures(2))
    assert repository.studies() == []


def test_a_taken_name_no_images_and_a_repeated_image_are_refused(repository: Repository) -> None:
    repository.create_study(STUDY, pictures(2))
    with pytest.raises(SurveyError, match="exists already"):
        repository.create_study(STUDY, pictures(2))
    with pytest.raises(SurveyError, match="at least one image"):
        repository.create_study(replace(STUDY, name="empty"), [])
    twins = [*pictures(2), replace(pictures(1)[0], name="copy.png")]
    with pytest.raises(SurveyError, match=r"copy\.png and face00\.png are the same image"):
        repository.create_study(replace(STUDY, name="twins"), twins)


@pytest.mark.parametrize("name", ["face\udcff.png", "face\x00.png", "two\nlines.png"])
def test_a_file_name_that_cannot_be_stored_is_refused(repository: Repository, name: str) -> None:
    with pytest.raises(SurveyError, match="characters that cannot be stored"):
        repository.create_study(STUDY, [replace(pictures(1)[0], name=name)])
    assert repository.studies() == []


def test_a_volunteer_votes_through_to_the_end(repository: Repository) -> None:
    repository.create_study(STUDY, pictures(3))
    token = repository.enrol("demo").token
    seen = []
    ballot = repository.ballot(token)
    while ballot.image_id is not None:
        seen.append(ballot.image_id)
        ballot = repository.vote(token, ballot.image_id, "fear", response_ms=700)
    assert len(set(seen)) == 3
    assert (ballot.done, ballot.total) == (3, 3)
    votes = repository.votes(repository.study("demo"))
    assert votes.counts.sum() == votes.counts[:, votes.labels.index("fear")].sum() == 3


def test_none_of_these_is_counted_apart(repository: Repository) -> None:
    repository.create_study(STUDY, pictures(1))
    token = repository.enrol("demo").token
    image_id = repository.ballot(token).image_id
    assert image_id is not None
    repository.vote(token, image_id, "none")
    votes = repository.votes(repository.study("demo"))
    assert (votes.counts.sum(), votes.none_counts.tolist()) == (0, [1])


def test_a_second_vote_on_a_face_changes_nothing(repository: Repository, database: Database) -> None:
    repository.create_study(STUDY, pictures(2))
    token = repository.enrol("demo").token
    image_id = repository.ballot(token).image_id
    assert image_id is not None
    repository.vote(token, image_id, "anger")
    ballot = repository.vote(token, image_id, "fear")
    assert ballot.done == 1
    assert vote_count(database, current_only=False) == 1


def test_many_tabs_at_once_leave_one_current_vote(repository: Repository, database: Database) -> None:
    repository.create_study(STUDY, pictures(1))
    token = repository.enrol("demo").token
    image_id = repository.ballot(token).image_id
    assert image_id is not None
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda choice: repository.vote(token, image_id, choice), ["anger", "fear"] * 8))
    assert vote_count(database, current_only=False) == 1


def test_the_database_itself_refuses_two_current_votes(repository: Repository, database: Database) -> None:
    from ldlva.errors import DatabaseError

    repository.create_study(STUDY, pictures(1))
    token = repository.enrol("demo").token
    ballot = repository.ballot(token)
    assert ballot.image_id is not None
    repository.vote(token, ballot.image_id, "anger")
    with pytest.raises(DatabaseError, match=r"uq_vote_current|UNIQUE"), database.write() as session:
        session.add(
            Vote(study_id=ballot.study_id, volunteer_id=ballot.volunteer_id, image_id=ballot.image_id, choice="fear")
        )


def test_tabs_served_by_different_processes_leave_one_current_vote(repository: Repository, database: Database) -> None:
    """A database object of its own per thread, as every replica of the web server has."""
    repository.create_study(STUDY, pictures(10))
    token = repository.enrol("demo").token
    replicas = [Database(database.engine.url.render_as_string(hide_password=False)) for _ in range(4)]
    for image_id in repository.votes(repository.study("demo")).image_ids:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda replica, face=image_id: Repository(replica).vote(token, face, "fear"), replicas))
    assert vote_count(database, current_only=False) == 10
    for replica in replicas:
        replica.close()


def test_many_volunteers_at_once_lose_no_vote(repository: Repository, database: Database) -> None:
    repository.create_study(STUDY, pictures(5))

    def take_part(_: int) -> None:
        token = repository.enrol("demo").token
        ballot = repository.ballot(token)
        while ballot.image_id is not None:
            ballot = repository.vote(token, ballot.image_id, "surprise")

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(take_part, range(24)))
    assert vote_count(database, current_only=True) == 24 * 5
    assert repository.votes(repository.study("demo")).counts.sum(axis=1).tolist() == [24] * 5


def test_undo_brings_the_face_back_and_keeps_the_old_vote(repository: Repository, database: Database) -> None:
    repository.create_study(STUDY, pictures(2))
    token = repository.enrol("demo").token
    first = repository.ballot(token).image_id
    assert first is not None
    second = repository.vote(token, first, "anger").image_id
    assert second is not None
    assert repository.vote(token, second, "anger").image_id is None
    assert repository.undo(token).image_id == second
    assert repository.undo(token).image_id == first
    assert repository.undo(token).done == 0
    repository.vote(token, first, "sadness")
    assert vote_count(database, current_only=True) == 1
    assert vote_count(database, current_only=False) == 3


def test_a_tampered_token_an_unknown_study_and_a_foreign_face_are_refused(repository: Repository) -> None:
    repository.create_study(STUDY, pictures(2))
    repository.create_study(replace(STUDY, name="other"), pictures(2))
    token = repository.enrol("demo").token
    with pytest.raises(SurveyError, match="link is not valid"):
        repository.ballot(token[:-1] + ("a" if token[-1] != "a" else "b"))
    with pytest.raises(SurveyError, match=r"no study named 'nope'") as caught:
        repository.enrol("nope")
    assert "other" not in str(caught.value)  # a volunteer hears of no study but the one of the link
    with pytest.raises(SurveyError, match=r"no study named 'nope'.*demo, other"):
        repository.study("nope")
    foreign = repository.votes(repository.study("other")).image_ids[0]
    with pytest.raises(SurveyError, match="not part of your list"):
        repository.vote(token, foreign, "fear")
    own = repository.ballot(token).image_id
    assert own is not None
    with pytest.raises(SurveyError, match="'joy' is not a choice"):
        repository.vote(token, own, "joy")
    assert repository.study("demo").votes == 0


def test_the_database_holds_no_token(repository: Repository, database: Database) -> None:
    repository.create_study(STUDY, pictures(1))
    token = repository.enrol("demo").token
    with database.read() as session:
        assert token not in str(session.execute(text("SELECT * FROM volunteer")).all())


@pytest.mark.parametrize("status", ["paused", "closed"])
def test_a_study_that_is_not_open_takes_no_votes(repository: Repository, status: str) -> None:
    repository.create_study(STUDY, pictures(1))
    token = repository.enrol("demo").token
    image_id = repository.ballot(token).image_id
    assert image_id is not None
    repository.set_study_status("demo", status)
    for attempt in (
        lambda: repository.enrol("demo"),
        lambda: repository.vote(token, image_id, "fear"),
        lambda: repository.undo(token),
    ):
        with pytest.raises(SurveyError, match=status):
            attempt()
    repository.set_study_status("demo", "open")
    assert repository.vote(token, image_id, "fear").done == 1


def test_faces_per_volunteer_spread_over_the_least_voted(repository: Repository) -> None:
    repository.create_study(replace(STUDY, faces_per_volunteer=2), pictures(6))
    for _ in range(3):
        token = repository.enrol("demo").token
        ballot = repository.ballot(token)
        assert ballot.total == 2
        while ballot.image_id is not None:
            ballot = repository.vote(token, ballot.image_id, "neutral")
    assert repository.votes(repository.study("demo")).counts.sum(axis=1).tolist() == [1] * 6


def test_imported_votes_count_and_keep_their_source(repository: Repository) -> None:
    votes = [NewVote(0, "face00.png", "fear", "fear"), NewVote(1, "face00.png", "none", "contempt")]
    repository.create_study(replace(STUDY, origin={"source": "ferplus"}), pictures(2), votes)
    study = repository.study("demo")
    assert (study.volunteers, study.imported_raters, study.votes) == (0, 2, 2)
    assert repository.votes(study).none_counts.tolist() == [1, 0]
    assert [row["source_choice"] for row in repository.vote_rows(study)] == ["fear", "contempt"]


@pytest.mark.parametrize(
    ("vote", "message"),
    [
        (NewVote(0, "face00.png", "joy", "joy"), "'joy'"),
        (NewVote(0, "nowhere.png", "fear", "fear"), "'nowhere.png', which is not in the study"),
    ],
)
def test_a_bad_import_leaves_nothing_behind(repository: Repository, vote: NewVote, message: str) -> None:
    with pytest.raises(SurveyError, match=message):
        repository.create_study(STUDY, pictures(1), [vote])
    assert repository.studies() == []


MODEL = NewModel("run1", "ce", "resnet18", STUDY.labels, "a" * 64, {"epochs": 3})


def test_predictions_are_stored_and_replaced(repository: Repository) -> None:
    repository.create_study(STUDY, pictures(2))
    study = repository.study("demo")
    ids = list(repository.votes(study).image_ids)
    uniform = np.full((2, 7), 1 / 7)
    certain = np.eye(7)[:2]
    repository.store_predictions(MODEL, ids, uniform, np.zeros((2, 4)))
    repository.store_predictions(MODEL, ids[:1], certain[:1], np.zeros((1, 4)))
    [stored] = repository.predictions(study)
    np.testing.assert_allclose(stored.probabilities, [certain[0], uniform[1]])
    assert (stored.name, stored.method, stored.details) == ("run1", "ce", {"epochs": 3})


def test_new_weights_drop_a_models_old_predictions(repository: Repository) -> None:
    repository.create_study(STUDY, pictures(2))
    study = repository.study("demo")
    ids = list(repository.votes(study).image_ids)
    repository.store_predictions(MODEL, ids, np.full((2, 7), 1 / 7), np.zeros((2, 4)))
    retrained = replace(MODEL, weights_sha256="b" * 64)
    with pytest.raises(SurveyError, match=r"'run1' with other weights has predicted demo.*--replace"):
        repository.store_predictions(retrained, ids[:1], np.eye(7)[:1], np.zeros((1, 4)))
    [kept] = repository.predictions(study)
    assert len(kept.image_ids) == 2
    repository.store_predictions(retrained, ids[:1], np.eye(7)[:1], np.zeros((1, 4)), replace=True)
    [stored] = repository.predictions(study)
    assert stored.image_ids == tuple(ids[:1])


@pytest.mark.parametrize(
    "other",
    [
        {"method": "dmue"},
        {"backbone": "resnet50"},
        {"details": {"data": {"source": "affectnet"}}},
    ],
)
def test_another_model_of_the_same_name_does_not_go_unasked(repository: Repository, other: dict[str, Any]) -> None:
    repository.create_study(STUDY, pictures(2))
    study = repository.study("demo")
    ids = list(repository.votes(study).image_ids)
    repository.store_predictions(MODEL, ids, np.full((2, 7), 1 / 7), np.zeros((2, 4)))
    namesake = replace(MODEL, weights_sha256="b" * 64, **other)
    with pytest.raises(SurveyError, match=r"'run1' already, and it is another one \(ce, resnet18\).*--replace"):
        repository.store_predictions(namesake, ids, np.eye(7)[:2], np.zeros((2, 4)))
    np.testing.assert_allclose(repository.predictions(study)[0].probabilities, 1 / 7)
    repository.store_predictions(replace(MODEL, weights_sha256="c" * 64), ids, np.eye(7)[:2], np.zeros((2, 4)))
    repository.store_predictions(namesake, ids, np.eye(7)[:2], np.zeros((2, 4)), replace=True)
    np.testing.assert_allclose(repository.predictions(study)[0].probabilities, np.eye(7)[:2])


def test_the_version_changes_with_every_vote_and_prediction_and_an_undo_brings_the_earlier_one_back(
    repository: Repository,
) -> None:
    repository.create_study(STUDY, pictures(2))
    study = repository.study("demo")
    token = repository.enrol("demo").token
    ids = list(repository.votes(study).image_ids)
    versions = [repository.version(study)]
    image_id = repository.ballot(token).image_id
    assert image_id is not None
    repository.vote(token, image_id, "fear")
    versions.append(repository.version(study))
    repository.undo(token)
    versions.append(repository.version(study))
    for _ in range(2):
        repository.store_predictions(MODEL, ids, np.full((2, 7), 1 / 7), np.zeros((2, 4)))
        versions.append(repository.version(study))
    assert versions[2] == versions[0]
    assert len(set(versions)) == 4
