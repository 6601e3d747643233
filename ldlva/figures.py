"""Every chart, as a plotly figure. Functions return figures and show nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ldlva.comparison.comparison import Comparison
from ldlva.distributions import FloatArray
from ldlva.emotions import Emotion, emotion

INK = "#1F2430"
MUTED = "#6B7280"
GRID_LINE = "#E7E5E0"
MODEL_COLOURS = ("#2D5BA8", "#C2553B", "#4B8B5A", "#8A5AA8", "#A07B2C", "#3D8C95", "#9B4A66", "#5F6B7A")
"""Series colours of models; chosen apart from each other, never used for an emotion's own bar."""


def _layout(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "Source Sans, Source Sans Pro, sans-serif", "size": 14, "color": INK},
        showlegend=False,
        bargap=0.28,
        dragmode=False,
        hoverlabel={"bgcolor": "white", "font": {"color": INK}},
    )
    figure.update_xaxes(automargin=True, fixedrange=True, tickfont={"size": 13})
    figure.update_yaxes(automargin=True, fixedrange=True, tickfont={"size": 13}, ticklabelstandoff=6)
    return figure


def distribution_panels(labels: Sequence[str | Emotion], distributions: Mapping[str, FloatArray]) -> go.Figure:
    """One face: bars per emotion, a panel per source (people first, then models), as in the supplement's Figure 2.

    Args:
        labels: C labels; a built-in one may be given by its name.
        distributions: panel title to `[C]`, summing to 1.
    """
    titles = [emotion(label).title for label in labels]
    colours = [emotion(label).colour for label in labels]
    figure = make_subplots(
        rows=1, cols=len(distributions), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=list(distributions)
    )
    for column, (source, shares) in enumerate(distributions.items(), start=1):
        figure.add_bar(
            x=shares,
            y=titles,
            orientation="h",
            marker_color=colours,
            text=[f"{share:.0%}" if share >= 0.005 else "" for share in shares],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=f"{source}: %{{y}} %{{x:.1%}}<extra></extra>",
            row=1,
            col=column,
        )
    figure.update_annotations(font={"size": 13, "color": INK}, yshift=4)
    figure.update_xaxes(range=[0, 1.28], visible=False)
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    return _layout(figure, height=52 + 27 * len(labels))


def overall_distribution(labels: Sequence[str | Emotion], counts: Sequence[int]) -> go.Figure:
    """Votes per emotion over all images of a study."""
    total = sum(counts)
    figure = go.Figure(
        go.Bar(
            x=list(counts),
            y=[emotion(label).title for label in labels],
            orientation="h",
            marker_color=[emotion(label).colour for label in labels],
            text=[f"{count / total:.0%} ({count})" if count else "0" for count in counts],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x} votes<extra></extra>",
        )
    )
    figure.update_xaxes(visible=False, range=[0, 1.3 * max(counts)])
    figure.update_yaxes(autorange="reversed", ticks="")
    return _layout(figure, height=30 + 36 * len(labels))


def votes_per_hour(hours: Sequence[tuple[datetime, int]]) -> go.Figure:
    """Votes in every hour in which there were any: (beginning of the hour, votes), oldest first."""
    figure = go.Figure(
        go.Bar(
            x=[hour for hour, _ in hours],
            y=[votes for _, votes in hours],
            width=0.8 * 3600 * 1000,
            marker_color=MODEL_COLOURS[0],
            hovertemplate="%{x|%d %b, %H:00} UTC: %{y} votes<extra></extra>",
        )
    )
    figure.update_xaxes(type="date", showgrid=False, linecolor=GRID_LINE, nticks=6, tickformat="%H:%M<br>%d %b")
    if len(hours) == 1:  # one bar would fill the whole chart
        hour = hours[0][0]
        figure.update_xaxes(range=[hour - timedelta(hours=6), hour + timedelta(hours=6)])
    figure.update_yaxes(gridcolor=GRID_LINE, rangemode="tozero", nticks=4, tickformat="d")
    return _layout(figure, height=190)


