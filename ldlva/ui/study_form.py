"""The form of a new study: pictures from an upload, a folder of the server or a data set, and what is made of them.

Nothing here waits: the page writes uploaded files into a job folder and starts `study create` or `study sample`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path, PurePosixPath
from typing import Protocol, cast

import streamlit as st

from ldlva.datasets import READERS, SPLITS
from ldlva.errors import LdlvaError
from ldlva.jobs import MAKING, Job, jobs, new_job
from ldlva.settings import settings
from ldlva.survey.face_finding import INSTALL, Crop, detector_installed
from ldlva.survey.protocol_file import parse_toml
from ldlva.ui import components
from ldlva.ui.session import repository
from ldlva.ui.shipped import COMPUTER_MADE, shipped_models, torch_installed
from ldlva.ui.studies import server_address

FILE_TYPES = ["jpg", "jpeg", "png", "webp", "zip"]
LONGEST_FILE_NAME = 120
MOST_SAMPLED = 500
FEWEST_PIXELS = 32
MOST_PIXELS = 2000
PROTOCOL_FILE = "protocol.toml"
MODEL_WIDTH = 260
"""Pixels of a model's box: equal ones stand in columns."""

SOURCES = {"upload": "Upload", "folder": "Folder on the server", "sample": "Data set"}

CROPS: dict[Crop, str] = {
    "face": "To the face",
    "centre": "To the centre",
    "none": "Not at all",
}

_STARTED = "study-started"
_VERSION = "study-form"
_UPLOAD_VERSION = "study-upload"

Key = Callable[[str], str]


class UploadedFile(Protocol):
    """The part of Streamlit's uploaded file used here."""

    name: str

    def getbuffer(self) -> memoryview: ...


@dataclass(frozen=True)
class Sample:
    """Faces of a data set: which, and by what they are drawn; `model` only for uncertainty, `image_size` in pixels only
    if they are to be cropped and resized to a square."""

    data: str
    split: str
    images: int
    model: str | None
    image_size: int | None = None

    def problems(self) -> list[str]:
        """Numbers out of range. Widgets with bounds would silently keep the number before."""
        found = []
        if not 1 <= self.images <= MOST_SAMPLED:
            found.append(f"Take 1 to {MOST_SAMPLED} faces, not {self.images:,}.")
        if self.image_size is not None and not FEWEST_PIXELS <= self.image_size <= MOST_PIXELS:
            found.append(f"The size in pixels is {FEWEST_PIXELS} to {MOST_PIXELS:,}, not {self.image_size:,}.")
        return found


@dataclass(frozen=True)
class Form:
    """What a researcher entered; of `files`, `folder` and `sample` only what the chosen source has."""

    name: str
    title: str
    description: str
    files: tuple[UploadedFile, ...] = ()
    folder: str | None = None
    sample: Sample | None = None
    crop: Crop = "face"
    leave_out_faceless: bool = False
    models: tuple[str, ...] = ()
    protocol: str | None = None
    draft: bool = False

    def problems(self) -> list[str]:
        """What has to be put right before a study can be made of it."""
        found: list[str | None] = [name_problem(self.name) if self.name else "Give the study a short name."]
        if not self.title and self.protocol is None:
            found.append("Give the study a title: volunteers read it.")
        if self.sample is not None:
            found.append(data_problem(self.sample.data) if self.sample.data else "Say where the data set is.")
            found += self.sample.problems()
        elif self.folder is not None:
            found.append(folder_problem(self.folder))
        elif not self.files:
            found.append("Choose pictures, or a ZIP archive of them.")
        if self.protocol is not None:
            found.append(protocol_problem(self.protocol))
            if self.title or self.description:
                found.append(
                    "The protocol file says what volunteers read. Empty title and sentence, or remove the file."
                )
        return [problem for problem in found if problem]

    def command(self, job: Job) -> list[str]:
        """The command that makes the study."""
        # With `=`, a value that begins with a dash stays a value.
        texts = [f"--title={self.title}", f"--description={self.description}"]
        common = [
            *([f"--protocol={job.folder / PROTOCOL_FILE}"] if self.protocol is not None else texts),
            *(f"--predict={model}" for model in self.models),
            *(["--draft"] if self.draft else []),
            f"--progress={job.progress_file}",
        ]
        if self.sample is not None:
            chosen = self.sample
            by = ["--by=label"] if chosen.model is None else ["--by=uncertainty", f"--model={chosen.model}"]
            size = [] if chosen.image_size is None else [f"--image-size={chosen.image_size}"]
            drawn = [f"--data={chosen.data}", f"--split={chosen.split}", f"--images={chosen.images}", *size, *by]
            return ["study", "sample", f"--name={self.name}", *drawn, *common]
        return [
            *("study", "create", f"--name={self.name}"),
            f"--images={job.upload if self.folder is None else Path(self.folder).expanduser()}",
            f"--crop={self.crop}",
            *(["--leave-out-faceless"] if self.leave_out_faceless else []),
            *common,
        ]


