"""A folder that is written as a whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from ldlva.errors import LdlvaError


@contextlib.contextmanager
def new_folder(
    folder: Path,
    what: str,
    error: type[LdlvaError],
    gives_way: Callable[[Path], bool] = lambda _: False,
    mode: int = 0o777,
) -> Iterator[Path]:
    """A scratch folder to write into, which becomes `folder` when that went well and is gone when it did not.

    Args:
        folder: absent or empty.
        what: is written, for messages: `The report`.
        error: raised for everything that is wrong with the folder.
        gives_way: whether what `folder` holds may be replaced.
        mode: of the folder.

    Raises:
        LdlvaError: as `error`: the folder holds something, is the present one, or cannot be written.
    """
    folder = folder.resolve()  # "." has no name
    scratch = folder.parent / f".{folder.name}.{uuid.uuid4().hex[:8]}"
    try:
        check_new_folder(folder, what, error, gives_way)
        scratch.mkdir(parents=True, mode=mode)
        yield scratch
        if folder.exists() and gives_way(folder):
            shutil.rmtree(folder)
        elif folder.exists():
            folder.rmdir()  # still empty, or it stays
        scratch.replace(folder)
    except OSError as fault:
        raise error(f"{what} could not be written to {folder}: {fault.strerror or fault}.") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_new_folder(
    folder: Path, what: str, error: type[LdlvaError], gives_way: Callable[[Path], bool] = lambda _: False
) -> None:
    """Whether `new_folder` would begin, to be asked before long work. Arguments and errors as there."""
    folder = folder.resolve()
    try:
        holds_something = folder.exists() and any(folder.iterdir()) and not gives_way(folder)
    except OSError as fault:
        raise error(f"{what} cannot be written to {folder}: {fault.strerror or fault}.") from None
    # Nor may it be where the user is: they would be left in the old one.
    if holds_something or folder == Path.cwd():
        raise error(
            f"{folder} is not empty, or the present one. Choose another folder: {what.lower()} never overwrites."
        )
