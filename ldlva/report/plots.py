"""Figures of a report, drawn by Matplotlib: vector files with text as text, no browser, the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ldlva.comparison.comparison import Comparison
from ldlva.distributions import human_distribution
from ldlva.figures import INK, MODEL_COLOURS, MUTED
from ldlva.measures import GRID, HEADLINE
from ldlva.survey.comparing import StudyComparison

FACES = 6
"""Faces in the figure of single faces: those on which the models differ most."""

DPI = 300
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same everywhere
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "ldlva",
    "pdf.fonttype": 42,
}


def draw_all(compared: StudyComparison, folder: Path) -> list[Path]:
    """Every figure as SVG, PDF and PNG; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Callable[[], Figure]] = {
        "figure1_divergence": lambda: divergence(compared.comparison, HEADLINE),
        "figure2_faces": lambda: faces(compared),
        "figure3_votes": lambda: votes(compared),
        "figure4_epsilon": lambda: epsilon_grid(compared.comparison),
    }
    files = []
    with matplotlib.rc_context(STYLE):
        for name, draw in figures.items():
            figure = draw()
            for ending, metadata in (("svg", {"Date": None}), ("pdf", {"CreationDate": None}), ("png", {})):
                files.append(folder / f"{name}.{ending}")
                figure.savefig(files[-1], dpi=DPI, metadata=metadata, bbox_inches="tight")
            plt.close(figure)
    return files


def divergence(comparison: Comparison, constant: str) -> Figure:
    """Mean Jeffreys divergence with 95% intervals, filled raw and open after temperature, above the reference rows."""
    rows = [model.name for model in comparison.models] + [floor.name for floor in comparison.floors]
    figure, axes = plt.subplots(figsize=(5.5, 0.6 + 0.3 * len(rows)))
    for y, model in enumerate(comparison.models):
        for calibrated, offset in ((False, 0.0), (True, 0.28)):
            if (scores := model.scores(calibrated)) is None:
                continue
            value = scores.estimates[constant]
            colour = _colour(comparison, model.name)
            axes.errorbar(
                value.mean,
                y + offset,
                xerr=[[value.mean - value.low], [value.high - value.mean]],
                fmt="o",
                color=colour,
                markerfacecolor="white" if calibrated else colour,
                markersize=4,
                capsize=2,
                linewidth=1,
            )
    for y, floor in enumerate(comparison.floors, start=len(comparison.models)):
        axes.plot(floor.values[constant], y, "D", color=MUTED, markerfacecolor="white", markersize=4)
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(f"Mean Jeffreys divergence from people (ε = {constant})")
    axes.grid(axis="y", color="#E7E5E0", linewidth=0.6)
    return figure


def epsilon_grid(comparison: Comparison) -> Figure:
    """Mean divergence over the clipping constants: lines that cross are rankings that depend on one."""
    figure, axes = plt.subplots(figsize=(4.2, 3))
    for model in comparison.models:
        means = [model.estimates[key].mean for key in GRID]
        axes.plot(GRID, means, "o-", color=_colour(comparison, model.name), label=model.name, markersize=3, linewidth=1)
    last = GRID[-1]
    highest, lowest_label = axes.get_ylim()[1], np.inf
    for floor in sorted(comparison.floors, key=lambda floor: -floor.values[last]):
        axes.plot(GRID, [floor.values[key] for key in GRID], "--", color=MUTED, linewidth=0.8)
        # Names of rows that end at nearly the same height go below each other.
        lowest_label = min(floor.values[last], lowest_label - 0.05 * highest)
        axes.annotate(floor.name, (len(GRID) - 0.95, lowest_label), color=MUTED, fontsize=6, va="center")
    axes.set_xlabel("Clipping constant ε")
    axes.set_ylabel("Mean Jeffreys divergence")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=6)
    return figure


def faces(compared: StudyComparison) -> Figure:
    """Votes and predictions of the faces on which the models differ most (supplement, Figure 2); no pictures, whose
    rights are seldom the researcher's."""
    report, emotions = compared.comparison, compared.votes.emotions
    values = np.array([model.per_image for model in report.models])
    positions = np.argsort(-(values.max(axis=0) - values.min(axis=0)), kind="stable")[:FACES]
    columns = 1 + len(report.models)
    figure, grid = plt.subplots(
        len(positions), columns, figsize=(1.15 * columns + 0.8, 1.05 * len(positions)), sharex=True, squeeze=False
    )
    for line, position in enumerate(positions):
        row = int(report.rows[position])
        people = human_distribution(compared.votes.counts[[row]])[0]
        shown = {"People": people} | {m.name: compared.predictions[m.name][row] for m in report.models}
        for axes, (name, shares) in zip(grid[line], shown.items(), strict=True):
            axes.barh(range(len(emotions)), shares, color=[emotion.colour for emotion in emotions])
            axes.set_xlim(0, 1)
            axes.set_xticks([0, 1])
            axes.set_ylim(len(emotions) - 0.4, -0.6)
            axes.set_yticks([])
            if line == 0:
                axes.set_title(name, fontsize=5.5)
        grid[line][0].set_yticks(range(len(emotions)), [emotion.title for emotion in emotions], fontsize=5)
        grid[line][0].set_ylabel(compared.votes.image_names[row], fontsize=5)
    return figure


def votes(compared: StudyComparison) -> Figure:
    """All votes by label, with the mean prediction of every model on the compared faces."""
    emotions, counts = compared.votes.emotions, compared.votes.counts
    rows = compared.comparison.rows
    mean = human_distribution(counts[rows]).mean(axis=0)
    figure, axes = plt.subplots(figsize=(5.5, 2.6))
    axes.bar(range(len(emotions)), mean, color=[emotion.colour for emotion in emotions], width=0.7, label="People")
    for model in compared.comparison.models:
        predicted = compared.predictions[model.name][rows].mean(axis=0)
        axes.plot(range(len(emotions)), predicted, "o", color=_colour(compared.comparison, model.name), markersize=4,
                  markeredgecolor="white", label=model.name)  # fmt: skip
    axes.set_xticks(range(len(emotions)), [emotion.title for emotion in emotions])
    axes.set_ylabel("Mean share")
    axes.legend(frameon=False, fontsize=6)
    return figure


def _colour(comparison: Comparison, name: str) -> str:
    names = sorted(model.name for model in comparison.models)
    return MODEL_COLOURS[names.index(name) % len(MODEL_COLOURS)]
