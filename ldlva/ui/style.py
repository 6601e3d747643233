"""The look shared by all pages: one style sheet and the menu."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ldlva.emotions import EMOTIONS, NONE_COLOUR, NONE_OF_THESE
from ldlva.ui import access

MENU = (
    ("app.py", "Home"),
    ("pages/results.py", "Results"),
    ("pages/compare.py", "Compare"),
    ("pages/explore.py", "Explore"),
    ("pages/embedding.py", "Embedding"),
    ("pages/studies.py", "Studies"),
    ("pages/training.py", "Training"),
)

_STYLE_SHEET = Path(__file__).with_name("style.css")


def apply() -> None:
    """Put the style sheet on the page."""
    colours = {emotion.name: emotion.colour for emotion in EMOTIONS} | {NONE_OF_THESE: NONE_COLOUR}
    buttons = "\n".join(
        f'.st-key-choices [class*="-{name}"] button {{ border-inline-start-color: {colour}; }}'
        for name, colour in colours.items()
    )
    st.html(_STYLE_SHEET)
    st.html(f"<style>{buttons}</style>")


def menu(current: str, study: str | None) -> None:
    """Brand and page links, the current page marked; the chosen study goes along."""
    with st.container(key="menu", horizontal=True, vertical_alignment="center", gap="small"):
        st.html('<div class="brand">LDLVA</div>', width="content")
        for path, label in MENU:
            key = f"menu-current-{label}" if label == current else f"menu-{label}"
            with st.container(key=key, width="content"):
                st.page_link(path, label=label, query_params={"study": study} if study and label != "Home" else None)
        access.draw_standing()
