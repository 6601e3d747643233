"""Many small pictures in few files: a map of thousands of faces shows any of them without asking the server."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PIL import Image

TILE = 64
"""Pixels: shown at up to twice that, which is enough to recognise a face."""

COLUMNS = 32
PER_SHEET = COLUMNS * COLUMNS
"""2,048 pixels a side: every phone can decode that."""

_QUALITY = 78


@dataclass(frozen=True)
class Layout:
    """Where face i is: on sheet i // `per_sheet`, in row-major order of `columns` tiles of `tile` pixels."""

    tile: int = TILE
    columns: int = COLUMNS
    per_sheet: int = PER_SHEET


def contact_sheets(pictures: Iterable[Image.Image], report: Callable[[int], None] | None = None) -> list[bytes]:
    """Central squares of pictures as JPEG sheets in the default `Layout`; colour only where a sheet has any.

    Args:
        pictures: in the order of the faces.
        report: called with how many are done.
    """
    sheets: list[bytes] = []
    waiting: list[Image.Image] = []
    for number, picture in enumerate(pictures, start=1):
        waiting.append(_tile(picture))
        if len(waiting) == PER_SHEET:
            sheets.append(_sheet(waiting))
            waiting = []
        if report is not None:
            report(number)
    return sheets + ([_sheet(waiting)] if waiting else [])


def _tile(picture: Image.Image) -> Image.Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.convert("L" if picture.mode == "L" else "RGB").crop((left, top, left + side, top + side))
    return square.resize((TILE, TILE), Image.Resampling.LANCZOS)


def _sheet(tiles: list[Image.Image]) -> bytes:
    mode = "L" if all(tile.mode == "L" for tile in tiles) else "RGB"
    rows = math.ceil(len(tiles) / COLUMNS)
    sheet = Image.new(mode, (TILE * min(COLUMNS, len(tiles)), TILE * rows))
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (TILE * (place % COLUMNS), TILE * (place // COLUMNS)))
    written = io.BytesIO()
    sheet.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()
