from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import entropy

from ldlva.comparison.scoring import score
from ldlva.datasets import ferplus, load_dataset
from ldlva.distributions import human_distribution
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError
from tests.conftest import VOTES, FerPlusMaker


def test_reads_images_single_labels_and_votes_in_the_products_order(make_ferplus: FerPlusMaker) -> None:
    dataset = load_dataset(f"ferplus:{make_ferplus()}", "valid")
    assert (len(dataset), dataset.channels, dataset.filter) == (14, 1, "argmax")
    assert dataset.images.shape == (14, 48, 48)
    assert dataset.vote_counts is not None
    for row, name in enumerate(list(VOTES) * 2):
        assert EMOTION_NAMES[dataset.labels[row]] == name
        for column, emotion in enumerate(EMOTION_NAMES):
            assert dataset.vote_counts[row, column] == VOTES[name][ferplus.COLUMNS.index(emotion)]


@pytest.mark.parametrize(("local", "shared"), [(True, False), (False, True)])
def test_either_label_file_will_do(make_ferplus: FerPlusMaker, local: bool, shared: bool) -> None:
    root = make_ferplus(local=local, shared=shared)
    assert len(load_dataset(f"ferplus:{root}", "train")) == 14


def test_the_parent_folder_of_an_unpacked_archive_will_do(make_ferplus: FerPlusMaker) -> None:
    assert len(load_dataset(f"ferplus:{make_ferplus().parent}", "train")) == 14