def divergence_chart(comparison: Comparison, constant: str, colours: Mapping[str, str]) -> go.Figure:
    """Mean Jeffreys divergence of every model with its 95% interval above the reference rows; left is closer.

    Closest first at the chosen constant. A model's raw predictions are a filled mark, the ones after temperature an
    open mark below it.

    Args:
        comparison: the report.
        constant: key of the clipping constant, e.g. `1e-3`.
        colours: model name to colour.
    """
    models = sorted(comparison.models, key=lambda model: model.estimates[constant].mean)
    floors = sorted(comparison.floors, key=lambda floor: floor.values[constant])
    rows = [model.name for model in models] + [floor.name for floor in floors]
    place = {name: len(rows) - 1 - position for position, name in enumerate(rows)}
    figure = go.Figure()
    for calibrated in (False, True):
        for model in models:
            if (scores := model.scores(calibrated)) is None:
                continue
            value, name = scores.estimates[constant], escape(model.name)
            words = f"{name} after temperature" if calibrated else name
            figure.add_scatter(
                x=[value.mean],
                y=[place[model.name] - (0.24 if calibrated else 0)],
                mode="markers" if calibrated else "markers+text",
                marker={
                    "size": 9 if calibrated else 13,
                    "color": colours[model.name],
                    "symbol": "circle-open" if calibrated else "circle",
                    "line": {"width": 2, "color": colours[model.name]},
                },
                text=[f"{value.mean:.2f}"],
                textposition="top center",
                cliponaxis=False,
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [value.high - value.mean],
                    "arrayminus": [value.mean - value.low],
                    "color": colours[model.name],
                    "thickness": 1.5 if calibrated else 2.5,
                    "width": 4 if calibrated else 6,
                },
                hovertemplate=f"{words}: %{{x:.3f}} [{value.low:.3f}, {value.high:.3f}]<extra></extra>",
            )
    figure.add_scatter(
        x=[floor.values[constant] for floor in floors],
        y=[place[floor.name] for floor in floors],
        mode="markers+text",
        marker={"size": 11, "color": MUTED, "symbol": "diamond-open", "line": {"width": 2}},
        text=[f"{floor.values[constant]:.2f}" for floor in floors],
        textposition="top center",
        textfont={"color": MUTED},
        cliponaxis=False,
        customdata=[f"{floor.name}: {floor.meaning}" for floor in floors],
        hovertemplate="%{x:.3f}<br>%{customdata}<extra></extra>",
    )
    figure.update_yaxes(
        tickvals=[place[name] for name in rows],
        ticktext=[escape(name) for name in rows],
        showgrid=True,
        gridcolor=GRID_LINE,
        zeroline=False,
        range=[-0.6, len(rows) - 0.3],
    )
    ends = [model.estimates[constant].high for model in models]
    widest = max(*ends, *(floor.values[constant] for floor in floors))
    figure.update_xaxes(
        # Room for the numbers of the outermost marks on a phone, where they take a tenth of the width.
        range=[-0.1 * widest, 1.1 * widest],
        showgrid=False,
        zeroline=True,
        zerolinecolor=GRID_LINE,
        ticks="outside",
    )
    return _layout(figure, height=70 + 46 * len(rows))


def epoch_curves(
    curves: Mapping[str, Sequence[tuple[int, float]]], colours: Mapping[str, str], epochs: int, percent: bool = False
) -> go.Figure:
    """One metric, or some of the same unit, over the epochs of a training; a line per name.

    Args:
        curves: (epoch, value) pairs by name.
        colours: colour by name.
        epochs: how many there will be; the axis does not move while training.
        percent: whether values are shares.
    """
    value = "%{y:.1%}" if percent else "%{y:.3f}"
    step = _round_step(epochs)
    figure = go.Figure()
    for name, points in curves.items():
        figure.add_scatter(
            x=[epoch for epoch, _ in points],
            y=[height for _, height in points],
            name=escape(name),
            mode="lines+markers" if len(points) <= 30 else "lines",
            line={"color": colours[name], "width": 2.5},
            marker={"size": 6},
            hovertemplate=f"{escape(name)}: {value}<extra></extra>",
        )
    figure.update_xaxes(
        range=[0.7, max(2, epochs) + 0.3],
        tick0=1 if step <= 2 else 0,
        dtick=step,
        showgrid=False,
        linecolor=GRID_LINE,
        title={"text": "Epoch", "font": {"size": 13, "color": MUTED}, "standoff": 4},
    )
    figure.update_yaxes(
        gridcolor=GRID_LINE, zeroline=False, nticks=6, tickformat=".0%" if percent else None, rangemode="normal"
    )
    if percent:
        heights = [height for points in curves.values() for _, height in points]
        low, high = min(heights, default=0.0), max(heights, default=1.0)
        margin = max(0.05, 0.15 * (high - low))
        figure.update_yaxes(range=[max(0.0, low - margin), min(1.02, high + margin)])
    _layout(figure, height=230)
    figure.update_layout(hovermode="x unified", margin_t=8)
    return figure


def _round_step(epochs: int) -> int:
    """Distance of ticks that leaves at most eight of them."""
    return next(step for step in (1, 2, 5, 10, 20, 50, 100, 200) if epochs <= 8 * step)
