"""Which language a visitor is spoken to in, and the document's language and direction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

import streamlit as st

from ldlva.errors import LdlvaError, VolunteerError
from ldlva.languages import DEFAULT, Language, language, languages, preferred


def choose(offered: Sequence[str], stored: str | None = None) -> Language:
    """The visitor's language: by `?lang=`, else as stored with their consent, else the browser's; of those offered."""
    return language(preferred([st.query_params.get("lang"), stored, st.context.locale], offered))


def choose_any() -> Language:
    """The visitor's language where no study says which are offered."""
    return choose(list(languages()))


def apply(spoken: Language) -> None:
    """Tell the browser language and direction of the page: screen readers, hyphenation and layout follow them."""
    st.html(
        "<script>document.documentElement.lang = "
        f"{json.dumps(spoken.code)}; document.documentElement.dir = {json.dumps(spoken.direction)};</script>",
        unsafe_allow_javascript=True,
    )


def switch(spoken: Language, offered: Sequence[str]) -> None:
    """Links to the same page in the other languages. The address keeps the choice, so it survives a reload."""
    if len(offered) < 2:
        return
    entries = []
    for code in offered:
        name, direction = escape(languages()[code].name), languages()[code].direction
        if code == spoken.code:
            entries.append(f'<span lang="{code}" dir="{direction}" aria-current="true">{name}</span>')
        else:
            query = escape(urlencode({**st.query_params.to_dict(), "lang": code}))
            entries.append(f'<a href="?{query}" target="_self" lang="{code}" dir="{direction}">{name}</a>')
    label = escape(spoken.text("consent.language"))
    st.html(f'<nav class="languages" aria-label="{label}">{"".join(entries)}</nav>')


def explain(error: LdlvaError, spoken: Language, otherwise: str = "errors.server") -> str:
    """An error in the volunteer's language; what is no volunteer's business is only said to have gone wrong."""
    if isinstance(error, VolunteerError):
        return spoken.text(f"errors.{error.kind}", **error.values)
    return spoken.text(otherwise)


def is_default(spoken: Language) -> bool:
    """Whether this is the language that the product's own texts are first written in."""
    return spoken.code == DEFAULT
