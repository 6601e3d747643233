"""The runs on the Training page: what trains now, the table of all runs, and their comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from html import escape
from typing import Any

import streamlit as st

from ldlva import figures
from ldlva.figures import MODEL_COLOURS
from ldlva.jobs import jobs
from ldlva.run_folder import READING, TEACHER_STAGE, RunSummary, about, find_runs
from ldlva.run_jobs import discard_run, last_lines, predict, prediction, resume_run, stop_run
from ldlva.settings import settings
from ldlva.ui import components, session

LEDE = (
    "Models learn the single label of every face and nothing else, unless their method says so. A run goes on when "
    "this page is closed, and one that was stopped or killed continues after its last finished epoch."
)

BUSY_SECONDS = 2
IDLE_SECONDS = 10
"""How often the page looks, while something runs and while nothing does."""

METRICS = (
    ("loss", "Training loss", False),
    ("valid_accuracy", "Validation accuracy", True),
    ("valid_cross_entropy", "Validation cross-entropy", False),
)
"""Name in metrics.jsonl, title, whether it is a share. The loss of every method is another quantity."""

FOR_TEACHERS = ("teacher_posteriors", "teacher_folds", "teacher_epochs")
FOR_COORDINATES = ("valence_arousal", *FOR_TEACHERS)
"""Settings that only methods with valence and arousal read."""

LOSS, ACCURACY, CROSS_ENTROPY = (title for _, title, _ in METRICS)


def title(name: str) -> str:
    """A setting's name as a label."""
    return name.replace("_", " ").capitalize()


def runs() -> list[RunSummary]:
    """All runs, newest first."""
    return find_runs(settings().runs)


def draw_current(found: Sequence[RunSummary]) -> None:
    """What trains now and what was begun last, refreshed while the page is open."""
    busy = _is_busy(found)

    def look() -> None:
        with session.explained():
            now = runs()
            if _is_busy(now) != busy:
                st.rerun()  # another pace
            for run in current(now):
                draw_card(run, "current")

    _often(look, busy)


def draw_table(found: Sequence[RunSummary]) -> None:
    """The sortable table; chosen runs are shown below it, several of them against each other."""

    def look() -> None:
        with session.explained():
            now = runs()
            # Rows are chosen by number: when there are other runs, the choice would slip to other rows.
            key = "runs-" + str(hash(tuple(run.name for run in now)))
            event = st.dataframe(
                table(now),
                column_config=COLUMNS,
                hide_index=True,
                on_select="rerun",
                selection_mode="multi-row",
                key=key,
                placeholder="–",
                height=min(38 + 35 * len(now), 420),
            )
            chosen = [now[number] for number in event["selection"]["rows"] if number < len(now)]
            if not chosen:
                st.caption("Tick a run to see it, several to compare them. A click on a heading sorts.")
            elif len(chosen) == 1:
                draw_card(chosen[0], "chosen")
            else:
                draw_comparison(chosen)

    _often(look, _is_busy(found))


def _often(look: Callable[[], None], busy: bool) -> None:
    st.fragment(look, run_every=BUSY_SECONDS if busy else IDLE_SECONDS)()


def _is_busy(found: Sequence[RunSummary]) -> bool:
    return any(run.state == "running" for run in found) or any(job.state() == "running" for job in jobs("predict"))


def current(found: Sequence[RunSummary]) -> list[RunSummary]:
    """Running runs, and the one that did something last."""
    latest = max(found, key=_last_sign, default=None)
    running = [run for run in found if run.state == "running"]
    return running if latest is None or latest in running else [*running, latest]


def _last_sign(run: RunSummary) -> float:
    made = run.started.timestamp() if run.started else 0.0
    return max(made, run.progress.updated if run.progress else 0.0)


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


