"""The page on which a volunteer has everything erased."""

from __future__ import annotations

import streamlit as st

from ldlva.errors import VolunteerError
from ldlva.languages import Language, languages
from ldlva.survey.erasure import withdraw
from ldlva.ui import components, speech
from ldlva.ui.session import repository

_ERASED = "erased"


def draw(language: Language) -> None:
    """The code, and a button that has to be pressed twice."""
    if st.session_state.get(_ERASED):
        st.html(components.notice(language.text("withdrawal.done")))
        return
    st.html(f'<p class="lede">{components.text(language.text("withdrawal.explain"))}</p>')
    code = st.text_input(
        language.text("withdrawal.code"), value=_known_code(), key="withdrawal-code", autocomplete="off", max_chars=80
    ).strip()
    if st.session_state.get("sure-of") != code or not code:
        pressed = st.button(
            language.text("withdrawal.erase"),
            key="erase",
            on_click=lambda: st.session_state.update({"sure-of": st.session_state["withdrawal-code"].strip()}),
        )
        if pressed and not code:
            st.html(components.alert(language.text("errors.withdrawal_code")))
    elif st.button(language.text("withdrawal.sure"), key="sure", type="primary"):
        try:
            withdraw(repository(), code)
        except VolunteerError as error:
            st.html(components.alert(speech.explain(error, language)))
        else:
            st.session_state[_ERASED] = True
            st.query_params.pop("v", None)
            st.rerun()
    speech.switch(language, list(languages()))


def _known_code() -> str:
    token = st.query_params.get("v")
    try:
        return repository().ballot(token).withdrawal_code if token else ""
    except VolunteerError:
        return ""
