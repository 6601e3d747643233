"""The Embedding page in Streamlit's own test harness; the map itself is a component, tested in a browser."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldlva.embedding.embedding import Embedding, write
from ldlva.jobs import Job
from ldlva.settings import settings
from ldlva.survey.prediction_files import ImportedPredictions, store_imported
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from ldlva.ui import embedding, face_map
from tests.conftest import pictures
from tests.embedding.test_embedding import drawn
from tests.fabricated_runs import GONE
from tests.pages.test_pages import alert, html, message, open_page, titles, voted_study


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have been started; each leaves the traces of a process that was killed."""
    commands: list[list[str]] = []

    def start(job: Job, kind: str, arguments: list[str], details: dict[str, str]) -> None:
        commands.append(arguments)
        record = {"kind": kind, "arguments": arguments, "details": details, "created_at": "2026-01-01"} | GONE
        (job.folder / "job.json").write_text(json.dumps(record))

    monkeypatch.setattr(Job, "start", start)
    return commands


def test_the_built_in_faces_are_offered_with_the_models_of_figure_1(started: list[list[str]]) -> None:
    app = open_page("embedding")
    assert titles(app) == ["What models see as similar"]
    assert app.selectbox(key="embedding-source").value == 0
    assert app.multiselect[0].value == ["faces-mobilenet-total", "faces-mobilenet-ce", "faces-mobilenet-center"]
    assert "has not been computed yet" in html(app)
    assert started == []
    app.button(key="embedding-start").click().run()
    [command] = started
    assert command[:3] == ["embed", "--data=faces", "--split=all"]
    assert "--model=faces-mobilenet-total" in command and "--perplexity=30" in command
    assert "it was killed" in alert(app)  # the fabricated process is dead; the page says so and offers to try again
    assert app.button(key="embedding-start").label == "Try again"


def test_other_data_sets_come_from_the_folders_that_pages_may_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, started: list[list[str]]
) -> None:
    monkeypatch.setenv("LDLVA_FOLDERS", str(tmp_path / "allowed"))
    (tmp_path / "allowed" / "FERPlus").mkdir(parents=True)
    settings.cache_clear()
    app = open_page("embedding")
    app.selectbox(key="embedding-source").set_value(1).run()
    assert "Name a data set on this server" in html(app)
    app.text_input(key="embedding-data").set_value("ferplus:/etc").run()
    assert "LDLVA_FOLDERS" in alert(app)
    app.text_input(key="embedding-data").set_value(f"ferplus:{tmp_path}/allowed/FERPlus").run()
    assert app.multiselect[0].value == [f"ferplus-mobilenet-{method}" for method in ("total", "ce", "center")]
    app.button(key="embedding-start").click().run()
    assert f"--data=ferplus:{tmp_path}/allowed/FERPlus" in started[0]


def test_a_small_study_is_mapped_at_once_with_a_perplexity_that_fits(
    sqlite_repository: Repository, started: list[list[str]]
) -> None:
    voted_study(sqlite_repository)
    app = open_page("embedding", study="demo")
    [command] = started
    assert command[1] == "--study=demo" and "--perplexity=2" in command
    assert app.number_input[0].max == 2


def test_a_study_without_predictions_or_with_too_few_faces_says_what_to_do(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo"), pictures(3))
    assert "python -m ldlva predict --model NAME --study demo" in html(open_page("embedding", study="demo"))


def import_predictions(repository: Repository, model: str) -> None:
    study = repository.study("demo")
    names = tuple(name for _, name, _ in repository.images(study))
    probabilities = np.full((len(names), 7), 1 / 7)
    store_imported(repository, study, model, ImportedPredictions(names, probabilities, 0, (), (), "0" * 64))


def test_imported_models_have_no_features_and_are_left_out(
    sqlite_repository: Repository, started: list[list[str]]
) -> None:
    voted_study(sqlite_repository)
    import_predictions(sqlite_repository, "ce *outside*")
    app = open_page("embedding", study="demo")
    assert set(app.multiselect[0].options) == {"flat", "sharp"}
    assert "--model=ce *outside*" not in started[0]
    [caption] = [message(caption) for caption in app.caption if "Left out" in caption.value]
    assert caption == "Left out: ce *outside*. Imported predictions come without features."


def test_a_study_with_imported_predictions_only_says_what_to_do(
    sqlite_repository: Repository, started: list[list[str]]
) -> None:
    voted_study(sqlite_repository, models=())
    import_predictions(sqlite_repository, "gpt")
    app = open_page("embedding", study="demo")
    assert "the predictions of gpt were imported without. Run: python -m ldlva predict --model NAME" in html(app)
    assert "--study demo" in html(app)
    assert 'role="alert"' not in html(app)
    assert not app.multiselect and not started


def test_models_whose_predictions_have_features(sqlite_repository: Repository) -> None:
    voted_study(sqlite_repository)
    import_predictions(sqlite_repository, "gpt")
    found = sqlite_repository.predictors(sqlite_repository.study("demo"))
    assert [(one.name, one.has_features) for one in found] == [("flat", True), ("gpt", False), ("sharp", True)]


def test_an_unknown_study_is_named(sqlite_repository: Repository) -> None:
    assert "There is no study named 'nope'" in alert(open_page("embedding", study="nope"))


def test_a_stored_map_is_shown_and_an_outdated_one_says_so(
    sqlite_repository: Repository, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    voted_study(sqlite_repository)
    shown: list[Embedding] = []
    monkeypatch.setattr(face_map, "draw", lambda found, sheets, key: shown.append(found))
    asked: list[embedding.Request] = []
    real = embedding.show

    def show(request: embedding.Request, draw: Any) -> None:
        asked.append(request)
        real(request, draw)

    monkeypatch.setattr(embedding, "show", show)
    open_page("embedding", study="demo")
    stored = drawn()
    write(stored, [b"x"], "<svg/>", Path(asked[0].folder))
    app = open_page("embedding", study="demo")
    assert shown == [stored]
    assert "have changed since this map was computed" in html(app)
    numbers = stored.panels[0].separation["majority"]
    assert f"<td>{numbers.purity.mean:.3f} [" in html(app)
    assert "Purity by chance" in html(app)


def test_what_the_component_gets_is_complete_and_plain() -> None:
    found = drawn()
    content = json.loads(json.dumps(face_map.content(found, [b"abc"], "k")))
    assert content["sheets"] == ["YWJj"]
    assert [one["key"] for one in content["colourings"]] == ["label", "majority", "entropy"]
    assert all(len(colours) == 30 for colours in content["colours"].values())
    assert dict(content["facts"])["Human majority"][1] == "Happiness (10 votes)"
    assert content["panels"][1]["numbers"]["entropy"] == content["panels"][1]["numbers"]["majority"]


def test_models_shown_first_are_of_different_methods() -> None:
    methods = {"a-ce": "ce", "a-dmue": "dmue", "a-total": "total", "b-ce": "ce", "b-center": "center"}
    assert embedding.first_models(methods) == ["a-total", "a-ce", "b-center"]
    assert embedding.first_models({"x": "dmue"}) == ["x"]


def test_the_page_does_not_load_what_computes() -> None:
    code = (
        "import sys, ldlva.ui.embedding, ldlva.ui.face_map;"
        "print([m for m in ('torch', 'scipy', 'sklearn', 'openTSNE') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"
