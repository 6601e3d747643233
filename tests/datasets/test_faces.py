"""The built-in faces as committed."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldlva.datasets.faces import FOLDER, SURVEY_ROLES, survey_faces
from ldlva.emotions import EMOTION_NAMES, valence_arousal_coordinates
from ldlva.errors import DatasetError


def manifest() -> list[dict[str, str]]:
    with (FOLDER / "survey.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_has_its_checksum() -> None:
    listed = dict(line.split("  ")[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    present = {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*")
        if path.is_file() and path.name not in ("SHA256SUMS", "README.md")
    }
    assert set(listed) == present
    for name, digest in listed.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest


def test_mixtures_sum_to_one_and_give_valence_and_arousal() -> None:
    for row in manifest():
        mixture = np.array([float(row[f"expression_mixture_{name}"]) for name in EMOTION_NAMES])
        assert mixture.sum() == pytest.approx(1, abs=1e-3)
        expected = mixture @ valence_arousal_coordinates() * float(row["intensity"])
        assert [float(row["valence"]), float(row["arousal"])] == pytest.approx(expected.tolist(), abs=2e-2)


@pytest.mark.parametrize("role", SURVEY_ROLES)
def test_each_role_has_21_faces_of_different_people_covering_every_emotion(role: str) -> None:
    faces = survey_faces(role)
    assert len(faces) == 21
    assert set(Counter(face.expression for face in faces)) == set(EMOTION_NAMES)
    for face in faces:
        with Image.open(face.file) as image:
            assert min(image.size) >= 384
            assert image.format == "JPEG"
    people = [row["person"] for row in manifest() if row["role"] == role]
    assert len(set(people)) == 21


def test_names_do_not_give_the_expression_away() -> None:
    assert not any(emotion in face.name for face in survey_faces("demo") for emotion in EMOTION_NAMES)


def test_a_missing_or_malformed_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="built-in faces are incomplete"):
        survey_faces("demo", tmp_path)
    shutil.copy(FOLDER / "survey.csv", tmp_path)
    (tmp_path / "survey.csv").write_text((FOLDER / "survey.csv").read_text().replace("expression_mixture_", "mix_"))
    with pytest.raises(DatasetError, match="built-in faces are incomplete"):
        survey_faces("demo", tmp_path)
    with pytest.raises(DatasetError, match="Unknown role 'gold'"):
        survey_faces("gold")
