"""Vote: consent, then one face after the other, then thanks. `?study=` is the invitation, `?v=` the resume link."""

import streamlit as st

from ldlva.ui import ballot, components, consent, session

with session.page("Vote", menu=False):
    token, invitation = st.query_params.get("v"), st.query_params.get("study")
    if token is not None:
        standing = session.repository().ballot(token)
        ballot.show_failure()
        if standing.study_status != "open":
            st.title(components.plain(standing.study_title))
            stored = "1 choice is" if standing.done == 1 else f"{standing.done} choices are"
            st.info(f"This study is {standing.study_status}. Your {stored} stored. Thank you!", icon=":material/lock:")
        elif standing.image_id is not None:
            ballot.draw(token, standing)
        else:
            st.title("Thank you!")
            st.html(
                f'<p class="lede">All {standing.total} of your choices are stored. You can close this page now.</p>'
            )
            ballot.undo_button(token, standing)
    elif invitation is not None:
        study = session.repository().study(invitation)
        st.title(components.plain(study.title))
        if study.status == "open":
            st.html(f'<div class="lede">{components.paragraphs(study.description)}</div>')
            consent.draw(study, expanded=True)
        else:
            st.info(f"This study is {study.status} and takes no new volunteers.", icon=":material/lock:")
    else:
        st.title("Take part")
        st.info("Open the link you were sent, or choose a study on the home page.", icon=":material/link:")
        st.page_link("app.py", label="See the open studies", icon=":material/arrow_back:")
