"""The Embedding page: what to map, the process that computes it, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from ldlva.embedding import cache
from ldlva.embedding.embedding import CONTENT, FORMAT, GROUPINGS, LABEL, MAJORITY, Embedding, digest, read
from ldlva.embedding.figures import interval
from ldlva.errors import JobError, NotYetError, ProjectionError
from ldlva.jobs import MAPPING, Job, jobs, new_job
from ldlva.projection import FEWEST_FACES, USUAL_PERPLEXITY, largest_perplexity, suitable_perplexity
from ldlva.run_folder import find_runs
from ldlva.settings import MODELS, settings
from ldlva.survey.records import StudySummary
from ldlva.ui import components, session, study_link
from ldlva.ui.shipped import shipped_models
from ldlva.ui.study_form import data_problem

REFRESH_SECONDS = 1.0
MOST_PANELS = 3
AT_ONCE = 1000
"""A study of at most this many faces is mapped without being asked to: it takes seconds."""

MOST_PERPLEXITY = 200
OTHER = "other"
FACES = "faces"
FACES_TITLE = "Built-in faces (3,990, computer-made)"
DEFAULTS = ("total", "ce", "center", "ldlva")
"""Methods of the panels that are shown first, in this order: the supplement's Figure 1."""

_SOURCE = "embedding-source"
_GROUPS = {LABEL: "label", MAJORITY: "human majority"}

WIDE = '<style>[data-testid="stMainBlockContainer"] { max-width: 84rem; }</style>'
"""Three maps side by side use more of a large screen than text should."""

LEDE = (
    "Each dot is a face, placed by t-SNE so that faces which a model sees as similar lie together. Point at one to see "
    "it; drag around some to find them again in the other models’ maps."
)
CAUTION = (
    "A map shows who is near whom; distances between clusters, their sizes and the empty space mean nothing, and "
    "another seed or perplexity gives another picture. The numbers do not depend on the picture: they are measured in "
    "feature space (Euclidean), with 95% bootstrap intervals over faces. Silhouette and k-NN purity: higher is "
    "better separated; Davies–Bouldin: lower is."
)


@dataclass(frozen=True)
class Request:
    """What is to be mapped.

    Attributes:
        study: a study's name, or None.
        identity: the study's; another one may have its name some day.
        data: a data set as commands name it, or None.
        split: part of a data set.
        models: panels: names of models, shipped or of the study.
        runs: panels: run folders, after the models.
        perplexity, seed: of t-SNE.
        state: of what it is computed from; see `Embedding.state`.
    """

    study: str | None
    identity: str | None
    data: str | None
    split: str
    models: tuple[str, ...]
    runs: tuple[str, ...]
    perplexity: float
    seed: int
    state: tuple[int, ...]

    @property
    def key(self) -> str:
        """Names the map on disk; the state is not part of it, so that an outdated map can still be shown."""
        asked = [self.identity, self.data, self.split, self.models, self.runs, self.perplexity, self.seed]
        return digest(json.dumps([FORMAT, asked]))[:40]

    @property
    def source(self) -> str | None:
        """As a map names it."""
        return f"study:{self.study}" if self.study else self.data

    @property
    def folder(self) -> Path:
        return cache.folder("views") / self.key

    def command(self, job: Job) -> list[str]:
        """The command that computes it."""
        place = [f"--study={self.study}"] if self.study else [f"--data={self.data}", f"--split={self.split}"]
        panels = [*(f"--model={name}" for name in self.models), *(f"--run={run}" for run in self.runs)]
        return [
            *("embed", *place, *panels, f"--perplexity={self.perplexity:g}", f"--seed={self.seed}"),
            *(f"--out={self.folder}", "--replace", f"--progress={job.progress_file}"),
        ]


def ask() -> Request:
    """Read from the visitor what to map.

    Raises:
        NotYetError: nothing can be mapped yet; says what to do.
    """
    studies = session.repository().study_titles()
    names = list(studies)
    options = [FACES, *names, OTHER]
    titles = {FACES: FACES_TITLE, OTHER: "Another data set …"} | studies
    # A study may have the name of a data set; positions tell them apart.
    study_link.follow(_SOURCE, {name: number for number, name in enumerate(names, 1)}, 0)
    study_link.explain(session.repository(), _SOURCE)
    left, right = st.columns([2, 3])
    place = left.selectbox(
        "Faces",
        range(len(options)),
        format_func=lambda number: titles[options[number]] if number else FACES_TITLE,
        key=_SOURCE,
        placeholder="Choose faces",
        on_change=_name_source,
        args=(names,),
    )
    if place is None:
        st.stop()
    if 0 < place <= len(studies):
        return _ask_about_study(session.repository().study(options[place]), right)
    return _ask_about_data(FACES if place == 0 else None, left, right)


