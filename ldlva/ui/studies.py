"""The Studies page: a form whose upload becomes a study in a process of its own, its progress, and all studies.

Nothing here waits: the page writes the uploaded files into a job folder, starts `study create`, and reads its progress.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePosixPath
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import streamlit as st

from ldlva.errors import JobError, LdlvaError, SurveyError
from ldlva.jobs import Job, jobs, new_job
from ldlva.settings import MODELS
from ldlva.survey.demo import DEMO
from ldlva.survey.face_finding import INSTALL, Crop, detector_installed
from ldlva.survey.records import StudySummary
from ldlva.ui import components
from ldlva.ui.session import repository, thumbnail

KIND = "study"
FILE_TYPES = ["jpg", "jpeg", "png", "webp", "zip"]
REFRESH_SECONDS = 1.0

MOST_THUMBNAILS = 60
LONGEST_FILE_NAME = 120

CROPS: dict[Crop, str] = {
    "face": "To the face",
    "centre": "To the centre",
    "none": "Not at all",
}

_STATUS_BUTTONS = {
    "open": ("Open", ":material/play_arrow:"),
    "paused": ("Pause", ":material/pause:"),
    "closed": ("Close", ":material/lock:"),
}
_STARTED = "study-started"
_FAILURE = "studies-failure"
_VERSION = "study-form"
_UPLOAD_VERSION = "study-upload"


class UploadedFile(Protocol):
    """The part of Streamlit's uploaded file used here."""

    name: str

    def getbuffer(self) -> memoryview: ...


@dataclass(frozen=True)
class Form:
    """What a researcher entered."""

    name: str
    title: str
    description: str
    files: tuple[UploadedFile, ...]
    crop: Crop
    leave_out_faceless: bool
    models: tuple[str, ...]

    def problems(self) -> list[str]:
        """What has to be put right before a study can be made of it."""
        found = [name_problem(self.name)] if self.name else ["Give the study a short name."]
        if not self.files:
            found.append("Choose pictures, or a ZIP archive of them.")
        return [problem for problem in found if problem]

    def command(self, job: Job) -> list[str]:
        """The command that makes the study of the job's upload."""
        # With `=`, a value that begins with a dash stays a value.
        return [
            *("study", "create", f"--name={self.name}", f"--images={job.upload}"),
            *(f"--title={self.title or self.name}", f"--description={self.description}", f"--crop={self.crop}"),
            *(["--leave-out-faceless"] if self.leave_out_faceless else []),
            *(f"--predict={model}" for model in self.models),
            f"--progress={job.progress_file}",
        ]


def name_problem(name: str) -> str | None:
    """Why a study cannot have this name, or None."""
    try:
        repository().check_new_name(name)
    except LdlvaError as error:
        return str(error)
    if any(job.record()["details"].get("name") == name for job in jobs(KIND) if job.state() == "running"):
        return f"A study named {name!r} is being made right now. Choose another name."
    return None


def safe_file_name(name: str, taken: set[str]) -> str:
    """A browser's file name as a file of the job folder: one component, visible, not too long, and not taken yet."""
    last = PurePosixPath(name.replace("\\", "/")).name or "picture"
    path = PurePosixPath("".join(sign if sign.isprintable() else "_" for sign in last).lstrip(".") or "picture")
    stem, suffix = path.stem[:LONGEST_FILE_NAME], path.suffix[:10]
    candidate, number = f"{stem}{suffix}", 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{stem} ({number}){suffix}"
    taken.add(candidate.casefold())
    return candidate


