"""Withdraw: a volunteer's code erases everything they gave. `?v=` fills the code in."""

import streamlit as st

from ldlva.ui import session, speech, withdrawal

with session.page("Withdraw", menu=False), speech.explained() as spoken:
    language = spoken.settle_any()
    st.title(language.text("withdrawal.title"))
    withdrawal.draw(language)
