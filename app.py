"""Home: what this is, and the studies open to everyone."""

import streamlit as st

from ldlva.ui import access, home, session, speech

with session.page("Home"), speech.explained() as spoken:
    language = spoken.settle_any()
    st.title(language.text("home.title"))
    home.draw_studies(language)
    if access.is_researcher():
        home.draw_for_researchers()
    elif access.standing() != "off":
        st.page_link("pages/studies.py", label="Researchers: sign in", icon=":material/login:")
