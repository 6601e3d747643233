"""The supplement's Figure 1 as SVG: panels of points side by side, with numbers under each.

No plotly: a map of thousands of points becomes one small file that every journal and browser takes.
"""

from __future__ import annotations

from html import escape

import numpy as np

from ldlva.distributions import FloatArray
from ldlva.embedding.embedding import LABEL, MAJORITY, Embedding, Panel
from ldlva.embedding.separation import NO_GROUP
from ldlva.inference import Estimate

ENTROPY = "entropy"
NO_COLOUR = "#D3D5DA"

RAMP = ((0.0, (36, 64, 122)), (0.35, (44, 140, 146)), (0.7, (226, 176, 74)), (1.0, (200, 66, 62)))
"""Low to high entropy; its lightness rises and falls once, and the two ends differ in hue."""

_SIDE, _GAP, _TOP, _BOTTOM = 300, 24, 34, 92


def colourings(embedding: Embedding) -> dict[str, str]:
    """What faces can be coloured by, with its name for a person."""
    found = {}
    if LABEL in embedding.groupings:
        found[LABEL] = "Label"
    if MAJORITY in embedding.groupings:
        found[MAJORITY] = "Human majority"
    if any(value is not None for value in embedding.entropies):
        found[ENTROPY] = entropy_title(embedding)
    return found


def entropy_title(embedding: Embedding) -> str:
    """What the entropies are of."""
    return "Vote entropy" if embedding.human else f"Entropy of the {embedding.reference.split(' (')[0]}"


def colours(embedding: Embedding, colouring: str) -> list[str]:
    """A colour for every face."""
    if colouring == ENTROPY:
        highest = float(np.log(len(embedding.palette)))
        return [NO_COLOUR if value is None else ramp(value / highest) for value in embedding.entropies]
    return [NO_COLOUR if group == NO_GROUP else embedding.palette[group][2] for group in embedding.groups(colouring)]


def ramp(share: float) -> str:
    """The colour of an entropy as a share of the largest possible."""
    places = [place for place, _ in RAMP]
    red, green, blue = (round(float(np.interp(share, places, [stop[c] for _, stop in RAMP]))) for c in range(3))
    return f"#{red:02X}{green:02X}{blue:02X}"


def shown_range(coordinates: FloatArray) -> tuple[float, float, float]:
    """Least x, least y and the side of the square that shows all points with a margin."""
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    side = max(float((high - low).max()), 1e-9) * 1.08
    middle = (low + high) / 2
    return float(middle[0] - side / 2), float(middle[1] - side / 2), side


def radius(faces: int) -> float:
    """Of a point, in pixels of a panel of 300."""
    return float(np.clip(60 / np.sqrt(faces), 0.9, 5))


def embedding_svg(embedding: Embedding, colouring: str | None = None) -> str:
    """All panels side by side.

    Args:
        embedding: what to draw.
        colouring: a key of `colourings`; None: the first.
    """
    chosen = colouring or next(iter(colourings(embedding)), LABEL)
    painted = colours(embedding, chosen)
    width = len(embedding.panels) * (_SIDE + _GAP) - _GAP + 2
    height = _TOP + _SIDE + _BOTTOM
    body = "".join(
        _panel(embedding, panel, painted, chosen, 1 + number * (_SIDE + _GAP))
        for number, panel in enumerate(embedding.panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="11" fill="#1F2430">'
        f"<title>{escape(_caption(embedding))}</title>{body}{_legend(embedding, chosen, height)}</svg>\n"
    )


def _caption(embedding: Embedding) -> str:
    return (
        f"{len(embedding.names)} faces of {embedding.title}, t-SNE at perplexity {embedding.perplexity:g}, seed "
        f"{embedding.seed} ({', '.join(embedding.versions)})"
    )


def _panel(embedding: Embedding, panel: Panel, painted: list[str], colouring: str, left: int) -> str:
    points = np.array(panel.coordinates)
    least_x, least_y, side = shown_range(points)
    size = radius(len(points))
    circles = "".join(
        f'<circle cx="{left + _SIDE * (x - least_x) / side:.1f}" cy="{_TOP + _SIDE * (1 - (y - least_y) / side):.1f}" '
        f'r="{size:.1f}" fill="{colour}"/>'
        for (x, y), colour in zip(points, painted, strict=True)
    )
    return (
        f'<text x="{left}" y="20" font-size="13" font-weight="bold">{escape(panel.model)}</text>'
        f'<rect x="{left}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="#C9CCD3"/>'
        f'<g fill-opacity="0.8">{circles}</g>{_numbers(embedding, panel, colouring, left)}'
    )


def _numbers(embedding: Embedding, panel: Panel, colouring: str, left: int) -> str:
    found = panel.separation.get(colouring) or next(iter(panel.separation.values()), None)
    if found is None:
        return ""
    lines = (
        ("silhouette", found.silhouette),
        ("Davies–Bouldin", found.davies_bouldin),
        (f"{found.k}-NN purity", found.purity),
    )
    return "".join(
        f'<text x="{left}" y="{_TOP + _SIDE + 18 + 15 * number}">{name} {interval(value)}</text>'
        for number, (name, value) in enumerate(lines)
    )


def interval(value: Estimate) -> str:
    """A number with its 95% interval."""
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]".replace("-", "−")


def _legend(embedding: Embedding, colouring: str, height: int) -> str:
    y = height - 18
    if colouring == ENTROPY:
        steps = "".join(
            f'<rect x="{1 + 6 * step}" y="{y - 9}" width="6" height="10" fill="{ramp(step / 19)}"/>'
            for step in range(20)
        )
        return f'{steps}<text x="128" y="{y}">entropy from 0 to ln {len(embedding.palette)} nats</text>'
    entries, x = "", 1
    for _, title, colour in embedding.palette:
        entries += f'<circle cx="{x + 4}" cy="{y - 4}" r="4" fill="{colour}"/>'
        entries += f'<text x="{x + 12}" y="{y}">{escape(title)}</text>'
        x += 24 + 6 * len(title)
    return entries
