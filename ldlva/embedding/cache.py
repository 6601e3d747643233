"""Maps kept on disk, in the folder that `LDLVA_CACHE` names: what was computed once for the same features is not again.

```
CACHE/maps/views/KEY/          an `Embedding` with its pictures, as the page asked for it
           projections/KEY     t-SNE coordinates; the key covers features, perplexity, seed and versions
           separations/KEY     numbers
           features/KEY.npz    features of a data set's faces; the key covers weights and pixels
```
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ldlva.errors import ProjectionError
from ldlva.settings import settings

WEIGHTS = "model.safetensors"

MOST_ENTRIES = {"views": 60, "projections": 200, "separations": 400, "features": 24}
"""Of each kind; the ones unused longest go first."""


def folder(kind: str) -> Path:
    """Where entries of a kind are."""
    return settings().cache.expanduser() / "maps" / kind


def weights_state(runs: Sequence[Path]) -> list[int]:
    """Sizes and modification times of the weights in run folders: other numbers mean other weights."""
    found = []
    for run in runs:
        with contextlib.suppress(OSError):
            status = (run / WEIGHTS).stat()
            found += [status.st_size, status.st_mtime_ns]
    return found


def cached(kind: str, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """JSON content under a key, computed if it is not there or damaged.

    Raises:
        ProjectionError: it cannot be written.
    """
    path = folder(kind) / key
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text())
        path.touch()
        return dict(content)
    content = compute()
    with _whole_file(path) as file:
        file.write(json.dumps(content).encode())
    return content


def cached_arrays(key: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays under a key, computed if they are not there or damaged.

    Raises:
        ProjectionError: they cannot be written.
    """
    path = folder("features") / f"{key}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError), np.load(path) as stored:
        path.touch()
        return {name: stored[name] for name in stored.files}
    arrays = compute()
    with _whole_file(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return arrays


def prune() -> None:
    """Remove the entries unused longest."""
    for kind, most in MOST_ENTRIES.items():
        with contextlib.suppress(OSError):
            entries = sorted(folder(kind).iterdir(), key=lambda entry: entry.stat().st_mtime, reverse=True)
            for entry in entries[most:]:
                if entry.is_dir():
                    shutil.rmtree(entry, ignore_errors=True)
                else:
                    entry.unlink(missing_ok=True)


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    part = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:6]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise ProjectionError(f"{path} cannot be written: {error.strerror}. Free space, or set LDLVA_CACHE.") from None
    finally:
        part.unlink(missing_ok=True)