def shipped_models() -> dict[str, str]:
    """Names of the models that come with the product, and a line about each; without loading torch."""
    found = {}
    for path in sorted(MODELS.glob("*/config.json")):
        try:
            record = json.loads(path.read_text())
            found[path.parent.name] = (
                f"{record['config']['method']} on {record['data']['source']}, accuracy "
                f"{record['card']['metrics']['accuracy']:.0%} on its validation part. {record['card']['limits']}"
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def jobs_by_state() -> tuple[list[Job], list[Job]]:
    """Running jobs, and those that ended and were not dismissed yet."""
    everything = jobs(KIND)
    running = [job for job in everything if job.state() == "running"]
    return running, [job for job in everything if job not in running]


def form_expanded(known: Sequence[StudySummary], running: Sequence[Job], ended: Sequence[Job]) -> bool:
    """Whether the form greets the visitor: only where there is nothing of their own to see yet."""
    return not running and not ended and all(study.name == DEMO.name for study in known)


def form_key() -> str:
    """Another one after every start, so that the form folds up and the job's progress comes into view."""
    return f"new-study-{st.session_state.setdefault(_UPLOAD_VERSION, 0)}"


def draw_form() -> Form:
    """The fields of a new study. Their values stay until a study was made of them."""
    version = st.session_state.setdefault(_VERSION, 0)
    upload_version = st.session_state.setdefault(_UPLOAD_VERSION, 0)

    def key(field: str) -> str:
        return f"{field}-{version}"

    files = st.file_uploader(
        "Pictures",
        type=FILE_TYPES,
        accept_multiple_files=True,
        key=f"files-{version}-{upload_version}",
        help="Damaged, animated and repeated pictures are left out, and named. Camera and place are not kept.",
    )
    st.html(f'<div class="muted">{_upload_limits()}</div>')
    left, right = st.columns(2)
    title = left.text_input("Title for volunteers", key=key("title"), placeholder="Which emotion?", max_chars=200)
    name = right.text_input("Short name, for links", key=key("name"), placeholder="my-study", max_chars=80, live=True)
    name = (name or "").strip()
    with right:
        if name and (problem := name_problem(name)):
            st.html(f'<div class="problem" role="alert">{escape(problem)}</div>')
        elif name:
            st.html(f'<div class="muted">{escape(volunteer_link(name))}</div>')
    description = st.text_area("A sentence or two for volunteers (optional)", key=key("description"), height=80)
    crop, leave_out = _draw_cropping(key)
    return Form(
        name=name,
        title=(title or "").strip(),
        description=(description or "").strip(),
        files=tuple(cast(Sequence[UploadedFile], files or ())),
        crop=crop,
        leave_out_faceless=leave_out,
        models=_draw_models(key),
    )


def _upload_limits() -> str:
    limit = int(st.get_option("server.maxUploadSize"))
    return (
        f"As many pictures as you like, or ZIP archives of them, up to {limit} MB each. For larger collections, use "
        "the command <code>study create</code>."
    )


def _draw_cropping(key: Callable[[str], str]) -> tuple[Crop, bool]:
    crop = st.segmented_control(
        "Crop pictures", list(CROPS), default="face", required=True, format_func=CROPS.__getitem__, key=key("crop")
    )
    if crop != "face":
        return cast(Crop, crop), False
    if not detector_installed():
        st.html(
            '<div class="muted">Faces cannot be found on this server yet, so pictures will be cropped to their centre. '
            f"To find faces: <code>{INSTALL}</code></div>"
        )
        return "face", False
    return "face", st.checkbox("Leave out pictures in which no face is found", key=key("faceless"))


def _draw_models(key: Callable[[str], str]) -> tuple[str, ...]:
    if not _torch_installed():
        st.html(
            '<div class="muted">Models cannot predict on this server, which is installed without torch. To change '
            "that: <code>pip install -r requirements.txt</code></div>"
        )
        return ()
    models = shipped_models()
    if not models:
        return ()
    st.html('<div class="field-label">Models that predict the faces</div>')
    with st.container(horizontal=True, key="models"):
        return tuple(
            name
            for name, about in models.items()
            if st.checkbox(components.plain(name), value=True, key=key(f"model-{name}"), help=components.plain(about))
        )


def _torch_installed() -> bool:
    """Whether models can predict here; does not load it."""
    return importlib.util.find_spec("torch") is not None


def create(form: Form) -> None:
    """Start making the study, or say what is missing."""
    if problems := form.problems():
        st.html(components.alert("\n".join(problems)))
        return
    job = new_job()
    try:
        taken: set[str] = set()
        for file in form.files:
            (job.upload / safe_file_name(file.name, taken)).write_bytes(file.getbuffer())
        job.start(KIND, form.command(job), {"name": form.name, "title": form.title or form.name})
    except OSError as error:
        job.remove()
        st.html(components.alert(f"The upload cannot be stored: {error.strerror}. Free space, or set LDLVA_JOBS."))
        return
    except LdlvaError:
        job.remove()
        raise
    # The files are in the job folder now; the server need not hold them in memory as well.
    st.session_state[_UPLOAD_VERSION] += 1
    st.session_state[_STARTED] = job.id
    st.rerun()


def follow(running: Sequence[Job]) -> None:
    """Running jobs, redrawn by themselves; the whole page is drawn anew when one ends."""

    @st.fragment(run_every=REFRESH_SECONDS)
    def draw() -> None:
        for job in running:
            if not _runs(job):
                st.rerun()
            with st.container(border=True, key=f"card-{job.id}"):
                st.html(f"<h3 class='job'>Making “{escape(_title(job))}”</h3>")
                st.html(components.job_progress(job.progress()))
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.button("Stop", key=f"stop-{job.id}", icon=":material/stop:", on_click=_try, args=(job.stop,))
                    st.html('<div class="muted">You can close this page; it goes on.</div>')

    draw()


def _runs(job: Job) -> bool:
    """Whether a job is running; one that somebody else discarded meanwhile is not."""
    try:
        return job.state() == "running"
    except JobError:
        return False


def draw_ended(job: Job) -> None:
    """What came of a job, and what to do now."""
    state = job.state()
    if state == "finished":
        if st.session_state.get(_STARTED) == job.id:  # its form has served
            del st.session_state[_STARTED]
            st.session_state[_VERSION] += 1
            st.rerun()
        _draw_finished(job)
        st.button("Done", key=f"remove-{job.id}", icon=":material/check:", on_click=_try, args=(job.remove,))
        return
    st.html(f"<h3 class='job'>“{escape(_title(job))}” was not made</h3>")
    told = job.failure() if state == "failed" else "It was stopped."
    st.html(components.alert(f"{told}\nYour upload is kept until you try again or discard it."))
    with st.container(horizontal=True):
        st.button("Try again", key=f"retry-{job.id}", icon=":material/refresh:", on_click=_try, args=(job.restart,))
        st.button("Discard", key=f"remove-{job.id}", icon=":material/delete:", on_click=_try, args=(job.remove,))


def _draw_finished(job: Job) -> None:
    try:
        study = repository().study(str(job.record()["details"]["name"]))
    except SurveyError as error:  # the server was pointed at another database since
        st.html(components.alert(str(error)))
        return
    report = job.progress().report
    faces = "1 face" if study.images == 1 else f"{study.images} faces"
    st.html(f"<h3 class='job'>“{escape(study.title)}” is ready: {faces}</h3>")
    if report.get("warning"):
        st.html(components.notice(str(report["warning"])))
    for heading, part in (("Left out", "left_out"), ("Please check", "notes")):
        if remarks := report.get(part):
            st.html(components.remarks(heading, remarks))
    votes = repository().votes(study)
    shown = list(zip(votes.image_names, votes.image_ids, strict=True))[:MOST_THUMBNAILS]
    st.html(components.thumbnails((name, thumbnail(image_id)) for name, image_id in shown))
    if study.images > len(shown):
        st.caption(f"The first {len(shown)} of {study.images} faces.")
    st.html('<div class="field-label">Link for volunteers</div>')
    st.code(volunteer_link(study.name), language=None, wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        _draw_links(study, job.id)


def draw_study(study: StudySummary) -> None:
    """One study: where it stands, its link, and what can be done with it."""
    counts = [(study.images, "face"), (study.volunteers, "volunteer"), (study.votes, "vote")]
    if study.imported_raters:
        counts.insert(2, (study.imported_raters, "imported rater"))
    facts = " · ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    st.html(components.study_head(study.title, study.status, facts, study.name))
    st.html('<div class="field-label">Link for volunteers</div>')
    st.code(volunteer_link(study.name), language=None, wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        for status, (label, icon) in _STATUS_BUTTONS.items():
            if status != study.status:
                st.button(
                    label,
                    key=f"{status}-{study.name}",
                    icon=icon,
                    on_click=_try,
                    args=(repository().set_study_status, study.name, status),
                )
        _draw_links(study, study.name)


def _draw_links(study: StudySummary, key: str) -> None:
    with st.container(horizontal=True, key=f"links-{key}", width="content"):
        for page, label in (("vote", "Vote"), ("results", "Results"), ("compare", "Compare")):
            st.page_link(f"pages/{page}.py", label=label, query_params={"study": study.name})


def volunteer_link(name: str) -> str:
    """The full address volunteers open; only its end where the server does not know its own address."""
    address = urlsplit(st.context.url or "")
    base = address.path.removesuffix("/").removesuffix("/studies")
    return f"{address.scheme}://{address.netloc}{base}/vote?study={name}" if address.netloc else f"/vote?study={name}"


def show_failure() -> None:
    """Say what went wrong with the last button, if anything did."""
    if (failure := st.session_state.pop(_FAILURE, None)) is not None:
        st.html(components.alert(failure))


def _title(job: Job) -> str:
    return str(job.record()["details"].get("title", ""))


def _try(change: Callable[..., None], *arguments: Any) -> None:
    try:
        change(*arguments)
    except LdlvaError as error:
        st.session_state[_FAILURE] = str(error)
