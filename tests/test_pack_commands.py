"""`study export --psych-ds` and `study import` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ldlva.survey.repository import Repository
from tests.survey.test_psych_ds import a_voted_study
from tests.test_embed_command import run


def test_a_study_is_published_and_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, sqlite_repository: Repository
) -> None:
    a_voted_study(sqlite_repository)
    out = str(tmp_path / "out")
    export = ["study", "export", "my-study"]
    assert run(monkeypatch, *export) == 1
    assert "--psych-ds FOLDER for a data set to publish" in capsys.readouterr().err
    assert run(monkeypatch, *export, "--out", out, "--with-images") == 1
    assert "belong to --psych-ds" in capsys.readouterr().err
    with monkeypatch.context() as here:
        here.chdir(tmp_path)
        for option in ("--out", "--psych-ds"):
            for place in (".", "/"):
                assert run(monkeypatch, *export, option, place) == 1
                assert "is not empty, or the present one" in capsys.readouterr().err
    assert run(monkeypatch, *export, "--psych-ds", out, "--with-images", "--author", "A. Author") == 0
    assert "dataset_description.json" in capsys.readouterr().out
    assert run(monkeypatch, "study", "import", out) == 1
    assert "exists already. Choose another name with --name." in capsys.readouterr().err
    assert run(monkeypatch, "study", "import", out, "--name", "again") == 0
    assert "Study 'again': 4 faces, 3 votes, 1 models. Closed." in capsys.readouterr().out
    assert sqlite_repository.study("again").votes == 3

    broken = tmp_path / "out" / "README.md"
    broken.write_text("mine")
    assert run(monkeypatch, "study", "import", out, "--name", "third") == 1
    assert f"{broken} is damaged or was edited" in capsys.readouterr().err
