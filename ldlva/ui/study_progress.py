"""How a running study stands, on its page: redrawn by itself while volunteers vote."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import streamlit as st

from ldlva import figures
from ldlva.survey.progress import FaceProgress, StudyProgress, VolunteerProgress
from ldlva.survey.records import StudySummary
from ldlva.ui import components
from ldlva.ui.session import repository
from ldlva.wording import counted

REFRESH_SECONDS = 5.0
MOST_FACES = 20
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
        remark = "every face has enough" if progress.more == 0 else f"about {progress.more:,} more votes needed"
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
    st.html(f'<p class="muted">{face_words(progress.faces)}</p>')
    wanting = sorted((face for face in progress.faces if face.more), key=lambda face: (-(face.more or 0), face.name))
    if wanting:
        st.html(components.face_table([face_row(face) for face in wanting[:MOST_FACES]]))
    if len(wanting) > MOST_FACES:
        st.caption(f"The {MOST_FACES} that need most.")


def tiles(study: StudySummary, progress: StudyProgress) -> list[tuple[str, str]]:
    """Value and caption."""
    states = progress.states
    values = [
        (study.votes, "votes"),
        (states["finished"], "finished"),
        (states["voting"], "voting now"),
        (states["dropped out"], "dropped out"),
        (len(progress.flagged), "inattentive"),
        *([(progress.withdrawn, "withdrawn")] if progress.withdrawn else []),
    ]
    return [(f"{value:,}", caption) for value, caption in values]


def face_words(faces: Sequence[FaceProgress]) -> str:
    """How many votes faces have, how many are on the way, and how many faces need more."""
    votes = [face.votes for face in faces]
    if not votes:
        return "No face is voted on."
    low, high = min(votes), max(votes)
    if low == high:
        words = f"{counted(low, 'vote')} on every face"
    else:
        words = f"{low:,} to {high:,} votes a face, median {median(votes):,g}"
    if on_the_way := sum(face.claims for face in faces):
        words += f", {on_the_way:,} more on the way"
    if any(face.more is None for face in faces):
        return f"{words}; no quota."
    wanting = sum(bool(face.more) for face in faces)
    if not wanting:
        return f"{words}; enough on every face."
    return f"{words}; {wanting:,} of {counted(len(faces), 'face')} still need more."


def face_row(face: FaceProgress) -> tuple[str, int, int | None, str]:
    """Name, votes, votes needed, and what is missing in words, of a face that needs more."""
    promised = f", {face.claims} on the way" if face.claims else ""
    return face.name, face.votes, face.needed, f"needs about {face.more} more{promised}"


def flagged_row(volunteer: VolunteerProgress) -> tuple[str, str]:
    """A volunteer's number, and which rules are broken by how much."""
    found = volunteer.attention
    counts = {
        "gold": f"{found.gold_wrong} of {found.gold_seen}",
        "repeats": f"{found.repeats_changed} of {found.repeats_seen}",
        "fast": f"{found.too_fast} of {found.timed}",
    }
    return f"Volunteer {volunteer.number}", ", ".join(f"{counts[flag]} {FLAGS[flag]}" for flag in found.flags)
