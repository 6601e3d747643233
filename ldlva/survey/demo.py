"""The demo study: built-in faces, open to votes, and empty of them. No vote in this product was invented."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from ldlva.datasets.faces import survey_faces
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError
from ldlva.languages import languages
from ldlva.settings import MODELS
from ldlva.survey.pictures import read_picture
from ldlva.survey.protocol import Protocol
from ldlva.survey.protocol_sections import Consent
from ldlva.survey.records import NewModel, NewStudy
from ldlva.survey.repository import Repository


def _in_every_language(key: str) -> dict[str, str]:
    return {code: language.text(key) for code, language in languages().items()}


DEMO = NewStudy(
    name="demo",
    protocol=Protocol(
        title=_in_every_language("demo.title"),
        description=_in_every_language("demo.description"),
        languages=tuple(languages()),
        consent=Consent(text=_in_every_language("consent.default")),
    ),
    origin={"source": "faces", "role": "demo", "licence": "CC0-1.0"},
)


def create_demo_study(repository: Repository) -> None:
    """Put up the demo study.

    Raises:
        LdlvaError: it exists already, or the built-in faces are missing.
    """
    faces = [read_picture(face.file, label=face.expression) for face in survey_faces("demo")]
    repository.create_study(DEMO, faces)
    for folder in sorted(path.parent for path in MODELS.glob("*/demo.parquet")):
        store_shipped_predictions(repository, folder)


def store_shipped_predictions(repository: Repository, folder: Path) -> None:
    """Store what a shipped model predicted for the demo study, so that the web process needs no torch for it.

    Raises:
        DatasetError: the model's files are incomplete or do not fit the demo study.
    """
    try:
        record = json.loads((folder / "config.json").read_text())
        temperature = folder / "temperature.json"
        record["temperature"] = json.loads(temperature.read_text()) if temperature.is_file() else None
        table = pq.read_table(folder / "demo.parquet")
        votes = repository.votes(repository.study(DEMO.name))
        ids = dict(zip(votes.image_names, votes.image_ids, strict=True))
        model = NewModel(
            name=folder.name,
            method=record["config"]["method"],
            backbone=record["config"]["backbone"],
            labels=EMOTION_NAMES,
            weights_sha256=table.schema.metadata[b"weights_sha256"].decode(),
            details=record,
        )
        image_ids = [ids[name] for name in table["name"].to_pylist()]
        probabilities = np.array(table["probabilities"].to_pylist(), dtype=np.float64)
        features = np.array(table["features"].to_pylist(), dtype=np.float32)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"The shipped model in {folder} is incomplete: {error!r}.") from None
    repository.store_predictions(model, image_ids, probabilities, features)
