"""Label sets: names, order, colours and valence-arousal coordinates. The only copy in the product.

Coordinates are Russell & Mehrabian (1977), "Evidence for a three-factor theory of emotions", rescaled to [-1, 1];
neutral at the origin is a convention. Contempt is not among the terms taken from that table: it has no coordinates
here, and nothing invents them. Colours are told apart by people with the common colour deficiencies mostly by
lightness, and every chart also carries the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ldlva.errors import SurveyError


@dataclass(frozen=True)
class Emotion:
    """One label: its stored name, colour on every chart, and place on the circumplex (both axes in [-1, 1]).

    A study's own label may have a title of its own and no place on the circumplex.
    """

    name: str
    colour: str
    valence: float | None
    arousal: float | None
    own_title: str | None = None

    @property
    def title(self) -> str:
        """The name as shown on buttons and axes."""
        return self.own_title or self.name.capitalize()


EMOTIONS: tuple[Emotion, ...] = (
    Emotion("neutral", "#8C939F", 0.0, 0.0),
    Emotion("happiness", "#F0AE2C", 0.81, 0.51),
    Emotion("sadness", "#3B78B5", -0.63, -0.27),
    Emotion("surprise", "#25A8A2", 0.40, 0.67),
    Emotion("fear", "#7A5BA8", -0.64, 0.60),
    Emotion("disgust", "#5B9B45", -0.60, 0.35),
    Emotion("anger", "#CF4655", -0.51, 0.59),
)
"""The seven basic labels, in the order of every array column in the product."""

EMOTION_NAMES: tuple[str, ...] = tuple(emotion.name for emotion in EMOTIONS)

CONTEMPT = Emotion("contempt", "#9A6A3A", None, None)

LABEL_SETS: dict[str, tuple[Emotion, ...]] = {"basic7": EMOTIONS, "basic8": (*EMOTIONS, CONTEMPT)}
"""Label sets that a study can name; models of this product predict `basic7`."""

NONE_OF_THESE = "none"
"""Stored choice of a volunteer who found no label fitting; counted apart from the distribution."""

OTHER = "other"
"""Stored choice of a volunteer who has another word for it; counted apart from the distribution too."""

NONE_COLOUR = "#C7CBD3"

_BY_NAME = {emotion.name: emotion for emotion in (*EMOTIONS, CONTEMPT)}


def emotion(name: str | Emotion) -> Emotion:
    """Look a built-in label up by its stored name; a study's own label is passed through as it is.

    Raises:
        SurveyError: there is no built-in label of that name.
    """
    if isinstance(name, Emotion):
        return name
    try:
        return _BY_NAME[name]
    except KeyError:
        raise SurveyError(f"Unknown emotion {name!r}. Known labels: {', '.join(_BY_NAME)}.") from None


def valence_arousal_coordinates(names: Sequence[str] = EMOTION_NAMES) -> npt.NDArray[np.float64]:
    """Class coordinates `[C, 2]` (valence, arousal) for the given labels; NaN where a label has none."""
    return np.array([(emotion(name).valence, emotion(name).arousal) for name in names], dtype=np.float64)
