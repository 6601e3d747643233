"""Contact sheets: every picture with its name and mixture, for looking before shipping."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from .emotions import EMOTIONS
from .plan import Face, Plan
from .render import image_path
from .scene import Quality


def caption(face: Face) -> str:
    leading = sorted(zip(face.mixture, EMOTIONS, strict=True), reverse=True)
    return f"{face.name} " + " ".join(f"{e[:3]}{w * 100:.0f}" for w, e in leading[:2] if w >= 0.1)


def contact_sheet(
    plan: Plan, quality: Quality, folder: Path, faces: list[Face], size: int, columns: int
) -> Image.Image:
    """The faces that are rendered so far, in rows of `columns`."""
    faces = [f for f in faces if image_path(folder, plan, f, quality).exists()]
    rows = -(-len(faces) // columns)
    sheet = Image.new("RGB", (columns * size, max(1, rows) * (size + 14)), "white")
    pen = ImageDraw.Draw(sheet)
    for i, face in enumerate(faces):
        x, y = i % columns * size, i // columns * (size + 14)
        with Image.open(image_path(folder, plan, face, quality)) as picture:
            sheet.paste(picture.resize((size, size), Image.Resampling.LANCZOS), (x, y))
        pen.text((x + 2, y + size + 1), caption(face), fill="black")
    return sheet
