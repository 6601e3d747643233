"""The built-in rendered faces (`data/faces`, CC0), made by `tools/render_faces`: shown where real ones cannot be.

A face's `expression_mixture` is what the generator was told to show, not what people see. Claims about people need
people's votes, and claims about real faces need real faces.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError
from ldlva.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "data" / "faces"
SURVEY_ROLES = ("demo", "extra")


@dataclass(frozen=True)
class SurveyFace:
    """One face to vote on.

    Attributes:
        name: unique, says nothing about the expression.
        file: the JPEG.
        expression: the emotion with the largest share of the mixture.
    """

    name: str
    file: Path
    expression: str


def survey_faces(role: str, folder: Path = FOLDER) -> list[SurveyFace]:
    """The faces of one role: `demo` (the demo study) or `extra` (practice, gold, a second study).

    Raises:
        DatasetError: unknown role, or the manifest is missing or malformed.
    """
    if role not in SURVEY_ROLES:
        raise DatasetError(f"Unknown role {role!r}. Choose one of {', '.join(SURVEY_ROLES)}.")
    manifest = folder / "survey.csv"
    try:
        with manifest.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["role"] == role]
        mixtures = np.array([[float(row[f"expression_mixture_{name}"]) for name in EMOTION_NAMES] for row in rows])
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise DatasetError(f"The built-in faces are incomplete: {manifest} cannot be read ({error}).") from None
    return [
        SurveyFace(row["name"], folder / row["file"], EMOTION_NAMES[mixture.argmax()])
        for row, mixture in zip(rows, mixtures, strict=True)
    ]
