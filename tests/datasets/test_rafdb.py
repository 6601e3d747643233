from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldlva.datasets import FaceDataset, load_dataset
from ldlva.datasets.base import PUBLISHED_SHARES
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError
from tests.datasets.conftest import write_picture

OFFICIAL = {1: "surprise", 2: "fear", 3: "disgust", 4: "happiness", 5: "sadness", 6: "anger", 7: "neutral"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """21 train and 7 test faces, labels 1 to 7 in turn, with shares that agree with them."""
    basic = tmp_path / "RAF" / "basic"
    labels: list[str] = []
    shares: list[str] = []
    for part, count in (("train", 21), ("test", 7)):
        for i in range(count):
            name, label = f"{part}_{i + 1:05d}", i % 7 + 1
            write_picture(basic / "Image" / "aligned" / f"{name}_aligned.jpg", len(labels), (100, 100))
            labels.append(f"{name}.jpg {label}")
            row = np.full(7, 0.05)
            row[label - 1] = 0.7
            shares.append(f"{name}.jpg {' '.join(map(str, row))} ")
    (basic / "EmoLabel").mkdir()
    (basic / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(labels) + "\n")
    (basic / "EmoLabel" / "distribution_basic.txt").write_text("\n".join(shares) + "\n")
    return basic


def load(root: Path, split: str = "train", image_size: int | None = None) -> FaceDataset:
    return load_dataset(f"rafdb:{root}", split, image_size=image_size)


def lines(root: Path, name: str = "list_patition_label.txt") -> tuple[Path, list[str]]:
    path = root / "EmoLabel" / name
    return path, path.read_text().splitlines()


def test_labels_images_and_shares_are_in_the_products_order(root: Path) -> None:
    dataset = load(root.parent, "test")
    assert (dataset.images.shape, dataset.filter) == ((7, 100, 100, 3), "official")
    assert [EMOTION_NAMES[label] for label in dataset.labels] == list(OFFICIAL.values())
    reference, shares = dataset.reference()
    assert reference == PUBLISHED_SHARES
    assert dataset.vote_counts is None
    assert shares.argmax(axis=1).tolist() == dataset.labels.tolist()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    with Image.open(root / "Image" / "aligned" / "test_00001_aligned.jpg") as image:
        np.testing.assert_array_equal(dataset.images[0], np.asarray(image))


def test_valid_is_held_out_of_train_and_the_filter_says_so(root: Path) -> None:
    train, valid = load(root), load(root, "valid")
    assert set(train.names).isdisjoint(valid.names)
    assert len(train) + len(valid) == 21
    assert sorted(valid.labels.tolist()) == list(range(7))  # one of each class
    assert train.filter == valid.filter == train.describe()["filter"]
    assert "valid is 10% of the official train part, by hash of the name" in train.filter
    path, before = lines(root)
    path.write_text("\n".join(reversed(before)))  # the order of the list does not matter
    (root / "EmoLabel" / "distribution_basic.txt").unlink()
    assert set(load(root, "valid").names) == set(valid.names)


def test_shares_without_names_are_in_the_order_of_the_list(root: Path) -> None:
    named = load(root, "test").reference()[1]
    path, before = lines(root, "distribution_basic.txt")
    path.write_text("\n".join(line.split(" ", 1)[1] for line in before))
    np.testing.assert_array_equal(load(root, "test").reference()[1], named)


def test_single_labels_alone_have_no_reference(root: Path) -> None:
    (root / "EmoLabel" / "distribution_basic.txt").unlink()
    with pytest.raises(DatasetError, match="there is nothing to measure against"):
        load(root, "test").reference()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_00099.jpg", r"line 29: expected a line like"),
        ("train_00099.jpg 5 6", r"line 29: expected a line like"),
        ("../00099.jpg 5", r"line 29: expected a line like"),
        ("train_00099.jpg 8", r"line 29: the label must be 1 to 7, got '8'"),
        ("train_00099.jpg x", r"line 29: the label must be 1 to 7, got 'x'"),
        ("train_00001.jpg 1", r"line 29: image train_00001.jpg is listed twice, first in line 1"),
    ],
)
def test_a_bad_label_line_is_named(root: Path, line: str, message: str) -> None:
    path, before = lines(root)
    path.write_text("\n".join([*before, line]))
    with pytest.raises(DatasetError, match=message):
        load(root)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("train_00001.jpg 0.7 0.3", r"line 1: expected an image name and 7 shares"),
        ("train_00001.jpg 0.7 0.3 0 0 0 0 x", r"line 1: a share must be a finite number, got 'x'"),
        ("train_00001.jpg 0.7 0.3 0 0 0 0 nan", r"line 1: a share must be a finite number, got 'nan'"),
        ("train_00001.jpg 0.7 0.7 0 0 0 0 0", r"line 1: the shares must be at least 0 and sum to 1"),
        ("train_00001.jpg 1.2 -0.2 0 0 0 0 0", r"line 1: the shares must be at least 0 and sum to 1"),
        (
            "train_00001.jpg 0.3 0.7 0 0 0 0 0",
            r"line 1: the largest share of train_00001.jpg is that of label 2",
        ),
        ("train_00777.jpg 0.7 0.3 0 0 0 0 0", r"line 1: image 'train_00777.jpg' is not in the label list"),
        ("train_00002.jpg 0 1 0 0 0 0 0", r"line 2: image train_00002.jpg is listed twice"),
        ("", r"has no line for 1 images, the first is train_00001.jpg"),
    ],
)
def test_bad_shares_are_named(root: Path, row: str, message: str) -> None:
    path, before = lines(root, "distribution_basic.txt")
    path.write_text("\n".join([row, *before[1:]]))
    with pytest.raises(DatasetError, match=message):
        load(root)


def test_a_missing_or_unreadable_image_is_named_with_its_line(root: Path) -> None:
    missing = root / "Image" / "aligned" / "test_00003_aligned.jpg"
    missing.unlink()
    with pytest.raises(DatasetError, match=r"test_00003_aligned\.jpg is listed in .*label\.txt, line 24 but missing"):
        load(root, "test")
    missing.write_bytes(b"")
    with pytest.raises(DatasetError, match=r"test_00003_aligned\.jpg \(listed in .*line 24\) cannot be read"):
        load(root, "test")


def test_what_is_no_raf_db_or_lacks_a_part_is_said(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"no EmoLabel/list_patition_label\.txt"):
        load(tmp_path / "empty")
    path, before = lines(root)
    path.write_text("\n".join(line for line in before if line.startswith("test")))
    (root / "EmoLabel" / "distribution_basic.txt").unlink()
    with pytest.raises(MissingPartError, match="lists no image for the part 'train'"):
        load(root)
    (root / "Image" / "aligned").rename(root / "Image" / "elsewhere")
    with pytest.raises(DatasetError, match=r"Unpack aligned\.zip"):
        load(root, "test")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"list_patition_label\.txt cannot be read"):
        load(root)
