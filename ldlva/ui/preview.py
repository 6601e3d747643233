"""Trying a study out as a volunteer: the volunteers' pages on a database that is thrown away.

A preview belongs to one browser tab: it begins with the link that carries the study's preview key, and ends on any page
that is not a volunteer's.
"""

from __future__ import annotations

import streamlit as st

PARAMETER = "preview"
_WANTED = "previewed-study"


def follow(volunteers_page: bool) -> None:
    """At the beginning of every page: remember the preview that its address asks for, or end it."""
    if not volunteers_page:
        st.session_state.pop(_WANTED, None)
    elif (key := st.query_params.get(PARAMETER)) and (name := st.query_params.get("study")):
        st.session_state[_WANTED] = (name, key)
    elif "study" in st.query_params:
        st.session_state.pop(_WANTED, None)


def wanted() -> tuple[str, str] | None:
    """Study and key of the preview in this tab, if there is one; the key is not checked yet."""
    found: tuple[str, str] | None = st.session_state.get(_WANTED)
    return found


def banner() -> None:
    """Say that nothing is stored."""
    st.html('<div class="preview-banner" role="status">Preview: nothing you do here is stored.</div>')
