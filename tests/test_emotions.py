from __future__ import annotations

import pytest

from ldlva import emotions
from ldlva.errors import SurveyError


def test_seven_emotions_with_distinct_names_and_colours() -> None:
    assert len(set(emotions.EMOTION_NAMES)) == 7
    assert len({emotion.colour for emotion in emotions.EMOTIONS}) == 7


def test_coordinates_follow_the_order_of_the_names() -> None:
    coordinates = emotions.valence_arousal_coordinates(["happiness", "neutral"])
    assert coordinates.tolist() == [[0.81, 0.51], [0.0, 0.0]]


def test_an_unknown_emotion_is_named_with_the_known_ones() -> None:
    with pytest.raises(SurveyError, match=r"'joy'.*happiness"):
        emotions.emotion("joy")
