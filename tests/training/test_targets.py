from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ldlva.datasets import load_dataset
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import TrainingError
from ldlva.training.image_table import write_image_table
from ldlva.training.targets import mixed, opinions
from tests.conftest import FerPlusMaker, png
from tests.test_cli import run

LABELS = np.array([0, 0, 1, 2])
POSTERIORS = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
PLACES = np.array([[0.0, 0.0], [0.5, 0.0], [0.1, 0.0], [-0.1, 0.0]])


def test_every_opinion_is_what_its_name_says() -> None:
    found = opinions(LABELS, POSTERIORS, PLACES, neighbor_count=2)
    assert all(np.allclose(opinion.sum(axis=1), 1) for opinion in found.values())
    np.testing.assert_allclose(found["nothing (uniform)"], 1 / 3)
    np.testing.assert_allclose(found["class frequencies"], [[0.5, 0.25, 0.25]] * 4)
    np.testing.assert_array_equal(found["teacher on the face"], POSTERIORS)
    # Nearest to face 1 (at .5) are faces 2 (.4 away) and 0 (.5 away), weighted by exp(-distance / .5).
    weights = np.exp([-0.8, -1.0])
    expected = (weights[0] * POSTERIORS[2] + weights[1] * POSTERIORS[0]) / weights.sum()
    np.testing.assert_allclose(found["neighbours in valence-arousal (LDLVA)"][1], expected)
    # In the teachers' probabilities face 0 is nearest to face 1 (.14 away), then face 3.
    np.testing.assert_allclose(found["neighbours in teachers' probabilities"][0], POSTERIORS[[1, 3]].mean(axis=0))
    np.testing.assert_allclose(
        found["teacher on face and neighbours (ldlva_plus)"][0], POSTERIORS[[0, 1, 3]].mean(axis=0)
    )


def test_random_faces_are_others_and_the_same_for_a_seed() -> None:
    first, again, other = (
        opinions(np.arange(7), np.eye(7), np.zeros((7, 2)), 3, seed)["random faces"] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.diag(first).sum() == 0
    assert (np.count_nonzero(first, axis=1) == 3).all()


def test_the_label_keeps_its_weight() -> None:
    np.testing.assert_allclose(mixed(LABELS, 0.6, np.full((4, 3), 1 / 3)), 0.6 * np.eye(3)[LABELS] + 0.4 / 3)


def test_more_neighbours_than_faces_are_refused() -> None:
    with pytest.raises(TrainingError, match="4 neighbours need at least 5 training images"):
        opinions(LABELS, POSTERIORS, PLACES, neighbor_count=4)


def posteriors_file(root: Path, path: Path) -> Path:
    """Teachers who are half sure of the label."""
    dataset = load_dataset(f"ferplus:{root}", "train")
    write_image_table(path, dataset.names, EMOTION_NAMES, 0.5 * np.eye(7)[dataset.labels] + 0.5 / 7)
    return path


def test_the_command_measures_every_opinion_against_the_votes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    root = make_ferplus(per_emotion=3)
    given = ["--data", f"ferplus:{root}", "--teacher-posteriors", str(posteriors_file(root, tmp_path / "p.csv"))]
    assert run(monkeypatch, "targets", *given, "--json", "--label-weight", "0.25") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["reference"], found["label_weight"], found["data"]["n"]) == ("human votes", 0.25, 21)
    rows = found["besides_label"]
    knowing, ignorant = rows["teacher on the face"], rows["nothing (uniform)"]
    assert knowing["jeffreys"]["1e-3"] < ignorant["jeffreys"]["1e-3"]
    low, high = ignorant["intervals"]["jeffreys"]["1e-3"]
    assert low <= ignorant["jeffreys"]["1e-3"] <= high
    by_label = ignorant["jeffreys_by_label"]
    assert set(by_label) == set(EMOTION_NAMES)
    assert np.mean(list(by_label.values())) == pytest.approx(ignorant["jeffreys"]["1e-3"])  # three faces of each

    assert run(monkeypatch, "targets", *given) == 0
    assert "0.5 label + 0.5 of another opinion" in " ".join(capsys.readouterr().out.split())


def test_a_missing_file_and_data_without_votes_are_one_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    nowhere = str(tmp_path / "nowhere.csv")
    given = ["--teacher-posteriors", nowhere, "--data"]
    assert run(monkeypatch, "targets", *given, f"ferplus:{make_ferplus()}") == 1
    assert "nowhere.csv cannot be read" in capsys.readouterr().err.replace("\n", "")
    for emotion in EMOTION_NAMES:
        folder = tmp_path / "single labels" / "train" / emotion
        folder.mkdir(parents=True)
        (folder / f"{emotion}.png").write_bytes(png(len(emotion)))
    assert run(monkeypatch, "targets", *given, f"folder:{tmp_path / 'single labels'}") == 1
    assert "neither votes nor mixtures" in " ".join(capsys.readouterr().err.split())
