"""Our losses against numbers from the original authors' code (`../shared/golden`, 1e-5 x max|array| + 1e-7)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ldlva.training.selfcheck import CHECKS, check_file


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", CHECKS)
def test_numbers_of_the_authors_code(name: str, dtype: torch.dtype, golden_folder: Path) -> None:
    """float32 is what training runs in, float64 what `selfcheck` measures in."""
    report = check_file(golden_folder / f"{name}.npz", dtype)
    assert report.error is None
    assert report.comparisons
    assert {c.name: c.relative for c in report.comparisons if not c.agrees} == {}
