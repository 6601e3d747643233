from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ldlva.errors import SurveyError
from ldlva.survey.export import COLUMNS, export_study
from ldlva.survey.protocol_file import read_protocol
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from tests.conftest import pictures
from tests.survey.test_participation import create, protocol, vote_on


def test_export_has_every_vote_in_both_formats_and_explains_every_column(
    repository: Repository, tmp_path: Path
) -> None:
    repository.create_study(NewStudy("demo", "Demo"), pictures(2))
    token = repository.enrol("demo").token
    image_id = repository.ballot(token).image_id
    assert image_id is not None
    repository.vote(token, image_id, "fear", response_ms=812)
    repository.undo(token)
    repository.vote(token, image_id, "anger", response_ms=400)
    study = repository.study("demo")
    folder = tmp_path / "out"
    export_study(study, repository.vote_rows(study), folder)

    rows = pq.read_table(folder / "votes.parquet").to_pylist()
    assert [(row["choice"], row["response_ms"], row["superseded_at"] is None) for row in rows] == [
        ("fear", 812, False),
        ("anger", 400, True),
    ]
    with (folder / "votes.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["choice"] for line in lines] == ["fear", "anger"]
    dictionary = json.loads((folder / "dictionary.json").read_text())
    assert list(dictionary["columns"]) == list(lines[0]) == list(rows[0]) == list(COLUMNS)
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_export_never_overwrites(repository: Repository, tmp_path: Path) -> None:
    repository.create_study(NewStudy("demo", "Demo"), pictures(1))
    study = repository.study("demo")
    export_study(study, [], tmp_path / "out")
    with pytest.raises(SurveyError, match="is not empty"):
        export_study(study, [], tmp_path / "out")


@pytest.mark.parametrize("named", [".", "..", "/"])
@pytest.mark.parametrize("where", ["full", "empty"])
def test_the_present_folder_and_those_above_it_are_refused(
    named: str, where: str, sqlite_repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(1))
    (tmp_path / "full" / "inner").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / where)
    with pytest.raises(SurveyError, match="is not empty, or the present one"):
        export_study(sqlite_repository.study("demo"), [], Path(named))
    assert sorted(path.name for path in tmp_path.rglob("*") if "survey.db" not in path.name) == [
        "empty",
        "full",
        "inner",
    ]


def test_an_unwritable_folder_is_named(repository: Repository, tmp_path: Path) -> None:
    repository.create_study(NewStudy("demo", "Demo"), pictures(1))
    (tmp_path / "file").write_text("")
    with pytest.raises(SurveyError, match="could not be written"):
        export_study(repository.study("demo"), [], tmp_path / "file" / "out")


def test_a_failed_export_leaves_nothing_and_can_be_repeated(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.create_study(NewStudy("demo", "Demo"), pictures(1))
    study = repository.study("demo")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("pyarrow.csv.write_csv", full)
        with pytest.raises(SurveyError, match="No space left"):
            export_study(study, [], tmp_path / "out")
    assert list(tmp_path.glob("*out*")) == []
    export_study(study, [], tmp_path / "out")


def test_the_export_has_volunteers_and_every_protocol_and_explains_them(repository: Repository, tmp_path: Path) -> None:
    questions = [
        {"key": "age", "text": "Your age?", "kind": "number"},
        {"key": "job", "text": "Your job?", "kind": "text"},
    ]
    first = protocol(response={"mode": "multiple", "option_order": "shuffled"}, demographics=questions)
    create(repository, first, 2)
    vote_on(repository, repository.enrol("s", demographics={"age": 33}).token, 1)
    repository.set_study_status("s", "paused")
    repository.set_protocol("s", protocol(response={"mode": "multiple", "option_order": "shuffled"}))
    study = repository.study("s")
    folder = tmp_path / "out"
    export_study(
        study,
        repository.vote_rows(study),
        folder,
        repository.volunteer_rows(study),
        repository.protocol_contents("s"),
    )
    [vote] = pq.read_table(folder / "votes.parquet").to_pylist()
    assert vote["choices"] == vote["choice"] == "fear"
    assert sorted(vote["options"].split("|")) == sorted([*study.labels, "none"])
    assert vote["protocol_hash"] == hashlib.sha256((folder / "protocol-1.json").read_bytes()).hexdigest() == first.hash
    assert read_protocol(folder / "protocol-1.toml") == first
    assert read_protocol(folder / "protocol-2.toml") == study.protocol
    [volunteer] = pq.read_table(folder / "volunteers.parquet").to_pylist()
    assert (volunteer["votes"], volunteer["showings"], volunteer["answer_age"]) == (1, 2, "33")
    columns = json.loads((folder / "dictionary.json").read_text())["volunteers"]["columns"]
    assert list(columns) == list(volunteer)
    assert columns["answer_age"]["meaning"] == "Answer to a question of an earlier protocol."
