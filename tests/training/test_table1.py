from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ldlva.datasets import load_dataset
from ldlva.errors import TrainingError
from ldlva.training import table1
from ldlva.training.backbones import BACKBONES
from ldlva.training.table1 import Cell, grid, results, train_grid
from ldlva.training.trainer import Progress
from tests.conftest import FerPlusMaker
from tests.training.conftest import silent


def settings(root: Path) -> dict[str, Any]:
    return {"data": f"ferplus:{root}", "epochs": 2, "image_size": 32, "batch_size": 7, "threads": 1} | {
        "teacher_epochs": 1,
        "teacher_folds": 2,
    }


def test_the_grid_resumes_and_stands_beside_the_published_numbers(
    tmp_path: Path, make_ferplus: FerPlusMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = grid(tmp_path / "grid", ["mobilenet_v2"], settings(make_ferplus()))
    trained: list[str] = []

    def watch(stop_at: str | None) -> Callable[[Cell], Progress]:
        def begin(cell: Cell) -> Progress:
            if cell.run.name == stop_at:
                raise KeyboardInterrupt
            trained.append(cell.run.name)
            return silent

        return begin

    with pytest.raises(KeyboardInterrupt):
        train_grid(cells, watch("mobilenet_v2-ldlva"), load_dataset)
    train_grid(cells, watch(None), load_dataset)
    assert trained == ["mobilenet_v2-ce", "mobilenet_v2-ldlva"]

    content = results(cells, load_dataset)
    assert content["data"]["split"] == "valid"
    [row] = content["rows"]
    assert row["published"]["rafdb"] == {"without": 0.8545, "with": 0.8862}
    assert row["gain"] == row["with"]["accuracy"] - row["without"]["accuracy"]
    low, high = row["with"]["interval"]
    assert low <= row["with"]["accuracy"] <= high


def test_a_grid_is_not_continued_with_other_settings(tmp_path: Path, make_ferplus: FerPlusMaker) -> None:
    given = settings(make_ferplus())
    train_grid(grid(tmp_path / "grid", ["mobilenet_v2"], given)[:1], lambda cell: silent, load_dataset)
    with pytest.raises(TrainingError, match="other settings"):
        grid(tmp_path / "grid", ["mobilenet_v2"], {**given, "epochs": 3})
    with pytest.raises(TrainingError, match="Unknown backbone 'vgg'"):
        grid(tmp_path / "grid", ["vgg"], given)


def test_a_backbone_that_the_paper_does_not_have_stands_without_its_numbers(
    tmp_path: Path, make_ferplus: FerPlusMaker
) -> None:
    cells = grid(tmp_path / "grid", ["mobilenet_v2_050"], settings(make_ferplus()))
    train_grid(cells, lambda cell: silent, load_dataset)
    [row] = results(cells, load_dataset)["rows"]
    assert row["published"] == {}


def test_every_backbone_of_the_supplement_has_published_numbers() -> None:
    for published in table1.PUBLISHED.values():
        assert set(published) == set(BACKBONES) - {"mobilenet_v2_050"}
        assert all(with_ldlva > without for without, with_ldlva in published.values())