def name_problem(name: str) -> str | None:
    """Why a study cannot have this name, or None."""
    try:
        repository().check_new_name(name)
    except LdlvaError as error:
        return str(error)
    if any(job.record()["details"].get("name") == name for job in jobs(MAKING) if job.state() == "running"):
        return f"A study named {name!r} is being made right now. Choose another name."
    return None


def folder_problem(folder: str) -> str | None:
    """Why pictures cannot be taken from this folder of the server, or None."""
    if not folder:
        return "Say which folder of the server holds the pictures."
    allowed = settings().folders.expanduser().resolve()
    wanted = Path(folder).expanduser()
    if not wanted.resolve().is_relative_to(allowed):
        return (
            f"Pages take pictures and data sets only from folders within {allowed}. The setting LDLVA_FOLDERS names "
            "another."
        )
    if not wanted.is_dir():
        return f"There is no folder {wanted} on the server."
    return None


def data_problem(data: str) -> str | None:
    """Why a data set, named as for `--data`, cannot be taken from where it says, or None."""
    name, _, place = data.partition(":")
    return folder_problem(place) if place and name != "study" else None


def protocol_problem(text: str) -> str | None:
    """Why this is no protocol, or None."""
    try:
        parse_toml(text)
    except LdlvaError as error:
        return str(error)
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


def form_key() -> str:
    """Another one after every start, so that the form folds up and the job's progress comes into view."""
    return f"new-study-{st.session_state.setdefault(_UPLOAD_VERSION, 0)}"


def form_served(job: Job) -> bool:
    """Whether the study on this form has just been made: the form is then emptied for the next one."""
    if st.session_state.get(_STARTED) != job.id:
        return False
    del st.session_state[_STARTED]
    st.session_state[_VERSION] += 1
    return True


def draw_form() -> Form:
    """The fields of a new study. Their values stay until a study was made of them."""
    version = st.session_state.setdefault(_VERSION, 0)
    upload_version = st.session_state.setdefault(_UPLOAD_VERSION, 0)

    def key(field: str) -> str:
        return f"{field}-{version}"

    source = st.segmented_control(
        "Pictures from", list(SOURCES), default="upload", required=True, format_func=SOURCES.__getitem__,
        key=key("source"),
    )  # fmt: skip
    files: Sequence[UploadedFile] = ()
    folder, sample = None, None
    if source == "upload":
        files = _draw_upload(f"files-{version}-{upload_version}")
    elif source == "folder":
        folder = (st.text_input("Folder on the server", key=key("folder"), placeholder="~/faces") or "").strip()
        allowed = escape(str(settings().folders))
        st.html(f'<div class="muted">A folder within {allowed}; folders inside the one you name are not read.</div>')
    else:
        sample = _draw_sample(key)
    left, right = st.columns(2)
    title = left.text_input("Title for volunteers", key=key("title"), placeholder="Which emotion?", max_chars=200)
    name = right.text_input("Short name, for links", key=key("name"), placeholder="my-study", max_chars=80, live=True)
    name = (name or "").strip()
    with right:
        if name and (problem := name_problem(name)):
            st.html(f'<div class="problem" role="alert">{escape(problem)}</div>')
        elif name:
            st.html(f'<div class="muted">{escape(server_address())}/vote?study={escape(name)}</div>')
    description = st.text_area("A sentence or two for volunteers (optional)", key=key("description"), height=80)
    crop, leave_out = _draw_cropping(key) if sample is None else ("none", False)
    models = _draw_models(key, computer_made=sample is not None and sample.data == COMPUTER_MADE)
    protocol = st.file_uploader(
        "Protocol (optional)", type=["toml"], key=f"protocol-{version}-{upload_version}",
        help="A protocol file says everything about title, labels, order and consent. Without one there is a default "
        "that you can edit afterwards.",
    )  # fmt: skip
    draft = st.checkbox("Keep it as a draft: edit its protocol first, open it later", key=key("draft"))
    return Form(
        name=name,
        title=(title or "").strip(),
        description=(description or "").strip(),
        files=tuple(files),
        folder=folder,
        sample=sample,
        crop=crop,
        leave_out_faceless=leave_out,
        models=models,
        protocol=None if protocol is None else protocol.getvalue().decode("utf-8", errors="replace"),
        draft=draft,
    )


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
        if form.protocol is not None:
            (job.folder / PROTOCOL_FILE).write_text(form.protocol, encoding="utf-8")
        job.start(MAKING, form.command(job), {"name": form.name, "title": form.title or form.name})
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


