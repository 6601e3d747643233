"""The component of small faces to open and to pick (`face_grid.js`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class GridFace:
    """One face: its number, name, picture as a data URL, and what to write under it."""

    id: int
    name: str
    picture: str
    value: str


def draw(
    faces: Sequence[GridFace],
    opened: int | None,
    picked: set[int],
    key: str,
    on_open: Callable[[int], None],
    on_tick: Callable[[int, bool], None],
) -> None:
    """Put the faces on the page.

    Args:
        faces: in their order.
        opened: the face that is marked as open.
        picked: those whose tick is set.
        key: of the component.
        on_open: called with a face's number when it is clicked.
        on_tick: called with a face's number and whether it is picked now.
    """

    def opening() -> None:
        if (face := st.session_state[key].get("opened")) is not None:
            on_open(int(face))

    def ticking() -> None:
        if (tick := st.session_state[key].get("ticked")) is not None:
            on_tick(int(tick["id"]), bool(tick["picked"]))

    component = st.components.v2.component(
        "ldlva_face_grid",
        html='<div class="face-grid"></div>',
        css=(_FOLDER / "face_grid.css").read_text(),
        js=(_FOLDER / "face_grid.js").read_text(),
    )
    data = {"faces": [asdict(face) for face in faces], "open": opened, "picked": sorted(picked)}
    component(key=key, data=data, on_opened_change=opening, on_ticked_change=ticking)
