"""A CSV file with numbers about every image: `name` and some columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ldlva.distributions import FloatArray
from ldlva.errors import TrainingError
from ldlva.training.runs import atomic_file


def read_image_table(
    path: Path, names: Sequence[str], columns: Sequence[str], lowest: float, highest: float
) -> FloatArray:
    """Read `name` and `columns` and return `[N, len(columns)]` in the order of `names`; other names are ignored.

    Raises:
        TrainingError: no such file, another header, a value outside [lowest, highest], or a name without a row.
    """
    header = ["name", *columns]
    expected = ",".join(header)
    found: dict[str, list[float]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            if next(reader, None) != header:
                raise TrainingError(f"{path}, line 1: expected the header {expected}.")
            for line, row in enumerate(reader, start=2):
                try:
                    name, values = row[0], [float(value) for value in row[1:]]
                except (IndexError, ValueError):
                    values = []
                if len(values) != len(columns):
                    raise TrainingError(f"{path}, line {line}: expected {expected}, got {row}.")
                if not all(lowest <= value <= highest for value in values):
                    raise TrainingError(
                        f"{path}, line {line}: {' and '.join(columns)} must lie in "
                        f"[{lowest:g}, {highest:g}], got {row}."
                    )
                found[name] = values
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} cannot be read: {error}") from None
    missing = [name for name in names if name not in found]
    if missing:
        raise TrainingError(f"{path} has no row for {len(missing)} of {len(names)} images, the first is {missing[0]}.")
    return np.array([found[name] for name in names])


def write_image_table(path: Path, names: Sequence[str], columns: Sequence[str], values: FloatArray) -> None:
    """Write the file `read_image_table` reads, with six decimals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", *columns])
    writer.writerows((name, *(f"{v:.6f}" for v in row)) for name, row in zip(names, values, strict=True))
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())
