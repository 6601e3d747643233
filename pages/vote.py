"""Vote: consent, then one face after the other, then thanks. `?study=` is the invitation, `?v=` the resume link."""

import streamlit as st

from ldlva.ui import ballot, components, session


def ask_consent(study_name: str) -> None:
    """Show what the volunteer agrees to; nothing is stored before they do."""
    study = session.repository().study(study_name)
    st.title(study.title)
    if study.status != "open":
        st.info(f"This study is {study.status} and takes no new volunteers.", icon=":material/lock:")
        return
    st.html(f'<div class="lede">{components.paragraphs(study.consent_text)}</div>')
    st.html(
        f'<p class="muted">{study.faces_shown} faces. Click or tap a choice, or press its number. Backspace takes the '
        "last choice back. Keep this page's address to continue later.</p>"
    )
    if st.button("I agree, start", key="agree", type="primary"):
        enrolment = session.repository().enrol(study_name)
        st.query_params.from_dict({"v": enrolment.token})
        st.rerun()


with session.page("Vote", menu=False):
    token, invitation = st.query_params.get("v"), st.query_params.get("study")
    if token is not None:
        standing = session.repository().ballot(token)
        if standing.study_status != "open":
            st.title(standing.study_title)
            st.info(
                f"This study is {standing.study_status}. Your {standing.done} choices are stored. Thank you!",
                icon=":material/lock:",
            )
        elif standing.image_id is not None:
            ballot.draw(token, standing)
        else:
            st.title("Thank you!")
            st.html(
                f'<p class="lede">All {standing.total} of your choices are stored. You can close this page now.</p>'
            )
            ballot.undo_button(token, standing)
    elif invitation is not None:
        ask_consent(invitation)
    else:
        st.title("Take part")
        st.info("Open the link you were sent, or choose a study on the home page.", icon=":material/link:")
        st.page_link("app.py", label="See the open studies", icon=":material/arrow_back:")
