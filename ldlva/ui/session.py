"""What begins every page (guard, style, menu) and what outlives a rerun (database, caches)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from ldlva import result_jobs
from ldlva.catalogue import Catalogue, ask_catalogue
from ldlva.errors import JobError, LdlvaError, NotYetError, SurveyError
from ldlva.jobs import Job
from ldlva.survey import pictures
from ldlva.survey.agreeing import StudyAgreement
from ldlva.survey.comparing import Alignment, StudyComparison, align_study, load_result
from ldlva.survey.open import open_repository
from ldlva.survey.preview import Preview, is_preview_key
from ldlva.survey.records import StudySummary, StudyVotes
from ldlva.survey.repository import Repository
from ldlva.ui import access, components, garbage, preview, study_link, style

JOB_REFRESH_SECONDS = 0.5

THUMBNAIL_SIDE = 192
"""Pixels: twice what the page shows, for dense screens."""


@contextlib.contextmanager
def page(
    title: str,
    *,
    menu: bool = True,
    layout: Literal["centered", "wide"] = "centered",
    researchers_only: bool = False,
) -> Iterator[None]:
    """Set a page up, and turn every expected error of its body into a message that says what to do.

    A page for researchers shows a stranger nothing but the way to sign in.
    """
    st.set_page_config(page_title=f"{title} · LDLVA", page_icon="🙂", layout=layout, initial_sidebar_state="collapsed")
    style.apply()
    garbage.tend()
    with explained():
        preview.follow(volunteers_page=not menu)
        if menu and access.is_researcher():
            style.menu(title, study_link.known(real_repository))
        if researchers_only and not access.is_researcher():
            access.draw_gate()
            st.stop()
        if _previewed() is not None:
            preview.banner()
        yield


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn every expected error into a message that says what to do; for parts of a page that run by themselves."""
    try:
        yield
    except NotYetError as error:
        st.html(components.notice(str(error)))
    except LdlvaError as error:
        st.html(components.alert(str(error)))


@st.cache_resource(show_spinner="Finding out what can be trained …")
def catalogue() -> Catalogue:
    """What can be trained, asked once per server.

    Raises:
        TrainingError: nothing, see the message; not cached, so the next page load asks again.
    """
    return ask_catalogue()


def researcher_link(path: str, label: str, icon: str) -> None:
    """A link to a page for researchers, where there are such pages."""
    if access.is_researcher():
        st.page_link(path, label=label, icon=icon)


def repository() -> Repository:
    """The survey database; on the voting page of a preview, one that is thrown away.

    Raises:
        LdlvaError: it cannot be opened; the next page load tries again.
    """
    previewed = _previewed()
    if previewed is None:
        return real_repository()
    return _preview(previewed.name, previewed.identity, previewed.protocol_hash).repository


def _previewed() -> StudySummary | None:
    """The study that this tab previews, if it does and may."""
    if (wanted := preview.wanted()) is None:
        return None
    try:
        study = real_repository().study(wanted[0])
    except SurveyError:  # whose message would tell a stranger which studies there are
        return None
    return study if is_preview_key(study, wanted[1]) else None


@st.cache_resource(show_spinner=False)
def real_repository() -> Repository:
    """The survey database, opened and brought up to date once per server."""
    return open_repository()


@st.cache_resource(show_spinner="Making a preview …", max_entries=8)
def _preview(name: str, identity: str, protocol_hash: str) -> Preview:
    """A preview of one state of a study's protocol, shared by all who look at it."""
    return Preview(real_repository(), real_repository().study(name))


def forget_previews() -> None:
    """Delete what previews copied of studies; those that are being looked at begin anew."""
    _preview.clear()


def alignment(study: StudySummary) -> Alignment:
    """The study's votes and all predictions that can be compared with them, read once per state.

    Raises:
        SurveyError: nothing to compare yet.
    """
    return _alignment(study.identity, repository().version(study), study)


def comparison(study: StudySummary, models: Sequence[str] | None = None) -> StudyComparison:
    """The study's comparison, computed by another process once per state of its votes and predictions.

    While it is being computed, the page shows how far it is and ends here; it comes again by itself. One that this
    visitor waited for before is ended, unless somebody else waits for it.

    Args:
        study: the study.
        models: some of those in `alignment`; None: all.

    Raises:
        SurveyError: nothing to compare yet, or it could not be computed.
    """
    version = repository().version(study)
    aligned = _alignment(study.identity, version, study)
    command = ["compare", f"--study={study.name}", *(f"--model={name}" for name in models or ())]
    command = [*command, "--result", "{result}", "--progress", "{progress}"]
    subject = [*_subject(study, version), sorted(models) if models is not None else None]
    visit = st.session_state.setdefault("comparison-visit", result_jobs.Visit())
    job = result_jobs.find_or_start(result_jobs.COMPARISON, subject, version, command, visit)
    return load_result(_result(str(job.folder), awaited(job, lambda: job.restart())), aligned)


