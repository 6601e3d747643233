"""The voting screen: one face, one button per choice, undo. Native buttons: keys, touch and screen readers work."""

from __future__ import annotations

import time

import streamlit as st

from ldlva.emotions import NONE_OF_THESE
from ldlva.errors import LdlvaError
from ldlva.survey.records import Ballot
from ldlva.ui import components
from ldlva.ui.session import repository

MINIMUM_RESPONSE_SECONDS = 0.25
"""A click this soon after a face was sent was meant for the one before it (a double click, a held key): ignored.
Nobody recognises an expression and presses a button in a quarter of a second."""

_SHOWN = "shown"
_FAILURE = "failure"


def draw(token: str, ballot: Ballot) -> None:
    """Draw the face to vote on and the choices."""
    if (failure := st.session_state.pop(_FAILURE, None)) is not None:
        st.error(failure, icon=":material/error:")
    image_id = ballot.image_id
    if image_id is None:
        raise ValueError("a finished ballot has no face to draw")
    content, media_type = repository().image_content(image_id)
    st.html(components.progress(ballot.done, ballot.total))
    st.html('<h1 class="question">Which emotion does this face show?</h1>')
    st.html(components.face(content, media_type, f"Face {ballot.done + 1} of {ballot.total}"))
    with st.container(key="choices"):
        for number, choice in enumerate((*ballot.labels, NONE_OF_THESE), start=1):
            st.button(
                components.choice_title(choice),
                key=f"choose-{image_id}-{choice}",
                shortcut=str(number) if number <= 9 else None,
                width="stretch",
                on_click=_vote,
                args=(token, image_id, choice),
            )
    undo_button(token, ballot)
    # A rerun that shows the same face again (a reconnect, an ignored click) does not restart its clock.
    if st.session_state.get(_SHOWN, (None,))[0] != image_id:
        st.session_state[_SHOWN] = (image_id, time.monotonic())


def undo_button(token: str, ballot: Ballot) -> None:
    """Take the last choice back; its face comes up again."""
    with st.container(key="undo", horizontal=True, horizontal_alignment="center"):
        st.button(
            "Undo last choice",
            key="undo-button",
            type="tertiary",
            icon=":material/undo:",
            shortcut="Backspace",
            disabled=ballot.done == 0,
            on_click=_undo,
            args=(token,),
        )


def _vote(token: str, image_id: int, choice: str) -> None:
    shown_id, shown_at = st.session_state.get(_SHOWN, (None, 0.0))
    elapsed = time.monotonic() - shown_at
    if shown_id != image_id or elapsed < MINIMUM_RESPONSE_SECONDS:
        return
    try:
        repository().vote(token, image_id, choice, response_ms=round(1000 * elapsed))
    except LdlvaError as error:
        st.session_state[_FAILURE] = str(error)


def _undo(token: str) -> None:
    st.session_state.pop(_SHOWN, None)
    try:
        repository().undo(token)
    except LdlvaError as error:
        st.session_state[_FAILURE] = str(error)