def _name_source(studies: list[str]) -> None:
    """Have the page's address name the study chosen just now, if it is one."""
    place = st.session_state[_SOURCE]
    study_link.name(studies[place - 1] if 0 < place <= len(studies) else None)


def _ask_about_study(study: StudySummary, place: Any) -> Request:
    known = session.repository().predictors(study)
    usable = [model for model in known if model.has_features]
    left_out = ", ".join(model.name for model in known if not model.has_features)
    if not usable:
        why = f"No model has predicted the faces of “{study.title}” yet."
        if left_out:
            why = f"A map is made of features, and the predictions of {left_out} were imported without."
        raise NotYetError(
            f"{why} Run: python -m ldlva predict --model NAME --study {study.name}, or choose the built-in faces."
        )
    if study.images < FEWEST_FACES:
        raise NotYetError(f"“{study.title}” has {study.images:,} faces; a map needs at least {FEWEST_FACES}.")
    models = _choose({model.name: (model.name, model.method) for model in usable}, place, f"study-{study.name}")
    if left_out:
        place.caption(f"Left out: {components.plain(left_out)}. Imported predictions come without features.")
    perplexity, seed = _tune(study.images, f"study-{study.name}")
    state = session.repository().version(study)
    return Request(study.name, study.identity, None, "", tuple(models), (), perplexity, seed, tuple(state))


def _ask_about_data(spec: str | None, left: Any, right: Any) -> Request:
    shipped = {name: (name, _method(name)) for name in shipped_models()}
    runs = {str(run.folder): (run.name, str(run.config.get("method"))) for run in _finished_runs()}
    if spec is None:
        spec = left.text_input(
            "Data set",
            key="embedding-data",
            placeholder="ferplus:/data/FERPlus",
            help="As for `--data` of the commands.",
        ).strip()
        if not spec:
            raise NotYetError(
                "Name a data set on this server, for example ferplus:/data/FERPlus or folder:/data/faces."
            )
    if problem := data_problem(spec):
        raise ProjectionError(problem)
    models = _choose(shipped | runs, right, f"data-{spec}", prefer=spec.partition(":")[0])
    split = left.segmented_control(
        "Part", ["all", "train", "valid", "test"], default="all", required=True, key="embedding-part", wrap=True
    )
    perplexity, seed = _tune(None, "data")
    chosen_runs = [name for name in models if name in runs]
    chosen = [name for name in models if name not in runs]
    folders = [*(MODELS / name for name in chosen), *map(Path, chosen_runs)]
    state = cache.weights_state(folders)
    return Request(None, None, spec, split, tuple(chosen), tuple(chosen_runs), perplexity, seed, tuple(state))


