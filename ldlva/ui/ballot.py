"""The voting screen: one face, one button per choice, undo. Native buttons: keys, touch and screen readers work."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from ldlva.emotions import NONE_OF_THESE
from ldlva.errors import LdlvaError
from ldlva.survey.records import Ballot
from ldlva.ui import components
from ldlva.ui.session import repository

QUIET_SECONDS = 0.25
"""A choice or undo this soon after a face was sent, or after the choice or undo before it, is the second half of a
double click: ignored. Nobody recognises an expression and presses a button in a quarter of a second."""

_SHOWN = "shown"
_LAST_EVENT = "last_event"
_FAILURE = "failure"

# A held key sends the same key again and again. Streamlit's shortcuts take each for a new press; this listener, first
# in line, drops the repeats. It outlives the page in a single-page app, hence the check that a ballot is on screen.
_DROP_REPEATED_KEYS = """
<script>
if (!window.ldlvaDropsRepeatedKeys) {
  window.ldlvaDropsRepeatedKeys = true;
  window.addEventListener("keydown", (event) => {
    if (event.repeat && document.querySelector(".st-key-undo")) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);
}
</script>
"""


def draw(token: str, ballot: Ballot) -> None:
    """Draw the face to vote on and the choices."""
    image_id = ballot.image_id
    if image_id is None:
        raise ValueError("a finished ballot has no face to draw")
    content, media_type = repository().image_content(image_id)
    st.html(components.progress(ballot.done, ballot.total))
    st.html('<h1 class="question">Which emotion does this face show?</h1>')
    st.html(components.face(content, media_type, f"Face {ballot.done + 1} of {ballot.total}"))
    with st.container(key="choices"):
        for number, choice in enumerate((*ballot.labels, NONE_OF_THESE), start=1):
            # The key does not name the face: the button stays, and with it the focus of keyboard and screen reader.
            st.button(
                components.choice_title(choice),
                key=f"choose-{choice}",
                shortcut=str(number) if number <= 9 else None,
                width="stretch",
                on_click=_vote,
                args=(token, image_id, choice),
            )
    undo_button(token, ballot)
    st.html(
        '<p class="muted" style="text-align:center">You may stop at any time. This page has an address of your own: '
        "bookmark it to continue later.</p>"
    )
    # A rerun that shows the same face again (a reconnect, an ignored click) does not restart its clock.
    if st.session_state.get(_SHOWN, (None,))[0] != image_id:
        st.session_state[_SHOWN] = (image_id, time.monotonic())


def undo_button(token: str, ballot: Ballot) -> None:
    """Take the last choice back; its face comes up again."""
    st.html(_DROP_REPEATED_KEYS, unsafe_allow_javascript=True)
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


def show_failure() -> None:
    """Say what went wrong with the last choice or undo, if anything did."""
    if (failure := st.session_state.pop(_FAILURE, None)) is not None:
        st.html(components.alert(failure))


def _vote(token: str, image_id: int, choice: str) -> None:
    shown_id, shown_at = st.session_state.get(_SHOWN, (None, 0.0))
    elapsed = time.monotonic() - shown_at
    if _is_deliberate() and shown_id == image_id and elapsed >= QUIET_SECONDS:
        _try(lambda: repository().vote(token, image_id, choice, response_ms=round(1000 * elapsed)))


def _undo(token: str) -> None:
    if _is_deliberate():
        st.session_state.pop(_SHOWN, None)
        _try(lambda: repository().undo(token))


def _is_deliberate() -> bool:
    now = time.monotonic()
    before: float = st.session_state.get(_LAST_EVENT, 0.0)
    st.session_state[_LAST_EVENT] = now
    return now - before >= QUIET_SECONDS


def _try(change: Callable[[], Ballot]) -> None:
    try:
        change()
    except LdlvaError as error:
        st.session_state[_FAILURE] = str(error)
