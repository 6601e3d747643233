"""Label files read line by line: whatever is wrong is named by file and line."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from ldlva.distributions import IntArray
from ldlva.errors import DatasetError


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and stripped cells of every line of a CSV file that is not empty.

    Raises:
        DatasetError: the file is missing, not text, or not CSV.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for row in reader:
                if any(cells := [cell.strip() for cell in row]):
                    yield reader.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None


def read_words(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and words of every line of a text file that is not empty.

    Raises:
        DatasetError: the file is missing or not text.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if words := line.split():
                    yield number, words
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None


def place(path: Path, line: int) -> str:
    """How a message names a line."""
    return f"{path}, line {line}"


def relative_name(text: str, where: str) -> str:
    """A picture's name as its path below the data set's folder, with `/`.

    Raises:
        DatasetError: empty, absolute, or leading out of the folder.
    """
    path = PurePosixPath(text.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or not text.isprintable() or ":" in path.parts[0]:
        raise DatasetError(f"{where}: {text!r} is not the name of an image below the data set's folder.")
    return str(path)


def whole_number(text: str, what: str, where: str) -> int:
    """An integer.

    Raises:
        DatasetError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise DatasetError(f"{where}: {what} must be a whole number, got {text!r}.") from None


def coordinate(text: str, what: str, where: str) -> float:
    """Valence or arousal in [-1, 1].

    Raises:
        DatasetError: not a number, not finite, or outside.
    """
    value = finite_number(text, what, where)
    if not -1 <= value <= 1:
        raise DatasetError(f"{where}: {what} must lie in [-1, 1], got {text!r}.")
    return value


def finite_number(text: str, what: str, where: str) -> float:
    """A finite number.

    Raises:
        DatasetError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{where}: {what} must be a finite number, got {text!r}.")
    return value


class UniqueNames:
    """Refuses a name that was given before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[str, int] = {}

    def add(self, name: str, line: int) -> None:
        """Note a name.

        Raises:
            DatasetError: an earlier line has it.
        """
        if (earlier := self._lines.setdefault(name, line)) != line:
            raise DatasetError(f"{place(self._path, line)}: image {name} is listed twice, first in line {earlier}.")


def held_out(names: Sequence[str], labels: IntArray, shares: Sequence[float]) -> IntArray:
    """Which hold-out every image belongs to: 0 for the first share, 1 for the second, ..., -1 for the rest.

    Stratified: within every class images are ordered by the SHA-256 of their name, and each share takes its part of
    that order, rounded, and at least one image of a class that has three. Depends on names and labels alone.

    Args:
        names: N names.
        labels: int64 `[N]`.
        shares: of every class, summing to less than 1.

    Returns:
        int64 `[N]`.
    """
    key = np.array([hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest() for name in names], dtype=str)
    parts = np.full(len(names), -1, dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(key[members], kind="stable")]
        start = 0
        for part, share in enumerate(shares):
            size = max(math.floor(share * len(members) + 0.5), 1 if len(members) >= 3 else 0)
            parts[members[start : start + size]] = part
            start += size
    return parts