def _draw_upload(key: str) -> Sequence[UploadedFile]:
    files = st.file_uploader(
        "Pictures",
        type=FILE_TYPES,
        accept_multiple_files=True,
        key=key,
        help="Damaged, animated and repeated pictures are left out, and named. Camera and place are not kept.",
    )
    limit = int(st.get_option("server.maxUploadSize"))
    st.html(
        '<div class="muted">As many pictures as you like, or ZIP archives of them, up to '
        f"{limit} MB each. Larger collections: a folder on the server.</div>"
    )
    return cast(Sequence[UploadedFile], files or ())


def _draw_sample(key: Key) -> Sample:
    names = list(READERS)
    left, right = st.columns(2)
    reader = left.selectbox("Data set", names, index=names.index("faces"), key=key("data"))
    place = ""
    if READERS[reader].folder is None:
        place = right.text_input("Its folder on the server", key=key("place"), placeholder="~/FERPlus") or ""
    first, second, third, last = st.columns([2, 2, 3, 4])
    split = first.selectbox("Part", SPLITS, index=SPLITS.index("valid"), key=key("split"))
    images = second.number_input("Faces", value=21, step=1, key=key("images"))
    image_size = third.number_input(
        "Size in pixels", value=None, step=1, key=key("image-size"), placeholder="as they are",
        help="Crops every face to a square and resizes it: for data sets whose pictures have several sizes.",
    )  # fmt: skip
    models = shipped_models() if torch_installed() else {}
    choices = ["", *models]
    model = last.selectbox(
        "Spread evenly over", choices, format_func=lambda one: f"uncertainty of {one}" if one else "labels",
        key=key("by"),
    )  # fmt: skip
    data = reader if READERS[reader].folder is not None else f"{reader}:{place.strip()}" if place.strip() else ""
    return Sample(data, split, int(images), model or None, image_size)


def _draw_cropping(key: Key) -> tuple[Crop, bool]:
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


def _draw_models(key: Key, computer_made: bool) -> tuple[str, ...]:
    """A choice of models; at first those that learned from pictures of the same kind."""
    if not torch_installed():
        st.html(
            '<div class="muted">Models cannot predict on this server, which is installed without torch. To change '
            "that: <code>pip install -r requirements.txt</code></div>"
        )
        return ()
    models = shipped_models()
    if not models:
        return ()
    kind = "computer-made faces" if computer_made else "photographs"
    st.html(
        '<div class="field-label">Models that predict the faces</div>'
        f'<div class="muted">Ticked at first: those that learned from {kind}, as these should be.</div>'
    )

    def fits(name: str) -> bool:
        return (models[name].source == COMPUTER_MADE) == computer_made

    with st.container(horizontal=True, key="models"):
        return tuple(
            name
            for name in sorted(models, key=fits, reverse=True)  # stable: by name within both kinds
            if st.checkbox(
                components.plain(name),
                value=fits(name),
                key=key(f"model-{name}-{computer_made}"),
                help=components.plain(models[name].about),
                width=MODEL_WIDTH,
            )
        )
