from __future__ import annotations

from pathlib import Path

import pytest

from ldlva.errors import SurveyError
from ldlva.new_folder import new_folder


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out", "The file", SurveyError) as scratch:
        (scratch / "half").write_text("")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "out", "The file", SurveyError) as scratch:
        (scratch / "whole").write_text("")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "whole"]


def test_what_somebody_put_there_meanwhile_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(SurveyError, match="could not be written"), new_folder(out, "The file", SurveyError) as scratch:
        (scratch / "mine").write_text("")
        out.mkdir()
        (out / "theirs").write_text("")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "theirs"]


def test_only_what_gives_way_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("")
    with pytest.raises(SurveyError, match="is not empty"), new_folder(out, "The file", SurveyError):
        pass
    with new_folder(out, "The file", SurveyError, lambda there: (there / "old").exists()) as scratch:
        (scratch / "new").write_text("")
    assert [path.name for path in out.iterdir()] == ["new"]