COLUMNS = {
    "valid_accuracy": st.column_config.NumberColumn("Valid accuracy", format="%.1f%%"),
    "valid_cross_entropy": st.column_config.NumberColumn("Valid cross-entropy", format="%.3f"),
    "temperature": st.column_config.NumberColumn("Temperature", format="%.2f"),
    "started": st.column_config.DatetimeColumn("Started", format="YYYY-MM-DD HH:mm"),
    "duration": st.column_config.Column("Time spent"),
    "name": st.column_config.TextColumn("Run", pinned=True),
    "state": st.column_config.TextColumn("State", width=100),
    "reason": st.column_config.TextColumn("Remark", width=240),
    **{
        name: st.column_config.Column(label)
        for name, label in (
            ("method", "Method"),
            ("backbone", "Backbone"),
            ("data", "Data"),
            ("size", "Size"),
            ("epochs", "Epochs"),
            ("planned", "of"),
        )
    },
}


def table(found: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """The lines of the table; remarks only if there are any."""
    rows = [row(run) for run in found]
    if not any(line["reason"] for line in rows):
        for line in rows:
            del line["reason"]
    return rows


def row(run: RunSummary) -> dict[str, Any]:
    """One line of the table."""
    config, accuracy = run.config, run.last("valid_accuracy")
    return {
        "name": run.name,
        "state": run.state,
        "reason": run.reason or None,
        "valid_accuracy": None if accuracy is None else 100 * accuracy,
        "valid_cross_entropy": run.last("valid_cross_entropy"),
        "temperature": run.temperature,
        "method": config.get("method"),
        "backbone": config.get("backbone"),
        "data": config.get("data"),
        "size": config.get("image_size"),
        "epochs": run.epochs_done,
        "planned": config.get("epochs"),
        "started": run.started,
        "duration": timedelta(seconds=round(run.seconds)) if run.seconds else None,
    }


def draw_comparison(chosen: Sequence[RunSummary]) -> None:
    """Curves of several runs over each other, and the settings in which they differ."""
    drawn = [run for run in chosen if run.metrics]
    if len(drawn) < len(chosen):
        without = ", ".join(run.name for run in chosen if not run.metrics)
        st.caption(components.plain(f"No curves of {without}: no epoch is finished."))
    if drawn:
        _draw_compared_curves(drawn)
    if len({run.config.get("method") for run in drawn}) > 1:
        st.caption("The training losses of different methods are different quantities.")
    different = differences(chosen)
    if different:
        st.html(components.settings_table([run.name for run in chosen], different))
    else:
        st.caption("These runs have the same settings.")


def _draw_compared_curves(runs: Sequence[RunSummary]) -> None:
    colours = {run.name: MODEL_COLOURS[number % len(MODEL_COLOURS)] for number, run in enumerate(runs)}
    epochs = max(int(run.config.get("epochs", 1)) for run in runs)
    st.html(components.line_legend(colours))
    for place, (key, name, percent) in zip(st.columns(len(METRICS)), METRICS, strict=True):
        curves = {run.name: points for run in runs if (points := run.curve(key))}
        place.markdown(f"**{name}**")
        if curves:
            place.plotly_chart(
                figures.epoch_curves(curves, colours, epochs, percent),
                config={"displayModeBar": False},
                theme=None,
                key=f"compared-{key}",
                alt=f"{name} of {', '.join(curves)} by epoch",
            )
        else:
            place.caption("None of these runs has it.")


def differences(chosen: Sequence[RunSummary]) -> dict[str, list[Any]]:
    """Settings in which runs differ, each with its value in every run; None where a run does not use it."""
    settings_of = [used_settings(run) for run in chosen]
    names = dict.fromkeys(name for config in settings_of for name in config)
    values = {name: [config.get(name) for config in settings_of] for name in names}
    return {name: row for name, row in values.items() if any(value != row[0] for value in row)}


def used_settings(run: RunSummary) -> dict[str, Any]:
    """A run's settings, the method's own beside the others, without those that its method does not look at.

    The run itself says which these are: where it took neither coordinates nor posteriors from anywhere, it had none.
    """
    coordinates = run.record.get("valence_arousal_source", "unknown") is not None
    posteriors = run.record.get("posteriors_source", "unknown") is not None
    unused = {"options"}
    if not coordinates:
        unused |= set(FOR_COORDINATES) - set(FOR_TEACHERS if posteriors else ())
    return {name: value for name, value in run.config.items() if name not in unused} | dict(
        run.config.get("options") or {}
    )
