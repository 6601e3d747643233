from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ldlva.datasets import SPLITS
from ldlva.datasets.images import fit_image
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError, SurveyError
from ldlva.survey.dataset import part_of, study_dataset
from ldlva.survey.records import NewImage, NewStudy, NewVote
from ldlva.survey.repository import Repository
from tests.conftest import pictures, png

FACES = 40
STUDY = NewStudy("demo", "Demo")


def votes_for(image: NewImage, **choices: int) -> list[NewVote]:
    cast = [choice for choice, count in choices.items() for _ in range(count)]
    return [NewVote(rater, image.name, choice, choice) for rater, choice in enumerate(cast)]


@pytest.fixture
def study(sqlite_repository: Repository) -> Repository:
    """40 faces with six votes for fear and two for surprise, but the last three with fewer."""
    faces = pictures(FACES)
    votes = [vote for face in faces[:-3] for vote in votes_for(face, fear=6, surprise=2, none=1)]
    votes += votes_for(faces[-3], fear=4, none=9)
    sqlite_repository.create_study(STUDY, faces, votes)
    return sqlite_repository


def test_every_face_with_enough_votes_is_in_one_part(study: Repository) -> None:
    parts = [study_dataset(study, "demo", split) for split in SPLITS]
    names = [name for part in parts for name in part.names]
    assert sorted(names) == sorted(face.name for face in pictures(FACES)[:-3])
    assert all(len(part) > 0 for part in parts)
    train = parts[0]
    assert (train.source, train.images.shape[1:]) == ("study", (48, 48))
    assert train.filter.startswith("votes-5; 10% valid, 10% test, the rest train, by hash of the picture")
    assert train.left_out == {"fewer than 5 votes, in all parts": 3}
    assert train.vote_counts is not None
    assert set(train.vote_counts[:, EMOTION_NAMES.index("fear")].tolist()) == {6}
    assert train.vote_counts.sum() == 8 * len(train)  # “none of these” is no vote for an emotion
    assert {EMOTION_NAMES[label] for label in train.labels} == {"fear"}


def test_a_faces_part_depends_on_its_picture_alone(study: Repository) -> None:
    by_name = {face.name: part_of(face.content) for face in pictures(FACES)}
    study.create_study(
        NewStudy("other", "Other"), pictures(20)[::-1], [v for face in pictures(20) for v in votes_for(face, anger=5)]
    )
    for name in ("demo", "other"):
        for split in SPLITS:
            assert all(by_name[face] == split for face in study_dataset(study, name, split).names)


def test_fewer_votes_may_be_asked_for(study: Repository) -> None:
    sizes = {
        rule: sum(len(study_dataset(study, "demo", split, rule)) for split in SPLITS) for rule in ("votes-4", None)
    }
    assert sizes == {"votes-4": 38, None: 37}
    with pytest.raises(DatasetError, match=r"No face of study 'demo' has 9 votes for an emotion yet; the most is 8"):
        study_dataset(study, "demo", "train", "votes-9")


@pytest.mark.parametrize("rule", ["argmax", "votes-0", "votes-x", "votes-"])
def test_another_filter_is_refused(study: Repository, rule: str) -> None:
    with pytest.raises(DatasetError, match=f"A study has no filter '{rule}'. Write votes-N"):
        study_dataset(study, "demo", "train", rule)


def test_of_equally_many_votes_the_first_emotion_is_the_label(sqlite_repository: Repository) -> None:
    [face] = pictures(1)
    sqlite_repository.create_study(STUDY, [face], votes_for(face, anger=3, sadness=3, surprise=1))
    dataset = study_dataset(sqlite_repository, "demo", part_of(face.content))
    assert [EMOTION_NAMES[label] for label in dataset.labels] == ["sadness"]


def test_labels_of_a_smaller_study_fall_into_the_products_columns(sqlite_repository: Repository) -> None:
    [face] = pictures(1)
    study = NewStudy("demo", "Demo", labels=("anger", "neutral"))
    sqlite_repository.create_study(study, [face], votes_for(face, anger=4, neutral=1))
    dataset = study_dataset(sqlite_repository, "demo", part_of(face.content))
    assert dataset.vote_counts is not None
    assert dataset.vote_counts.tolist() == [[1, 0, 0, 0, 0, 0, 4]]
    assert dataset.labels.tolist() == [EMOTION_NAMES.index("anger")]


def test_grey_and_colour_of_several_sizes(sqlite_repository: Repository) -> None:
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (60, 90, 3), dtype=np.uint8)).save(content, "PNG")
    faces = [*pictures(30), NewImage("colour.png", content.getvalue(), "image/png", 90, 60)]
    sqlite_repository.create_study(STUDY, faces, [vote for face in faces for vote in votes_for(face, anger=5)])
    part = part_of(content.getvalue())
    dataset = study_dataset(sqlite_repository, "demo", part, image_size=32)
    with Image.open(content) as image:
        np.testing.assert_array_equal(dataset.images[dataset.names.index("colour.png")], fit_image(image, 3, 32))
    assert all(study_dataset(sqlite_repository, "demo", split, image_size=32).channels == 3 for split in SPLITS)
    assert len(dataset) > 1
    with pytest.raises(DatasetError, match="size in pixels to bring all to"):
        study_dataset(sqlite_repository, "demo", part)


def test_an_unknown_study_part_or_split_is_named(study: Repository) -> None:
    with pytest.raises(SurveyError, match="no study named 'nope'"):
        study_dataset(study, "nope", "train")
    with pytest.raises(DatasetError, match="Unknown split 'dev'"):
        study_dataset(study, "demo", "dev")
    face = NewImage("a.png", png(0), "image/png", 48, 48)
    study.create_study(NewStudy("one", "One"), [face], votes_for(face, fear=5))
    other = next(split for split in SPLITS if split != part_of(face.content))
    with pytest.raises(MissingPartError, match=f"no face with 5 votes in the part '{other}'"):
        study_dataset(study, "one", other)
