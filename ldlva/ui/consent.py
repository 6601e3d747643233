"""What a volunteer agrees to, and the button that says so. Nothing is stored before it is pressed."""

from __future__ import annotations

import streamlit as st

from ldlva.survey.records import StudySummary
from ldlva.ui import components
from ldlva.ui.session import repository

SECONDS_PER_FACE = 5


def draw(study: StudySummary, expanded: bool) -> None:
    """Show what taking part means; on agreement, enrol the volunteer and go to the first face.

    Args:
        study: an open study.
        expanded: show the consent text at once instead of behind a click.
    """
    minutes = max(1, round(study.faces_shown * SECONDS_PER_FACE / 60))
    st.html(f'<div class="muted">{study.faces_shown} faces · about {minutes} min · anonymous</div>')
    with st.expander("What taking part means", expanded=expanded):
        st.html(f'<div class="consent">{components.paragraphs(study.consent_text)}</div>')
    if st.button("I agree, start", key=f"agree-{study.name}", type="primary"):
        enrolment = repository().enrol(study.name)
        st.switch_page("pages/vote.py", query_params={"v": enrolment.token})
