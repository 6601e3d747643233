"""Studies: put one up, follow how it is made, and see to each: progress, protocol, invitations, preview, download."""

import streamlit as st

from ldlva.ui import session, studies, study_detail, study_form, study_jobs

with session.page("Studies", researchers_only=True):
    studies.show_outcome()
    if (chosen := st.query_params.get("study")) is not None:
        study_detail.draw(chosen)
        st.stop()
    st.title("Studies")
    st.html(
        '<p class="lede">Put up pictures of people: volunteers vote by a link, models predict what the faces show. '
        "Pictures stay on this server.</p>"
    )
    running, ended = study_jobs.jobs_by_state()
    if running:
        study_jobs.follow(running)
    for job in ended:
        with st.container(border=True, key=f"card-{job.id}"):
            study_jobs.draw_ended(job)

    known = session.repository().studies()
    expanded = studies.form_expanded(known, running, ended)
    with st.expander("New study", expanded=expanded, icon=":material/add:", key=study_form.form_key()):
        form = study_form.draw_form()
        if st.button("Create study", key="create-study", type="primary"):
            study_form.create(form)

    st.header("All studies")
    if not known:
        st.info("There are no studies yet.", icon=":material/inbox:")
    for row in session.paged(list(range(len(known))), size=10):
        with st.container(border=True, key=f"card-{known[row].name}"):
            studies.draw_study(known[row])
