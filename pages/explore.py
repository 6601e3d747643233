"""Explore: faces on which people and models disagree, one by one (supplement, Figure 2), and a follow-up study."""

import streamlit as st

from ldlva.ui import components, explore, session
from ldlva.wording import counted

with session.page("Explore", layout="wide", researchers_only=True):
    st.title("Where they disagree")
    st.html(f'<p class="lede">{explore.LEDE}</p>')
    study = session.choose_study()
    found = explore.exploration(study)
    if not found.orders:
        st.info(
            "Nobody has voted yet, and fewer than two models have predicted these faces: there is nothing to compare.",
            icon=":material/how_to_vote:",
        )
        st.stop()
    if found.left_out:
        left_out = components.plain(", ".join(found.left_out))
        st.caption(f"Left out, because their labels differ from the study’s: {left_out}.")
    view = explore.choose_view(found)
    rows = found.rows(view)
    if rows:
        shown = session.paged(rows, explore.PER_PAGE, study.name, view)
        row = explore.open_face(found, study, shown)
        with st.container(border=True, key="card-face"):
            picture, bars = st.columns([1, 4])
            picture.html(explore.face_head(found, row))
            bars.html(explore.panels(found, row))
        words = components.plain(f"{counted(len(rows), 'face')}, {explore.view_words(found, view)}.")
        st.caption(f"{words} Choose one to see it; tick to pick it.")
        explore.draw_grid(found, study, found.sort_values(view.order, view.model), shown, row)
        st.html(f'<p class="muted">{explore.NOTE}</p>')
    else:
        st.info("No face is seen that way. Choose other emotions, or none.", icon=":material/filter_alt_off:")
    st.header("Ask again about some of them")
    explore.draw_follow_up(found, study, view)
