"""Home: what this is, and the studies open to volunteers."""

import streamlit as st

from ldlva.ui import components, consent, session

with session.page("Home"):
    st.title("Which emotion do you see?")
    st.html(
        '<p class="lede">Volunteers look at faces and choose the emotion they see. Their votes are compared with what '
        "facial-expression models predict, face by face, so that we learn which model sees faces as people do.</p>"
    )
    open_studies = [study for study in session.repository().studies() if study.status == "open"]
    st.header("Open studies")
    if not open_studies:
        st.info("No study is open at the moment.", icon=":material/hourglass_empty:")
    for study in open_studies:
        with st.container(border=True, key=f"card-{study.name}"):
            st.subheader(components.plain(study.title))
            if study.description:
                st.html(f'<div class="muted">{components.paragraphs(study.description)}</div>')
            consent.draw(study, expanded=len(open_studies) == 1)
    with st.expander("For researchers: put up your own study"):
        session.researcher_link("pages/studies.py", "Upload your pictures on the Studies page", ":material/upload:")
        st.markdown(
            "Large collections: any folder or ZIP archive of JPEG, PNG or WebP faces becomes a study with one command:"
        )
        st.code("python -m ldlva study create --name my-study --images FOLDER --title 'My study'", language="bash")
