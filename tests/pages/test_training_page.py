"""The Training page in Streamlit's own test harness, on fabricated runs; what starts is real where it is about that."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from ldlva.catalogue import Catalogue, ask_catalogue
from ldlva.cli.methods import catalogue
from ldlva.errors import TrainingError
from ldlva.jobs import Job
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from ldlva.training.backbones import BACKBONES
from ldlva.training.config import TrainConfig
from ldlva.training.methods import METHODS
from ldlva.ui import run_card, run_settings, session, training
from tests.conftest import pictures
from tests.fabricated_runs import make_run, write_job, write_progress
from tests.pages.test_pages import alert, html, message, open_page, titles


@pytest.fixture(scope="module")
def answer() -> Catalogue:
    """What the command answers, after a round through JSON."""
    return Catalogue.model_validate_json(catalogue().model_dump_json())


@pytest.fixture(autouse=True)
def catalogue_at_hand(answer: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for a child process to load torch."""
    monkeypatch.setattr(session, "ask_catalogue", lambda: answer)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have been started."""
    commands: list[list[str]] = []
    monkeypatch.setattr(Job, "start", lambda job, kind, arguments, details=None: commands.append(arguments))
    return commands


def pill(state: str) -> str:
    return f'<span class="pill pill-{state}">{state}</span>'


def test_the_catalogue_offers_everything_that_trains(answer: Catalogue) -> None:
    assert [entry.name for entry in answer.methods] == list(METHODS)
    assert [entry.name for entry in answer.backbones] == list(BACKBONES)
    for entry in answer.methods:
        assert len(entry.summary.split()) > 4, f"the docstring of {entry.name} does not say what it is"
        declared = METHODS[entry.name].options_type.model_fields
        # A default that depends on other settings is shown as automatic.
        defaults = {name: None if field.default_factory else field.default for name, field in declared.items()}
        assert {s.name: s.default for s in entry.settings} == defaults
    general = TrainConfig.model_validate(
        {"data": "x"}
    ).model_dump()  # unresolved: what a method chooses for itself is automatic
    for setting in answer.settings:
        assert setting.default == general[setting.name]
        assert setting.help, f"{setting.name} has no description"
    assert {"image_size", "epochs", "learning_rate", "seed", "stem", "init", "filter", "batch_size"} <= {
        setting.name for setting in answer.settings
    }


def test_settings_become_arguments_only_where_they_differ(answer: Catalogue) -> None:
    assert answer.setting("epochs").arguments(15) == []
    assert answer.setting("epochs").arguments(3) == ["--epochs", "3"]
    assert answer.setting("class_weights").arguments(True) == ["--class-weights"]
    gamma = next(setting for setting in answer.method("ldlva").settings if setting.name == "gamma")
    assert gamma.arguments(0.1) == ["--set", "gamma=0.1"]


def test_without_torch_the_page_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    def no_torch() -> Catalogue:
        raise TrainingError("Training needs PyTorch.")

    monkeypatch.setattr(session, "ask_catalogue", no_torch)
    make_run(root, "a", finished=True)
    app = open_page("training")
    assert "Training needs PyTorch." in alert(app)
    assert len(app.dataframe) == 1  # the runs are there all the same


def test_a_command_that_cannot_answer_is_an_error_with_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        stdout = ""
        stderr = "Traceback\nModuleNotFoundError: No module named 'torch'\n"

    monkeypatch.setattr(subprocess, "run", lambda *_, **__: Answer())
    with pytest.raises(TrainingError, match=r"pip install -r requirements\.txt"):
        ask_catalogue()
    Answer.stderr = "Error: Bad setting in the environment.\n"
    with pytest.raises(TrainingError, match=r"does not work here: Bad setting in the environment\."):
        ask_catalogue()


def test_an_empty_page_offers_a_run(root: Path) -> None:
    app = open_page("training")
    assert titles(app) == ["Training"]
    assert app.selectbox(key="train-data").value == "faces"
    assert "the baseline" in html(app)
    assert app.button(key="train-start").label == "Start training"
    assert not app.dataframe
    assert not root.exists()


def test_the_form_starts_what_was_chosen(
    started: list[list[str]], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDLVA_FOLDERS", str(tmp_path))
    app = open_page("training")
    app.selectbox(key="train-data").set_value("ferplus").run()
    app.selectbox(key="train-method").set_value("ldlva").run()
    assert "neighbours in valence-arousal space" in html(app)
    app.text_input(key="train-place-ferplus").set_value(str(tmp_path))
    app.number_input(key="train--epochs").set_value(3)
    app.number_input(key="train-ldlva-neighbor_count").set_value(5)
    app.number_input(key="train-ldlva-teacher_epochs").set_value(2)
    app.selectbox(key="train-filter-ferplus").set_value("majority")
    app.button(key="train-start").click().run()
    assert not app.exception
    [command] = started
    assert command == [
        "train", "--data", f"ferplus:{tmp_path}", "--method", "ldlva", "--backbone", "resnet18", "--epochs", "3",
        "--set", "neighbor_count=5", "--teacher-epochs", "2", "--filter", "majority",
        "--out", str(root / "ferplus-ldlva-resnet18"),
    ]  # fmt: skip


def test_data_outside_the_servers_folders_or_not_there_is_not_trained_on(
    started: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDLVA_FOLDERS", str(tmp_path / "allowed"))
    (tmp_path / "allowed").mkdir()
    app = open_page("training")
    app.selectbox(key="train-data").set_value("ferplus").run()
    for place, problem in ((tmp_path, "only from folders within"), (tmp_path / "allowed" / "x", "There is no folder")):
        app.text_input(key="train-place-ferplus").set_value(str(place))
        app.button(key="train-start").click().run()
        assert problem in alert(app)
    assert not started


def test_shipped_models_are_offered_where_they_fit(answer: Catalogue, root: Path) -> None:
    make_run(root, "mine", finished=True)
    app = open_page("training")
    assert list(app.selectbox(key="train-init-resnet18-standard").options) == ["Random numbers", "Run mine"]
    app.selectbox(key="train-backbone").set_value("mobilenet_v2_050").run()
    offered = list(app.selectbox(key="train-init-mobilenet_v2_050-standard").options)
    fitting = [entry.name for entry in answer.initial_weights if entry.backbone == "mobilenet_v2_050"]
    assert "faces-mobilenet-ce" in fitting
    assert offered == ["Random numbers", *fitting]


@pytest.mark.parametrize(
    ("name", "says"), [("taken", "There is a run named 'taken' already"), ("a/b", "cannot be a run's name")]
)
def test_a_bad_name_is_refused(started: list[list[str]], root: Path, name: str, says: str) -> None:
    make_run(root, "taken")
    app = open_page("training")
    app.text_input(key="train-name").set_value(name)
    app.button(key="train-start").click().run()
    assert says in html(app).replace("&#x27;", "'")
    assert started == []


def test_a_number_out_of_range_is_refused_and_not_replaced(started: list[list[str]], root: Path) -> None:
    """The browser keeps a number beyond a widget's bounds to itself, so the widget has none."""
    app = open_page("training")
    epochs = app.number_input(key="train--epochs")
    assert epochs.proto.has_min is epochs.proto.has_max is False
    epochs.set_value(0)
    app.number_input(key="train--image_size").set_value(999_999)
    app.button(key="train-start").click().run()
    assert "Epochs must be at least 1, not 0." in alert(app)
    assert "Image size must be at most 512, not 999,999." in alert(app)
    assert started == []


