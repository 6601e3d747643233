"""What of a study's stored predictions is compared, and with which temperature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import SurveyError
from ldlva.survey.comparing import align_study, compare_study, dump_result, label_difference, load_result, temperature
from ldlva.survey.demo import DEMO
from ldlva.survey.records import NewModel, NewStudy, NewVote
from ldlva.survey.repository import Repository
from tests.conftest import pictures

FERPLUS_VALID = {"temperature": {"temperature": 1.3, "fitted_on": {"source": "ferplus", "split": "valid", "n": 9}}}


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
    with pytest.raises(SurveyError, match="fewer: it cannot predict"):
        align_study(sqlite_repository, study, ["fewer"])
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
        ({}, {"source": "folder"}, False),
        ({"temperature": None}, {"source": "folder"}, False),
    ],
)
def test_a_temperature_fitted_on_the_same_faces_is_not_used(details: Any, origin: Any, used: bool) -> None:
    assert (temperature(details, origin) is not None) == used
