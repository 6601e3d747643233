"""A study as a data set: its faces with what volunteers said, to train on and to measure against."""

from __future__ import annotations

import hashlib
import io
import re

import numpy as np
from PIL import Image

from ldlva.datasets import FaceDataset, check_split
from ldlva.datasets.base import Split
from ldlva.datasets.images import fit_image, is_grey
from ldlva.distributions import IntArray
from ldlva.emotions import EMOTION_NAMES
from ldlva.errors import DatasetError, MissingPartError, SurveyError
from ldlva.survey.records import StudyVotes
from ldlva.survey.repository import Repository

FEWEST_VOTES = 5
"""Votes that a face needs unless the filter says otherwise."""

HUNDREDTHS = {"valid": 10, "test": 10}
"""Of all pictures, in hundredths, by the hash of the picture; the rest is train."""

_SHARES = f"{HUNDREDTHS['valid']}% valid, {HUNDREDTHS['test']}% test, the rest train, by hash of the picture"
_FILTER = re.compile(r"votes-([1-9]\d{0,5})")


def study_dataset(
    repository: Repository, name: str, split: str, rule: str | None = None, image_size: int | None = None
) -> FaceDataset:
    """One part of a study's faces that have enough votes.

    The single label is the emotion with the most votes; of several with equally many, the first in the order of
    `EMOTION_NAMES`, as in FER+. "None of these" is no vote for an emotion and counts nowhere, nor do votes for labels
    that are not among the seven, which are counted as left out. The part depends on the
    SHA-256 of the picture alone: more votes, more faces or another study never move a face from one part to another.

    Args:
        repository: of the study.
        name: the study's name.
        split: `train`, `valid` or `test`.
        rule: `votes-N`, at least N votes for an emotion; None: `FEWEST_VOTES`.
        image_size: side of the square that images are cropped and resized to; None: as they are, all alike.

    Raises:
        SurveyError: no study of that name.
        MissingPartError: no face with enough votes in this part.
        DatasetError: a bad split or filter, or images that differ in size although no size was asked for.
    """
    part = check_split(split)
    rule = rule or f"votes-{FEWEST_VOTES}"
    found = _FILTER.fullmatch(rule)
    if found is None:
        raise DatasetError(f"A study has no filter {rule!r}. Write votes-N for faces with at least N votes.")
    fewest = int(found[1])
    study = repository.study(name)
    votes = repository.votes(study)
    counts = np.zeros((len(votes.image_ids), len(EMOTION_NAMES)), dtype=np.int64)
    others = [label for label in votes.labels if label not in EMOTION_NAMES]
    for column, label in enumerate(votes.labels):
        if label in EMOTION_NAMES:
            counts[:, EMOTION_NAMES.index(label)] = votes.counts[:, column]
    files = {image_id: content for image_id, _, content in repository.images(study)}
    enough = counts.sum(axis=1) >= fewest
    if not enough.any():
        raise DatasetError(
            f"No face of study {name!r} has {fewest} votes for an emotion yet; the most is {counts.sum(axis=1).max()}. "
            "Collect more, or ask for fewer with --filter votes-N."
        )
    kept = [row for row, image_id in enumerate(votes.image_ids) if enough[row] and part_of(files[image_id]) == part]
    if not kept:
        raise MissingPartError(
            f"Study {name!r} has no face with {fewest} votes in the part {split!r}. Parts are drawn by the hash of the "
            "picture; a study of few faces may have none."
        )
    everywhere = [files[image_id] for image_id in votes.image_ids]
    return FaceDataset(
        source="study",
        split=part,
        filter=f"{rule}; {_SHARES}",
        names=tuple(votes.image_names[row] for row in kept),
        images=_decode([(votes.image_names[row], everywhere[row]) for row in kept], _channels(everywhere), image_size),
        labels=majority(counts[kept]),
        vote_counts=counts[kept],
        left_out={
            **({f"fewer than {fewest} votes, in all parts": int((~enough).sum())} if not enough.all() else {}),
            **{f"votes for {label}, which is not among the seven": _votes_for(votes, label) for label in others},
        },
    )


def _votes_for(votes: StudyVotes, label: str) -> int:
    return int(votes.counts[:, votes.labels.index(label)].sum())


def majority(counts: IntArray) -> IntArray:
    """The column with the most votes in every row of `[N, C]`, the first of several with equally many."""
    return np.asarray(counts.argmax(axis=1), dtype=np.int64)


def part_of(content: bytes) -> Split:
    """The part that a picture belongs to, in every study."""
    hundredth = int.from_bytes(hashlib.sha256(content).digest()[:8], "big") % 100
    if hundredth < HUNDREDTHS["valid"]:
        return "valid"
    return "test" if hundredth < HUNDREDTHS["valid"] + HUNDREDTHS["test"] else "train"


def _channels(contents: list[bytes]) -> int:
    """1 if every picture of the study is grey, else 3."""
    for content in contents:
        with Image.open(io.BytesIO(content)) as image:
            if not is_grey(image):
                return 3
    return 1


def _decode(pictures: list[tuple[str, bytes]], channels: int, image_size: int | None) -> np.ndarray:
    images = []
    for name, content in pictures:
        try:
            with Image.open(io.BytesIO(content)) as image:
                images.append(fit_image(image, channels, image_size))
        except (OSError, SyntaxError, ValueError) as error:
            raise SurveyError(f"{name} in the database cannot be read as an image: {error}") from None
        if images[-1].shape != images[0].shape:
            raise DatasetError(
                f"{name} is {images[-1].shape[1]} x {images[-1].shape[0]} pixels, {pictures[0][0]} is "
                f"{images[0].shape[1]} x {images[0].shape[0]}. Give a size in pixels to bring all to (--image-size)."
            )
    return np.stack(images)
