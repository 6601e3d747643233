"""The form that starts a run. What it offers comes from the catalogue, so a new method or setting appears by itself."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import streamlit as st

from ldlva.catalogue import Catalogue, DataEntry, MethodEntry, Setting
from ldlva.errors import TrainingError
from ldlva.run_folder import RunSummary
from ldlva.run_jobs import check_name, free_name, start_run
from ldlva.settings import settings
from ldlva.ui import session
from ldlva.ui.run_settings import FOR_COORDINATES, FOR_TEACHERS, title
from ldlva.ui.study_form import data_problem

MAIN = ("image_size", "epochs", "learning_rate", "seed")
"""Settings every run is about; the others are behind a click."""

RANDOM = "Random numbers"


def draw(runs: Sequence[RunSummary]) -> None:
    """Draw the form; its button starts the run and reloads the page."""
    with session.explained():
        catalogue = session.catalogue()
        left, middle, right = st.columns(3)
        with left:
            data, spec = _data(catalogue)
        with middle:
            method = _method(catalogue)
        with right:
            backbone = _backbone(catalogue)
        values: dict[Setting, Any] = {}
        main = [catalogue.setting(name) for name in MAIN]
        for column, setting in zip(st.columns(len(main)), main, strict=True):
            with column:
                values[setting] = _widget(setting)
        stem, init = catalogue.setting("stem"), catalogue.setting("init")
        left, right = st.columns(2)
        with left:
            values[stem] = _widget(stem)
        with right:
            values[init] = _initial_weights(catalogue, init, backbone, values[stem], runs)
        with st.expander("More settings"):
            values |= _more(catalogue, data, method)
        root = settings().runs
        suggestion = free_name(root, f"{data.name}-{method.name}-{backbone}")
        name = st.text_input(
            "Name", key="train-name", placeholder=suggestion, help="Letters, digits, dots, dashes and underscores."
        ).strip()
        name = name or suggestion
        arguments = ["--data", spec, "--method", method.name, "--backbone", backbone, *_arguments(values)]
        pressed = st.button("Start training", type="primary", icon=":material/play_arrow:", key="train-start")
        with st.expander("The same on the command line"):
            command = ["python", "-m", "ldlva", "train", *arguments, "--out", str(root / name)]
            st.code(shlex.join(command), language="bash", wrap_lines=True)
        if pressed:
            _start(data, spec, name, arguments, {"method": method.name, "backbone": backbone}, values)


def _start(
    data: DataEntry, spec: str, name: str, arguments: list[str], config: dict[str, Any], values: dict[Setting, Any]
) -> None:
    if spec.endswith(":"):
        raise TrainingError(f"Say which {data.place} on this server holds the data.")
    if wrong := [problem for setting, value in values.items() if (problem := _out_of_range(setting, value))]:
        raise TrainingError(" ".join(wrong))
    if problem := data_problem(spec):
        raise TrainingError(problem)
    check_name(settings().runs, name)
    plain = {setting.name: value for setting, value in values.items() if setting.option != "--set"}
    options = {setting.name: value for setting, value in values.items() if setting.option == "--set"}
    start_run(settings().runs, name, arguments, {"data": spec, **config, **plain, "options": options})
    st.rerun()


def _arguments(values: dict[Setting, Any]) -> Iterable[str]:
    return [argument for setting, value in values.items() for argument in setting.arguments(value)]


def _data(catalogue: Catalogue) -> tuple[DataEntry, str]:
    """The data set, and how the command line names it."""
    entries = {entry.name: entry for entry in catalogue.data}
    ready = [entry.name for entry in catalogue.data if entry.place is None]
    names = list(entries)
    name = st.selectbox("Data set", names, index=names.index(ready[0]) if ready else 0, key="train-data")
    entry = entries[name]
    st.html(f'<div class="muted">{escape(entry.summary)}</div>')
    if entry.place is None:
        return entry, name
    if entry.place == "study":
        studies = list(session.repository().study_titles())
        place = st.selectbox("Study", studies, key=f"train-place-{name}") or ""
    else:
        place = st.text_input(f"{title(entry.place)} on this server", key=f"train-place-{name}").strip()
    return entry, f"{name}:{place}"


def _method(catalogue: Catalogue) -> MethodEntry:
    names = [entry.name for entry in catalogue.methods]
    name = st.selectbox("Method", names, index=names.index(catalogue.default_method), key="train-method")
    method = catalogue.method(name)
    needs = " Trains on the votes, so the data set must have some." if method.needs_votes else ""
    st.html(f'<div class="muted">{escape(method.summary + needs)}</div>')
    return method


def _backbone(catalogue: Catalogue) -> str:
    weights = {entry.name: entry.million_weights for entry in catalogue.backbones}
    names = list(weights)
    name = st.selectbox("Backbone", names, index=names.index(catalogue.default_backbone), key="train-backbone")
    st.html(f'<div class="muted">A network with {weights[name]:.1f} million weights; more of them take longer.</div>')
    return name


def _initial_weights(
    catalogue: Catalogue, setting: Setting, backbone: str, stem: str, runs: Sequence[RunSummary]
) -> str | None:
    """Random, a shipped model or a finished run of the same architecture, or whatever else `--init` takes."""
    known = [entry.name for entry in catalogue.initial_weights if (entry.backbone, entry.stem) == (backbone, stem)]
    same = [
        run for run in runs
        if run.state == "finished" and (run.config.get("backbone"), run.config.get("stem")) == (backbone, stem)
    ]  # fmt: skip
    folders = {str(run.folder.absolute()): f"Run {run.name}" for run in same}
    chosen = st.selectbox(
        "Initial weights",
        [RANDOM, *known, *folders],
        format_func=lambda value: folders.get(value, value),
        accept_new_options=True,
        key=f"train-init-{backbone}-{stem}",
        help="Where training begins: random numbers, a model of the same backbone, or type a weights file on this "
        "server, or torchvision (ImageNet weights, downloaded).",
    )
    return setting.default if chosen == RANDOM else chosen


def _more(catalogue: Catalogue, data: DataEntry, method: MethodEntry) -> dict[Setting, Any]:
    """The method's own settings, then all others that the command line knows."""
    shown = {*MAIN, "stem", "init", "filter"}
    values: dict[Setting, Any] = {}
    own = list(method.settings)
    if method.needs_valence_arousal:
        own += [setting for setting in catalogue.settings if setting.name in FOR_COORDINATES]
    if method.needs_posteriors:
        own += [setting for setting in catalogue.settings if setting.name in FOR_TEACHERS]
    if own:
        st.markdown(f"**Settings of {method.name}**")
        values |= _grid(own, method.name)
        st.markdown("**Settings of every method**")
    rule = catalogue.setting("filter")
    if not data.filters:
        values[rule] = _widget(rule, data.name)
    elif len(data.filters) > 1:
        chosen = st.selectbox("Rule for labels", data.filters, help=rule.help, key=f"train-filter-{data.name}")
        values[rule] = rule.default if chosen == data.filters[0] else chosen
    return values | _grid([s for s in catalogue.settings if s.name not in {*shown, *FOR_COORDINATES}], "")


