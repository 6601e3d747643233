"""The component that draws an `Embedding`: linked canvases in the page itself (`face_map.js`), without plotly.

Plotly's hover shows text only, and its selections do not cross charts without a round trip to the server. Here a face
under the pointer appears at once, because the small pictures came along with the coordinates.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from ldlva.embedding.embedding import LABEL, MAJORITY, Embedding, Panel
from ldlva.embedding.figures import ENTROPY, NO_COLOUR, colourings, colours, entropy_title, interval, ramp
from ldlva.embedding.separation import NO_GROUP
from ldlva.wording import counted

_FOLDER = Path(__file__).parent
_RAMP_STEPS = 9


def draw(embedding: Embedding, sheets: Sequence[bytes], key: str) -> None:
    """Put the map on the page.

    Args:
        embedding: what to draw.
        sheets: its contact sheets.
        key: another one for another map.
    """
    component = st.components.v2.component(
        "ldlva_face_map",
        html='<div class="face-map"></div>',
        css=(_FOLDER / "face_map.css").read_text(),
        js=(_FOLDER / "face_map.js").read_text(),
    )
    component(key=f"face-map-{key}", data=content(embedding, sheets, key))


def content(embedding: Embedding, sheets: Sequence[bytes], key: str) -> dict[str, Any]:
    """What the component needs, as JSON."""
    known = colourings(embedding)
    return {
        "key": key,
        "names": embedding.names,
        "facts": _facts(embedding),
        "colourings": [_colouring(embedding, name, title) for name, title in known.items()],
        "colours": {name: colours(embedding, name) for name in known},
        "panels": [
            {
                "model": panel.model,
                "coordinates": panel.coordinates,
                "labels": [label.capitalize() for label in panel.labels],
                "choices": panel.choices,
                "confidences": panel.confidences,
                "numbers": {name: _numbers(panel, _grouping(embedding, name)) for name in known},
            }
            for panel in embedding.panels
        ],
        "layout": {"columns": embedding.layout.columns, "per_sheet": embedding.layout.per_sheet},
        "sheets": [base64.b64encode(sheet).decode() for sheet in sheets],
    }


def _grouping(embedding: Embedding, colouring: str) -> str:
    """Whose numbers stand under the panels: the colours' own, and for entropy the human majority's if there is one."""
    if colouring != ENTROPY:
        return colouring
    return MAJORITY if MAJORITY in embedding.groupings else LABEL


def _numbers(panel: Panel, grouping: str) -> list[list[str]]:
    found = panel.separation.get(grouping)
    if found is None:
        return []
    return [
        ["Silhouette", interval(found.silhouette)],
        ["Davies–Bouldin", interval(found.davies_bouldin)],
        [f"{found.k}-NN purity", interval(found.purity)],
    ]


def _colouring(embedding: Embedding, name: str, title: str) -> dict[str, Any]:
    described: dict[str, Any] = {"key": name, "title": title, "entries": []}
    if name == ENTROPY:
        steps = [ramp(step / (_RAMP_STEPS - 1)) for step in range(_RAMP_STEPS)]
        described |= {"ramp": steps, "until": f"{math.log(len(embedding.palette)):.2f} nats (all emotions alike)"}
        missing = any(value is None for value in embedding.entropies)
    else:
        groups = set(embedding.groups(name))
        described["entries"] = [
            [title, colour] for number, (_, title, colour) in enumerate(embedding.palette) if number in groups
        ]
        missing = NO_GROUP in groups
    if missing:
        described["entries"].append(["none", NO_COLOUR])
    return described


def _facts(embedding: Embedding) -> list[tuple[str, list[str]]]:
    """What is said of a face under the pointer: name, and a text for every face, empty where there is none."""
    titles = [*(title for _, title, _ in embedding.palette), ""]  # NO_GROUP is the last
    facts = []
    if embedding.human:
        facts.append(
            (
                "Human majority",
                [
                    f"{titles[group]} ({counted(votes, 'vote')})" if votes else ""
                    for group, votes in zip(embedding.majorities, embedding.votes, strict=True)
                ],
            )
        )
    facts.append(("Label", [titles[group] for group in embedding.labels]))
    if any(value is not None for value in embedding.entropies):
        facts.append(
            (entropy_title(embedding), ["" if value is None else f"{value:.2f} nats" for value in embedding.entropies])
        )
    if embedding.parts:
        facts.append(("Part", embedding.parts))
    return facts
