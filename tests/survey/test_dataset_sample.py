from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from ldlva.datasets.base import FaceDataset
from ldlva.distributions import entropy
from ldlva.errors import SurveyError
from ldlva.survey.dataset_sample import by_label, by_uncertainty, candidates, encoded


def faces(count: int, copies: int = 0) -> FaceDataset:
    """Different faces of seven labels, the last `copies` of them equal to the first."""
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8), dtype=np.uint8)
    images[count - copies :] = images[:copies]
    return FaceDataset(
        source="made", split="valid", filter="all", names=tuple(f"a/{i}.jpg" for i in range(count)), images=images,
        labels=np.arange(count) % 7,
    )  # fmt: skip


def test_a_face_is_stored_pixel_by_pixel_with_its_label() -> None:
    dataset = faces(9)
    image = encoded(dataset, 8)
    assert (image.name, image.label, image.width) == ("a_8.png", "happiness", 8)
    with Image.open(io.BytesIO(image.content)) as opened:
        np.testing.assert_array_equal(np.asarray(opened), dataset.images[8])


def test_faces_by_label_are_spread_evenly_and_never_twice() -> None:
    assert set(Counter(image.label for image in by_label(faces(70), 21, seed=1)).values()) == {3}
    drawn = by_label(faces(70, copies=30), 21, seed=1)
    assert len({image.content for image in drawn}) == 21
    assert [i.name for i in drawn] == [i.name for i in by_label(faces(70, copies=30), 21, seed=1)]
    assert [i.name for i in drawn] != [i.name for i in by_label(faces(70, copies=30), 21, seed=2)]


def test_faces_by_uncertainty_span_it_evenly() -> None:
    dataset = faces(100)
    rows = candidates(dataset, 0)
    assert rows.tolist() == list(range(100))
    sure = np.linspace(0.15, 1, 100)
    probabilities = np.column_stack([sure, *[(1 - sure) / 6] * 6])
    drawn = by_uncertainty(dataset, rows, probabilities, 10, seed=0)
    order = np.argsort(entropy(probabilities), kind="stable").tolist()
    ranks = sorted(order.index(int(image.name[2:-4])) for image in drawn)
    assert [rank // 10 for rank in ranks] == list(range(10))


def test_too_few_faces_are_an_error() -> None:
    with pytest.raises(SurveyError, match="only 9 different faces"):
        by_label(faces(12, copies=3), 10, seed=0)
    with pytest.raises(SurveyError, match="at least one"):
        by_label(faces(3), 0, seed=0)