def test_a_missing_folder_is_asked_for(started: list[list[str]]) -> None:
    app = open_page("training")
    app.selectbox(key="train-data").set_value("ferplus").run()
    app.button(key="train-start").click().run()
    assert "Say which folder on this server holds the data." in alert(app)
    assert started == []


def test_a_running_run_shows_where_it_is(root: Path) -> None:
    write_progress(make_run(root, "live"), epoch=3, step=5, steps=10, seconds_per_step=2.0)
    app = open_page("training")
    shown = html(app)
    assert pill("running") in shown
    assert "Epoch 4 of 15" in shown
    assert "about 4 min left" in shown
    assert len(app.get("plotly_chart")) == 2
    assert "Started on the command line" in app.caption[0].value


def test_a_running_teacher_is_named(root: Path) -> None:
    folder = make_run(root, "live", epochs_done=0, method="ldlva")
    write_progress(folder, stage="teacher 2/3", epoch=1, epochs=6)
    assert "Teacher 2 of 3, epoch 2 of 6" in html(open_page("training"))


def test_a_stopped_run_is_resumed(started: list[list[str]], root: Path) -> None:
    folder = make_run(root, "a")
    write_job(folder, stopped=True)
    app = open_page("training")
    assert pill("stopped") in html(app)
    app.button(key="play_arrow-current-a").click().run()
    assert started == [["train", "--resume", "--out", str(folder)]]


def test_a_failed_start_says_why_and_can_be_discarded(root: Path) -> None:
    write_job(root / "a", log="Error: /nowhere is not a folder.\n", code=1, method="ce", data="ferplus:/nowhere")
    app = open_page("training")
    assert alert(app) == "/nowhere is not a folder."
    assert "Error: /nowhere is not a folder." in app.code[0].value
    assert app.button(key="play_arrow-current-a").label == "Try again"
    app.button(key="delete-current-a").click().run()
    assert not (root / "a").exists()
    assert not app.dataframe


