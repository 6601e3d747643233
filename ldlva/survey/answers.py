"""What volunteers answer, checked against the protocol before it is stored. Pure rules."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ldlva.emotions import NONE_OF_THESE, OTHER
from ldlva.errors import VolunteerError
from ldlva.survey.protocol import Protocol
from ldlva.survey.protocol_sections import Question

LONGEST_OTHER = 200
LONGEST_TEXT = 2000
LONGEST_RESPONSE_MS = 2**31 - 1


@dataclass(frozen=True)
class Answer:
    """One answer to one face; `choices` has one element unless the protocol allows several."""

    choices: tuple[str, ...]
    intensity: int | None = None
    valence: float | None = None
    arousal: float | None = None
    other_text: str | None = None
    response_ms: int | None = None

    @classmethod
    def of(
        cls,
        choice: str | Sequence[str],
        intensity: int | None,
        valence: float | None,
        arousal: float | None,
        other_text: str | None,
        response_ms: int | None,
    ) -> Answer:
        """One choice or several."""
        choices = (choice,) if isinstance(choice, str) else tuple(choice)
        return cls(choices, intensity, valence, arousal, other_text, response_ms)

    @property
    def choice(self) -> str:
        """The first choice."""
        return self.choices[0]


def check_answer(protocol: Protocol, answer: Answer) -> Answer:
    """The answer as it is stored: several choices in the study's order, nothing that the mode does not ask for.

    Raises:
        VolunteerError: a choice the study does not have, more than one where one is asked, or a value out of range.
    """
    response = protocol.response
    allowed = [*protocol.label_names, *([NONE_OF_THESE] if response.none_option else [])]
    allowed += [OTHER] if response.other_option else []
    chosen = dict.fromkeys(answer.choices)
    for choice in chosen:
        if choice not in allowed:
            raise VolunteerError("choice", f"{choice!r} is not a choice of this study.")
    alone = {NONE_OF_THESE, OTHER} & set(chosen)
    if not chosen or (len(chosen) > 1 and (response.mode != "multiple" or alone)):
        raise VolunteerError("choice", "Choose one answer." if response.mode != "multiple" or alone else "Choose.")
    ordered = tuple(label for label in allowed if label in chosen)
    stored = Answer(
        ordered,
        other_text=(answer.other_text or "").strip()[:LONGEST_OTHER] or None if ordered == (OTHER,) else None,
        response_ms=_response_ms(answer.response_ms),
    )
    if alone:
        return stored
    if response.mode == "intensity":
        return replace(stored, intensity=_intensity(answer.intensity))
    if response.mode == "valence_arousal":
        return replace(stored, valence=_coordinate(answer.valence), arousal=_coordinate(answer.arousal))
    return stored


def check_demographics(protocol: Protocol, given: Mapping[str, object]) -> dict[str, str | float]:
    """Answers about the volunteer, in the protocol's order; what was left open is absent.

    Raises:
        VolunteerError: an answer to no question, one that is not allowed, or none where one is required.
    """
    known = {question.key for question in protocol.demographics}
    for key in given:
        if key not in known:
            raise VolunteerError("answer", f"There is no question {key!r}.", question=key)
    answers: dict[str, str | float] = {}
    for question in protocol.demographics:
        value = given.get(question.key)
        if value is None or (isinstance(value, str) and not value.strip()):
            if question.required:
                raise VolunteerError("answer", f"Please answer the question {question.key!r}.", question=question.key)
            continue
        answers[question.key] = _demographic(question, value)
    return answers


def _demographic(question: Question, value: object) -> str | float:
    if question.kind == "number":
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
            or (question.minimum is not None and value < question.minimum)
            or (question.maximum is not None and value > question.maximum)
        ):
            raise VolunteerError("answer", f"{value!r} is not a number allowed here.", question=question.key)
        return value
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise VolunteerError("answer", "This answer is too long or no text.", question=question.key)
    if question.kind == "choice" and value not in [option.value for option in question.options]:
        raise VolunteerError("answer", f"{value!r} is not among the answers.", question=question.key)
    return value.strip()


def _intensity(value: int | None) -> int:
    if value is None or isinstance(value, bool) or not 0 <= value <= 100:
        raise VolunteerError("intensity", "Say how strong the emotion is, from 0 to 100.")
    return round(value)


def _coordinate(value: float | None) -> float:
    if value is None or not -1 <= value <= 1:
        raise VolunteerError("valence_arousal", "Choose a point on the grid.")
    return float(value)


def _response_ms(value: int | None) -> int | None:
    """A clock that went backwards or a page left open for weeks is no response time."""
    return value if value is not None and 0 <= value <= LONGEST_RESPONSE_MS else None
