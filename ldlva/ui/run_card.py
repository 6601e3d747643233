"""One run on the Training page: what it is, where it is, its curves, and what can be done with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape

import streamlit as st

from ldlva import figures
from ldlva.figures import MODEL_COLOURS
from ldlva.run_folder import READING, TEACHER_STAGE, RunSummary, about
from ldlva.run_jobs import delete_run, discard_run, last_lines, predict, prediction, resume_run, stop_run
from ldlva.ui import components, session
from ldlva.ui.run_settings import used_settings

METRICS = (
    ("loss", "Training loss", False),
    ("valid_accuracy", "Validation accuracy", True),
    ("valid_cross_entropy", "Validation cross-entropy", False),
)
"""Name in metrics.jsonl, title, whether it is a share. The loss of every method is another quantity."""

LOSS, ACCURACY, CROSS_ENTROPY = (title for _, title, _ in METRICS)


def draw_card(run: RunSummary, where: str) -> None:
    """One run: what it is, where it is, its curves, and what can be done with it."""
    with st.container(border=True, key=f"card-{where}-{run.name}"):
        st.html(heading(run))
        if run.state == "running":
            st.html(progress_bar(run))
        elif run.reason:
            st.html(components.alert(run.reason))
        _draw_actions(run, where)
        if run.metrics:
            _draw_curves(run, where)
        if run.state == "failed" and (log := last_lines(run)):
            with st.expander("The end of its log"):
                st.code(log, language=None, wrap_lines=True)
        if run.config:
            with st.expander("Settings"):
                st.html(components.plain_table(used_settings(run).items()))
        if run.state == "finished":
            _draw_prediction(run, where)


def heading(run: RunSummary) -> str:
    """Name, state and what is trained."""
    config = run.config
    words = [config.get("method"), config.get("backbone"), config.get("data")]
    if "image_size" in config:
        words.append(f"{config['image_size']} px")
    if run.metrics and run.state != "running":
        words.append(f"{run.epochs_done} of {config['epochs']} epochs")
    figures_ = []
    if (accuracy := run.last("valid_accuracy")) is not None:
        figures_.append(f"validation accuracy {accuracy:.1%}")
    if (entropy := run.last("valid_cross_entropy")) is not None:
        figures_.append(f"cross-entropy {entropy:.3f}")
    if run.temperature is not None:
        figures_.append(f"temperature {run.temperature:.2f}")
    lines = [" · ".join(str(word) for word in words if word), ", ".join(figures_)]
    return (
        f'<div class="run-head"><h3>{escape(run.name)}</h3><span class="pill pill-{run.state}">{run.state}</span></div>'
        + "".join(f'<div class="muted">{escape(line)}</div>' for line in lines if line)
    )


def progress_bar(run: RunSummary) -> str:
    """Stage, share of the whole run and the estimated time left."""
    outlook = run.outlook(time.time())
    left = "" if outlook.seconds_left is None else f"{about(outlook.seconds_left)} left"
    return components.progress_bar(outlook.share, stage(run), left)


def stage(run: RunSummary) -> str:
    """Where a running run is, in words."""
    progress = run.progress
    if progress is None:
        return "Starting"
    if progress.stage == READING:
        return "Reading images"
    epoch = f"epoch {progress.epoch + 1} of {progress.epochs}"
    if (teacher := TEACHER_STAGE.fullmatch(progress.stage)) is not None:
        return f"Teacher {teacher[1]} of {teacher[2]}, {epoch}"
    return epoch.capitalize()


def _draw_curves(run: RunSummary, where: str) -> None:
    epochs = int(run.config["epochs"])
    colours = dict(zip((LOSS, CROSS_ENTROPY, ACCURACY), MODEL_COLOURS, strict=False))
    left, right = st.columns(2)
    for place, shown, percent in ((left, (LOSS, CROSS_ENTROPY), False), (right, (ACCURACY,), True)):
        curves = {name: points for key, name, _ in METRICS if name in shown and (points := run.curve(key))}
        if curves:
            place.html(components.line_legend({name: colours[name] for name in curves}))
            place.plotly_chart(
                figures.epoch_curves(curves, colours, epochs, percent),
                config={"displayModeBar": False},
                theme=None,
                key=f"curves-{where}-{run.name}-{percent}",
                alt=f"{' and '.join(curves)} of {run.name} by epoch",
            )


def _draw_actions(run: RunSummary, where: str) -> None:
    with st.container(horizontal=True, key=f"actions-{where}-{run.name}"):
        if run.state == "running" and run.by_page:
            _button("Stop", "stop", run, where, stop_run)
        elif run.state == "running":
            st.caption("Started on the command line; end it there with Ctrl+C.")
        elif run.state in ("stopped", "failed", "interrupted"):
            _button("Resume" if run.has_begun else "Try again", "play_arrow", run, where, resume_run)
            if not run.has_begun:
                _button("Discard", "delete", run, where, discard_run)
        if run.state == "damaged" or (run.state != "running" and run.has_begun):
            with st.popover("Delete", icon=":material/delete:"):
                st.html(
                    '<div class="muted">Deletes the run for ever: weights, curves, log, and its teachers if it trained '
                    "any. What it predicted for studies stays.</div>"
                )
                _button("Delete this run", "delete_forever", run, where, delete_run)


def _button(label: str, icon: str, run: RunSummary, where: str, action: Callable[[RunSummary], None]) -> None:
    if st.button(label, icon=f":material/{icon}:", key=f"{icon}-{where}-{run.name}"):
        action(run)
        st.rerun()


def _draw_prediction(run: RunSummary, where: str) -> None:
    """Predict a study with a finished run, and what became of the last such prediction."""
    titles = session.repository().study_titles()
    if not titles:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"predict-{where}-{run.name}"):
        study = st.selectbox(
            "Predict the faces of a study",
            list(titles),
            format_func=titles.__getitem__,
            key=f"study-{where}-{run.name}",
            width=320,
        )
        if st.button("Predict", icon=":material/face:", key=f"predict-button-{where}-{run.name}"):
            predict(run, study)
            st.rerun()
    job = prediction(run)
    if job is None:
        return
    predicted = str(job.record()["details"].get("study"))
    state = job.state()
    if state == "running":
        st.html(components.notice(f"Predicting {predicted} …"))
    elif state == "finished":
        st.html(components.notice(f"The predictions for {predicted} are stored."))
        link = {"study": predicted}
        st.page_link("pages/compare.py", label="Compare with people", icon=":material/compare:", query_params=link)
    else:
        st.html(components.alert(job.failure()))
