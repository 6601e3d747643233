from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldlva.datasets import FaceDataset, load_dataset
from ldlva.datasets.folder import SYNONYMS
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError
from tests.datasets.conftest import write_picture

VOTES = ",".join(f"votes_{name}" for name in EMOTION_NAMES)


def load(root: Path, split: str = "train", image_size: int | None = None) -> FaceDataset:
    return load_dataset(f"folder:{root}", split, image_size=image_size)


def with_labels(root: Path, *lines: str, images: tuple[str, ...] = ("a.png", "b.png", "sub/c.png")) -> Path:
    for seed, name in enumerate(images):
        write_picture(root / name, seed)
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


def test_parts_and_classes_as_folders(tmp_path: Path) -> None:
    for part, emotion in (("train", "happiness"), ("train", "Sad"), ("val", "ANGRY")):
        write_picture(tmp_path / part / emotion / "a.png", len(emotion))
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "train" / "Sad" / ".DS_Store").write_text("")
    (tmp_path / "train" / "Sad" / "notes.txt").write_text("")
    train, valid = load(tmp_path), load(tmp_path, "valid")
    assert train.names == ("train/Sad/a.png", "train/happiness/a.png")
    assert [EMOTION_NAMES[label] for label in train.labels] == ["sadness", "happiness"]
    assert [EMOTION_NAMES[label] for label in valid.labels] == ["anger"]
    assert (train.filter, train.left_out) == ("all", {"not a picture by its name": 1})
    with pytest.raises(MissingPartError, match=r"no image for the part 'test'\. Parts there: train, valid"):
        load(tmp_path, "test")


def test_parts_are_drawn_by_hash_and_stratified(tmp_path: Path) -> None:
    for emotion, count in (("fear", 20), ("neutral", 3), ("anger", 2)):
        for i in range(count):
            write_picture(tmp_path / emotion / f"{i}.png", i)
    parts = {split: load(tmp_path, split) for split in ("train", "valid", "test")}
    assert sum(len(part) for part in parts.values()) == len({n for part in parts.values() for n in part.names}) == 25
    counts = {split: np.bincount(part.labels, minlength=7) for split, part in parts.items()}
    fear, neutral, anger = (EMOTION_NAMES.index(name) for name in ("fear", "neutral", "anger"))
    for split, expected in {"train": (16, 1, 2), "valid": (2, 1, 0), "test": (2, 1, 0)}.items():
        assert (counts[split][fear], counts[split][neutral], counts[split][anger]) == expected
    assert "10% valid, 10% test, the rest train, by hash of the name" in parts["train"].filter


def test_every_synonym_stands_for_an_emotion() -> None:
    assert set(SYNONYMS.values()) <= set(EMOTION_NAMES)
    assert not set(SYNONYMS) & set(EMOTION_NAMES)


def test_grey_pictures_stay_grey_and_mixed_ones_become_colour(tmp_path: Path) -> None:
    write_picture(tmp_path / "train" / "fear" / "a.png", 1, colour=False)
    write_picture(tmp_path / "test" / "fear" / "a.png", 2, colour=False)
    assert load(tmp_path).images.shape == (1, 40, 40)
    write_picture(tmp_path / "test" / "fear" / "b.png", 3)
    assert load(tmp_path).images.shape == (1, 40, 40, 3)  # as the test part, or no model could be measured there


def test_pictures_of_several_sizes_need_a_size(tmp_path: Path) -> None:
    write_picture(tmp_path / "train" / "fear" / "a.png", 1)
    write_picture(tmp_path / "train" / "fear" / "b.png", 2, (64, 30))
    assert load(tmp_path, image_size=32).images.shape == (2, 32, 32, 3)
    with pytest.raises(DatasetError, match=r"b\.png is 64 x 30 pixels, the first image is 40 x 40"):
        load(tmp_path)


def test_a_table_with_everything(tmp_path: Path) -> None:
    votes = ["1,0,9,0,0,0,0", "0,10,0,0,0,0,0", "0,0,0,0,0,5,5"]
    root = with_labels(
        tmp_path,
        f"name,label,split,valence,arousal,{VOTES}",
        f"a.png,sad,train,-0.5,-0.25,{votes[0]}",
        f"b.png,Happy,train,0.75,0.5,{votes[1]}",
        f"sub/c.png,disgust,validation,-1,1,{votes[2]}",
    )
    train = load(root)
    assert train.names == ("a.png", "b.png")
    assert [EMOTION_NAMES[label] for label in train.labels] == ["sadness", "happiness"]
    assert train.vote_counts is not None
    assert train.valence_arousal is not None
    assert train.vote_counts.tolist() == [[1, 0, 9, 0, 0, 0, 0], [0, 10, 0, 0, 0, 0, 0]]
    assert train.valence_arousal.tolist() == [[-0.5, -0.25], [0.75, 0.5]]
    assert load(root, "valid").names == ("sub/c.png",)


