"""Training: start a training, watch it, stop and resume it, and compare runs. The work is done by child processes."""

import streamlit as st

from ldlva.ui import session, training, training_form

with session.page("Training", layout="wide", researchers_only=True):
    st.title("Training")
    st.html(f'<p class="lede">{training.LEDE}</p>')
    runs = training.runs()
    training.draw_current(runs)
    with st.expander("New run", expanded=not runs, icon=":material/add:"):
        training_form.draw(runs)
    if runs:
        st.header("All runs")
        training.draw_table(runs)
