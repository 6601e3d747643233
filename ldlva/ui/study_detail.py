"""One study on the Studies page: progress, protocol, invitations, preview and data."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from html import escape
from pathlib import Path

import streamlit as st

from ldlva.errors import SurveyError
from ldlva.survey.erasure import delete_study, withdraw
from ldlva.survey.export import export_study
from ldlva.survey.pack import publishing_problem
from ldlva.survey.protocol import parse_protocol
from ldlva.survey.psych_ds import pack_archive
from ldlva.survey.records import StudySummary
from ldlva.ui import components, protocol_form, study_progress
from ldlva.ui.session import forget_previews, repository
from ldlva.ui.studies import (
    attempt,
    draw_head,
    draw_link,
    draw_links,
    draw_status_buttons,
    preview_link,
    server_address,
    show_done,
)
from ldlva.wording import counted

SECTIONS = ("Progress", "Protocol", "Invitations", "Data")
_LINKS = "new-links"


def draw(name: str) -> None:
    """Everything about one study.

    Raises:
        SurveyError: there is none of this name; the way back to all studies is drawn all the same.
    """
    st.page_link("pages/studies.py", label="All studies", icon=":material/arrow_back:", query_params={})
    study = repository().study(name)
    draw_head(study, level=1)
    with st.container(horizontal=True, vertical_alignment="center"):
        draw_status_buttons(study)
        st.link_button("Preview as a volunteer", preview_link(study), icon=":material/visibility:")
        _draw_clone(study)
        draw_links(study, study.name)
    chosen = st.segmented_control(
        "Section", SECTIONS, default="Progress", required=True, label_visibility="collapsed", key="section"
    )
    if chosen == "Progress":
        draw_link(study)
        study_progress.draw(study)
    elif chosen == "Protocol":
        protocol_form.draw(study)
    elif chosen == "Invitations":
        _draw_invitations(study)
    else:
        _draw_data(study)


def _draw_clone(study: StudySummary) -> None:
    with st.popover("Clone", icon=":material/content_copy:"):
        st.html(
            '<div class="muted">A draft with the same faces and protocol, without votes: for what cannot change any '
            "more once volunteers have taken part.</div>"
        )
        st.text_input("Short name of the new study", f"{study.name}-2"[:80], key="clone-name")
        st.button("Make the clone", key="clone", type="primary", on_click=attempt, args=(_clone, study.name))


def _clone(name: str) -> None:
    # Read here, not passed: the name may have been typed just before the click.
    new_name = str(st.session_state["clone-name"]).strip()
    repository().clone_study(name, new_name)
    st.query_params["study"] = new_name


def _draw_invitations(study: StudySummary) -> None:
    draw_link(study)
    if (parameter := study.protocol.access.participant_id) is not None:
        st.html(
            f'<div class="muted">Write the participant\'s number in place of ID ({escape(parameter)}); '
            "panels such as Prolific do it by themselves.</div>"
        )
    st.subheader("One-time links")
    st.html(
        '<div class="muted">Each takes one volunteer, and leads back to where that volunteer stopped. They are shown '
        "once: the database keeps only what recognises them.</div>"
    )
    st.text_area("Who they are for: one a line (optional)", key="invite-notes", height=80, placeholder="Participant 1")
    st.number_input("How many, where nothing is written above", 1, 1000, 10, key="invite-count")
    st.button(
        "Make links", key="invite", type="primary", on_click=attempt, args=(_invite, study.name, server_address())
    )
    if (made := st.session_state.get(_LINKS)) is not None and made[0] == study.name:
        st.code("\n".join(link for _, link in made[1]), language=None, wrap_lines=True)
        st.download_button(
            "Download as CSV", _links_csv(made[1]), f"{study.name}-links.csv", "text/csv", key="links-csv",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
    rows = repository().invitations(study.name)
    if rows:
        used = sum(row.used_at is not None for row in rows)
        st.html(f'<div class="muted">{used} of {len(rows)} links are used.</div>')
        shown = [
            (
                f"{row.number} {row.note}".strip(),
                f"used {row.used_at:%Y-%m-%d %H:%M}" if row.used_at else "not used yet",
            )
            for row in rows
        ]
        st.html(components.plain_table(shown))


def _invite(name: str, address: str) -> None:
    lines = [line.strip() for line in str(st.session_state["invite-notes"] or "").splitlines() if line.strip()]
    notes = lines or [""] * int(st.session_state["invite-count"])
    paths = repository().invite(name, notes)
    st.session_state[_LINKS] = (name, [(note, address + path) for note, path in zip(notes, paths, strict=True)])


def _links_csv(links: list[tuple[str, str]]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["note", "link"])
    writer.writerows(links)
    return written.getvalue().encode()


def _draw_data(study: StudySummary) -> None:
    st.html(
        '<div class="muted">Every vote, also those taken back; volunteers with their answers and attention checks; '
        "every protocol; a dictionary that explains each column; checksums. Not the pictures, and no predictions.</div>"
    )
    st.download_button(
        "Download everything", lambda: export_archive(study), f"{study.name}.zip", "application/zip", key="download",
        type="primary", icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    st.html(
        '<div class="muted">To publish: a Psych-DS data set without anything that leads to a volunteer, with days '
        "instead of times, and with predictions. Neither their own words nor answers about themselves.</div>"
    )
    protocols = (parse_protocol(content) for _, content in repository().protocol_contents(study.name))
    named = publishing_problem(study.name, study.status, *protocols)
    st.download_button(
        "Download to publish", lambda: pack_archive(repository().pack(study.name)), f"{study.name}-psych-ds.zip",
        "application/zip", key="download-pack", icon=":material/public:", on_click="ignore", disabled=named is not None,
        help=named,
    )  # fmt: skip
    st.subheader("Withdrawal")
    st.html(
        '<div class="muted">Volunteers withdraw by themselves with their code. If one asks you to do it: this erases '
        "their votes and answers for ever. Exports made before keep them: delete those rows there, too.</div>"
    )
    st.text_input("Withdrawal code", key="withdrawal-code", placeholder="ABCD-EFGH-JKLM")
    st.button("Erase this volunteer", key="withdraw", on_click=attempt, args=(_withdraw,))
    if (erased := st.session_state.pop("withdrawn", None)) is not None:
        st.html(components.notice(erased))
    _draw_deletion(study)


def _withdraw() -> None:
    erased = withdraw(repository(), str(st.session_state["withdrawal-code"] or ""))
    votes = f"{counted(erased.votes, 'vote')} {'is' if erased.votes == 1 else 'are'}"
    st.session_state["withdrawn"] = f"Erased: {votes} gone for ever."


def _draw_deletion(study: StudySummary) -> None:
    st.subheader("Deletion")
    st.html(
        '<div class="muted">Deletes the study for ever: faces, votes, volunteers, links, protocols, predictions and '
        "results. Download first what you need. Its short name is free again afterwards.</div>"
    )
    if study.status == "open":
        st.html('<div class="muted">It is open, somebody may be voting: close it first.</div>')
        return
    st.text_input(f"Type {study.name} to be sure", key="delete-name")
    st.button("Delete this study", key="delete", icon=":material/delete:", on_click=attempt, args=(_delete, study))


def _delete(study: StudySummary) -> None:
    typed = str(st.session_state["delete-name"] or "").strip()
    if typed != study.name:
        raise SurveyError(f"Nothing was deleted. Type the short name first: {study.name}")
    deleted, left = delete_study(repository(), study)
    forget_previews()
    st.query_params.pop("study", None)
    what = f"{counted(deleted.faces, 'face')} and {counted(deleted.votes, 'vote')}"
    show_done(f"“{study.title}” ({study.name}) is gone for ever, with {what}. {left}".strip())


def export_archive(study: StudySummary) -> bytes:
    """The export of a study as a ZIP archive."""
    store = repository()
    study = store.study(study.name)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / study.name
        volunteers, protocols = store.volunteer_rows(study), store.protocol_contents(study.name)
        files = export_study(study, store.vote_rows(study), folder, volunteers, protocols)
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, f"{study.name}/{path.name}")
        return written.getvalue()
