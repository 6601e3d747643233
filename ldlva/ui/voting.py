"""Which ballot a volunteer gets."""

from __future__ import annotations

import streamlit as st

from ldlva.languages import Language
from ldlva.settings import settings
from ldlva.survey.records import Ballot
from ldlva.ui import ballot_component, ending, plain_ballot


def is_plain() -> bool:
    """Whether this visitor gets the plain ballot: by the server's setting, or by their own wish."""
    return settings().plain_ballot or st.query_params.get("plain") == "1"


def draw(token: str, ballot: Ballot, language: Language) -> None:
    """Draw the face to vote on and the choices."""
    (plain_ballot if is_plain() else ballot_component).draw(token, ballot, language)
    with st.container(horizontal=True, horizontal_alignment="center"):
        ending.withdrawal_link(token, language)
