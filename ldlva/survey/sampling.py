"""New studies from data sets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ldlva.datasets import ferplus
from ldlva.datasets.base import Split
from ldlva.distributions import IntArray
from ldlva.emotions import EMOTION_NAMES, NONE_OF_THESE
from ldlva.errors import DatasetError, SurveyError
from ldlva.survey.pictures import read_picture
from ldlva.survey.records import NewImage, NewStudy, NewVote


def balanced_order(labels: IntArray, seed: int) -> IntArray:
    """All rows in an order whose every prefix spreads as evenly over the labels as it can, random within a label."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(labels))
    rank_within_label = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels[shuffled] == label)
        rank_within_label[members] = np.arange(len(members))
    return np.asarray(shuffled[np.lexsort((labels[shuffled], rank_within_label))])


def ferplus_study(
    root: Path, split: Split, images: int, seed: int, name: str, rule: str = "argmax"
) -> tuple[NewStudy, list[NewImage], list[NewVote]]:
    """A study of FER+ faces, balanced over majority labels, with their own votes.

    FER+ publishes counts, not raters: which of an image's votes belong to one person is unknown. They are dealt in
    random order to ten anonymous raters, so per-image results are real and anything about a single rater is not.
    Votes outside the seven labels (contempt, unknown, no face) become "none of these"; `source_choice` keeps them.

    Raises:
        SurveyError: no such filter, or fewer usable images than asked for.
        DatasetError: the data set is missing or malformed.
    """
    if images < 1:
        raise SurveyError("A study needs at least one image.")
    if not 0 <= seed < 2**31:
        raise SurveyError("The seed must be between 0 and 2147483647.")
    votes = ferplus.read_votes(root, split)
    if rule not in ferplus.FILTERS:
        raise SurveyError(f"Unknown filter {rule!r} for FER+. Choose one of {', '.join(ferplus.FILTERS)}.")
    labels = ferplus.majority_labels(votes.counts, rule)
    usable = np.flatnonzero((labels >= 0) & ~ferplus.seen(root, votes, split, rule))
    rng = np.random.default_rng([seed, 1])
    new_images: list[NewImage] = []
    new_votes: list[NewVote] = []
    seen: set[str] = set()
    for row in usable[balanced_order(labels[usable], seed)]:
        if len(new_images) == images:
            break
        path = votes.folder / votes.names[row]
        try:
            image = read_picture(path, label=EMOTION_NAMES[labels[row]])
        except SurveyError as error:
            raise DatasetError(str(error)) from None
        digest = hashlib.sha256(image.content).hexdigest()
        if digest in seen:  # FER2013 holds some faces twice
            continue
        seen.add(digest)
        new_images.append(image)
        cast = np.repeat(ferplus.COLUMNS, votes.counts[row])
        for rater, source_choice in enumerate(rng.permutation(cast)):
            choice = source_choice if source_choice in EMOTION_NAMES else NONE_OF_THESE
            new_votes.append(NewVote(rater, image.name, str(choice), str(source_choice)))
    if len(new_images) < images:
        raise SurveyError(
            f"FER+ part {split!r} has only {len(new_images)} different usable faces, {images} were asked for."
        )
    study = NewStudy(
        name=name,
        title=f"{images:,} FER+ faces",
        description=f"Faces of the {split} part of FER2013, with the ten votes each that FER+ collected.",
        seed=seed,
        origin={"source": "ferplus", "split": split, "filter": rule, "seed": seed},
    )
    return study, new_images, new_votes
