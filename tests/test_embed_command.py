"""The command `embed`: a study's stored features, a data set through models, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ldlva.cli import main
from ldlva.embedding.embedding import read
from ldlva.emotions import EMOTION_NAMES
from ldlva.survey.records import NewModel, NewStudy, NewVote
from ldlva.survey.repository import Repository
from tests.conftest import FerPlusMaker, pictures

SHIPPED = ("ferplus-mobilenet-ce", "ferplus-mobilenet-ldlva")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["ldlva", *arguments])
    try:
        main()
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return 0


@pytest.fixture
def study(sqlite_repository: Repository) -> Repository:
    """20 faces, the last without votes; two models, the second of which has not seen the first face."""
    faces = [NewVote(r, f"face{i:02d}.png", EMOTION_NAMES[i % 2], "x") for i in range(19) for r in range(3)]
    sqlite_repository.create_study(NewStudy("s", "Faces"), pictures(20), faces)
    ids = list(sqlite_repository.votes(sqlite_repository.study("s")).image_ids)
    rng = np.random.default_rng(0)
    for name, start in (("a", 0), ("b", 1)):
        features = rng.normal(size=(20 - start, 6)) + 4 * (np.arange(start, 20) % 2)[:, None]
        model = NewModel(name, "ce", "resnet18", EMOTION_NAMES, name * 64, {})
        sqlite_repository.store_predictions(model, ids[start:], rng.dirichlet(np.ones(7), 20 - start), features)
    outside = NewModel("outside", "imported", "none", EMOTION_NAMES, "0" * 64, {})
    sqlite_repository.store_predictions(outside, ids, rng.dirichlet(np.ones(7), 20), np.zeros((20, 0)))
    return sqlite_repository


def test_a_study_is_mapped_from_stored_features(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, study: Repository
) -> None:
    out, progress = tmp_path / "map", tmp_path / "progress.json"
    command = ["embed", "--study", "s", "--model", "a", "--model", "b", "--perplexity", "4", "--seed", "7"]
    assert run(monkeypatch, *command, "--out", str(out), "--progress", str(progress), "--json") == 0
    numbers = json.loads(capsys.readouterr().out)
    assert (numbers["faces"], numbers["perplexity"], numbers["seed"]) == (19, 4, 7)
    assert list(numbers["models"]) == ["a", "b"]
    assert numbers["models"]["a"]["separation"]["majority"]["purity"]["mean"] == 1
    assert json.loads(progress.read_text())["stage"] == "Done"
    stored = read(out)
    assert stored is not None
    embedding, sheets = stored
    assert embedding.names == [f"face{i:02d}.png" for i in range(1, 20)]
    assert embedding.majorities == [i % 2 for i in range(1, 19)] + [-1]
    assert embedding.state == list(study.version(study.study("s")))
    assert len(sheets) == 1
    assert (out / "embedding.svg").read_text().startswith("<svg")
    assert run(monkeypatch, *command, "--out", str(out)) == 1
    assert "is not empty" in capsys.readouterr().err
    assert run(monkeypatch, *command, "--out", str(out), "--replace") == 0
    assert "k-NN purity" in capsys.readouterr().out


def test_without_names_the_models_with_features_are_mapped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], study: Repository
) -> None:
    assert run(monkeypatch, "embed", "--study", "s", "--perplexity", "4", "--json") == 0
    assert list(json.loads(capsys.readouterr().out)["models"]) == ["a", "b"]


def test_a_data_set_is_mapped_through_models_and_larger_ones_are_sampled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    data = f"ferplus:{make_ferplus(per_emotion=2)}"
    models = [word for name in SHIPPED for word in ("--model", name)]
    assert run(monkeypatch, "embed", "--data", data, *models, "--out", str(tmp_path / "map"), "--json") == 0
    numbers = json.loads(capsys.readouterr().out)
    assert (numbers["faces"], numbers["perplexity"]) == (28, 9)
    stored = read(tmp_path / "map")
    assert stored is not None
    assert stored[0].parts == ["train"] * 14 + ["valid"] * 14
    assert stored[0].human and set(stored[0].votes) == {10, 9}  # contempt and the like are votes for no emotion
    assert [panel.model for panel in stored[0].panels] == list(SHIPPED)

    assert run(monkeypatch, "embed", "--data", data, *models[:2], "--most", "20", "--json") == 0
    assert (json.loads(capsys.readouterr().out)["faces"], 28) == (20, numbers["of"])


def test_colour_faces_are_mapped_by_a_model_of_grey_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["embed", "--data", "faces", "--split", "test", "--most", "30", "--json"]
    assert run(monkeypatch, *command, "--model", SHIPPED[0], "--model", "faces-mobilenet-ce") == 0
    numbers = json.loads(capsys.readouterr().out)
    assert (numbers["faces"], numbers["of"]) == (30, 399)
    assert "label" in numbers["models"]["faces-mobilenet-ce"]["separation"]
    assert "majority" not in numbers["models"]["faces-mobilenet-ce"]["separation"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --study NAME or --data NAME"),
        (["--study", "s", "--data", "faces"], "either --study NAME or --data NAME"),
        (["--study", "nope"], "no study named 'nope'"),
        (["--study", "s", "--model", "c"], "'c' has not predicted “Faces”. Models that have: a, b, outside."),
        (["--study", "s", "--model", "outside"], "stored without features"),
        (["--study", "s", "--model", "a", "--perplexity", "7"], "20 faces allow 2 to 6"),
        (["--study", "s", "--run", "/r"], "predict with the run first"),
        (["--data", "faces"], "--model NAME"),
        (["--data", "nonsense", "--model", SHIPPED[0]], "Unknown data set"),
        (["--data", "faces", "--model", "nonsense"], "no shipped model named"),
    ],
)
def test_what_cannot_be_mapped_is_a_message(
    arguments: list[str],
    message: str,
    study: Repository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "embed", *arguments) == 1
    assert message in capsys.readouterr().err


def test_the_most_ambiguous_faces_become_a_follow_up_study(
    study: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["study", "follow-up", "--from", "s", "--name", "again"]
    assert run(monkeypatch, *command) == 1
    assert "Say which faces" in capsys.readouterr().err
    assert run(monkeypatch, *command, "--ambiguous", "4", "--conflicting", "2") == 0
    assert "is a draft of" in capsys.readouterr().out
    made = study.study("again")
    assert made.origin["chosen"]["by"] == [{"order": "ambiguity", "first": 4}, {"order": "conflict", "first": 2}]
    assert made.images == made.origin["chosen"]["faces"] <= 6
