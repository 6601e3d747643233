"""Figures of a report, drawn by Matplotlib: vector files with text as text, no browser, the same bytes each time.

Every figure fits the text of a two-column paper at its own size, however many models are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ldlva.comparison.comparison import Comparison
from ldlva.comparison.floors import Floor
from ldlva.distributions import FloatArray, human_distribution
from ldlva.emotions import Emotion
from ldlva.figures import GRID_LINE, INK, MODEL_COLOURS, MUTED
from ldlva.measures import GRID, HEADLINE
from ldlva.report.drawing import PAGE_HEIGHT, PAGE_WIDTH, POINTS, legend_below, model_styles, spread, wrapped
from ldlva.survey.comparing import StudyComparison

FACES = 6
"""Faces in the figure of single faces: those on which the models differ most. Fewer where they would leave the page."""

ABREAST = 8
"""Models side by side in the figure of single faces; more stand below them, beside the people again."""

DPI = 300
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same everywhere
    "font.size": 8,
    "text.parse_math": False,  # a "$" in a name is no formula
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.constrained_layout.use": True,
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
                figure.savefig(files[-1], dpi=DPI, metadata=metadata)
            plt.close(figure)
    return files


def divergence(comparison: Comparison, constant: str) -> Figure:
    """Mean Jeffreys divergence with 95% intervals, filled raw and open after temperature, above the reference rows."""
    rows = [model.name for model in comparison.models] + [floor.name for floor in comparison.floors]
    styles = model_styles([model.name for model in comparison.models])
    figure, axes = plt.subplots(figsize=(6, min(0.6 + 0.3 * len(rows), PAGE_HEIGHT)))
    for y, model in enumerate(comparison.models):
        for calibrated, offset in ((False, 0.0), (True, 0.28)):
            if (scores := model.scores(calibrated)) is None:
                continue
            value = scores.estimates[constant]
            style = styles[model.name]
            axes.errorbar(
                value.mean,
                y + offset,
                xerr=[[value.mean - value.low], [value.high - value.mean]],
                fmt=style.marker,
                color=style.colour,
                markerfacecolor="white" if calibrated else style.colour,
                markersize=4,
                capsize=2,
                linewidth=1,
            )
    for y, floor in enumerate(comparison.floors, start=len(comparison.models)):
        axes.plot(floor.values[constant], y, "D", color=MUTED, markerfacecolor="white", markersize=4)
    axes.set_yticks(range(len(rows)), [wrapped(name, 2.4 * POINTS, 8) for name in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"Mean Jeffreys divergence from people (ε = {constant})")
    axes.grid(axis="y", color=GRID_LINE, linewidth=0.6)
    return figure


def epsilon_grid(comparison: Comparison) -> Figure:
    """Mean divergence over the clipping constants: lines that cross are rankings that depend on one."""
    styles = model_styles([model.name for model in comparison.models])
    many = len(styles) > len(MODEL_COLOURS)
    figure, axes = plt.subplots(figsize=(PAGE_WIDTH, 4) if many else (4.5, 2.9))
    for model in comparison.models:
        style, means = styles[model.name], [model.estimates[key].mean for key in GRID]
        axes.plot(GRID, means, color=style.colour, marker=style.marker, linestyle=style.line, markersize=3, linewidth=1)
    for floor in comparison.floors:
        axes.plot(GRID, [floor.values[key] for key in GRID], "--", color=MUTED, linewidth=0.8)
    axes.set_xlabel("Clipping constant ε")
    axes.set_ylabel("Mean Jeffreys divergence")
    axes.set_xlim(-0.15, len(GRID) - 0.85)
    axes.set_ylim(bottom=0)
    legend_below(figure, [styles[model.name].handle(model.name) for model in comparison.models])
    _name_ends(figure, axes, comparison.floors)
    return figure


def _name_ends(figure: Figure, axes: Axes, floors: tuple[Floor, ...]) -> None:
    """Names of the reference rows beside their last values, apart where these are nearly the same."""
    size, end = 6, len(GRID) - 1
    figure.draw_without_rendering()  # now the layout knows how high the axes are
    bottom, top = axes.get_ylim()
    gap = 1.3 * size * (top - bottom) / (axes.get_window_extent().height / figure.dpi * POINTS)
    ascending = sorted(floors, key=lambda floor: floor.values[GRID[-1]])
    values = [floor.values[GRID[-1]] for floor in ascending]
    for floor, value, place in zip(ascending, values, spread(values, gap, bottom, top), strict=True):
        axes.plot([end + 0.05, end + 0.14], [value, place], color=MUTED, linewidth=0.5, clip_on=False)
        axes.text(end + 0.17, place, floor.name, color=MUTED, fontsize=size, va="center")


def faces(compared: StudyComparison) -> Figure:
    """Votes and predictions of the faces on which the models differ most (supplement, Figure 2); no pictures, whose
    rights are seldom the researcher's."""
    report, emotions = compared.comparison, compared.votes.emotions
    blocks = -(-len(report.models) // ABREAST)
    abreast = -(-len(report.models) // blocks)
    least, usual = max(0.62, 0.085 * len(emotions)), max(0.92, 0.1 * len(emotions))
    title_height = 0.35
    room = PAGE_HEIGHT - title_height * blocks
    shown = max(1, min(FACES, int(room / least) // blocks))
    values = np.array([model.per_image for model in report.models])
    positions = np.argsort(-(values.max(axis=0) - values.min(axis=0)), kind="stable")[:shown]
    row_height = max(least, min(usual, room / (blocks * len(positions))))
    width = min(1.15 * (1 + abreast) + 0.8, PAGE_WIDTH)
    height = blocks * (title_height + len(positions) * row_height)
    figure = plt.figure(figsize=(width, height))
    for block, part in enumerate(figure.subfigures(blocks, 1, squeeze=False).flat):
        names = [model.name for model in report.models[block * abreast : (block + 1) * abreast]]
        grid = part.subplots(len(positions), 1 + abreast, sharex=True, squeeze=False)
        for line, position in enumerate(positions):
            row = int(report.rows[position])
            people = human_distribution(compared.votes.counts[[row]])[0]
            panels = {"People": people} | {name: compared.predictions[name][row] for name in names}
            for column, axes in enumerate(grid[line]):
                if column > len(names):  # the last block may have fewer models, but panels of the same width
                    axes.set_axis_off()
                    continue
                name, shares = list(panels.items())[column]
                _panel(axes, emotions, shares)
                if line == 0:
                    axes.set_title(wrapped(name, (width - 0.75) / (1 + abreast) * POINTS - 5, 5.5), fontsize=5.5)
            grid[line][0].set_yticks(range(len(emotions)), [emotion.title for emotion in emotions], fontsize=5)
            label = wrapped(compared.votes.image_names[row], row_height * POINTS - 4, 5)
            grid[line][0].set_ylabel(label, fontsize=5)
    return figure


def _panel(axes: Axes, emotions: tuple[Emotion, ...], shares: FloatArray) -> None:
    """One distribution over the labels."""
    axes.barh(range(len(emotions)), shares, color=[emotion.colour for emotion in emotions])
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 1])
    axes.tick_params(axis="x", labelsize=5.5, length=2)
    axes.tick_params(axis="y", length=2)
    axes.set_ylim(len(emotions) - 0.4, -0.6)
    axes.set_yticks([])


def votes(compared: StudyComparison) -> Figure:
    """All votes by label, with the mean prediction of every model on the compared faces."""
    emotions, counts = compared.votes.emotions, compared.votes.counts
    models, rows = compared.comparison.models, compared.comparison.rows
    styles = model_styles([model.name for model in models])
    many = len(models) > len(MODEL_COLOURS)
    mean = human_distribution(counts[rows]).mean(axis=0)
    figure, axes = plt.subplots(figsize=(PAGE_WIDTH, 3) if many else (5, 2.4))
    places = np.arange(len(emotions))
    axes.bar(places, mean, color=[emotion.colour for emotion in emotions], width=0.8)
    step = min(0.14, 0.7 / len(models))  # side by side: models that agree would hide each other
    for number, model in enumerate(models):
        predicted = compared.predictions[model.name][rows].mean(axis=0)
        offset = (number - (len(models) - 1) / 2) * step
        style = styles[model.name]
        axes.plot(places + offset, predicted, style.marker, color=style.colour, markersize=3.5 if many else 4.2,
                  markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip
    axes.set_xticks(places, [emotion.title for emotion in emotions])
    axes.set_ylabel("Mean share")
    people = Patch(color=MUTED, label="People (bars)")
    legend_below(figure, [people, *(styles[model.name].handle(model.name, line=False) for model in models)])
    return figure