def _method(name: str) -> str:
    try:
        return str(json.loads((MODELS / name / "config.json").read_text())["config"]["method"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _finished_runs() -> list[Any]:
    return [run for run in find_runs(settings().runs) if run.state == "finished"]


def _choose(options: dict[str, tuple[str, str]], place: Any, key: str, prefer: str = "") -> list[str]:
    """Let the visitor choose up to three models, given as key to (name, method)."""
    fitting = [option for option in sorted(options) if options[option][0].startswith(prefer)]
    first = first_models({option: options[option][1] for option in fitting or sorted(options)})
    chosen = place.multiselect(
        f"Models (up to {MOST_PANELS})",
        list(options),
        default=first,
        max_selections=MOST_PANELS,
        format_func=lambda option: options[option][0],
        key=f"embedding-models-{key}",
    )
    if not chosen:
        raise NotYetError("Choose at least one model.")
    return list(chosen)


def first_models(methods: dict[str, str]) -> list[str]:
    """The models shown first, given with their methods: different methods, in the order of `DEFAULTS`."""
    met: dict[str, int] = {}
    ranks = {}
    for model, method in methods.items():
        place = DEFAULTS.index(method) if method in DEFAULTS else len(DEFAULTS)
        ranks[model] = (met.get(method, 0), place)
        met[method] = met.get(method, 0) + 1
    return sorted(methods, key=ranks.__getitem__)[:MOST_PANELS]


def _tune(faces: int | None, key: str) -> tuple[float, int]:
    """Perplexity and seed; without a number of faces, the command checks whether they allow the perplexity."""
    largest = MOST_PERPLEXITY if faces is None else max(2, min(MOST_PERPLEXITY, largest_perplexity(faces)))
    usual = USUAL_PERPLEXITY if faces is None else suitable_perplexity(faces)
    with st.container(horizontal=True, key="tuning"):
        perplexity = st.number_input(
            f"Perplexity (2 to {largest})", 2, largest, max(2, usual), key=f"embedding-perplexity-{key}", width=170,
            help="How many neighbours each face attends to.",
        )  # fmt: skip
        seed = st.number_input("Seed", 0, 10**6, 0, key=f"embedding-seed-{key}", width=140)
    return float(perplexity), int(seed)


def show(request: Request, draw: Any) -> None:
    """The map if it is there, else how far it is, or how to get it; `draw` puts a map on the page."""
    running = job_of(request, "running")
    found = _stored(request)
    if running is not None:
        _follow(running, request)
    elif found is not None:
        job = job_of(request, "failed")
        if job is not None:
            st.html(components.alert(job.failure()))
        if found[0].state != list(request.state):
            st.html(components.notice("Votes, predictions or weights have changed since this map was computed."))
            _start_button(request, "Compute it again")
        draw(*found)
    else:
        _start_or_explain(request)


def _start_or_explain(request: Request) -> None:
    ended = job_of(request, "failed", "stopped")
    if ended is not None:
        failure = ended.failure() if ended.state() == "failed" else "It was stopped."
        st.html(components.alert(failure))
        _start_button(request, "Try again")
    elif request.study and session.repository().study(request.study).images <= AT_ONCE:
        start(request)
        st.rerun()
    else:
        st.html(components.notice("This map has not been computed yet. It takes a minute or two, once."))
        _start_button(request, "Compute the map")


def _start_button(request: Request, label: str) -> None:
    st.button(label, type="primary", key="embedding-start", on_click=start, args=(request,))


def start(request: Request) -> None:
    """Start the process that computes the map, unless it runs already."""
    for job in jobs(MAPPING):
        if job.state() != "running" and job.record()["details"].get("key") == request.key:
            job.remove()
    if job_of(request, "running") is None:
        job = new_job()
        job.start(MAPPING, request.command(job), {"key": request.key, "source": request.source})


def job_of(request: Request, *states: str) -> Job | None:
    """The newest job that computes this map, if it is in one of the states."""
    for job in jobs(MAPPING):
        if job.record()["details"].get("key") == request.key:
            return job if job.state() in states else None
    return None


def _follow(job: Job, request: Request) -> None:
    @st.fragment(run_every=REFRESH_SECONDS)
    def draw() -> None:
        try:
            runs = job.state() == "running"
        except JobError:
            runs = False
        if not runs:
            st.rerun()
        with st.container(border=True, key="card-embedding"):
            st.html(components.job_progress(job.progress()))
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button("Stop", key="embedding-stop", icon=":material/stop:", on_click=job.stop)
                st.html('<div class="muted">You can close this page; it goes on.</div>')

    draw()


def _stored(request: Request) -> tuple[Embedding, list[bytes]] | None:
    try:
        made = (request.folder / CONTENT).stat().st_mtime_ns
    except OSError:
        return None
    return _read(str(request.folder), made)


@st.cache_resource(show_spinner=False, max_entries=8)
def _read(folder: str, made: int) -> tuple[Embedding, list[bytes]] | None:
    return read(Path(folder))


def scope(embedding: Embedding) -> str:
    """What the map shows, in words."""
    drawn = f", drawn at random from {embedding.of:,}" if embedding.of else ""
    reference = f" Entropy is that of the {embedding.reference}." if embedding.reference and not embedding.human else ""
    return escape(
        f"{len(embedding.names):,} faces{drawn}; perplexity {embedding.perplexity:g}, seed {embedding.seed}; "
        f"{', '.join(embedding.versions)}. Numbers rest on {embedding.measured}.{reference}"
    )


def numbers_table(embedding: Embedding) -> str:
    """All numbers of all panels."""
    rows = ""
    for grouping in GROUPINGS:
        for panel in embedding.panels:
            found = panel.separation.get(grouping)
            if found is None:
                continue
            cells = "".join(
                f"<td>{escape(interval(value))}</td>"
                for value in (found.silhouette, found.davies_bouldin, found.purity)
            )
            counts = (found.k, found.faces, found.silhouette_faces, panel.width)
            rows += (
                f"<tr><td>{escape(panel.model)}</td><td>{_GROUPS[grouping]}</td>{cells}<td>{found.chance:.3f}</td>"
                f"{''.join(f'<td>{count:,}</td>' for count in counts)}</tr>"
            )
    if not rows:
        return '<p class="muted">No face has a label or votes: there are no groups to measure.</p>'
    heads: Sequence[str] = (
        "Model", "Groups", "Silhouette", "Davies–Bouldin", "k-NN purity", "Purity by chance", "k", "Faces",
        "Faces of the silhouette", "Features",
    )  # fmt: skip
    head = "".join(f"<th>{name}</th>" for name in heads)
    return (
        '<div class="table-wrap" tabindex="0"><table class="figures"><thead><tr>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
