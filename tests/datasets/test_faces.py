"""The built-in faces as committed."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ldlva.datasets import SPLITS, FaceDataset, load_dataset
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


@pytest.fixture(scope="module")
def training() -> dict[str, FaceDataset]:
    return {split: load_dataset("faces", split) for split in SPLITS}


def test_the_training_set_has_the_promised_size_and_every_emotion_in_every_part(
    training: dict[str, FaceDataset],
) -> None:
    assert (FOLDER / "training.parquet").stat().st_size <= 16 * 2**20
    assert 3800 <= sum(len(part) for part in training.values()) <= 4200
    for part in training.values():
        assert part.images.shape[1:] == (112, 112, 3)
        assert np.bincount(part.labels, minlength=7).min() >= len(part) / 14
        assert part.images.std(axis=(1, 2, 3)).min() > 10, "a blank picture"


def test_training_mixtures_are_distributions_and_give_valence_and_arousal(training: dict[str, FaceDataset]) -> None:
    for part in training.values():
        assert part.expression_mixture is not None and part.valence_arousal is not None
        np.testing.assert_allclose(part.expression_mixture.sum(axis=1), 1)
        assert part.expression_mixture.min() >= 0
        np.testing.assert_array_equal(part.labels, part.expression_mixture.argmax(axis=1))
        full = part.expression_mixture @ valence_arousal_coordinates()
        strength = np.linalg.norm(part.valence_arousal, axis=1) / np.maximum(np.linalg.norm(full, axis=1), 1e-9)
        clear = np.linalg.norm(full, axis=1) > 0.2
        assert strength[clear].min() > 0.65
        assert strength[clear].max() < 1.1


def test_no_person_is_in_two_parts_or_in_the_survey(training: dict[str, FaceDataset]) -> None:
    people = {split: {name.split("-")[0] for name in part.names} for split, part in training.items()}
    assert len(set.union(*people.values())) == sum(map(len, people.values())) >= 200
    table = pq.read_table(FOLDER / "training.parquet", columns=["name", "person", "split"])
    assert table["person"].to_pylist() == [name.split("-")[0] for name in table["name"].to_pylist()]
    assert set.union(*people.values()).isdisjoint(row["person"] for row in manifest())


def test_mixtures_are_what_the_faces_are_measured_against_and_never_called_votes(
    training: dict[str, FaceDataset],
) -> None:
    name, reference = training["valid"].reference()
    assert "not human votes" in name
    assert training["valid"].vote_counts is None
    np.testing.assert_array_equal(reference, training["valid"].expression_mixture)


def test_a_damaged_training_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="built-in faces are incomplete"):
        load_dataset(f"faces:{tmp_path}", "train")
    (tmp_path / "training.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DatasetError, match=r"training\.parquet cannot be read"):
        load_dataset(f"faces:{tmp_path}", "train")


def test_a_missing_or_malformed_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="built-in faces are incomplete"):
        survey_faces("demo", tmp_path)
    shutil.copy(FOLDER / "survey.csv", tmp_path)
    (tmp_path / "survey.csv").write_text((FOLDER / "survey.csv").read_text().replace("expression_mixture_", "mix_"))
    with pytest.raises(DatasetError, match="built-in faces are incomplete"):
        survey_faces("demo", tmp_path)
    with pytest.raises(DatasetError, match="Unknown role 'gold'"):
        survey_faces("gold")
