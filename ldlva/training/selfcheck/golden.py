"""The arrays of one golden file, and what ours makes of them beside what the authors' code made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

RELATIVE_TOLERANCE = 1e-5
ABSOLUTE_TOLERANCE = 1e-7

Arrays = Mapping[str, npt.NDArray[np.generic]]


class Comparison(NamedTuple):
    """One output array: what the authors' code gave, and what ours gives."""

    name: str
    expected: npt.NDArray[np.float64]
    actual: npt.NDArray[np.float64]

    @property
    def difference(self) -> float:
        """max|actual - expected|; infinite where shapes differ or a value is not a number."""
        if self.expected.shape != self.actual.shape:
            return float("inf")
        if not (np.isfinite(self.expected).all() and np.isfinite(self.actual).all()):
            return float("inf")
        return float(np.abs(self.actual - self.expected).max(initial=0.0))

    @property
    def relative(self) -> float:
        """max|actual - expected| / max|expected|; the plain difference where all of `expected` is 0."""
        scale = float(np.abs(self.expected).max(initial=0.0))
        return self.difference / scale if scale > 0 else self.difference

    @property
    def agrees(self) -> bool:
        """|actual - expected| <= 1e-5 max|expected| + 1e-7 everywhere."""
        scale = float(np.abs(self.expected).max(initial=0.0))
        return self.difference <= RELATIVE_TOLERANCE * scale + ABSOLUTE_TOLERANCE


class MissingArrayError(KeyError):
    """An array that a golden file should have."""

    def __str__(self) -> str:
        return str(self.args[0])


class Golden:
    """Arrays of one file as tensors (`dtype`, or int64) and numbers, and the comparisons made so far."""

    def __init__(self, arrays: Arrays, dtype: torch.dtype) -> None:
        self._arrays = arrays
        self.dtype = dtype
        self.comparisons: list[Comparison] = []

    def __getitem__(self, name: str) -> Tensor:
        array = self._array(name)
        if array.dtype.kind == "f":
            return torch.from_numpy(array.astype(np.float64)).to(self.dtype)
        return torch.from_numpy(array.astype(np.int64))

    def leaf(self, name: str) -> Tensor:
        """The array as something gradients can be asked for."""
        return self[name].requires_grad_()

    def number(self, name: str) -> float:
        return float(self[name])

    def count(self, name: str) -> int:
        return int(self[name])

    def names(self) -> Iterator[str]:
        return iter(self._arrays)

    def compare(self, name: str, actual: Tensor) -> None:
        self.comparisons.append(
            Comparison(name, self._array(name).astype(np.float64), actual.detach().double().numpy())
        )

    def compare_gradient(self, name: str, of: Tensor) -> None:
        self.compare(name, torch.zeros_like(of) if of.grad is None else of.grad)

    def _array(self, name: str) -> npt.NDArray[np.generic]:
        if name not in self._arrays:
            raise MissingArrayError(name)
        return self._arrays[name]


def read_arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """All arrays of an `.npz` file, without running anything that is in it."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
        return {name: np.asarray(content[name]) for name in content.files}
