"""What of a study's stored predictions is compared where labels differ, and with which temperature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import NotYetError, SurveyError
from ldlva.survey.comparing import (
    align_study,
    compare_study,
    dump_result,
    label_difference,
    load_result,
    shared_labels,
    temperature,
)
from ldlva.survey.dataset import study_dataset
from ldlva.survey.demo import DEMO
from ldlva.survey.records import NewModel, NewStudy, NewVote
from ldlva.survey.repository import Repository
from tests.conftest import pictures
from tests.survey.test_participation import protocol


def study_with(repository: Repository, labels: dict[str, Any], choices: list[str], **more: Any) -> None:
    """Six faces with the same votes each, predicted by one model of the seven labels."""
    votes = [
        NewVote(rater, f"face{face:02d}.png", choice, choice)
        for face in range(6)
        for rater, choice in enumerate(choices)
    ]
    repository.create_study(NewStudy("s", protocol=protocol(labels=labels, **more)), pictures(6), votes)
    ids = [image_id for image_id, _, _ in repository.images(repository.study("s"))]
    rows = np.tile(np.array([0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1]), (6, 1))
    repository.store_predictions(NewModel("m", "ce", "r", EMOTION_NAMES, "0" * 64, {}), ids, rows, np.zeros((6, 2)))


def test_votes_for_contempt_are_left_out_and_said(sqlite_repository: Repository) -> None:
    study_with(sqlite_repository, {"set": "basic8"}, ["fear", "fear", "contempt"])
    compared = compare_study(sqlite_repository, sqlite_repository.study("s"))
    assert compared.votes.labels == EMOTION_NAMES
    assert compared.comparison.votes_per_image == (2, 2)
    [note] = compared.to_json()["notes"]
    assert "contempt" in note
    assert "6 of 18 votes" in note


def test_labels_in_another_order_are_lined_up_by_name(sqlite_repository: Repository) -> None:
    reverse = {"set": "own", "own": [{"name": name} for name in reversed(EMOTION_NAMES)]}
    study_with(sqlite_repository, reverse, ["fear", "fear", "anger"])
    compared = compare_study(sqlite_repository, sqlite_repository.study("s"))
    column = compared.votes.labels.index("fear")
    assert compared.predictions["m"][:, column].tolist() == [0.4] * 6
    assert compared.comparison.models[0].accuracy == 1.0
    assert compared.notes == ()


def test_labels_that_a_model_does_not_fit_into_are_explained(sqlite_repository: Repository) -> None:
    study_with(sqlite_repository, {"set": "own", "own": [{"name": "pride"}, {"name": "fear"}]}, ["pride"])
    with pytest.raises(NotYetError, match=r"asks for pride, fear\. .* it predicts anger, .* it cannot predict pride"):
        compare_study(sqlite_repository, sqlite_repository.study("s"))


def test_several_answers_are_said_to_be_dependent(sqlite_repository: Repository) -> None:
    study_with(sqlite_repository, {}, ["fear", "fear"], response={"mode": "multiple"})
    assert "not independent" in compare_study(sqlite_repository, sqlite_repository.study("s")).notes[0]


def test_the_largest_label_set_that_fits_is_compared() -> None:
    assert shared_labels(["a", "b", "c"], [["b", "a"], ["a"], ["d"]]) == ("a", "b")
    assert shared_labels(["a"], [["a", "b"]]) is None


def test_a_data_set_counts_votes_outside_the_seven_as_left_out(sqlite_repository: Repository) -> None:
    study_with(sqlite_repository, {"set": "basic8"}, ["fear"] * 5 + ["contempt"])
    found = [part for part in ("train", "valid", "test") if part in _parts(sqlite_repository)]
    dataset = study_dataset(sqlite_repository, "s", found[0], image_size=16)
    assert dataset.left_out == {"votes for contempt, which is not among the seven": 6}


def _parts(repository: Repository) -> set[str]:
    from ldlva.survey.dataset import part_of

    return {part_of(content) for _, _, content in repository.images(repository.study("s"))}


FERPLUS_VALID = {"temperature": {"temperature": 1.3, "fitted_on": {"source": "ferplus", "split": "valid", "n": 90}}}


def studied(repository: Repository, labels: dict[str, tuple[str, ...]]) -> None:
    votes = [NewVote(r, f"face{i:02d}.png", EMOTION_NAMES[i % 7], "x") for i in range(6) for r in range(3)]
    repository.create_study(NewStudy("demo", "Demo"), pictures(6), votes)
    ids = repository.votes(repository.study("demo")).image_ids
    for name, columns in labels.items():
        rows = np.full((6, len(columns)), 0.1)
        rows[:, columns.index("fear")] += 1 - 0.1 * len(columns)
        model = NewModel(name, "ce", "resnet18", columns, name * 8, {})
        repository.store_predictions(model, ids, rows, np.zeros((6, 2)))


def test_labels_in_another_order_are_put_in_order_and_other_labels_explained(sqlite_repository: Repository) -> None:
    labels = {"turned": EMOTION_NAMES[::-1], "more": (*EMOTION_NAMES, "contempt"), "fewer": EMOTION_NAMES[:5]}
    studied(sqlite_repository, labels)
    study = sqlite_repository.study("demo")
    aligned = align_study(sqlite_repository, study)
    assert list(aligned.predictions) == ["turned"]
    assert (aligned.predictions["turned"].argmax(axis=1) == EMOTION_NAMES.index("fear")).all()
    assert aligned.incomparable["more"] == "it predicts contempt, which volunteers could not choose."
    assert aligned.incomparable["fewer"] == "it cannot predict anger, disgust, which they could."
    assert label_difference(EMOTION_NAMES[::-1], EMOTION_NAMES) == ""
    with pytest.raises(NotYetError, match="more: it predicts contempt"):
        align_study(sqlite_repository, study, ["more"])
    with pytest.raises(SurveyError, match="Models that did: fewer, more, turned"):
        align_study(sqlite_repository, study, ["nobody"])


def test_a_stored_result_keeps_the_votes_it_rests_on(sqlite_repository: Repository) -> None:
    studied(sqlite_repository, {"model": EMOTION_NAMES})
    study = sqlite_repository.study("demo")
    compared = compare_study(sqlite_repository, study)
    stored = dump_result(compared)
    token = sqlite_repository.enrol("demo").token
    sqlite_repository.vote(token, sqlite_repository.ballot(token).image_id or 0, "fear")
    again = load_result(stored, align_study(sqlite_repository, study))
    np.testing.assert_array_equal(again.votes.counts, compared.votes.counts)
    assert again.to_json() == compared.to_json()
    with pytest.raises(SurveyError, match="cannot be read"):
        load_result("{}", align_study(sqlite_repository, study))


@pytest.mark.parametrize(
    ("details", "origin", "used"),
    [
        (FERPLUS_VALID, {"source": "ferplus", "split": "valid"}, False),  # the same faces
        (FERPLUS_VALID, {"source": "ferplus", "split": "test"}, True),
        (FERPLUS_VALID, {"source": "ferplus"}, False),  # perhaps the same
        (FERPLUS_VALID, {"source": "folder"}, True),
        (FERPLUS_VALID, DEMO.origin, True),
        ({"temperature": {"temperature": 1, "fitted_on": {"source": "faces", "split": "valid"}}}, DEMO.origin, True),
        ({"temperature": {"temperature": 1, "fitted_on": {"source": "study", "split": "valid"}}}, {}, False),
        ({"temperature": {"temperature": 1, "fitted_on": {"source": "faces", "split": "valid", "n": 19}}}, {}, False),
        ({}, {"source": "folder"}, False),
        ({"temperature": None}, {"source": "folder"}, False),
    ],
)
def test_a_temperature_fitted_on_the_same_faces_is_not_used(details: Any, origin: Any, used: bool) -> None:
    assert (temperature(details, origin) is not None) == used


@pytest.mark.parametrize(
    ("details", "origin", "learned"),
    [
        ({"data": {"source": "study", "split": "train"}, "config": {"data": "study:s"}}, {}, True),
        ({"data": {"source": "study", "split": "train"}, "config": {"data": "study:other"}}, {}, False),
        ({"data": {"source": "study"}, "config": {"data": "study:other"}}, {"cloned_from": "other"}, True),
        ({"data": {"source": "ferplus", "split": "train"}}, {"source": "ferplus", "split": "train"}, True),
        ({"data": {"source": "ferplus", "split": "train"}}, {"source": "ferplus", "split": "valid"}, False),
        ({"data": {"source": "faces", "split": "train"}}, {"source": "faces", "split": "train", "role": "demo"}, False),
        ({}, {}, False),
    ],
)
def test_a_model_that_learned_from_the_faces_shown_is_named(
    sqlite_repository: Repository, details: dict[str, Any], origin: dict[str, Any], learned: bool
) -> None:
    sqlite_repository.create_study(
        NewStudy("s", origin=origin), pictures(2), [NewVote(0, "face00.png", "fear", "fear")]
    )
    study = sqlite_repository.study("s")
    ids = list(sqlite_repository.votes(study).image_ids)
    model = NewModel("m", "ce", "r", EMOTION_NAMES, "0" * 64, details)
    sqlite_repository.store_predictions(model, ids, np.full((2, 7), 1 / 7), np.zeros((2, 4)))
    named = ["m learned from faces shown here" in note for note in align_study(sqlite_repository, study).notes]
    assert any(named) == learned