def test_a_run_that_ended_is_deleted_for_ever(root: Path) -> None:
    make_run(root, "a", finished=True, created_at="2026-01-01T00:00:00+00:00")
    kept = make_run(root, "b", finished=True, created_at="2026-01-02T00:00:00+00:00")
    (make_run(root, "c", created_at="2026-01-03T00:00:00+00:00") / "config.json").write_text("{")
    app = open_page("training")
    assert app.button(key="delete_forever-current-c").label == "Delete this run"
    app.button(key="delete_forever-current-c").click().run()
    assert not app.exception
    app.button(key="delete_forever-current-b").click().run()
    assert not kept.exists()
    assert list(app.dataframe[0].value["name"]) == ["a"]


def test_a_running_run_cannot_be_deleted(root: Path) -> None:
    write_progress(make_run(root, "a"))
    app = open_page("training")
    assert not [button for button in app.button if "delete" in str(button.key)]


def test_the_table_lists_damaged_runs_too(root: Path) -> None:
    make_run(root, "good", finished=True, created_at="2026-01-02T00:00:00+00:00")
    (make_run(root, "bad") / "config.json").write_text("{")
    app = open_page("training")
    lines = app.dataframe[0].value.set_index("name")
    assert lines.loc["bad", "state"] == "damaged"
    assert "config.json cannot be read" in lines.loc["bad", "reason"]
    assert lines.loc["good", "state"] == "finished"
    assert lines.loc["good", "valid_accuracy"] == pytest.approx(60)
    assert lines.loc["good", "data"] == "ferplus:FERPlus"
    assert (lines.loc["good", "temperature"], lines.loc["good", "epochs"]) == (1.25, 3)


def test_runs_are_compared_by_what_differs(root: Path) -> None:
    make_run(root, "a", method="ce")
    make_run(root, "b", method="ldlva", options={"gamma": 0.1})
    found = {run.name: run for run in training.runs()}
    assert run_settings.differences([found["a"], found["b"]]) == {
        "method": ["ce", "ldlva"],
        "teacher_folds": [None, 3],
        "teacher_epochs": [None, 6],
        "gamma": [None, 0.1],
    }
    assert run_settings.differences([found["a"], found["a"]]) == {}


def test_settings_that_a_method_does_not_look_at_are_not_shown(root: Path) -> None:
    make_run(root, "few", method="ce", teacher_epochs=1)
    make_run(root, "many", method="ce", teacher_epochs=9, valence_arousal=None)
    make_run(root, "plus", method="ldlva_plus", teacher_epochs=9, valence_arousal=None)
    found = {run.name: run for run in training.runs()}
    assert run_settings.differences([found["few"], found["many"]]) == {}
    assert {"teacher_folds", "teacher_epochs"} < set(run_settings.used_settings(found["plus"]))
    assert "valence_arousal" not in run_settings.used_settings(found["plus"])


def test_a_run_without_a_finished_epoch_is_no_line_without_a_curve(root: Path) -> None:
    make_run(root, "a", method="ce")
    make_run(root, "b_*", method="ce", epochs_done=0)

    def compare() -> None:
        from ldlva.ui import training

        training.draw_comparison(training.runs())

    app = AppTest.from_function(compare).run()
    assert not app.exception
    assert "a</span>" in html(app)
    assert "b_*</span>" not in html(app)
    assert next(message(caption) for caption in app.caption) == "No curves of b_*: no epoch is finished."
    assert len(app.get("plotly_chart")) == 3


def test_what_runs_comes_first_and_the_latest_after_it(root: Path) -> None:
    write_progress(make_run(root, "live", created_at="2026-01-01T00:00:00+00:00"))
    for day in (2, 3):
        make_run(root, f"done{day}", finished=True, created_at=f"2099-01-0{day}T00:00:00+00:00")
    assert [run.name for run in training.current(training.runs())] == ["live", "done3"]
    assert training.current([]) == []


def test_a_finished_run_predicts_a_study(
    started: list[list[str]], root: Path, sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_repository.create_study(NewStudy("demo", "Demo: faces"), pictures(1))
    folder = make_run(root, "a", finished=True)
    app = open_page("training")
    app.button(key="predict-button-current-a").click().run()
    assert started == [["predict", "--run", str(folder), "--study", "demo"]]

    class Ended:
        def state(self) -> str:
            return "failed"

        def failure(self) -> str:
            return "There is no study named 'x'."

        def record(self) -> dict[str, Any]:
            return {"details": {"study": "demo"}}

    monkeypatch.setattr(run_card, "prediction", lambda run: Ended())
    assert alert(open_page("training")) == "There is no study named 'x'."


def test_names_from_outside_cannot_inject_markup(root: Path) -> None:
    make_run(root, "<img src=x onerror=alert(1)>", method="<b>x</b>")
    app = open_page("training")
    assert "<img src=x" not in html(app)
    assert "<b>x</b>" not in html(app)
    assert message(app.title[0]) == "Training"
