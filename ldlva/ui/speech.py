"""Which language a visitor is spoken to in, and the document's language and direction."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import urlencode

import streamlit as st

from ldlva.errors import LdlvaError, VolunteerError
from ldlva.languages import Language, language, languages, preferred
from ldlva.ui import access, components


class Spoken:
    """The language of a page, once it is known in which ones it is offered."""

    def __init__(self) -> None:
        self.language = choose(list(languages()))

    def settle(self, offered: Sequence[str], stored: str | None = None) -> Language:
        """Speak the best of the languages offered from here on."""
        self.language = choose(offered, stored)
        apply(self.language)
        return self.language

    def settle_any(self) -> Language:
        """Speak any language that the pages are translated into."""
        return self.settle(list(languages()))


@contextlib.contextmanager
def explained() -> Iterator[Spoken]:
    """Turn every expected error of a volunteer's page into a message in their language."""
    spoken = Spoken()
    try:
        yield spoken
    except LdlvaError as error:
        language = spoken.language
        apply(language)
        if not isinstance(error, VolunteerError):  # the reason is the researcher's business
            logging.getLogger(__name__).warning("A volunteer's page failed: %s", error)
            if access.is_researcher():
                raise
        st.title(language.text("home.title"))
        st.html(components.alert(explain(error, language)))
        st.page_link("app.py", label=language.text("errors.home"))


def choose(offered: Sequence[str], stored: str | None = None) -> Language:
    """The visitor's language: by `?lang=`, else as stored with their consent, else the browser's; of those offered."""
    return language(preferred([st.query_params.get("lang"), stored, _browser_locale()], offered))


def _browser_locale() -> str | None:
    locale = st.context.locale
    return locale if isinstance(locale, str) else None


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
