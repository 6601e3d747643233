"""What the repository hands out: plain immutable values, free of sessions and rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ldlva.distributions import FloatArray, IntArray
from ldlva.emotions import EMOTION_NAMES, Emotion
from ldlva.survey.access import secret_hash
from ldlva.survey.protocol import DEFAULT_CONSENT, Protocol

StudyStatus = Literal["draft", "open", "paused", "closed"]
TrialKind = Literal["practice", "gold", "face", "repeat"]


@dataclass(frozen=True)
class NewStudy:
    """What it takes to create a study.

    With a `protocol`, that says everything; the fields from `title` to `consent_version` make one where it is absent.
    """

    name: str
    title: str = ""
    description: str = ""
    labels: tuple[str, ...] = EMOTION_NAMES
    faces_per_volunteer: int | None = None
    consent_text: str = DEFAULT_CONSENT
    consent_version: str = "1"
    seed: int = 0
    status: StudyStatus = "open"
    origin: dict[str, Any] = field(default_factory=dict)
    protocol: Protocol | None = None


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


def study_identity(link_secret: str) -> str:
    """See `StudySummary.identity`."""
    return secret_hash(link_secret)[:16]


@dataclass(frozen=True)
class StudySummary:
    """A study with its counts of images, volunteers (imported raters apart) and current votes on faces.

    Attributes:
        protocol_version: counts the study's protocols from 1.
        protocol_hash: SHA-256 of the stored protocol.
        link_secret: part of the study's invitation link.
        private_secret: never leaves the server; what is kept from volunteers is derived from it.
        votes: practice, gold and repeated showings apart.
        withdrawn: volunteers who took everything back.
    """

    id: int
    name: str
    status: StudyStatus
    protocol: Protocol
    protocol_version: int
    protocol_hash: str
    link_secret: str = field(repr=False)
    private_secret: str = field(repr=False)
    seed: int
    origin: dict[str, Any]
    created_at: datetime
    images: int
    volunteers: int
    imported_raters: int
    votes: int
    withdrawn: int

    @property
    def identity(self) -> str:
        """Tells the study from those of other databases, which may have its number; nothing can be opened with it."""
        return study_identity(self.link_secret)

    @property
    def title(self) -> str:
        """In the study's first language."""
        return self.protocol.main_title

    @property
    def description(self) -> str:
        """In the study's first language."""
        return self.protocol.say(self.protocol.description, self.protocol.languages[0])

    @property
    def labels(self) -> tuple[str, ...]:
        """Stored names of the labels."""
        return self.protocol.label_names

    @property
    def emotions(self) -> tuple[Emotion, ...]:
        """The labels with title and colour."""
        return self.protocol.emotions

    @property
    def consent_text(self) -> str:
        """In the study's first language."""
        return self.protocol.say(self.protocol.consent.text, self.protocol.languages[0])

    @property
    def consent_version(self) -> str:
        """Version of the present consent text."""
        return self.protocol.consent.version

    @property
    def faces_per_volunteer(self) -> int | None:
        """Faces that one volunteer votes on; None for all."""
        return self.protocol.faces.per_volunteer

    @property
    def faces_shown(self) -> int:
        """How many showings a volunteer has, practice, gold and repeats included."""
        faces = self.protocol.faces
        rated = self.images - len(faces.special)
        chosen = rated if faces.per_volunteer is None else min(faces.per_volunteer, rated)
        return chosen + len(faces.special) + min(faces.repeated, chosen)


@dataclass(frozen=True)
class Enrolment:
    """A volunteer's secrets, of which only hashes are stored.

    Attributes:
        token: of the resume link.
        withdrawal_code: erases everything, even if the link is lost.
        resumed: whether the volunteer had enrolled before, by the same one-time link or participant's number.
    """

    token: str
    withdrawal_code: str
    resumed: bool = False


@dataclass(frozen=True)
class Trial:
    """One showing of a face to a volunteer.

    Attributes:
        repeat: 0 for the first showing, 1 for the second.
        kind: what it is for; volunteers are not told.
        expected: accepted labels of a practice face with feedback, else empty.
    """

    image_id: int
    repeat: int
    kind: TrialKind
    expected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ballot:
    """Where a volunteer stands: the next face, or None when done.

    Attributes:
        labels: the study's, in their stored order.
        trial: the showing of `image_id`, None when done.
        next_image_id: the face after this one, to be loaded ahead.
        options: choices in this volunteer's order, "none" and "other" last where the protocol has them.
        completion_code: once done, where the protocol has one.
    """

    volunteer_id: int
    study_id: int
    study_name: str
    study_title: str
    study_status: StudyStatus
    labels: tuple[str, ...]
    image_id: int | None
    done: int
    total: int
    protocol: Protocol
    language: str
    options: tuple[str, ...]
    trial: Trial | None
    next_image_id: int | None
    withdrawal_code: str
    completion_code: str | None


@dataclass(frozen=True)
class Withdrawal:
    """What a withdrawal erased, and in which study."""

    study_name: str
    study_title: str
    study_identity: str
    votes: int


@dataclass(frozen=True)
class Deletion:
    """What went with a study: its faces, volunteers (imported raters too), votes (superseded ones too), and the models
    that had predicted nothing else."""

    faces: int
    volunteers: int
    votes: int
    models: tuple[str, ...]


@dataclass(frozen=True)
class Invitation:
    """A one-time link, whose secret only its maker saw."""

    number: int
    note: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True)
class AnswerSets:
    """Answers to a study's faces where several labels may be chosen: each is one set of labels.

    Attributes:
        sets: S different ones; the columns of their labels in `StudyVotes.counts`, C for "none of these" and "other".
        counts: int64 `[N, S]`.
    """

    sets: tuple[frozenset[int], ...]
    counts: IntArray


@dataclass(frozen=True)
class StudyVotes:
    """Current votes of a study's faces, tallied per image; practice, gold and repeated showings apart.

    Attributes:
        emotions: C labels, the columns of `counts`.
        image_ids, image_names, image_labels: N images in a fixed order; a label is the data set's own or None.
        counts: int64 `[N, C]`; where several answers were allowed, each chosen label counts once.
        none_counts: int64 `[N]` votes for "none of these" or "other", not part of any distribution.
        raters: int64 `[N]` volunteers who voted on the image.
        sets: the same answers whole where several labels were allowed, else None.
    """

    emotions: tuple[Emotion, ...]
    image_ids: tuple[int, ...]
    image_names: tuple[str, ...]
    image_labels: tuple[str | None, ...]
    counts: IntArray
    none_counts: IntArray
    raters: IntArray
    sets: AnswerSets | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Stored names of the labels."""
        return tuple(emotion.name for emotion in self.emotions)


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
class Predictor:
    """A model that has predicted images of a study.

    Attributes:
        has_features: whether all its predictions were stored with features; those imported have none.
    """

    name: str
    method: str
    has_features: bool


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
