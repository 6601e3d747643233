"""Faces by disagreement, and follow-up studies of them, on both databases."""

from __future__ import annotations

import numpy as np
import pytest

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import SurveyError
from ldlva.survey.exploring import View, explore_study, follow_up, follow_up_name
from ldlva.survey.protocol_file import check_protocol
from ldlva.survey.records import NewModel, NewStudy, NewVote
from ldlva.survey.repository import Repository
from tests.conftest import pictures


def explored_study(repository: Repository, models: int = 2) -> None:
    """Six faces: on face i, i of ten votes are for fear, the rest for happiness. The models differ on face 1 only."""
    votes = [
        NewVote(rater, f"face{face:02d}.png", "fear" if rater < face else "happiness", "x")
        for face in range(6)
        for rater in range(10)
    ]
    repository.create_study(NewStudy("s", "Faces", origin={"source": "ferplus"}), pictures(6), votes)
    ids = list(repository.votes(repository.study("s")).image_ids)
    for number in range(models):
        probabilities = np.full((6, 7), 0.01)
        probabilities[:, 1] = 0.94
        if number:
            probabilities[1] = probabilities[1][::-1]
        model = NewModel(f"m{number}", "ce", "resnet18", EMOTION_NAMES, str(number) * 64, {})
        repository.store_predictions(model, ids, probabilities, np.zeros((6, 2)))


def test_votes_without_a_model_can_be_explored(repository: Repository) -> None:
    explored_study(repository, models=0)
    found = explore_study(repository, repository.study("s"))
    assert found.orders == ["ambiguity"]
    assert {key: len(values) for key, values in found.values.items()} == dict.fromkeys(found.values, 6)


def test_faces_are_sorted_and_filtered(repository: Repository) -> None:
    explored_study(repository)
    found = explore_study(repository, repository.study("s"))
    assert found.orders == ["divergence", "ambiguity", "conflict"]
    assert found.rows(View("ambiguity")) == [5, 4, 3, 2, 1, 0]
    assert found.rows(View("conflict"))[0] == 1
    assert found.rows(View("divergence", "m0"))[0] == 5
    assert found.rows(View("divergence", "m1"))[0] == 1
    assert found.rows(View("ambiguity", labels=("fear",))) == []
    disgust = View("ambiguity", labels=("disgust",), who="m1")
    assert found.rows(disgust) == [1]  # m1 has face 1 the other way round
    assert found.rows(View("ambiguity", labels=("disgust", "happiness"), who="m1")) == [5, 4, 3, 2, 1, 0]
    assert found.first(View("ambiguity"), 2) == [5, 4]
    assert found.first(View("divergence", "m1"), 1) == [1]
    assert found.first(disgust, 2) == [1]
    assert found.first(View("ambiguity", labels=("fear",)), 2) == []


def test_faces_without_a_value_are_not_taken(repository: Repository) -> None:
    votes = [NewVote(0, "face01.png", "fear", "x")]
    repository.create_study(NewStudy("s"), pictures(3), votes)
    found = explore_study(repository, repository.study("s"))
    assert found.rows(View("ambiguity")) == [1, 0, 2]
    assert found.first(View("ambiguity"), 3) == [1]


def test_what_is_missing_is_no_order(repository: Repository) -> None:
    repository.create_study(NewStudy("bare", "Bare"), pictures(3))
    assert explore_study(repository, repository.study("bare")).orders == []
    explored_study(repository, models=1)
    found = explore_study(repository, repository.study("s"))
    assert found.orders == ["divergence", "ambiguity"]
    with pytest.raises(SurveyError, match="needs two models"):
        follow_up(repository, repository.study("s"), "again", {"conflict": 3})


def test_a_follow_up_is_a_draft_of_those_faces_that_says_how_they_were_chosen(repository: Repository) -> None:
    explored_study(repository)
    names = follow_up(repository, repository.study("s"), "again", {"ambiguity": 2, "conflict": 1})
    assert names == ["face05.png", "face04.png", "face01.png"]
    made, source = repository.study("again"), repository.study("s")
    assert (made.status, made.images, made.votes, made.protocol) == ("draft", 3, 0, source.protocol)
    assert made.origin["cloned_from"] == "s"
    assert made.origin["chosen"] == {
        "by": [{"order": "ambiguity", "first": 2}, {"order": "conflict", "first": 1}],
        "votes": 60,
        "models": ["m0", "m1"],
        "faces": 3,
    }
    contents = {name: content for _, name, content in repository.images(source)}
    assert {name: content for _, name, content in repository.images(made)} == {
        name: contents[name] for name in sorted(names)
    }


def test_a_follow_up_is_named_after_its_study_and_numbered(repository: Repository) -> None:
    repository.create_study(NewStudy("s"), pictures(1))
    repository.create_study(NewStudy("long" * 20), pictures(1))
    short, long = repository.study("s"), repository.study("long" * 20)
    assert follow_up_name(short, {"s"}) == "s-again"
    assert follow_up_name(short, {"s", "s-again", "s-again-2"}) == "s-again-3"
    repository.clone_study(long.name, follow_up_name(long, {long.name}))
    repository.clone_study(long.name, follow_up_name(long, {study.name for study in repository.studies()}))


def test_practice_and_gold_faces_come_along(repository: Repository) -> None:
    protocol = check_protocol(
        {
            "title": "T",
            "consent": {"version": "1", "text": "Yes"},
            "faces": {"practice": ["face00.png"], "gold": {"face01.png": ["happiness"]}},
        },
        "test",
    )
    repository.create_study(NewStudy("s", protocol=protocol), pictures(6))
    repository.clone_study("s", "again", faces=["face04.png"])
    assert [name for _, name, _ in repository.images(repository.study("again"))] == [
        "face00.png", "face01.png", "face04.png",
    ]  # fmt: skip


def test_unknown_faces_and_taken_names_are_refused(repository: Repository) -> None:
    explored_study(repository)
    with pytest.raises(SurveyError, match=r"'x.png' is not among the faces"):
        repository.clone_study("s", "again", faces=["x.png"])
    with pytest.raises(SurveyError, match="exists already"):
        follow_up(repository, repository.study("s"), "s", {"ambiguity": 2})
    with pytest.raises(SurveyError, match=r"none is left to vote on|at least"):
        repository.clone_study("s", "again", faces=[])


def test_thousands_of_faces_are_lined_up_without_a_loop_over_them(sqlite_repository: Repository) -> None:
    """One query for votes and one for predictions, whatever the number of faces."""
    explored_study(sqlite_repository)
    statements: list[str] = []
    from sqlalchemy import event

    engine = sqlite_repository._database.engine
    event.listen(engine, "before_cursor_execute", lambda c, cursor, text, *rest: statements.append(text))
    study = sqlite_repository.study("s")
    statements.clear()
    found = explore_study(sqlite_repository, study)
    assert found.values["ambiguity"].shape == (6,)
    assert sum(text.lstrip().upper().startswith("SELECT") for text in statements) <= 8
