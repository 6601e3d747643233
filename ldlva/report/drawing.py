"""What the figures of a report share: paper sizes, how a model looks, text that fits, labels that keep apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from ldlva.figures import MODEL_COLOURS

PAGE_WIDTH = 6.875
"""Inches between the margins of a two-column conference paper: nothing wider is printed at its own size."""

PAGE_HEIGHT = 8.875

POINTS = 72
"""Points per inch."""

Line = Literal["-", "-.", ":"] | tuple[float, Sequence[float]]

_MARKERS = ("o", "s", "^", "v", "P")
_LINES: tuple[Line, ...] = ("-", "-.", ":", (0, (7, 1.5)))
"""Of each lap through the colours. Not "D" and "--": those are the reference rows'."""


_BREAKS = r"\s\-_/."
"""Signs after which a name may be broken, in a regular expression's brackets."""


@dataclass(frozen=True)
class ModelStyle:
    """How a model is drawn in every figure."""

    colour: str
    marker: str
    line: Line

    def handle(self, name: str, line: bool = True) -> Line2D:
        """The model's entry in a legend."""
        return Line2D(
            [],
            [],
            color=self.colour,
            marker=self.marker,
            linestyle=self.line if line else "none",
            markersize=3.5,
            linewidth=1,
            label=name,
        )


def model_styles(names: Collection[str]) -> dict[str, ModelStyle]:
    """Each model's own style, in the order of the alphabet; colours come again with other markers and lines."""
    styles = {}
    for index, name in enumerate(sorted(names)):
        lap, colour = divmod(index, len(MODEL_COLOURS))
        styles[name] = ModelStyle(MODEL_COLOURS[colour], _MARKERS[lap % len(_MARKERS)], _LINES[lap % len(_LINES)])
    return styles


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Width in points in the figures' font, markup signs taken as they are."""
    if not text.strip():
        return 0.0
    path = TextPath((0, 0), text, size=size, prop=FontProperties())
    return float(path.get_extents().x1)


def wrapped(text: str, width: float, size: float) -> str:
    """The text in as few lines of at most `width` points as it takes, about equally long: broken after spaces, hyphens,
    underscores, slashes and dots, within a word only where that alone is too wide."""
    lines = _filled(text, width, size)
    narrow, wide = 0.0, width
    while len(lines) > 1 and wide - narrow > 1:
        middle = (narrow + wide) / 2
        tighter = _filled(text, middle, size)
        if len(tighter) > len(lines) or _splits_words(tighter) > _splits_words(lines):
            narrow = middle
        else:
            lines, wide = tighter, middle
    return "\n".join(line.rstrip() for line in lines)


def _filled(text: str, width: float, size: float) -> list[str]:
    lines = [""]
    for piece in re.findall(rf"[^{_BREAKS}]+[{_BREAKS}]*|[{_BREAKS}]+", text):
        if text_width((lines[-1] + piece).rstrip(), size) <= width:
            lines[-1] += piece
            continue
        if lines[-1]:
            lines.append("")
        for sign in piece:
            if lines[-1] and text_width((lines[-1] + sign).rstrip(), size) > width:
                lines.append("")
            lines[-1] += sign
    return lines


def _splits_words(lines: Sequence[str]) -> int:
    return sum(re.search(rf"[{_BREAKS}]$", line) is None for line in lines[:-1])


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The places nearest to those wanted (ascending, least squares) that are `gap` apart, within `low` to `high` if
    there is room."""
    # Less i gaps each, the places need only ascend: isotonic regression, by pooling neighbours out of order.
    pools: list[list[float]] = []
    for index, place in enumerate(wanted):
        pools.append([place - index * gap])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    levels = [float(np.mean(pool)) for pool in pools for _ in pool]
    highest = max(low, high - (len(wanted) - 1) * gap)
    return [float(np.clip(level, low, highest)) + index * gap for index, level in enumerate(levels)]


def legend_below(figure: Figure, handles: Sequence[Artist], most_columns: int = 4) -> None:
    """A legend under the axes, in as many columns as fit; the figure grows by its height."""
    size = 6.5
    lines = any(isinstance(handle, Line2D) and handle.get_linestyle() != "None" for handle in handles)
    width, height = figure.get_size_inches()
    names = [wrapped(str(handle.get_label()), 0.85 * width * POINTS, size) for handle in handles]
    for columns in range(min(most_columns, len(handles)), 0, -1):
        legend = figure.legend(
            handles,
            names,
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize=size,
            columnspacing=1.4,
            handlelength=4 if lines else 1.4,  # a dash must show on both sides of its marker
            borderpad=0.2,
        )
        extent = legend.get_window_extent()
        if columns == 1 or extent.width <= width * figure.dpi:
            break
        legend.remove()
    figure.set_size_inches(width, height + extent.height / figure.dpi)
