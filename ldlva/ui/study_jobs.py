"""How the making of studies goes: running jobs, and what came of those that ended."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from ldlva.errors import SurveyError
from ldlva.jobs import MAKING, Job, jobs
from ldlva.ui import components
from ldlva.ui.session import repository, runs, thumbnail
from ldlva.ui.studies import attempt, draw_link, draw_links
from ldlva.ui.study_form import form_served
from ldlva.wording import counted

REFRESH_SECONDS = 1.0
MOST_THUMBNAILS = 60


def jobs_by_state() -> tuple[list[Job], list[Job]]:
    """Running jobs, and those that ended and were not dismissed yet."""
    everything = jobs(MAKING)
    running = [job for job in everything if job.state() == "running"]
    return running, [job for job in everything if job not in running]


def follow(running: Sequence[Job]) -> None:
    """Running jobs, redrawn by themselves; the whole page is drawn anew when one ends."""

    @st.fragment(run_every=REFRESH_SECONDS)
    def draw() -> None:
        for job in running:
            if not runs(job):
                st.rerun()
            with st.container(border=True, key=f"card-{job.id}"):
                st.html(f"<h3 class='job'>Making “{escape(_title(job))}”</h3>")
                st.html(components.job_progress(job.progress()))
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.button("Stop", key=f"stop-{job.id}", icon=":material/stop:", on_click=attempt, args=(job.stop,))
                    st.html('<div class="muted">You can close this page; it goes on.</div>')

    draw()


def draw_ended(job: Job) -> None:
    """What came of a job, and what to do now."""
    state = job.state()
    if state == "finished":
        if form_served(job):
            st.rerun()
        _draw_finished(job)
        st.button("Done", key=f"remove-{job.id}", icon=":material/check:", on_click=attempt, args=(job.remove,))
        return
    st.html(f"<h3 class='job'>“{escape(_title(job))}” was not made</h3>")
    told = job.failure() if state == "failed" else "It was stopped."
    st.html(components.alert(f"{told}\nWhat you entered is kept until you try again or discard it."))
    with st.container(horizontal=True):
        st.button("Try again", key=f"retry-{job.id}", icon=":material/refresh:", on_click=attempt, args=(job.restart,))
        st.button("Discard", key=f"remove-{job.id}", icon=":material/delete:", on_click=attempt, args=(job.remove,))


def _draw_finished(job: Job) -> None:
    try:
        study = repository().study(str(job.record()["details"]["name"]))
    except SurveyError as error:  # the server was pointed at another database since
        st.html(components.alert(str(error)))
        return
    report = job.progress().report
    st.html(f"<h3 class='job'>“{escape(study.title)}” is ready: {counted(study.images, 'face')}</h3>")
    if report.get("warning"):
        st.html(components.notice(str(report["warning"])))
    for heading, part in (("Left out", "left_out"), ("Please check", "notes")):
        if remarks := report.get(part):
            st.html(components.remarks(heading, remarks))
    votes = repository().votes(study)
    shown = list(zip(votes.image_names, votes.image_ids, strict=True))[:MOST_THUMBNAILS]
    st.html(components.thumbnails((name, thumbnail(image_id)) for name, image_id in shown))
    if study.images > len(shown):
        st.caption(f"The first {len(shown)} of {study.images:,} faces.")
    draw_link(study)
    with st.container(horizontal=True, vertical_alignment="center"):
        draw_links(study, job.id)


def _title(job: Job) -> str:
    return str(job.record()["details"].get("title", ""))
