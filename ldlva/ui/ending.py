"""What a volunteer sees when there is no face to vote on: thanks, debrief, completion code, and how to withdraw."""

from __future__ import annotations

import streamlit as st

from ldlva.languages import Language
from ldlva.survey.records import Ballot
from ldlva.ui import access, ballot, components, plain_ballot, speech


def draw(token: str, standing: Ballot, language: Language) -> None:
    """Thanks, and all that comes after the last face."""
    st.title(language.text("end.title"))
    if (failure := ballot.failure(language)) is not None:
        st.html(components.alert(failure))
    words = language.text("end.stored" if standing.done else "end.enough")
    st.html(f'<p class="lede" role="status">{components.text(words)}</p>')
    protocol = standing.protocol
    if debrief := protocol.say(protocol.debrief, language.code):
        st.html(f'<div class="consent">{components.paragraphs(debrief)}</div>')
    if standing.completion_code is not None:
        st.html(f'<div class="field-label">{components.text(language.text("end.code"))}</div>')
        st.code(standing.completion_code, language=None)
    if (url := protocol.completion_url(standing.completion_code)) is not None:
        st.link_button(language.text("end.return"), url, type="primary")
    plain_ballot.undo_button(token, standing.done > 0, language)
    draw_withdrawal(token, standing, language)
    speech.switch(language, protocol.languages)
    if access.is_researcher():
        st.page_link("pages/results.py", label="Results", query_params={"study": standing.study_name})


def draw_stopped(token: str, standing: Ballot, language: Language) -> None:
    """The study was paused or closed while the volunteer was away."""
    st.title(components.plain(standing.protocol.say(standing.protocol.title, language.code)))
    words = language.text("end.closed" if standing.study_status == "closed" else "end.paused")
    st.html(components.notice(words))
    draw_withdrawal(token, standing, language)
    speech.switch(language, standing.protocol.languages)


def draw_withdrawal(token: str, standing: Ballot, language: Language) -> None:
    """The code that erases everything, and the way to the page that takes it."""
    with st.container(border=True, key="card-withdrawal"):
        st.header(language.text("withdrawal.heading"))
        st.html(f'<p class="muted">{components.text(language.text("withdrawal.keep"))}</p>')
        st.html(f'<div class="field-label">{components.text(language.text("withdrawal.code"))}</div>')
        st.code(standing.withdrawal_code, language=None)
        withdrawal_link(token, language)


def withdrawal_link(token: str, language: Language) -> None:
    """To the page that erases; it fills in the code of whoever comes from here."""
    with st.container(key="withdraw-link", width="content"):
        st.page_link(
            "pages/withdraw.py",
            label=language.text("withdrawal.link"),
            query_params={"v": token, "lang": language.code},
        )