def test_only_the_test_part_present(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus(parts=("test",))
    assert len(load_dataset(f"ferplus:{root}", "test")) == 14
    with pytest.raises(MissingPartError, match=r"'train'.*found there: test"):
        load_dataset(f"ferplus:{root}", "train")


def test_argmax_takes_the_first_of_tied_columns_and_drops_what_is_no_emotion() -> None:
    counts = np.array(
        [
            [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 4, 4, 0, 0, 0, 0, 0, 2, 0],
            [1, 0, 0, 0, 0, 0, 0, 9, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],
        ]
    )
    assert ferplus.majority_labels(counts, "argmax").tolist() == [0, 1, -1, -1]


def test_official_majority_drops_single_votes_and_needs_more_than_half() -> None:
    counts = np.array(
        [
            [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],  # exactly half
            [4, 3, 0, 0, 0, 0, 0, 1, 1, 1],  # 4 of the 7 left after dropping single votes
            [0, 0, 0, 0, 0, 6, 0, 4, 0, 0],
            [2, 0, 0, 0, 0, 0, 0, 8, 0, 0],
            [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],  # nothing left
        ]
    )
    labels = ferplus.majority_labels(counts, "majority")
    assert labels.tolist() == [-1, 0, EMOTION_NAMES.index("disgust"), -1, -1]


def test_pictures_of_the_train_part_can_be_left_out_of_the_others(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus()
    train, valid = root / "FER2013Train", root / "FER2013Valid"
    copied = sorted(valid.glob("*.png"))[3]
    copied.write_bytes(min(train.glob("*.png")).read_bytes())
    assert len(load_dataset(f"ferplus:{root}", "valid", "argmax")) == 14
    unseen = load_dataset(f"ferplus:{root}", "valid", "argmax-unseen")
    assert len(unseen) == 13
    assert copied.name not in unseen.names
    assert unseen.describe()["left_out"] == {"picture also in the train part": 1}
    assert len(load_dataset(f"ferplus:{root}", "train", "argmax-unseen")) == 14
    assert len(load_dataset(f"ferplus:{root}", "valid", "majority-unseen")) == 13
    shutil.rmtree(train)
    with pytest.raises(MissingPartError, match="'train'"):
        load_dataset(f"ferplus:{root}", "valid", "argmax-unseen")


def test_rows_without_a_name_are_skipped_as_in_the_official_file(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus(local=False)
    with (root / "fer2013new.csv").open("a") as file:
        file.write("Training,,0,0,0,0,0,0,0,0,0,10\n")
    assert len(load_dataset(f"ferplus:{root}", "train")) == 14


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('fer9999999.png,"(0, 0, 48, 48)",1,2,3', "line 15: expected 10 vote counts"),
        ('fer9999999.png,"(0, 0, 48, 48)",x,0,0,0,0,0,0,0,0,0', "line 15: vote counts must be whole numbers"),
        ('fer9999999.png,"(0, 0, 48, 48)",-1,0,0,0,0,0,0,0,0,11', "line 15: expected 10 vote counts"),
        ('../evil.png,"(0, 0, 48, 48)",10,0,0,0,0,0,0,0,0,0', "line 15: '../evil.png' is not a plain image name"),
        ('fer9999999.png,"(0, 0, 48, 48)",99999999999999999999,0,0,0,0,0,0,0,0,0', "line 15: expected 10 vote counts"),
        ('fer\x00.png,"(0, 0, 48, 48)",10,0,0,0,0,0,0,0,0,0', "is not a plain image name|cannot be read"),
        ("x" * 200_000, "cannot be read: field larger"),
        ('fer0000000.png,"(0, 0, 48, 48)",10,0,0,0,0,0,0,0,0,0', "lists image fer0000000.png twice"),
        (
            'fer9999999.png,"(0, 0, 48, 48)",10,0,0,0,0,0,0,0,0,0',
            "fer9999999.png is listed in .*line 15 but missing",
        ),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(make_ferplus: FerPlusMaker, line: str, message: str) -> None:
    root = make_ferplus(parts=("train",), shared=False)
    with (root / "FER2013Train" / "label.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match=message):
        load_dataset(f"ferplus:{root}", "train")


def test_labels_that_are_not_text_are_named(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus()
    (root / "FER2013Train" / "label.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"label\.csv cannot be read"):
        load_dataset(f"ferplus:{root}", "train")


def test_the_real_valid_part(ferplus_folder: Path) -> None:
    """Counts of the published files, and the score of an oracle that names every face's majority (docs/results.md)."""
    dataset = load_dataset(f"ferplus:{ferplus_folder}", "valid")
    assert dataset.images.shape == (3529, 48, 48)
    labelled = dict(zip(EMOTION_NAMES, np.bincount(dataset.labels).tolist(), strict=True))
    assert labelled == {
        "neutral": 1329, "happiness": 899, "sadness": 415, "surprise": 458, "fear": 71, "disgust": 32, "anger": 325,
    }  # fmt: skip
    assert dataset.vote_counts is not None
    majority = np.eye(7)[dataset.labels]
    jeffreys = score(human_distribution(dataset.vote_counts), majority, None)["jeffreys"]
    human = dataset.vote_counts / dataset.vote_counts.sum(axis=1, keepdims=True)
    for epsilon, value in jeffreys.items():
        p, q = np.maximum(human, float(epsilon)), np.maximum(majority, float(epsilon))
        assert value == pytest.approx((entropy(p, q, axis=1) + entropy(q, p, axis=1)).mean())
    # Others measured .70, 1.23, 1.73, 3.18 on the test part; the valid part is a little clearer.
    np.testing.assert_allclose(list(jeffreys.values()), [0.70, 1.23, 1.73, 3.18], rtol=0.1)


def test_a_wrong_header_is_refused(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus(local=False)
    path = root / "fer2013new.csv"
    path.write_text("a,b\n" + path.read_text())
    with pytest.raises(DatasetError, match="line 1: expected the header Usage,Image name"):
        load_dataset(f"ferplus:{root}", "train")


def test_an_unreadable_image_is_named(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus()
    (root / "FER2013Train" / "fer0000003.png").write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match=r"fer0000003\.png \(listed in .*line 4\) cannot be read as an image"):
        load_dataset(f"ferplus:{root}", "train")


def test_no_labels_at_all(make_ferplus: FerPlusMaker) -> None:
    root = make_ferplus(local=False, shared=False)
    with pytest.raises(DatasetError, match="No labels for FER"):
        load_dataset(f"ferplus:{root}", "train")


@pytest.mark.parametrize(
    ("spec", "split", "rule", "message"),
    [
        (
            "ferplus",
            "train",
            "argmax",
            "Write one of ferplus:FOLDER, rafdb:FOLDER, .*, faces",
        ),
        ("imagenet:/x", "train", "argmax", "Unknown data set"),
        ("ferplus:/nowhere", "train", "argmax", "is not a folder"),
        ("ferplus:{tmp}", "train", "argmax", "not the FER\\+ layout"),
        ("ferplus:{tmp}", "dev", "argmax", "Unknown split 'dev'"),
        ("ferplus:{tmp}", "train", "best", "ferplus has no filter 'best'"),
    ],
)
def test_what_cannot_be_loaded_says_why(tmp_path: Path, spec: str, split: str, rule: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_dataset(spec.format(tmp=tmp_path), split, rule)