def _grid(shown: Sequence[Setting], group: str) -> dict[Setting, Any]:
    """Widgets in rows of three."""
    values = {}
    for start in range(0, len(shown), 3):
        for column, setting in zip(st.columns(3, vertical_alignment="bottom"), shown[start : start + 3], strict=False):
            with column:
                values[setting] = _widget(setting, group)
    return values


def _widget(setting: Setting, group: str = "") -> Any:
    """The fitting widget; returns its value.

    A number has no bounds here: the browser would keep one beyond them to itself, and a run start with the one before.
    """
    label, key = title(setting.name), f"train-{group}-{setting.name}"
    explained = setting.help[:1].upper() + setting.help[1:]
    if setting.kind == "switch":
        return st.toggle(label, value=bool(setting.default), help=explained, key=key)
    if setting.kind == "choice":
        options = [None, *setting.choices] if setting.optional else list(setting.choices)
        return st.selectbox(
            label,
            options,
            index=options.index(setting.default),
            format_func=lambda value: "automatic" if value is None else str(value),
            help=explained,
            key=key,
        )
    if setting.kind == "text":
        placeholder = "automatic" if setting.optional else None
        text = st.text_input(
            label, value=setting.default or "", placeholder=placeholder, help=explained, key=key
        ).strip()
        return text or setting.default
    if setting.kind == "integer":
        return st.number_input(
            label,
            value=setting.default,
            step=1,
            placeholder="automatic",
            help=explained,
            key=key,
        )
    return st.number_input(
        label,
        value=setting.default,
        step=_step(setting.default),
        format="%g",
        placeholder="automatic",
        help=explained,
        key=key,
    )


def _out_of_range(setting: Setting, value: Any) -> str | None:
    """What is wrong with a number beyond the setting's bounds."""
    if setting.kind not in ("integer", "number") or value is None:
        return None
    if setting.minimum is not None and value < setting.minimum:
        return f"{title(setting.name)} must be at least {setting.minimum:,g}, not {value:,g}."
    if setting.maximum is not None and value > setting.maximum:
        return f"{title(setting.name)} must be at most {setting.maximum:,g}, not {value:,g}."
    return None


def _step(default: float | None) -> float:
    """One unit of the default's leading digit."""
    return 10.0 ** math.floor(math.log10(default)) if default else 0.1
