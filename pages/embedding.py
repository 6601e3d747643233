"""Embedding: maps of faces by what models see in them, side by side (supplement, Figure 1)."""

import streamlit as st

from ldlva.ui import embedding, face_map, session

with session.page("Embedding", layout="wide", researchers_only=True):
    st.html(embedding.WIDE)
    st.title("What models see as similar")
    st.html(f'<p class="lede">{embedding.LEDE}</p>')
    request = embedding.ask()

    def draw(found: embedding.Embedding, sheets: list[bytes]) -> None:
        st.html(f'<p class="muted">{embedding.scope(found)}</p>')
        face_map.draw(found, sheets, f"{request.key}-{found.state}")
        with st.expander("All numbers", expanded=True):
            st.html(embedding.numbers_table(found))
            st.html(f'<p class="muted">{embedding.CAUTION}</p>')

    embedding.show(request, draw)
