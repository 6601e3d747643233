"""The ballot as a component: image, keys, touch, prefetch and timing in the browser, one message an answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from ldlva.languages import Language
from ldlva.survey.access import secret_hash
from ldlva.survey.records import Ballot
from ldlva.ui import ballot as screen
from ldlva.ui import components
from ldlva.ui.session import repository

KEY = "ballot"

LONGEST_RESPONSE_MS = 24 * 3600 * 1000
"""A browser that claims more is not believed: the vote counts, its time is left out."""

_ACKNOWLEDGED = "ballot-acknowledged"
_HELD = "ballot-held"
_SECTIONS = ("ballot",)


@lru_cache(maxsize=1)
def _component() -> ComponentRenderer:
    folder = Path(__file__).parent
    html, css, js = ((folder / f"ballot.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    # Not isolated: the style sheet of all pages applies, and axe and screen readers see one document.
    return st.components.v2.component("ldlva_ballot", html=html, css=css, js=js, isolate_styles=False)


def draw(token: str, ballot: Ballot, language: Language) -> None:
    """Mount the ballot; answers arrive in a callback before the page is drawn again."""
    data = payload(token, ballot, language, screen.failure(language))
    _component()(key=KEY, data=data, on_event_change=lambda: _receive(token))


def payload(token: str, ballot: Ballot, language: Language, failure: str | None) -> dict[str, Any]:
    """Everything the component draws. Pictures the browser already holds are not sent again."""
    trial, protocol = screen.trial_of(ballot), ballot.protocol
    owner = _pictures_owner(token)
    held_of, held = st.session_state.get(_HELD, (owner, set()))
    wanted = [trial.image_id, *([] if ballot.next_image_id is None else [ballot.next_image_id])]
    is_practice = trial.kind == "practice"
    return {
        "ack": st.session_state.get(_ACKNOWLEDGED, 0),
        "face": {
            "id": trial.image_id,
            "repeat": trial.repeat,
            "practice": is_practice,
            "expected": list(trial.expected) if is_practice else [],
        },
        "next": ballot.next_image_id,
        "images": {
            str(image_id): components.data_url(*repository().image_content(image_id))
            for image_id in wanted
            if held_of != owner or image_id not in held
        },
        "pictures_of": owner,
        "done": ballot.done,
        "total": ballot.total,
        "can_undo": ballot.done > 0,
        "options": [
            {"name": choice.name, "title": choice.title, "colour": choice.colour}
            for choice in screen.choices(protocol, ballot.options, language)
        ],
        "mode": protocol.response.mode,
        "exposure_ms": protocol.presentation.exposure_ms,
        "fixation_ms": protocol.presentation.fixation_ms,
        "break_every": protocol.presentation.break_every,
        "quiet_ms": round(1000 * screen.QUIET_SECONDS),
        "texts": {key.split(".")[1]: text for key, text in language.texts.items() if key.split(".")[0] in _SECTIONS},
        "failure": failure,
        "plain_link": f"?{urlencode({**st.query_params.to_dict(), 'plain': '1'})}",
    }


def _pictures_owner(token: str) -> str:
    """Names a volunteer without being their key. The number of an image means another face in a preview's database."""
    return secret_hash(f"pictures of {token}")[:16]


def _receive(token: str) -> None:
    event = st.session_state[KEY].get("event")
    if not isinstance(event, Mapping):
        return
    serial = event.get("serial")
    if not isinstance(serial, int) or serial <= st.session_state.get(_ACKNOWLEDGED, 0):
        return  # the same message twice
    st.session_state[_ACKNOWLEDGED] = serial
    held = event.get("held")
    images = {image for image in held if isinstance(image, int)} if isinstance(held, list) else set()
    st.session_state[_HELD] = (_pictures_owner(token), images)
    if event.get("kind") == "undo":
        done = event.get("done")
        screen.undo(token, done if isinstance(done, int) else None)
    elif event.get("kind") == "vote" and (answer := read_answer(event)) is not None:
        screen.vote(token, answer)


def read_answer(event: Mapping[str, Any]) -> screen.Answer | None:
    """An answer as the browser sent it, or None if it is not of the right form; the repository checks its values."""
    image_id, repeat, choice = event.get("image"), event.get("repeat"), event.get("choice")
    if not isinstance(image_id, int) or not isinstance(repeat, int):
        return None
    if isinstance(choice, list):
        choice = tuple(str(name) for name in choice)
    elif not isinstance(choice, str):
        return None
    elapsed = event.get("response_ms")
    is_credible = isinstance(elapsed, int) and 0 <= elapsed <= LONGEST_RESPONSE_MS
    other = event.get("other_text")
    return screen.Answer(
        image_id,
        repeat,
        choice,
        response_ms=elapsed if is_credible else None,
        intensity=None if (intensity := _number(event.get("intensity"))) is None else round(intensity),
        valence=_number(event.get("valence")),
        arousal=_number(event.get("arousal")),
        other_text=other[:200] if isinstance(other, str) else None,
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