def test_vote_columns_may_be_named_by_the_emotion_alone_in_any_order(tmp_path: Path) -> None:
    header = ",".join(reversed(EMOTION_NAMES))
    root = with_labels(tmp_path, f"{header},label,split,name", "3,0,0,0,0,0,1,anger,train,a.png")
    dataset = load(root)
    assert dataset.vote_counts is not None
    assert dataset.vote_counts.tolist() == [[1, 0, 0, 0, 0, 0, 3]]
    assert dataset.valence_arousal is None


def test_without_a_split_column_parts_are_drawn(tmp_path: Path) -> None:
    names = tuple(f"{i}.png" for i in range(10))
    root = with_labels(tmp_path, "name,label", *(f"{name},fear" for name in names), images=names)
    assert [len(load(root, split)) for split in ("train", "valid", "test")] == [8, 1, 1]


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("name,label,split", "a.png,fear", "line 2: expected 3 columns as in the first line, got 2"),
        ("name,label,split", "a.png,contempt,train", "line 2: unknown class 'contempt'. Classes are neutral"),
        ("name,label,split", "a.png,fear,dev", "line 2: split must be train, valid or test, got 'dev'"),
        ("name,label,split", "../a.png,fear,train", "line 2: '../a.png' is not the name of an image below"),
        ("name,label,split", "C:/a.png,fear,train", "line 2: 'C:/a.png' is not the name of an image below"),
        ("name,label,split", "z.png,fear,train", r"z\.png is listed in .*labels\.csv, line 2 but missing"),
        (
            "name,label,split",
            "a.png,fear,train\na.png,fear,test",
            "line 3: image a.png is listed twice",
        ),
        ("name,label,split", "", "has no labelled picture"),
        ("name,split", "a.png,train", r"line 1: the column label is missing \(name, label belong together\)"),
        ("name,label,valence", "a.png,fear,0", "line 1: the column arousal is missing"),
        ("name,label,votes_fear", "a.png,fear,1", "line 1: the column neutral is missing"),
        ("name,label,valance,arousal", "a.png,fear,0,0", "line 1: unknown column 'valance'"),
        ("name,label,fear,votes_fear", "a.png,fear,0,0", "line 1: two columns have the same name"),
        ("name,label,valence,arousal", "a.png,fear,0,1.5", r"line 2: arousal must lie in \[-1, 1\], got '1.5'"),
        ("name,label,valence,arousal", "a.png,fear,inf,0", "line 2: valence must be a finite number, got 'inf'"),
        ("name,label,valence,arousal", "a.png,fear,,0", "line 2: valence must be a finite number, got ''"),
        (f"name,label,{VOTES}", "a.png,fear,1,1,1,1,1,1,x", "line 2: a vote count must be a whole number, got 'x'"),
        (f"name,label,{VOTES}", "a.png,fear,1,1,1,1,1,1,-1", "line 2: expected vote counts of 0 or more"),
        (f"name,label,{VOTES}", "a.png,fear,0,0,0,0,0,0,0", "line 2: expected vote counts of 0 or more, 1 to"),
        ("name,label", '"a.png,fear', "line 2: expected 2 columns as in the first line, got 1"),
    ],
)
def test_a_bad_table_is_named_by_file_and_line(tmp_path: Path, header: str, row: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load(with_labels(tmp_path, header, row))


def test_a_folder_that_is_laid_out_otherwise_is_described(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"neither labels\.csv nor a folder for each class"):
        load(tmp_path)
    (tmp_path / "fear").mkdir()
    with pytest.raises(DatasetError, match="has no labelled picture"):
        load(tmp_path)
    (tmp_path / "train" / "joyous").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"has parts \(train\) and fear side by side"):
        load(tmp_path)
    (tmp_path / "fear").rmdir()
    with pytest.raises(DatasetError, match="train: unknown class 'joyous'"):
        load(tmp_path)


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "train" / "fear").mkdir(parents=True)
    (tmp_path / "train" / "fear" / "a.png").write_bytes(b"nonsense")
    with pytest.raises(DatasetError, match=r"a\.png cannot be read as an image"):
        load(tmp_path)
