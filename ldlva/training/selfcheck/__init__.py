"""Our losses against numbers from the original authors' code.

A folder of golden files holds inputs and what the authors' code made of them (`*.npz`, plain arrays). Every check takes
the arrays of one file, runs this product's implementation on its inputs, and returns what was expected beside what came
out. Shapes, class counts and constants are read from the arrays. Everything is computed in float64 unless asked
otherwise, so what is measured is the formula, and the authors' rounding, but not ours.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ldlva.errors import TrainingError
from ldlva.training.selfcheck import dmue_checks, ldlva_checks
from ldlva.training.selfcheck.golden import Arrays, Comparison, Golden, MissingArrayError, read_arrays

CHECKS: dict[str, Callable[[Golden], None]] = {
    "ldlva_similarity": ldlva_checks.similarity,
    "ldlva_adaptive_similarity": ldlva_checks.adaptive_similarity,
    "ldlva_target": ldlva_checks.target,
    "ldlva_discriminative": ldlva_checks.discriminative,
    "ldlva_lambda_step": ldlva_checks.lambda_step,
    "dmue_soft_loss": dmue_checks.soft_loss,
    "dmue_sp_loss": dmue_checks.sp_loss,
    "dmue_confidence": dmue_checks.confidence,
    "dmue_sharpened_targets": dmue_checks.sharpened_targets,
    "dmue_ramp": dmue_checks.ramp,
    "dmue_total": dmue_checks.total,
}
"""Every golden file by name, and what compares ours with it."""


@dataclass(frozen=True)
class FileReport:
    """How one golden file came out.

    Attributes:
        name: the file's name without `.npz`.
        comparisons: one per output array; empty if the file could not be checked.
        error: why it could not be checked, or None.
    """

    name: str
    comparisons: tuple[Comparison, ...] = ()
    error: str | None = None

    @property
    def worst(self) -> Comparison | None:
        """The comparison closest to, or furthest beyond, its tolerance by relative difference."""
        return max(self.comparisons, key=lambda c: (not c.agrees, c.relative), default=None)

    @property
    def passed(self) -> bool:
        return self.error is None and bool(self.comparisons) and all(c.agrees for c in self.comparisons)


def check_folder(folder: Path) -> list[FileReport]:
    """Check every known golden file in `folder`; one that cannot be checked does not keep the others from it.

    Raises:
        TrainingError: no such folder, or none of the known files in it.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder. Name the one that holds the golden files.")
    found = [name for name in CHECKS if (folder / f"{name}.npz").exists()]
    if not found:
        raise TrainingError(f"{folder} holds none of the golden files: {', '.join(f'{name}.npz' for name in CHECKS)}.")
    return [check_file(folder / f"{name}.npz") for name in found]


def absent_files(folder: Path) -> list[str]:
    """Known golden files that `folder` does not have."""
    return [name for name in CHECKS if not (folder / f"{name}.npz").exists()]


def check_file(path: Path, dtype: torch.dtype = torch.float64) -> FileReport:
    """Check one golden file; its name says which check it is for. `dtype` is what ours is computed in."""
    try:
        arrays = read_arrays(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        return FileReport(path.stem, error=f"the file cannot be read ({error})")
    try:
        return FileReport(path.stem, tuple(compared(path.stem, arrays, dtype)))
    except MissingArrayError as error:
        return FileReport(path.stem, error=f"the array {error} is missing")
    except (IndexError, RuntimeError, ValueError, TypeError, ZeroDivisionError) as error:
        return FileReport(path.stem, error=f"its arrays do not fit together ({error})")


def compared(name: str, arrays: Arrays, dtype: torch.dtype = torch.float64) -> list[Comparison]:
    """Every output of the golden file `name`, given as its arrays, beside ours on the same inputs.

    Raises:
        MissingArrayError: an array is not there.
    """
    golden = Golden(arrays, dtype)
    CHECKS[name](golden)
    return golden.comparisons
