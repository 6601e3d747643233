"""Deleting studies, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import SurveyError
from ldlva.survey.database import Database
from ldlva.survey.records import NewModel, NewStudy
from ldlva.survey.repository import Repository
from ldlva.survey.schema import Base, Image, Model, Study
from tests.conftest import pictures
from tests.survey.test_invitations import secret_of
from tests.survey.test_participation import protocol, vote_on


def predict(repository: Repository, model: str, *studies: str) -> None:
    new = NewModel(model, "ce", "resnet18", EMOTION_NAMES, "0" * 64, {})
    for study in studies:
        ids = [image_id for image_id, _, _ in repository.images(repository.study(study))]
        equal = np.full((len(ids), 7), 1 / 7)
        repository.store_predictions(new, ids, equal, np.zeros((len(ids), 2), np.float32))


def rows(database: Database) -> dict[str, set[tuple[object, ...]]]:
    """Everything in the database, table by table."""
    with database.read() as session:
        return {
            table.name: {tuple(map(str, row)) for row in session.execute(select(table)).all()}
            for table in Base.metadata.sorted_tables
        }


def voted(repository: Repository, name: str) -> None:
    repository.create_study(NewStudy(name, protocol=protocol(access={"who": "one_time"})), pictures(3))
    token = repository.enrol(name, invitation=secret_of(repository.invite(name, ["Ann", "Bob"])[0])).token
    vote_on(repository, token, 2)
    repository.undo(token)


def test_everything_of_a_study_goes_and_nothing_of_another(repository: Repository, database: Database) -> None:
    voted(repository, "keeps")
    predict(repository, "both", "keeps")
    before = rows(database)
    voted(repository, "goes")
    predict(repository, "both", "goes")
    predict(repository, "alone", "goes")
    repository.set_study_status("goes", "closed")

    deleted = repository.delete_study(repository.study("goes"))
    assert (deleted.faces, deleted.volunteers, deleted.votes, deleted.models) == (3, 1, 2, ("alone",))
    assert rows(database) == before


def test_an_open_study_and_one_that_is_gone_are_refused(repository: Repository, database: Database) -> None:
    voted(repository, "s")
    study = repository.study("s")
    before = rows(database)
    with pytest.raises(SurveyError, match=r"open.*Close it first"):
        repository.delete_study(study)
    assert rows(database) == before
    repository.set_study_status("s", "paused")
    repository.delete_study(study)
    with pytest.raises(SurveyError, match="not there any more"):
        repository.delete_study(study)


def test_who_still_works_with_a_deleted_study_is_told_so(repository: Repository, database: Database) -> None:
    repository.create_study(NewStudy("s", "S", status="draft"), pictures(2))
    study = repository.study("s")
    ids = [image_id for image_id, _, _ in repository.images(study)]
    repository.delete_study(study)
    for ask in (repository.version, repository.progress):
        with pytest.raises(SurveyError, match="not there any more"):
            ask(study)
    model = NewModel("m", "ce", "resnet18", EMOTION_NAMES, "0" * 64, {})
    with pytest.raises(SurveyError, match=r"deleted while its faces were predicted; nothing was stored"):
        repository.store_predictions(model, ids, np.full((2, 7), 1 / 7), np.zeros((2, 2), np.float32))
    assert not rows(database)["model"]


def test_what_comes_after_has_numbers_of_its_own(repository: Repository, database: Database) -> None:
    """A prediction on its way to a deleted face must not end at another one."""
    ids = []
    for _ in range(2):
        repository.create_study(NewStudy("s", "S", status="draft"), pictures(2))
        with database.read() as session:
            ids += [*session.scalars(select(Study.id)), *session.scalars(select(Image.id))]
        repository.delete_study(repository.study("s"))
    assert len(set(ids[:1] + ids[3:4])) == 2
    assert len(set(ids[1:3] + ids[4:])) == 4


def test_a_deleted_study_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    database.prepare()
    repository = Repository(database)
    repository.create_study(NewStudy("s", "Unmistakeable title", status="draft"), pictures(2))
    picture = repository.images(repository.study("s"))[0][2]

    def in_the_files() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert b"Unmistakeable" in in_the_files() and picture[:500] in in_the_files()
    repository.delete_study(repository.study("s"))
    assert b"Unmistakeable" not in in_the_files() and picture[:500] not in in_the_files()


def test_a_model_may_be_imported_anew_under_its_name(repository: Repository, database: Database) -> None:
    repository.create_study(NewStudy("s", "S", status="draft"), pictures(2))
    predict(repository, "m", "s")
    repository.delete_study(repository.study("s"))
    with database.read() as session:
        assert session.scalars(select(Model)).all() == []
