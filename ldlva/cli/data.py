"""Data sets as commands name them: the readers of `ldlva.datasets`, and studies of the survey database."""

from __future__ import annotations

from ldlva.datasets import READERS, FaceDataset, load_dataset, unknown_dataset
from ldlva.survey.dataset import study_dataset
from ldlva.survey.open import open_repository

STUDY = "study"


def load_data(spec: str, split: str, rule: str | None = None, image_size: int | None = None) -> FaceDataset:
    """`load_dataset`, which also knows `study:NAME`.

    Raises:
        LdlvaError: no such data set or study, or a fault in it.
    """
    name, _, place = spec.partition(":")
    if name == STUDY and place:
        return study_dataset(open_repository(), place, split, rule, image_size)
    if name not in READERS:
        raise unknown_dataset(spec, f"{STUDY}:NAME")
    return load_dataset(spec, split, rule, image_size)
