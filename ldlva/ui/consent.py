"""What a volunteer agrees to and is asked. Nothing is stored before they agreed (and answered what the study asks)."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from ldlva.errors import VolunteerError
from ldlva.languages import Language
from ldlva.survey.protocol_sections import Question
from ldlva.survey.records import StudySummary
from ldlva.ui import components, speech
from ldlva.ui.session import repository

SECONDS_PER_FACE = 5

MOST_RADIO_OPTIONS = 7

_AGREED = "agreed-to"


@dataclass(frozen=True)
class Invitee:
    """Who opened a study's link: the secret in it, and the number a panel gave them."""

    invitation: str | None
    participant_id: str | None


def draw(study: StudySummary, invitee: Invitee, language: Language) -> str | None:
    """Show what taking part means, then the study's questions; returns the resume token once the volunteer is enrolled.

    Args:
        study: an open study.
        invitee: from the link.
        language: one that the study is offered in.
    """
    protocol = study.protocol
    st.title(components.plain(protocol.say(protocol.title, language.code)))
    agreement = (study.name, protocol.hash)
    if st.session_state.get(_AGREED) != agreement:
        if not _draw_text(study, language):
            return None
        if protocol.demographics:
            st.session_state[_AGREED] = agreement
            st.rerun()
        answers: dict[str, str | float] | None = {}
    else:
        answers = _draw_questions(protocol.demographics, language)
    if answers is None:
        return None
    try:
        return (
            repository()
            .enrol(
                study.name,
                language=language.code,
                invitation=invitee.invitation,
                participant_id=invitee.participant_id,
                demographics=answers,
            )
            .token
        )
    except VolunteerError as error:
        if error.kind != "answer":
            raise
        asked = {question.key: question.text for question in protocol.demographics}
        words = protocol.say(asked.get(error.values["question"], {}), language.code)
        st.html(components.alert(language.text("errors.answer", question=words)))
        return None


def _draw_text(study: StudySummary, language: Language) -> bool:
    protocol = study.protocol
    description = protocol.say(protocol.description, language.code)
    if description:
        st.html(f'<div class="lede">{components.paragraphs(description)}</div>')
    minutes = max(1, round(study.faces_shown * SECONDS_PER_FACE / 60))
    facts = language.text("consent.facts", faces=study.faces_shown, minutes=minutes)
    st.html(f'<div class="muted">{components.text(facts)}</div>')
    with st.container(border=True, key="card-consent"):
        st.header(language.text("consent.heading"))
        consent = protocol.say(protocol.consent.text, language.code)
        parts = (consent, language.text("consent.withdrawal"), language.text("consent.no_tracking"))
        st.html(f'<div class="consent">{"".join(map(components.paragraphs, parts))}</div>')
    agreed = st.button(language.text("consent.agree"), key=f"agree-{study.name}", type="primary")
    speech.switch(language, protocol.languages)
    return agreed


def _draw_questions(questions: tuple[Question, ...], language: Language) -> dict[str, str | float] | None:
    """The study's questions; the answers once they are given, without those left open."""
    st.header(language.text("questions.heading"))
    if not any(question.required for question in questions):
        st.html(f'<p class="muted">{components.text(language.text("questions.optional"))}</p>')
    with st.form("questions", border=False):
        answers = {question.key: _draw_question(question, language) for question in questions}
        if not st.form_submit_button(language.text("questions.continue"), type="primary"):
            return None
    return {key: value for key, value in answers.items() if value not in (None, "")}


def _draw_question(question: Question, language: Language) -> str | float | None:
    def say(text: dict[str, str]) -> str:
        return text.get(language.code) or next(iter(text.values()), "")

    label = components.plain(say(question.text))
    if question.required:
        label = f"{label} ({language.text('questions.required')})"
    key = f"question-{question.key}"
    if question.kind == "number":
        return st.number_input(
            label, min_value=question.minimum, max_value=question.maximum, value=None, key=key, step=1.0, format="%g"
        )
    if question.kind == "text":
        return st.text_input(label, key=key, max_chars=200)
    titles = {option.value: say(option.text) or option.value for option in question.options}
    values: list[str | None] = list(titles)
    if not question.required:
        values.append(None)  # a radio button once pressed stays pressed: this takes it back

    def title(value: str | None) -> str:
        return language.text("questions.no_answer") if value is None else components.plain(titles[value])

    if len(values) > MOST_RADIO_OPTIONS:
        return st.selectbox(label, values, index=None, format_func=title, key=key, placeholder="")
    return st.radio(label, values, index=None, format_func=title, key=key)
