"""A report is complete, holds what was computed, and is made again from its own data, byte for byte."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import SurveyError
from ldlva.jobs import ProgressFile
from ldlva.report import build, source, tables
from ldlva.survey.records import NewModel, NewStudy, NewVote
from ldlva.survey.repository import Repository
from tests.conftest import pictures

FACES = 24


@pytest.fixture
def studied(sqlite_repository: Repository) -> Repository:
    """A study with a cross-entropy and an LDLVA model of one backbone, one of which lacks a face."""
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.full(7, 0.4), FACES)
    votes = [
        NewVote(rater, f"face{i:02d}.png", EMOTION_NAMES[rng.choice(7, p=truth[i])], "x")
        for i in range(FACES)
        for rater in range(10)
    ]
    study = NewStudy("demo", "Faces & 100% _more_", origin={"source": "ferplus"})
    sqlite_repository.create_study(study, pictures(FACES), votes)
    ids = list(sqlite_repository.votes(sqlite_repository.study("demo")).image_ids)
    for name, method, weight in (("near", "ce", 0.9), ("far", "ldlva", 0.3)):
        details = {
            "data": {"source": "faces", "split": "train"},
            "temperature": {"temperature": 1.5, "fitted_on": {"source": "faces", "split": "valid", "n": 99}},
        }
        model = NewModel(name, method, "resnet18", EMOTION_NAMES, name * 8, details)
        probabilities = weight * truth + (1 - weight) / 7
        kept = ids if name == "near" else ids[:-1]
        sqlite_repository.store_predictions(model, kept, probabilities[: len(kept)], np.zeros((len(kept), 2)))
    return sqlite_repository


def written(repository: Repository, folder: Path) -> Path:
    found = source.from_study(repository, repository.study("demo"))
    build.write_report(found, folder, ProgressFile(None))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_is_made_again_from_its_own_data_byte_for_byte(studied: Repository, tmp_path: Path) -> None:
    first = written(studied, tmp_path / "first")
    build.write_report(source.read_source(first), tmp_path / "second", ProgressFile(None))
    again = contents(tmp_path / "second")
    assert again == contents(first)
    assert {Path(name).suffix for name in again if name.startswith("figures/")} == {".svg", ".pdf", ".png"}
    build.pack(first, tmp_path / "a.zip")
    build.pack(tmp_path / "second", tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_tables_hold_the_numbers_of_the_results(studied: Repository, tmp_path: Path) -> None:
    folder = written(studied, tmp_path / "out")
    results = json.loads((folder / "results.json").read_text())
    assert results["n"] == FACES - 1
    rows = list(csv.DictReader((folder / "tables" / "table2_jeffreys.csv").open()))
    near = next(row for row in rows if (row["model"], row["version"]) == ("near", "raw"))
    model = next(one for one in results["models"] if one["name"] == "near")
    for key, value in model["jeffreys"].items():
        assert float(near[key]) == value["mean"]
        assert float(near[f"{key}_low"]) == value["low"]
    calibrated = next(row for row in rows if (row["model"], row["version"]) == ("near", "after temperature"))
    assert (float(calibrated["temperature"]), calibrated["cross_fitted"]) == (1.5, "0")
    [gain] = csv.DictReader((folder / "tables" / "table1_accuracy.csv").open())
    assert float(gain["accuracy_without"]) == model["accuracy"]
    assert gain["with"] == "far"


def test_latex_is_escaped_and_every_row_has_as_many_cells_as_columns(studied: Repository, tmp_path: Path) -> None:
    folder = written(studied, tmp_path / "out")
    for path in (folder / "tables").glob("*.tex"):
        text = path.read_text()
        assert r"Faces \& 100\% \_more\_" in text
        columns = len(re.search(r"begin\{tabular\}\{(\w+)\}", text)[1])  # type: ignore[index]
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert len(rows) >= 2
        for row in rows:
            assert len(re.findall(r"(?<!\\)&", row)) == columns - 1
    assert tables.latex("a_b ε 5% {x} \\") == r"a\_b $\varepsilon$ 5\% \{x\} \textbackslash{}"


def test_the_methods_paragraph_names_every_constant(studied: Repository, tmp_path: Path) -> None:
    text = (written(studied, tmp_path / "out") / "methods.md").read_text()
    for part in ("1e-2, 1e-3, 1e-4, 1e-7", "2,000 replicates", "9,999 random", "seed 0", "T = 1.500", "1 face without"):
        assert part in text
    assert "human majority" not in text or "most-voted" in text


def test_the_methods_paragraph_counts_volunteers_who_voted(studied: Repository, tmp_path: Path) -> None:
    assert "rated by votes imported from FER+;" in (written(studied, tmp_path / "none") / "methods.md").read_text()
    face = studied.votes(studied.study("demo")).image_ids[0]
    _, undoes, votes = (studied.enrol("demo").token for _ in range(3))
    for token in (undoes, votes):
        studied.vote(token, face, "fear")
    studied.undo(undoes)
    assert studied.study("demo").volunteers == 3
    one = (written(studied, tmp_path / "one") / "methods.md").read_text()
    assert "rated by 1 volunteer who took part on the study's page and votes imported from FER+;" in one
    studied.vote(undoes, face, "anger")
    two = written(studied, tmp_path / "two")
    assert "rated by 2 volunteers who took part" in (two / "methods.md").read_text()
    assert json.loads((two / "data" / "study.json").read_text())["volunteers"] == 2


def test_figures_are_pictures_of_print_quality_and_vectors_keep_their_text(studied: Repository, tmp_path: Path) -> None:
    folder = written(studied, tmp_path / "out") / "figures"
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            assert min(image.size) > 500
            assert np.asarray(image.convert("L")).std() > 5
    assert ">near<" in (folder / "figure1_divergence.svg").read_text()
    assert (folder / "figure1_divergence.pdf").read_bytes().startswith(b"%PDF")


def test_a_report_never_overwrites_and_damaged_data_are_named(
    studied: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(studied, tmp_path / "out")
    with pytest.raises(SurveyError, match="never overwrites"):
        written(studied, folder)
    with pytest.raises(SurveyError, match="Not a directory"):
        written(studied, folder / "methods.md")
    with pytest.raises(SurveyError, match="cannot be written: Is a directory"):
        build.pack(folder, tmp_path)
    monkeypatch.chdir(tmp_path)
    for place in (".", "/"):
        with pytest.raises(SurveyError, match="is not empty, or the present one"):
            written(studied, Path(place))
        with pytest.raises(SurveyError, match="cannot be written"):
            build.pack(folder, Path(place))
    assert sorted(path.name for path in tmp_path.iterdir() if "survey.db" not in path.name) == ["out"]
    (folder / "data" / "votes.csv").write_text("image,label\n")
    with pytest.raises(SurveyError, match="damaged"):
        build.write_report(source.read_source(folder), tmp_path / "again", ProgressFile(None))
    with pytest.raises(SurveyError, match="holds no report"):
        source.read_source(tmp_path / "nowhere")
