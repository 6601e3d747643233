from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldlva.errors import TrainingError
from ldlva.training import valence_arousal


def test_the_file_is_read_back_in_the_order_of_the_images(tmp_path: Path) -> None:
    path = tmp_path / "va.csv"
    valence_arousal.write_valence_arousal(path, ("a", "b"), np.array([[0.5, -0.25], [1, 0]]))
    assert valence_arousal.read_valence_arousal(path, ("b", "a")).tolist() == [[1, 0], [0.5, -0.25]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n", "line 1: expected the header"),
        ("name,valence,arousal\na,0.5\n", "line 2: expected name,valence,arousal"),
        ("name,valence,arousal\na,0.5,x\n", "line 2: expected name,valence,arousal"),
        ("name,valence,arousal\na,0.5,-2\n", r"line 2: valence and arousal must lie in \[-1, 1\]"),
        ("name,valence,arousal\na,0.5,nan\n", r"line 2: valence and arousal must lie in \[-1, 1\]"),
        ("name,valence,arousal\na,0.5,0\n", "no row for 1 of 2 images, the first is b"),
    ],
)
def test_a_bad_file_is_named_by_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "va.csv"
    path.write_text(content)
    with pytest.raises(TrainingError, match=message):
        valence_arousal.read_valence_arousal(path, ("a", "b"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        valence_arousal.read_valence_arousal(tmp_path / "nowhere.csv", ("a",))
