"""The tables of a protocol, one model each. `docs/study-guide.md` explains every field with an example."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    field_validator,
    model_validator,
)

from ldlva.emotions import LABEL_SETS, NONE_OF_THESE, OTHER, Emotion, emotion
from ldlva.errors import SurveyError

Text = dict[str, str]
"""A text for volunteers by language code. In a file, a plain string is the text in the first language."""

PALETTE = ("#2D5BA8", "#C2553B", "#4B8B5A", "#8A5AA8", "#A07B2C", "#3D8C95", "#9B4A66", "#5F6B7A", "#B88A00", "#7A8F2B")
"""Colours of own labels that name none."""

_LABEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_OWN_PARAMETERS = ("study", "v", "i")

Count = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
Positive = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Coordinate = Annotated[float, Field(ge=-1, le=1)]


class Section(BaseModel):
    """A table of the file: no field beyond the known ones, nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OwnLabel(Section):
    """A label of the study's own. A built-in label's name brings its colour and coordinates along."""

    name: str
    title: Text = {}
    colour: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] | None = None
    valence: Coordinate | None = None
    arousal: Coordinate | None = None

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not _LABEL_NAME.fullmatch(name) or name in (NONE_OF_THESE, OTHER):
            raise ValueError("a label is named by a-z, 0-9, - and _, beginning with a letter, and not none or other")
        return name

    @model_validator(mode="after")
    def _both_coordinates(self) -> Self:
        if (self.valence is None) != (self.arousal is None):
            raise ValueError("give both valence and arousal, or neither")
        return self


class Labels(Section):
    """What volunteers choose from."""

    set: Literal["basic7", "basic8", "own"] = "basic7"
    own: tuple[OwnLabel, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.set != "own" and self.own:
            raise ValueError("own labels need set = 'own'")
        if self.set == "own" and len(self.own) < 2:
            raise ValueError("set = 'own' needs at least two tables [[labels.own]]")
        names = [label.name for label in self.own]
        if len(set(names)) < len(names):
            raise ValueError("two own labels have the same name")
        return self


class Response(Section):
    """How a volunteer answers."""

    mode: Literal["single", "multiple", "intensity", "valence_arousal"] = "single"
    none_option: StrictBool = True
    other_option: StrictBool = False
    option_order: Literal["fixed", "shuffled"] = "fixed"


class Presentation(Section):
    """How faces follow each other. Times in milliseconds."""

    exposure_ms: Annotated[StrictInt, Field(ge=16, le=60_000)] | None = None
    fixation_ms: Annotated[StrictInt, Field(ge=0, le=10_000)] = 0
    order: Literal["random", "fixed"] = "random"
    break_every: Count = 0


class Faces(Section):
    """Which faces a volunteer gets, by the names of the study's images."""

    per_volunteer: Positive | None = None
    practice: tuple[str, ...] = ()
    practice_feedback: StrictBool = False
    practice_answers: dict[str, tuple[str, ...]] = {}
    gold: dict[str, tuple[str, ...]] = {}
    repeated: Count = 0
    claim_minutes: Annotated[StrictInt, Field(ge=1, le=1440)] = 30

    @property
    def special(self) -> frozenset[str]:
        """Names of the faces that are not voted on for the result."""
        return frozenset({*self.practice, *self.gold})

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.practice)) < len(self.practice):
            raise ValueError("a practice face is named twice")
        if both := sorted(set(self.practice) & set(self.gold)):
            raise ValueError(f"{both[0]!r} cannot be both a practice and a gold face")
        if stray := sorted(set(self.practice_answers) - set(self.practice)):
            raise ValueError(f"practice_answers names {stray[0]!r}, which is no practice face")
        if self.practice_feedback and (
            lacking := [name for name in self.practice if name not in self.practice_answers]
        ):
            raise ValueError(f"practice_feedback needs practice_answers for {lacking[0]!r}")
        for name, accepted in {**self.gold, **self.practice_answers}.items():
            if not accepted:
                raise ValueError(f"{name!r} needs at least one accepted label")
        return self


