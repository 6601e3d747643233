"""Studies: put one up from your own pictures, follow how it is made, open, pause and close what is there."""

import streamlit as st

from ldlva.ui import session, studies

with session.page("Studies", researchers_only=True):
    st.title("Studies")
    st.html(
        '<p class="lede">Upload pictures of people. Faces are found and cropped, models predict what they show, and '
        "volunteers vote by a link. Pictures stay on this server.</p>"
    )
    studies.show_failure()
    running, ended = studies.jobs_by_state()
    if running:
        studies.follow(running)
    for job in ended:
        with st.container(border=True, key=f"card-{job.id}"):
            studies.draw_ended(job)

    known = session.repository().studies()
    expanded = studies.form_expanded(known, running, ended)
    with st.expander("New study", expanded=expanded, icon=":material/add:", key=studies.form_key()):
        form = studies.draw_form()
        if st.button("Create study", key="create-study", type="primary"):
            studies.create(form)

    st.header("All studies")
    if not known:
        st.info("There are no studies yet.", icon=":material/inbox:")
    for row in session.paged(list(range(len(known))), size=10):
        with st.container(border=True, key=f"card-{known[row].name}"):
            studies.draw_study(known[row])
