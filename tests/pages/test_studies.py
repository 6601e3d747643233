"""The Studies page in Streamlit's test harness, with real child processes behind it."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from ldlva.jobs import MAKING, Job, jobs, new_job
from ldlva.settings import settings
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from ldlva.ui import study_form
from tests.conftest import pictures, png
from tests.pages.test_pages import alert, html, open_page, titles

Files = list[tuple[str, bytes, str]]


def press(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception


def ticked(app: AppTest) -> set[str]:
    """What the models that the form proposes learned from."""
    boxes = [box for box in app.checkbox if str(box.key).startswith("model-")]
    return {str(box.key).split("-")[1] for box in boxes if box.value}


def fill(app: AppTest, name: str, files: Files, title: str = "A title") -> None:
    """Fill the form in: no models and no face detector, so that the job is short."""
    app.file_uploader[0].set_value(files)
    app.text_input(key="title-0").set_value(title)
    app.text_input(key="name-0").set_value(name)
    app.segmented_control(key="crop-0").set_value("centre")
    for box in app.checkbox:
        box.uncheck()
    app.run()
    assert not app.exception


def finish(app: AppTest) -> Job:
    """Wait until the only job has ended, and see the page then."""
    [job] = jobs(MAKING)
    deadline = time.monotonic() + 180
    while job.state() == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    app.run()
    assert not app.exception
    return job


def test_studies_are_listed_with_counts_link_and_status(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("mine", "Mine & <b>yours</b>"), pictures(3))
    app = open_page("studies")
    assert titles(app) == ["Studies"]
    assert "Mine &amp; &lt;b&gt;yours&lt;/b&gt;" in html(app)
    assert "3 faces · 0 volunteers · 0 votes" in html(app)
    assert app.code[0].value.endswith("/vote?study=mine")
    press(app, "paused-mine")
    assert sqlite_repository.study("mine").status == "paused"
    press(app, "closed-mine")
    assert sqlite_repository.study("mine").status == "closed"
    press(app, "open-mine")
    assert sqlite_repository.study("mine").status == "open"


def test_without_studies_the_form_is_there_and_complains_kindly(sqlite_repository: Repository) -> None:
    app = open_page("studies")
    assert "no studies yet" in app.info[0].value
    assert ticked(app) == {"ferplus"}
    app.segmented_control(key="source-0").set_value("sample").run()
    assert ticked(app) == {"faces"}  # the data set chosen at first
    app.selectbox(key="data-0").set_value("ferplus").run()
    assert ticked(app) == {"ferplus"}
    app.segmented_control(key="source-0").set_value("upload").run()
    press(app, "create-study")
    assert alert(app).splitlines() == [
        "Give the study a short name.",
        "Give the study a title: volunteers read it.",
        "Choose pictures, or a ZIP archive of them.",
    ]


def test_a_name_is_checked_while_it_is_typed(sqlite_repository: Repository) -> None:
    sqlite_repository.create_study(NewStudy("mine", "Mine"), pictures(1))
    app = open_page("studies")
    for name, problem in (("Not <i>good", "Bad study name"), ("mine", "exists already")):
        app.text_input(key="name-0").set_value(name).run()
        assert problem in html(app)
        assert "<i>" not in html(app)
    app.text_input(key="name-0").set_value("new").run()
    assert "/vote?study=new" in html(app)


def test_an_upload_becomes_a_study_and_says_what_was_left_out(sqlite_repository: Repository) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("one.png", png(1, 64))
        writer.writestr("cut <b>.png", png(2)[:100])
    files = [("photos.zip", archive.getvalue(), "application/zip"), ("again.png", png(1, 64), "image/png")]
    app = open_page("studies")
    fill(app, "mine", files, title="Faces <script>")
    press(app, "create-study")
    job = finish(app)
    assert job.state() == "finished", job.log_file.read_text()
    study = sqlite_repository.study("mine")
    assert (study.title, study.images, study.status) == ("Faces <script>", 1, "open")
    shown = html(app)
    assert "“Faces &lt;script&gt;” is ready: 1 face" in shown
    assert "<b>one.png</b> is the same picture as again.png." in shown
    assert "<b>cut &lt;b&gt;.png</b> is not a whole" in shown
    assert shown.count("<figure>") == 1
    assert not (job.folder / "upload").exists()
    assert app.text_input(key="name-1").value == ""  # the form is ready for the next one
    press(app, f"remove-{job.id}")
    assert not job.folder.exists()
    assert "is ready" not in html(app)


def test_a_failure_says_why_and_loses_nothing(sqlite_repository: Repository) -> None:
    app = open_page("studies")
    fill(app, "mine", [("a.png", b"not a picture", "image/png")])
    press(app, "create-study")
    job = finish(app)
    assert job.state() == "failed"
    assert "holds no picture that can be used" in alert(app)
    assert "a.png: is not a whole" in alert(app)
    assert app.text_input(key="name-0").value == "mine"
    assert (job.folder / "upload" / "a.png").read_bytes() == b"not a picture"
    assert sqlite_repository.studies() == []

    (job.folder / "upload" / "a.png").write_bytes(png(1))
    press(app, f"retry-{job.id}")
    assert finish(app).state() == "finished"
    assert sqlite_repository.study("mine").images == 1


def test_a_running_job_can_be_stopped_and_discarded(sqlite_repository: Repository) -> None:
    app = open_page("studies")
    fill(app, "mine", [(f"{i}.png", png(i, 400), "image/png") for i in range(40)])
    press(app, "create-study")
    [job] = jobs(MAKING)
    assert job.state() == "running"
    again = open_page("studies")  # as after a reload, in a new session
    assert "Making “A title”" in html(again)
    again.text_input(key="name-0").set_value("mine").run()
    assert "is being made right now" in html(again)
    press(again, f"stop-{job.id}")
    assert job.state() == "stopped"
    assert "It was stopped." in alert(again)
    press(again, f"remove-{job.id}")
    assert jobs(MAKING) == []
    assert sqlite_repository.studies() == []


def test_what_a_server_cannot_do_is_said(sqlite_repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_form, "detector_installed", lambda: False)
    monkeypatch.setattr(study_form, "torch_installed", lambda: False)
    app = open_page("studies")
    assert "pip install -r requirements-faces.txt" in html(app)
    assert "pip install -r requirements.txt" in html(app)
    assert [box.key for box in app.checkbox] == ["draft-0"]


def test_a_finished_job_of_another_database_can_be_dismissed(sqlite_repository: Repository) -> None:
    job = new_job()
    record = {"kind": MAKING, "arguments": [], "details": {"name": "gone"}, "pid": 1, "process": None}
    (job.folder / "job.json").write_text(json.dumps(record))
    (job.folder / "exit.json").write_text('{"code": 0}')
    app = open_page("studies")
    assert "no study named 'gone'" in alert(app)
    press(app, f"remove-{job.id}")
    assert not job.folder.exists()
    assert app.text_input(key="name-0")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.png", "a (2).png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\x.jpg", "x.jpg"),
        (".hidden.png", "hidden.png"),
        ("new\nline.png", "new_line.png"),
        ("..", "picture"),
        ("", "picture"),
        ("x" * 300 + ".jpeg", "x" * 120 + ".jpeg"),
    ],
)
def test_file_names_of_browsers_are_made_safe(name: str, safe: str) -> None:
    assert study_form.safe_file_name(name, {"a.png"}) == safe


def test_options_cannot_be_smuggled_in() -> None:
    form = study_form.Form("mine", "--consent", "--progress=/etc/x", leave_out_faceless=True, models=("m",))
    command = form.command(new_job())
    assert "--title=--consent" in command
    assert "--description=--progress=/etc/x" in command
    assert {"--crop=face", "--leave-out-faceless", "--predict=m"} <= set(command)


def test_a_folder_of_the_server_becomes_a_draft_by_protocol(
    sqlite_repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = tmp_path / "allowed" / "faces"
    faces.mkdir(parents=True)
    (faces / "a.png").write_bytes(png(1, 64))
    monkeypatch.setenv("LDLVA_FOLDERS", str(tmp_path / "allowed"))
    settings.cache_clear()
    app = open_page("studies")
    app.segmented_control(key="source-0").set_value("folder").run()
    assert f"within {tmp_path / 'allowed'}; folders inside the one you name are not read" in html(app)
    app.text_input(key="name-0").set_value("mine")
    app.segmented_control(key="crop-0").set_value("none")
    for box in app.checkbox:
        box.uncheck()
    for folder, problem in (("", "Say which folder"), ("/etc", "within"), (str(faces / "no"), "no folder")):
        app.text_input(key="folder-0").set_value(folder)
        press(app, "create-study")
        assert problem in alert(app)
    app.text_input(key="folder-0").set_value(str(faces))
    app.checkbox(key="draft-0").check()
    app.file_uploader[0].set_value([("p.toml", b'title = "By file"\n', "application/toml")])
    press(app, "create-study")
    assert "consent is missing" in alert(app)
    content = b'title = "By file"\n[consent]\ntext = "Agree."\n'
    app.file_uploader[0].set_value([("p.toml", content, "application/toml")])
    app.text_input(key="title-0").set_value("By hand")
    press(app, "create-study")
    assert "Empty title and sentence, or remove the file" in alert(app)
    app.text_input(key="title-0").set_value("")
    press(app, "create-study")
    job = finish(app)
    assert job.state() == "finished", job.log_file.read_text()
    study = sqlite_repository.study("mine")
    assert (study.title, study.consent_text, study.status, study.images) == ("By file", "Agree.", "draft", 1)
    assert (faces / "a.png").exists()


def test_a_sample_of_a_data_set_becomes_a_study(sqlite_repository: Repository) -> None:
    app = open_page("studies")
    app.segmented_control(key="source-0").set_value("sample").run()
    app.text_input(key="name-0").set_value("drawn")
    app.number_input(key="images-0").set_value(99_999)
    app.number_input(key="image-size-0").set_value(1)
    press(app, "create-study")
    for problem in ("Give the study a title", "Take 1 to 500 faces, not 99,999", "The size in pixels is 32 to 2,000"):
        assert problem in alert(app)
    app.text_input(key="title-0").set_value("Drawn")
    app.number_input(key="images-0").set_value(14)
    app.number_input(key="image-size-0").set_value(40)
    for box in app.checkbox:
        box.uncheck()
    press(app, "create-study")
    job = finish(app)
    assert job.state() == "finished", job.log_file.read_text()
    study = sqlite_repository.study("drawn")
    assert (study.images, study.origin["source"], study.origin["sample"]) == (14, "faces", "label")
    for image_id, _, _ in sqlite_repository.images(study):
        with Image.open(io.BytesIO(sqlite_repository.image_content(image_id)[0])) as image:
            assert image.size == (40, 40)
    labels = sqlite_repository.votes(study).image_labels
    assert {labels.count(label) for label in labels} == {2}


def test_a_sample_by_uncertainty_names_its_model() -> None:
    form = study_form.Form("mine", "T", "", sample=study_form.Sample("faces", "valid", 9, "m"), draft=True)
    command = form.command(new_job())
    assert command[:2] == ["study", "sample"]
    assert {"--by=uncertainty", "--model=m", "--images=9", "--draft", "--split=valid"} <= set(command)
