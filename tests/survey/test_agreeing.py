"""Agreement on a study: several answers of one person are one answer, and what is left out is null."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from ldlva import cli
from ldlva.survey.agreeing import FIRST_ANSWER, NO_VOLUNTEERS, SEVERAL, outside_labels, study_agreement
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from tests.conftest import pictures
from tests.survey.test_participation import create, protocol

ANSWERS = (["fear", "surprise"], ["fear"]), (["fear", "surprise"], "none")
"""What two volunteers say of two faces: -2/13 by Krippendorff with MASI, as `test_agreement` computes by hand."""


def several(repository: Repository) -> None:
    create(repository, protocol(response={"mode": "multiple"}), 2)
    ids = repository.votes(repository.study("s")).image_ids
    tokens = [repository.enrol("s").token for _ in range(2)]
    for image, answers in zip(ids, ANSWERS, strict=True):
        for token, answer in zip(tokens, answers, strict=True):
            repository.vote(token, image, answer, 900)


def test_answers_are_kept_whole(repository: Repository) -> None:
    several(repository)
    study = repository.study("s")
    votes = repository.votes(study)
    fear, surprise = votes.labels.index("fear"), votes.labels.index("surprise")
    assert votes.sets is not None
    assert set(votes.sets.sets) == {frozenset({fear, surprise}), frozenset({fear}), frozenset({len(votes.labels)})}
    assert votes.sets.counts.sum(axis=1).tolist() == [2, 2]
    assert (votes.counts.sum(), votes.counts[0, fear], votes.none_counts.tolist()) == (5, 2, [0, 1])
    listed = repository.rater_votes(study, votes)
    assert listed.sets is not None
    assert sorted(listed.different_sets, key=sorted) == sorted(votes.sets.sets, key=sorted)


def test_alpha_is_over_sets_of_answers_and_the_rest_is_left_out(repository: Repository) -> None:
    several(repository)
    study = repository.study("s")
    votes = repository.votes(study)
    found = study_agreement(repository, study, votes)
    assert found.overall.alpha is not None and found.quality is not None
    assert found.overall.alpha.mean == pytest.approx(-2 / 13)
    assert found.quality.everyone.alpha == found.overall.alpha
    assert found.quality.everyone.fleiss_kappa is None
    assert found.remark == f"{SEVERAL} {FIRST_ANSWER}"
    told = found.to_json(votes)
    assert (told["fleiss_kappa"], told["pairwise"], told["alpha_distance"]) == (None, None, "MASI")
    assert [(face["votes"], face["pairwise"]) for face in told["faces"]] == [(2, None), (2, None)]
    assert told["faces"][1]["entropy"] == pytest.approx(np.log(3))


def test_one_answer_a_person_is_as_before(repository: Repository) -> None:
    create(repository, protocol(), 1)
    study = repository.study("s")
    image = repository.votes(study).image_ids[0]
    for answer in ("fear", "fear", "anger"):
        repository.vote(repository.enrol("s").token, image, answer)
    votes = repository.votes(study)
    told = study_agreement(repository, study, votes).to_json(votes)
    assert (told["alpha_distance"], told["pairwise"]) == ("nominal", pytest.approx(1 / 3))
    assert told["remark"] == ""


def test_the_command_says_why_numbers_are_missing(
    sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    several(sqlite_repository)
    sqlite_repository.create_study(NewStudy("empty", protocol=protocol(response={"mode": "multiple"})), pictures(1))
    for study, told in (("s", SEVERAL), ("empty", f"{SEVERAL} {NO_VOLUNTEERS}")):
        monkeypatch.setattr(sys, "argv", ["ldlva", "agreement", "--study", study])
        with pytest.raises(SystemExit):
            cli.main()
        shown = " ".join(capsys.readouterr().out.split())
        assert told in shown
        assert "Fleiss" not in shown
    monkeypatch.setattr(sys, "argv", ["ldlva", "agreement", "--study", "s", "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    assert json.loads(capsys.readouterr().out)["remark"].startswith(SEVERAL)


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ({}, ("none of these",)),
        ({"other_option": True}, ("none of these", "other")),
        ({"other_option": True, "none_option": False}, ("other",)),
    ],
)
def test_what_votes_for_no_label_said(
    response: dict[str, bool], said: tuple[str, ...], sqlite_repository: Repository
) -> None:
    create(sqlite_repository, protocol(response=response), 1)
    assert outside_labels(sqlite_repository.study("s")) == said
