"""What commands print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ldlva.errors import LdlvaError

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_json(content: Any) -> None:
    """Machine-readable output."""
    print(json.dumps(content, indent=2))


def write_result(path: Path, content: str) -> None:
    """A result for a page, whole or not at all.

    Raises:
        LdlvaError: the file cannot be written.
    """
    part = path.parent / f".{path.name}.part"  # no `with_name`: "." has none
    try:
        part.write_text(content, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise LdlvaError(f"{path} cannot be written: {error.strerror}.") from None
