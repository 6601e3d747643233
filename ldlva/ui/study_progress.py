"""How a running study stands, on its page: redrawn by itself while volunteers vote."""

from __future__ import annotations

import streamlit as st

from ldlva import figures
from ldlva.survey.progress import FaceProgress, StudyProgress, VolunteerProgress
from ldlva.survey.records import StudySummary
from ldlva.ui import components
from ldlva.ui.session import repository

REFRESH_SECONDS = 5.0
MOST_FACES = 60
MOST_HOURS = 72
FLAGS = {
    "gold": "gold faces wrong",
    "repeats": "repeated faces answered differently",
    "fast": "answers too fast",
}


def draw(study: StudySummary) -> None:
    """Tiles, progress, votes per hour, faces and inattentive volunteers."""

    @st.fragment(run_every=REFRESH_SECONDS if study.status == "open" else None)
    def redraw() -> None:
        present = repository().study(study.name)
        draw_now(present, repository().progress(present))

    redraw()


def draw_now(study: StudySummary, progress: StudyProgress) -> None:
    """One state of it."""
    st.html(components.stats(tiles(study, progress)))
    if progress.share is not None:
        remark = "every face has enough" if progress.more == 0 else f"about {progress.more} more votes needed"
        st.html(components.progress_bar(progress.share, f"{progress.share:.0%} of the votes needed", remark))
    if progress.votes_by_hour:
        st.subheader("Votes per hour")
        st.plotly_chart(
            figures.votes_per_hour(progress.votes_by_hour[-MOST_HOURS:]),
            config={"displayModeBar": False},
            theme=None,
            key="votes-per-hour",
            alt="Votes of volunteers in every hour",
        )
    if progress.flagged:
        st.subheader("Inattentive volunteers")
        st.html(components.plain_table([flagged_row(volunteer) for volunteer in progress.flagged]))
        st.caption("Marked by the protocol's attention rules. Their votes count; the export tells them apart.")
    st.subheader("Faces")
    ordered = sorted(progress.faces, key=lambda face: (-(face.more or 0), face.votes, face.name))
    st.html(components.face_table([face_row(face) for face in ordered[:MOST_FACES]]))
    if len(ordered) > MOST_FACES:
        st.caption(f"The {MOST_FACES} of {len(ordered)} faces that need most.")


def tiles(study: StudySummary, progress: StudyProgress) -> list[tuple[str, str]]:
    """Value and caption."""
    states = progress.states
    values = [
        (str(study.votes), "votes"),
        (str(states["finished"]), "finished"),
        (str(states["voting"]), "voting now"),
        (str(states["dropped out"]), "dropped out"),
        (str(len(progress.flagged)), "inattentive"),
    ]
    return [*values, (str(progress.withdrawn), "withdrawn")] if progress.withdrawn else values


def face_row(face: FaceProgress) -> tuple[str, int, int | None, str]:
    """Name, votes, votes needed, and what is missing in words."""
    promised = f", {face.claims} on the way" if face.claims else ""
    if face.more is None:
        return face.name, face.votes, None, promised.removeprefix(", ")
    missing = "enough" if face.more == 0 else f"needs about {face.more} more"
    return face.name, face.votes, face.needed, missing + promised


def flagged_row(volunteer: VolunteerProgress) -> tuple[str, str]:
    """A volunteer's number, and which rules are broken by how much."""
    found = volunteer.attention
    counts = {
        "gold": f"{found.gold_wrong} of {found.gold_seen}",
        "repeats": f"{found.repeats_changed} of {found.repeats_seen}",
        "fast": f"{found.too_fast} of {found.timed}",
    }
    return f"Volunteer {volunteer.number}", ", ".join(f"{counts[flag]} {FLAGS[flag]}" for flag in found.flags)
