"""What a researcher can do on the Compare page: add a model's predictions, and have everything written for a paper."""

from __future__ import annotations

import io
from collections.abc import Sequence

import streamlit as st

from ldlva import result_jobs
from ldlva.errors import JobError, LdlvaError
from ldlva.survey.prediction_files import read_predictions, store_imported
from ldlva.survey.records import StudySummary
from ldlva.ui import components, session


def draw(study: StudySummary, models: Sequence[str] | None) -> None:
    """Both tools; the page itself is for researchers only."""
    draw_import(study)
    draw_report(study, models)


def draw_import(study: StudySummary) -> None:
    """Predictions of a model from outside, by upload."""
    with st.expander("Add the predictions of another model"):
        st.html(
            '<p class="muted">A CSV or Parquet file with a column <code>image</code> (the faces’ file names) and a '
            f"column of probabilities for each of {components.names(study.labels)}.</p>"
        )
        with st.form("import-predictions", border=False):
            name = st.text_input("Name of the model", key="import-name")
            file = st.file_uploader("File", type=["csv", "parquet"], key="import-file")
            partial = st.checkbox("Some faces may be missing", key="import-partial")
            replace = st.checkbox("Replace earlier predictions of this name", key="import-replace")
            sent = st.form_submit_button("Add", key="import-send")
        if sent and file is None:
            st.html(components.alert("Choose a file."))
        elif sent and file is not None:
            try:
                images = session.repository().votes(study).image_names
                found = read_predictions(io.BytesIO(file.getvalue()), file.name, study.labels, images, partial)
                store_imported(session.repository(), study, name, found, replace)
            except LdlvaError as error:
                st.html(components.alert(str(error)))
            else:
                rescaled = f" {found.rescaled} rounded rows were divided by their sum." if found.rescaled else ""
                passed = f" {len(found.unknown)} images not in this study were passed over." if found.unknown else ""
                st.html(components.notice(f"Added {name} for {len(found.images)} faces.{rescaled}{passed}"))
                st.button("Compare it", key="import-compare")


def draw_report(study: StudySummary, models: Sequence[str] | None) -> None:
    """Figures, tables, methods paragraph and data as one ZIP archive, made by another process."""
    with st.expander("For a paper: figures, tables, methods paragraph"):
        st.html(
            '<p class="muted">Figures as SVG, PDF and PNG, tables as CSV and LaTeX, a methods paragraph with every '
            "constant, and the data from which <code>python -m ldlva report --from</code> makes them again.</p>"
        )
        version = session.repository().version(study)
        # The whole version: what goes into a paper is of these votes, not of those a minute ago.
        subject = [study.identity, *version, sorted(models) if models is not None else None]
        if st.button("Make the report", key="make-report", icon=":material/description:"):
            with session.explained():
                result_jobs.find_or_start(result_jobs.REPORT, subject, version, command(study, models))
        job = result_jobs.find(result_jobs.REPORT, subject, version)
        if job is not None:
            with session.explained():
                _follow(str(job.folder), study.name)


def command(study: StudySummary, models: Sequence[str] | None) -> list[str]:
    """The arguments that make the archive."""
    chosen = [f"--model={name}" for name in models or ()]
    return ["report", f"--study={study.name}", *chosen, "--zip", "{result}", "--progress", "{progress}"]


@st.fragment(run_every=1.0)
def _follow(folder: str, study: str) -> None:
    job = session.job(folder)
    try:
        state = job.state()
        content = result_jobs.result_file(job).read_bytes() if state == "finished" else b""
    except (JobError, FileNotFoundError):  # forgotten meanwhile
        st.rerun()
    if state == "running":
        st.html(components.job_progress(job.progress()))
    elif state == "finished":
        st.download_button(
            "Download the report",
            content,
            file_name=f"{study}-report.zip",
            mime="application/zip",
            key="download-report",
            icon=":material/download:",
        )
    else:
        st.html(components.alert("It was stopped." if state == "stopped" else job.failure()))
