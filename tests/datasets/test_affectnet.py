from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ldlva.datasets import FaceDataset, load_dataset
from ldlva.datasets.affectnet import COLUMNS
from ldlva.datasets.images import fit_image
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError
from tests.datasets.conftest import write_picture

OFFICIAL = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
FACE = "12,5,20,20,0;0;1;1"


def row(i: int, label: int, valence: float = 0.25, arousal: float = -0.5) -> str:
    return f"{i}/{i:08x}.jpg,{FACE},{label},{valence},{arousal}"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """The first release: 33 train images, labels 0 to 10 in turn, and 7 of the validation set."""
    root = tmp_path / "AffectNet"
    lists = root / "Manually_Annotated_file_lists"
    lists.mkdir(parents=True)
    for name, first, labels in (("training", 0, [*range(11)] * 3), ("validation", 100, list(range(7)))):
        rows = [row(first + i, label) for i, label in enumerate(labels)]
        (lists / f"{name}.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
        for i in range(len(labels)):
            path = root / "Manually_Annotated_Images" / str(first + i) / f"{first + i:08x}.jpg"
            write_picture(path, first + i, (60, 40))
    return root


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """The release of 2021: 33 train images and 7 of the validation set; values stored as text and as numbers."""
    root = tmp_path / "AffectNet8"
    for folder, labels in (("train_set", [*range(11)] * 3), ("val_set", list(range(7)))):
        (root / folder / "annotations").mkdir(parents=True)
        for i, label in enumerate(labels):
            write_picture(root / folder / "images" / f"{i}.jpg", i)
            for kind, value in (("exp", str(label)), ("val", "0.25"), ("aro", np.float64(-0.5))):
                np.save(root / folder / "annotations" / f"{i}_{kind}.npy", np.array(value))
    return root


def load(root: Path, split: str = "train", image_size: int | None = None) -> FaceDataset:
    return load_dataset(f"affectnet:{root}", split, image_size=image_size)


@pytest.mark.parametrize("layout", ["listed", "annotated"])
def test_both_layouts_give_the_seven_labels_with_coordinates(layout: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(layout)
    test = load(root, "test")
    assert [EMOTION_NAMES[label] for label in test.labels] == list(OFFICIAL)
    assert test.filter == "seven"
    assert test.valence_arousal is not None
    assert test.valence_arousal.tolist() == [[0.25, -0.5]] * 7
    train, valid = load(root, image_size=32), load(root, "valid", image_size=32)
    assert set(train.names).isdisjoint(valid.names)
    assert (len(train), len(valid), train.images.shape) == (14, 7, (14, 32, 32, 3))
    assert "valid is 5% of the official train set, by hash of the name" in valid.filter
    outside = {"contempt": 3, "none": 3, "uncertain": 3, "no face": 3}
    assert train.left_out == train.describe()["left_out"] == outside


def test_the_listed_box_is_cut_out(listed: Path) -> None:
    dataset = load(listed, "test", 16)
    with Image.open(listed / "Manually_Annotated_Images" / "100" / f"{100:08x}.jpg") as image:
        np.testing.assert_array_equal(dataset.images[0], fit_image(image.crop((12, 5, 32, 25)), 3, 16))


@pytest.mark.parametrize("images", [".", "Manually_Annotated/Manually_Annotated_Images"])
def test_lists_and_images_may_lie_in_the_folder_itself(listed: Path, tmp_path: Path, images: str) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    (listed / "Manually_Annotated_file_lists" / "validation.csv").rename(flat / "validation.csv")
    (flat / images).mkdir(parents=True, exist_ok=True)
    for folder in (listed / "Manually_Annotated_Images").iterdir():
        folder.rename(flat / images / folder.name)
    assert len(load(flat, "test")) == 7
    with pytest.raises(MissingPartError, match=r"has no training\.csv"):
        load(flat)


def test_images_are_read_in_the_order_of_their_numbers(annotated: Path) -> None:
    names = [int(name.removesuffix(".jpg")) for name in (*load(annotated).names,)]
    assert names == sorted(names)


@pytest.mark.parametrize("layout", ["listed", "annotated"])
def test_images_without_coordinates_are_left_out_and_counted(layout: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(layout)
    if layout == "listed":
        path = root / "Manually_Annotated_file_lists" / "validation.csv"
        path.write_text(path.read_text().replace(row(102, 2), row(102, 2, -2, -2)))
    else:
        np.save(root / "val_set" / "annotations" / "2_aro.npy", np.array(-2.0))
    dataset = load(root, "test")
    assert dataset.left_out == {"without valence and arousal": 1}
    assert [EMOTION_NAMES[label] for label in dataset.labels] == [name for name in OFFICIAL if name != "sadness"]


def test_listed_images_without_a_face_box_are_left_out_and_counted(listed: Path) -> None:
    path = listed / "Manually_Annotated_file_lists" / "validation.csv"
    path.write_text(path.read_text().replace(row(102, 2), row(102, 2).replace("12,5,20,20", "0,0,-1,-1")))
    assert load(listed, "test").left_out == {"without a face box": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("9/9.jpg,1,2", "line 9: expected 9 columns, got 3"),
        (row(9, 11), "line 9: expression must be 0 to 10, got '11'"),
        (row(9, 1).replace(",1,0.25", ",x,0.25"), "line 9: expression must be a whole number, got 'x'"),
        (row(9, 1).replace("12,5", "12,x"), "line 9: face_y must be a whole number, got 'x'"),
        (row(9, 1, valence=1.5), r"line 9: valence must lie in \[-1, 1\], got '1.5'"),
        (row(9, 1, arousal=float("nan")), "line 9: arousal must be a finite number, got 'nan'"),
        (row(9, 1).replace("9/", "../"), "line 9: '../.*' is not the name of an image below"),
        ("/etc" + row(9, 1), "line 9: '/etc.*' is not the name of an image below"),
        (row(100, 0), f"line 9: image 100/{100:08x}.jpg is listed twice, first in line 2"),
        (row(999, 0), r"3e7\.jpg is listed in .*validation\.csv, line 9 but missing"),
        (row(0, 0).replace(FACE, "500,500,9,9,0"), r"line 9\) cannot be read .*the face box .* lies outside"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(listed: Path, line: str, message: str) -> None:
    with (listed / "Manually_Annotated_file_lists" / "validation.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match=message):
        load(listed, "test", 32)


def test_a_wrong_header_is_refused(listed: Path) -> None:
    path = listed / "Manually_Annotated_file_lists" / "validation.csv"
    path.write_text(path.read_text().replace("face_x", "x", 1))
    with pytest.raises(DatasetError, match=r"validation\.csv, line 1: expected the header subDirectory_filePath"):
        load(listed, "test")


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("exp", np.array("x"), r"2_exp\.npy: expression must be a whole number"),
        ("exp", np.array(11), r"2_exp\.npy: expression must be 0 to 10"),
        ("exp", np.array([1, 2]), r"2_exp\.npy cannot be read"),
        ("val", np.array(np.nan), r"2_val\.npy: valence must be a finite number"),
        ("aro", np.array("1.5"), r"2_aro\.npy: arousal must lie in"),
        ("aro", None, r"2_aro\.npy cannot be read"),
    ],
)
def test_a_bad_annotation_is_named(annotated: Path, kind: str, content: np.ndarray | None, message: str) -> None:
    path = annotated / "val_set" / "annotations" / f"2_{kind}.npy"
    if content is None:
        path.write_bytes(b"")
    else:
        np.save(path, content)
    with pytest.raises(DatasetError, match=message):
        load(annotated, "test")


def test_missing_pictures_parts_and_layouts_are_named(annotated: Path, tmp_path: Path) -> None:
    (annotated / "val_set" / "images" / "3.jpg").unlink()
    (annotated / "val_set" / "images" / "4.jpg").unlink()
    with pytest.raises(DatasetError, match=r"3\.jpg is listed in 3_exp\.npy but missing, and 1 more files"):
        load(annotated, "test")
    (annotated / "val_set").rename(annotated / "other")
    with pytest.raises(MissingPartError, match="val_set is not there"):
        load(annotated, "test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="is not the layout of AffectNet"):
        load(tmp_path / "empty")
    with pytest.raises(DatasetError, match="is not a folder"):
        load(tmp_path / "nowhere")
