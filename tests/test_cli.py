from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ldlva import cli
from ldlva.settings import settings
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
    assert set(scores) == {"n", "filter", "accuracy", "jeffreys", "soft_cross_entropy", "js"}
    assert list(scores["jeffreys"]) == ["1e-2", "1e-3", "1e-4", "1e-7"]
    assert (scores["n"], scores["filter"]) == (21, "argmax")

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
        (["evaluate", "--run", "/nowhere", "--data", "x:y"], "Unknown data set 'x:y'"),
        (["train", "--out", "/tmp/x"], "Say what to train on with --data"),
        (["train", "--out", "/nowhere", "--resume"], "holds no run"),
        (["train", "--out", "/tmp/x", "--data", "ferplus:/nowhere"], "/nowhere is not a folder"),
        (["train", "--out", "/tmp/x", "--data", "a:b", "--method", "magic"], "Unknown method 'magic'"),
        (["train", "--out", "/tmp/x", "--data", "a:b", "--set", "k"], "--set takes NAME=VALUE"),
        (["train", "--out", "/tmp/x", "--data", "a:b", "--seed", str(2**70)], "seed: Input should be less than"),
        (["study", "create", "--name", "x", "--images", "/a[/x]b"], "/a[/x]b is neither a folder"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(monkeypatch, *arguments) == 1
    shown = capsys.readouterr().err
    assert message in shown.replace("\n", " ")
    assert "Traceback" not in shown


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
    assert run(monkeypatch, *quick) == 0
    assert "x cross-entropy" in capsys.readouterr().out


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
