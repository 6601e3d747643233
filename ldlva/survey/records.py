"""What the repository hands out: plain immutable values, free of sessions and rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray, IntArray
from ldlva.emotions import EMOTION_NAMES

StudyStatus = Literal["open", "paused", "closed"]

DEFAULT_CONSENT = """\
You will see faces one at a time and choose the emotion you think each shows. There are no right or wrong answers.

Taking part is voluntary and anonymous: we store your choices, when you made them and how long each took. We do not \
ask or store who you are. You may stop at any time by closing the page.\
"""


@dataclass(frozen=True)
class NewStudy:
    """What it takes to create a study."""

    name: str
    title: str
    description: str = ""
    labels: tuple[str, ...] = EMOTION_NAMES
    faces_per_volunteer: int | None = None
    consent_text: str = DEFAULT_CONSENT
    consent_version: str = "1"
    seed: int = 0
    status: StudyStatus = "open"
    origin: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NewImage:
    """One face to put into a study: an encoded JPEG, PNG or WebP file."""

    name: str
    content: bytes
    media_type: str
    width: int
    height: int
    label: str | None = None


@dataclass(frozen=True)
class NewVote:
    """One imported vote: `rater` counts the anonymous raters of the import from 0."""

    rater: int
    image_name: str
    choice: str
    source_choice: str


@dataclass(frozen=True)
class StudySummary:
    """A study with its counts of images, volunteers (imported raters apart) and current votes."""

    id: int
    name: str
    title: str
    description: str
    status: StudyStatus
    labels: tuple[str, ...]
    faces_per_volunteer: int | None
    consent_text: str
    consent_version: str
    origin: dict[str, Any]
    created_at: datetime
    images: int
    volunteers: int
    imported_raters: int
    votes: int

    @property
    def faces_shown(self) -> int:
        """How many faces one volunteer votes on."""
        return self.images if self.faces_per_volunteer is None else min(self.faces_per_volunteer, self.images)


@dataclass(frozen=True)
class Enrolment:
    """A new volunteer's secret for the resume link; only its hash is stored."""

    token: str


@dataclass(frozen=True)
class Ballot:
    """Where a volunteer stands: the next face, or None when done."""

    volunteer_id: int
    study_id: int
    study_name: str
    study_title: str
    study_status: StudyStatus
    labels: tuple[str, ...]
    image_id: int | None
    done: int
    total: int


@dataclass(frozen=True)
class StudyVotes:
    """Current votes of a study, tallied per image.

    Attributes:
        labels: C label names, the columns of `counts`.
        image_ids, image_names, image_labels: N images in a fixed order; a label is the data set's own or None.
        counts: int64 `[N, C]`.
        none_counts: int64 `[N]` votes for "none of these", not part of any distribution.
    """

    labels: tuple[str, ...]
    image_ids: tuple[int, ...]
    image_names: tuple[str, ...]
    image_labels: tuple[str | None, ...]
    counts: IntArray
    none_counts: IntArray


@dataclass(frozen=True)
class ModelPredictions:
    """One model's stored predictions for some images of a study.

    Attributes:
        labels: C label names, the columns of `probabilities`.
        image_ids: M images that have a prediction.
        probabilities: float64 `[M, C]`.
    """

    name: str
    method: str
    backbone: str
    details: dict[str, Any]
    labels: tuple[str, ...]
    image_ids: tuple[int, ...]
    probabilities: FloatArray


@dataclass(frozen=True)
class ModelFeatures:
    """What one model sees in some images of a study.

    Attributes:
        labels: C label names, the columns of `probabilities`.
        image_ids: M images that have a prediction.
        probabilities: float64 `[M, C]`.
        features: float32 `[M, D]`; D is 0 where predictions were stored without.
    """

    name: str
    method: str
    weights_sha256: str
    labels: tuple[str, ...]
    image_ids: tuple[int, ...]
    probabilities: FloatArray
    features: npt.NDArray[np.float32]


@dataclass(frozen=True)
class NewModel:
    """Identity of a model whose predictions are to be stored."""

    name: str
    method: str
    backbone: str
    labels: tuple[str, ...]
    weights_sha256: str
    details: dict[str, Any]
