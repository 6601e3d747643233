"""What the home page shows to volunteers and to researchers."""

from __future__ import annotations

import streamlit as st

from ldlva.languages import Language, languages
from ldlva.ui import components, session, speech


def draw_studies(language: Language) -> None:
    """What this is, and every listed study that anyone may take part in, each in a language it is offered in."""
    st.html(f'<p class="lede">{components.text(language.text("home.lede"))}</p>')
    st.header(language.text("home.studies"))
    studies = session.repository().listed_open_studies()
    if not studies:
        st.html(components.notice(language.text("home.nothing_open")))
    for study in studies:
        protocol = study.protocol
        code = protocol.language(language.code)
        with st.container(border=True, key=f"card-{study.name}"):
            st.subheader(components.plain(protocol.say(protocol.title, code)))
            if description := protocol.say(protocol.description, code):
                st.html(f'<div class="muted">{components.paragraphs(description)}</div>')
            with st.container(key=f"take-part-{study.name}", width="content"):
                st.page_link(
                    "pages/vote.py",
                    label=language.text("home.take_part"),
                    query_params={"study": study.name, "lang": code},
                )
    speech.switch(language, list(languages()))


def draw_for_researchers() -> None:
    """How to put up a study of one's own."""
    with st.expander("For researchers: put up your own study"):
        session.researcher_link("pages/studies.py", "Upload your pictures on the Studies page", ":material/upload:")
        st.markdown(
            "Large collections: any folder or ZIP archive of JPEG, PNG or WebP faces becomes a study with one command:"
        )
        st.code("python -m ldlva study create --name my-study --images FOLDER --title 'My study'", language="bash")
