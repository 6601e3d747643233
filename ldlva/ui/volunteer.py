"""A volunteer's way through a study: the link they were sent, consent, faces, the end. `pages/vote.py` draws it."""

from __future__ import annotations

import streamlit as st

from ldlva.languages import Language
from ldlva.survey.records import Ballot
from ldlva.ui import components, consent, ending, preview, speech, voting
from ldlva.ui.session import repository

KEPT = ("lang", "plain", preview.PARAMETER)
"""What stays in the address when the invitation there becomes the resume link."""


def draw() -> None:
    """Draw what the address asks for: `?v=` is the resume link, `?study=` the invitation."""
    with speech.explained() as spoken:
        token, invited_to = st.query_params.get("v"), st.query_params.get("study")
        if token is not None:
            ballot = repository().ballot(token)
            _draw_standing(token, ballot, spoken.settle(ballot.protocol.languages, ballot.language))
        elif invited_to is not None:
            _draw_invitation(invited_to, spoken)
        else:
            language = spoken.settle_any()
            st.title(language.text("home.title"))
            st.html(components.notice(language.text("errors.no_link")))
            st.page_link("app.py", label=language.text("errors.home"))


def _draw_standing(token: str, ballot: Ballot, language: Language) -> None:
    if ballot.study_status != "open":
        ending.draw_stopped(token, ballot, language)
    elif ballot.trial is not None:
        voting.draw(token, ballot, language)
    else:
        ending.draw(token, ballot, language)


def _draw_invitation(name: str, spoken: speech.Spoken) -> None:
    invitation = st.query_params.get("i")
    study = repository().invited_study(name, invitation)
    language = spoken.settle(study.protocol.languages)
    parameter = study.protocol.access.participant_id
    invitee = consent.Invitee(invitation, st.query_params.get(parameter) if parameter else None)
    token = repository().returning(name, invitation=invitee.invitation, participant_id=invitee.participant_id)
    if token is None:
        if study.status != "open":
            st.title(components.plain(study.protocol.say(study.protocol.title, language.code)))
            st.html(components.notice(language.text("errors.not_open")))
            return
        token = consent.draw(study, invitee, language)
    if token is not None:
        kept = {key: st.query_params[key] for key in KEPT if key in st.query_params}
        if preview.PARAMETER in kept:
            kept["study"] = name
        st.query_params.from_dict({"v": token, **kept})
        st.rerun()
