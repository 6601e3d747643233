"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Arrays made by the original authors' code; `LDLVA_GOLDEN` names another folder with such files."""
    return Path(os.environ.get("LDLVA_GOLDEN", ROOT.parent / "shared" / "golden"))
