"""The voting screen. What is on it comes from the study's protocol; what is done on it goes to the repository.

The component (`ballot_component`) times, prefetches and answers keys in the browser; the plain ballot (`plain_ballot`)
is made of Streamlit's own widgets, for browsers in which the component cannot run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from ldlva.emotions import NONE_COLOUR, NONE_OF_THESE, OTHER
from ldlva.errors import LdlvaError
from ldlva.languages import Language
from ldlva.survey.protocol import Protocol
from ldlva.survey.records import Ballot, Trial
from ldlva.ui import speech
from ldlva.ui.session import repository

QUIET_SECONDS = 0.25
"""A choice or undo this soon after a face was sent, or after the choice or undo before it, is the second half of a
double click: ignored. Nobody recognises an expression and presses a button in a quarter of a second."""

OTHER_COLOUR = "#767D8A"

_FAILURE = "failure"


@dataclass(frozen=True)
class Choice:
    """One button: its stored name, what it says, and its colour."""

    name: str
    title: str
    colour: str


@dataclass(frozen=True)
class Answer:
    """What a volunteer said about a face, as the browser sent it."""

    image_id: int
    repeat: int
    choice: str | tuple[str, ...]
    response_ms: int | None
    intensity: int | None = None
    valence: float | None = None
    arousal: float | None = None
    other_text: str | None = None


def choices(protocol: Protocol, options: tuple[str, ...], language: Language) -> list[Choice]:
    """The buttons in the volunteer's order."""
    colours = {emotion.name: emotion.colour for emotion in protocol.emotions}
    colours |= {NONE_OF_THESE: NONE_COLOUR, OTHER: OTHER_COLOUR}
    return [
        Choice(name, language.emotion(name, protocol.own_title(name, language.code)), colours[name]) for name in options
    ]


def trial_of(ballot: Ballot) -> Trial:
    """The face to vote on.

    Raises:
        ValueError: there is none, the volunteer has finished.
    """
    if ballot.trial is None:
        raise ValueError("a finished ballot has no face to draw")
    return ballot.trial


def where(ballot: Ballot, language: Language) -> str:
    """How far the volunteer is, in words."""
    words = language.text("ballot.face", number=min(ballot.done + 1, ballot.total), total=ballot.total)
    is_practice = ballot.trial is not None and ballot.trial.kind == "practice"
    return f"{words}. {language.text('ballot.practice_note')}" if is_practice else words


def vote(token: str, answer: Answer) -> None:
    """Store an answer; what goes wrong is said on the page drawn next."""
    attempt(
        lambda: repository().vote(
            token,
            answer.image_id,
            answer.choice,
            answer.response_ms,
            repeat=answer.repeat,
            intensity=answer.intensity,
            valence=answer.valence,
            arousal=answer.arousal,
            other_text=answer.other_text,
        ),
    )


def undo(token: str, done: int | None = None) -> None:
    """Take the newest answer back; `done` as for the repository's."""
    attempt(lambda: repository().undo(token, done))


def attempt(change: Callable[[], object]) -> None:
    """Do something for a volunteer, and keep what went wrong for the page that is drawn next."""
    try:
        change()
    except LdlvaError as error:
        st.session_state[_FAILURE] = error


def failure(language: Language) -> str | None:
    """What went wrong with the last answer or undo, once, in the volunteer's language."""
    error = st.session_state.pop(_FAILURE, None)
    return None if error is None else speech.explain(error, language, otherwise="errors.not_stored")
