"""The runs on the Training page: what trains now, the table of all runs, and their comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import PurePath
from typing import Any

import streamlit as st

from ldlva import figures
from ldlva.figures import MODEL_COLOURS
from ldlva.jobs import PREDICTING, jobs
from ldlva.run_folder import RunSummary, find_runs
from ldlva.settings import settings
from ldlva.ui import components, session
from ldlva.ui.run_card import METRICS, draw_card
from ldlva.ui.run_settings import differences

LEDE = (
    "Models learn the single label of every face and nothing else, unless their method says so. A run goes on when "
    "this page is closed, and one that was stopped or killed continues after its last finished epoch."
)

BUSY_SECONDS = 2
IDLE_SECONDS = 10
"""How often the page looks, while something runs and while nothing does."""


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
    return any(run.state == "running" for run in found) or any(job.state() == "running" for job in jobs(PREDICTING))


def current(found: Sequence[RunSummary]) -> list[RunSummary]:
    """Running runs, and the one that did something last."""
    latest = max(found, key=_last_sign, default=None)
    running = [run for run in found if run.state == "running"]
    return running if latest is None or latest in running else [*running, latest]


def _last_sign(run: RunSummary) -> float:
    made = run.started.timestamp() if run.started else 0.0
    return max(made, run.progress.updated if run.progress else 0.0)


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
        "data": _short(config.get("data")),
        "size": config.get("image_size"),
        "epochs": run.epochs_done,
        "planned": config.get("epochs"),
        "started": run.started,
        "duration": timedelta(seconds=round(run.seconds)) if run.seconds else None,
    }


def _short(data: str | None) -> str | None:
    """A data set's name without the folders above it; the whole is in the run's settings."""
    reader, colon, place = (data or "").partition(":")
    return reader + colon + PurePath(place).name or None


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