def rater_results(study: StudySummary) -> StudyAgreement:
    """Agreement and what is known about every rater, computed by another process once per state of the votes."""
    version = repository().version(study)
    command = ["agreement", f"--study={study.name}", "--result", "{result}"]
    job = result_jobs.find_or_start(result_jobs.AGREEMENT, _subject(study, version), version, command)
    return StudyAgreement.load(_result(str(job.folder), awaited(job, lambda: job.restart())))


def _subject(study: StudySummary, version: tuple[int, ...]) -> list[Any]:
    """What a result is about. Without votes' part of the version: a fresh result may be of a few votes less, but never
    of other predictions, of another protocol, or of somebody who has withdrawn."""
    return [study.identity, *version[2:]]


def awaited(job: Job, again: Callable[[], None]) -> bool:
    """Whether the job has finished. Otherwise the page shows where it is, or why it failed, and ends here."""
    state = job.state()
    if state != "finished":
        if state == "running":
            _progress(str(job.folder))
        else:
            st.html(components.alert("It was stopped." if state == "stopped" else job.failure()))
            st.button("Try again", on_click=again, key=f"again-{job.id}")
        st.stop()
    return True


def job(folder: str) -> Job:
    """A job by its folder."""
    return Job(Path(folder))


def runs(job: Job) -> bool:
    """Whether a job is running; one that somebody else discarded meanwhile is not."""
    try:
        return job.state() == "running"
    except JobError:
        return False


@st.fragment(run_every=JOB_REFRESH_SECONDS)
def _progress(folder: str) -> None:
    job = Job(Path(folder))
    if not runs(job):
        st.rerun()
    st.html(components.job_progress(job.progress()))


@st.cache_data(show_spinner=False, max_entries=32)
def _result(folder: str, finished: bool) -> str:
    return result_jobs.result_file(Job(Path(folder))).read_text(encoding="utf-8")


def votes(study: StudySummary) -> StudyVotes:
    """The study's tallied votes, read once per state."""
    return _votes(study.identity, repository().version(study), study)


def choose_study() -> StudySummary:
    """A study picker bound to `?study=`, so that a link leads to the same study.

    Without any study the page ends with the way to the first one. Where the address names a study that does not exist,
    the page says so above the picker and ends there.
    """
    titles = repository().study_titles()
    if not titles:
        st.info("There are no studies yet.", icon=":material/inbox:")
        researcher_link("pages/studies.py", "Put one up on the Studies page", ":material/upload:")
        st.stop()
    first = next(iter(titles))
    is_new = study_link.follow("study", {name: name for name in titles}, first)
    study_link.explain(repository(), "study")
    # The address is written before the page is drawn, so that the menu's links lead to the study chosen just now.
    chosen = st.selectbox(
        "Study",
        list(titles),
        format_func=titles.__getitem__,
        key="study",
        placeholder="Choose a study",
        on_change=lambda: study_link.name(st.session_state["study"]),
    )
    if chosen is None:
        st.stop()
    # Only a new page names the study that nobody asked for: after Back to an address without one, naming it again
    # would keep the visitor from ever getting past that address.
    if is_new and study_link.asked() is None:
        study_link.name(chosen)
    return repository().study(chosen)


def paged(rows: list[int], size: int, *shown: object) -> list[int]:
    """The part of `rows` on the page the visitor chose; a page picker appears only if there is more than one.

    Args:
        rows: what there is.
        size: of a page.
        shown: what the rows are of, their order, their filter: whenever any of it changes, the first page is shown.
    """
    pages = -(-len(rows) // size)
    number = 1
    if pages > 1:
        number = st.number_input(
            f"Page (of {pages:,})", min_value=1, max_value=pages, value=1, key=f"page-{shown}", width=160
        )
    return rows[(number - 1) * size : number * size]


@st.cache_data(show_spinner=False, max_entries=32)
def _alignment(identity: str, version: tuple[int, ...], _study: StudySummary) -> Alignment:
    return align_study(repository(), _study)


@st.cache_data(show_spinner=False, max_entries=1000)
def thumbnail(image_id: int) -> str:
    """A small version of a study's image, as a data URL; an image never changes."""
    return components.data_url(*pictures.thumbnail(repository().image_content(image_id)[0], THUMBNAIL_SIDE))


@st.cache_data(show_spinner=False, max_entries=32)
def _votes(identity: str, version: tuple[int, ...], _study: StudySummary) -> StudyVotes:
    return repository().votes(_study)