class Stopping(Section):
    """When a face has enough votes."""

    rule: Literal["none", "quota", "precision"] = "none"
    votes_per_face: Positive | None = None
    half_width: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    fewest_votes: Positive = 10
    most_votes: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {"none": (), "quota": ("votes_per_face",), "precision": ("half_width", "most_votes")}[self.rule]
        for field in ("votes_per_face", "half_width", "most_votes"):
            if field in needed and getattr(self, field) is None:
                raise ValueError(f"rule = {self.rule!r} needs {field}")
            if field not in needed and getattr(self, field) is not None:
                raise ValueError(f"{field} does nothing with rule = {self.rule!r}; leave it out")
        if self.most_votes is not None and self.most_votes < self.fewest_votes:
            raise ValueError("most_votes must not be smaller than fewest_votes")
        return self


class Attention(Section):
    """What marks a volunteer as inattentive on the Studies page and in the export. No vote is dropped for it."""

    fastest_ms: Count = 300
    fast_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    gold_errors: Count = 0
    repeat_errors: Annotated[float, Field(ge=0, le=1)] = 0.5


class Consent(Section):
    """What a volunteer agrees to before anything is stored."""

    version: Annotated[str, Field(min_length=1, max_length=40)] = "1"
    text: Text


class Option(Section):
    """An answer to a question: what is stored, and what volunteers read."""

    value: Annotated[str, Field(min_length=1, max_length=80)]
    text: Text = {}


def _option(given: Any) -> Any:
    return {"value": given} if isinstance(given, str) else given


class Question(Section):
    """A question about the volunteer; may always be left open unless `required`."""

    key: str
    text: Text
    kind: Literal["choice", "number", "text"]
    options: tuple[Annotated[Option, BeforeValidator(_option)], ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    required: StrictBool = False

    @field_validator("key")
    @classmethod
    def _key(cls, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise ValueError("a question's key is its column in the export: a-z, 0-9 and _, beginning with a letter")
        return key

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if (self.kind == "choice") != bool(self.options):
            raise ValueError("kind = 'choice' needs options, and other kinds have none")
        if len({option.value for option in self.options}) < len(self.options):
            raise ValueError("two options have the same value")
        if self.kind != "number" and (self.minimum is not None or self.maximum is not None):
            raise ValueError("minimum and maximum belong to kind = 'number'")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("minimum is larger than maximum")
        return self


class Completion(Section):
    """What proves that a volunteer has finished, for panels that pay."""

    code: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    per_volunteer: StrictBool = False
    url: Annotated[str, Field(max_length=500)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.code is not None and self.per_volunteer:
            raise ValueError("give one code for all, or per_volunteer = true for codes of their own, not both")
        if self.url is not None:
            address = urlsplit(self.url)
            if address.scheme not in ("https", "http") or not address.netloc:
                raise ValueError("url must be a full web address, https://...; {code} in it stands for the code")
            if "{code}" in self.url and self.code is None and not self.per_volunteer:
                raise ValueError("url contains {code}, but there is no code: set code, or per_volunteer = true")
        return self


class Access(Section):
    """Who may take part."""

    who: Literal["anyone", "link", "one_time"] = "anyone"
    listed: StrictBool = True
    participant_id: str | None = None
    participant_id_required: StrictBool = False
    participant_id_storage: Literal["hashed", "plain"] = "hashed"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.participant_id is not None and (
            not _PARAMETER.fullmatch(self.participant_id) or self.participant_id in _OWN_PARAMETERS
        ):
            raise ValueError(
                "participant_id is the name of a parameter of the link, like PROLIFIC_PID, and not study, v or i"
            )
        if self.participant_id is None and self.participant_id_required:
            raise ValueError("participant_id_required needs participant_id, the name of the link's parameter")
        return self


def own_emotions(labels: Labels, language: str) -> tuple[Emotion, ...]:
    """The study's labels as values that charts understand, titled in the given language."""
    if labels.set != "own":
        return LABEL_SETS[labels.set]
    return tuple(_own_emotion(label, index, language) for index, label in enumerate(labels.own))


def _own_emotion(label: OwnLabel, index: int, language: str) -> Emotion:
    try:
        known = emotion(label.name)
    except SurveyError:
        known = Emotion(label.name, PALETTE[index % len(PALETTE)], None, None)
    placed = label.valence is not None
    return Emotion(
        label.name,
        label.colour or known.colour,
        label.valence if placed else known.valence,
        label.arousal if placed else known.arousal,
        _say(label.title, language) or None,
    )


def _say(text: Mapping[str, str], language: str) -> str:
    return text.get(language) or next(iter(text.values()), "")
