"""The Explore page: faces by disagreement, one of them in full, and a follow-up study of those picked."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from ldlva.comparison.disagreement import NOBODY, wilson_interval
from ldlva.distributions import HEADLINE_EPSILON, FloatArray, epsilon_name
from ldlva.emotions import Emotion
from ldlva.errors import LdlvaError
from ldlva.survey.exploring import ORDERS, PEOPLE, Exploration, View, explore_study, follow_up_name, follow_up_on
from ldlva.survey.records import StudySummary
from ldlva.ui import components, face_grid, session
from ldlva.wording import counted

PER_PAGE = 24
EVERYTHING = "All models (mean)"
FEWEST_AMBIGUOUS = 21

LEDE = "Faces on which people disagree, models disagree with people, or models disagree with each other."
NOTE = (
    "Bars are shares; the line on people’s bars is a 95% Wilson interval for each share by itself, given the number of "
    "votes. Models have none: a model says the same every time. J: Jeffreys divergence from the votes, both clipped at "
    f"{epsilon_name(HEADLINE_EPSILON)}; large by noise alone where votes are few. Ambiguity: entropy of the votes. "
    "Models’ conflict: mean Jensen–Shannon divergence over pairs of models."
)

_MADE = "explore-made"
_FAILURE = "explore-failure"
_NAME = "follow-up-name"
_COUNT = "how-many"


@dataclass(frozen=True)
class _Step:
    """Faces that were picked at once, by their numbers, and how, as the follow-up study records it."""

    how: dict[str, Any]
    faces: frozenset[int]


@st.cache_data(show_spinner="Lining up votes and predictions …", max_entries=32)
def _exploration(identity: str, version: tuple[int, ...], _study: StudySummary) -> Exploration:
    return explore_study(session.repository(), _study)


def exploration(study: StudySummary) -> Exploration:
    """The study's faces with votes and predictions, lined up once per state of them."""
    return _exploration(study.identity, session.repository().version(study), study)


def choose_view(found: Exploration) -> View:
    """Let the visitor sort and filter."""
    left, right = st.columns([3, 2])
    with left:
        order = st.segmented_control(
            "Sort by",
            found.orders,
            default=found.orders[0],
            required=True,
            format_func=ORDERS.__getitem__,
            key="order",
            wrap=True,
        )
    model = None
    if order == "divergence" and len(found.predictions) > 1:
        with right:
            chosen = st.selectbox("Distance of", [EVERYTHING, *found.predictions], key="model")
        model = None if chosen == EVERYTHING else chosen
    titles = {emotion.name: emotion.title for emotion in found.votes.emotions}
    left, right = st.columns([3, 2])
    with left:
        labels = st.pills(
            "Only",
            list(titles),
            selection_mode="multi",
            format_func=lambda name: components.plain(titles[name]),
            key="only-labels",
            wrap=True,
        )
    seers = [name for name, choices in found.choices.items() if (choices != NOBODY).any()]
    with right:
        who = st.selectbox(
            "as seen by", seers, format_func=lambda name: "People (majority)" if name == PEOPLE else name, key="who"
        )
    return View(order, model, tuple(labels or ()), who or PEOPLE)


def view_words(found: Exploration, view: View) -> str:
    """What is shown and in which order, as a part of a sentence."""
    order = ORDERS[view.order].lower()
    words = f"{order} first" if view.model is None else f"those first on which {view.model} is {order}"
    if not view.labels:
        return words
    titles = [emotion.title.lower() for emotion in found.votes.emotions if emotion.name in view.labels]
    seen = "most people" if view.who == PEOPLE else view.who
    return f"{words}, only those on which {seen} {'see' if view.who == PEOPLE else 'sees'} {' or '.join(titles)}"


def open_face(found: Exploration, study: StudySummary, shown: list[int]) -> int:
    """The row that the visitor opened, if it is among those shown, else the first of them."""
    opened = st.session_state.get(f"explore-open-{study.name}")
    return next((row for row in shown if found.votes.image_ids[row] == opened), shown[0])


def draw_grid(found: Exploration, study: StudySummary, values: FloatArray, shown: list[int], opened: int) -> None:
    """The faces of one page with what they are sorted by."""
    ids = found.votes.image_ids
    faces = [
        face_grid.GridFace(
            ids[row],
            found.votes.image_names[row],
            session.thumbnail(ids[row]),
            "–" if np.isnan(values[row]) else f"{values[row]:.2f}",
        )
        for row in shown
    ]
    picked = picks(study)

    def show(face: int) -> None:
        st.session_state[f"explore-open-{study.name}"] = face

    def tick(face: int, on: bool) -> None:
        (picked.add if on else picked.discard)(face)

    face_grid.draw(faces, ids[opened], picked, f"grid-{study.name}", show, tick)


def picks(study: StudySummary) -> set[int]:
    """Numbers of the images that the visitor picked; lives as long as the visit."""
    found: set[int] = st.session_state.setdefault(f"explore-picks-{study.name}", set())
    return found


def face_head(found: Exploration, row: int) -> str:
    """The open face with its numbers."""
    votes = found.votes
    content, media_type = session.repository().image_content(votes.image_ids[row])
    name = escape(votes.image_names[row])
    facts = [counted(int(votes.counts[row].sum()), "vote")]
    if votes.none_counts[row]:
        facts.append(f"{int(votes.none_counts[row]):,} “none of these” or other, in no share")
    for order, title in (("divergence", "J, mean of models"), ("ambiguity", "ambiguity"), ("conflict", "conflict")):
        value = found.values[order][row]
        if not np.isnan(value):
            facts.append(f"{title} {value:.2f}")
    if votes.image_labels[row]:
        facts.append(f"data set’s label: {escape(str(votes.image_labels[row]))}")
    return (
        f'<img class="panel-face" src="{components.data_url(content, media_type)}" alt="{name}">'
        f'<div class="muted">{name}<br>{"<br>".join(facts)}</div>'
    )


def panels(found: Exploration, row: int) -> str:
    """People first, then the models, closest first: bars per emotion, with intervals on people's shares."""
    votes = found.votes
    counts = votes.counts[row]
    total = int(counts.sum())
    shown = []
    if total:
        low, high = wilson_interval(counts, total)
        shown.append(_panel(f"People ({total:,})", "", votes.emotions, counts / total, (low, high)))
    distances = {name: found.sort_values("divergence", name)[row] for name in found.predictions}
    for name in sorted(distances, key=lambda one: (np.isnan(distances[one]), distances[one])):
        shares = found.predictions[name][row]
        if not np.isnan(shares).any():
            remark = "" if np.isnan(distances[name]) else f"J {distances[name]:.2f}"
            shown.append(_panel(name, remark, votes.emotions, shares, None))
    if not shown:
        return '<p class="muted">Nobody has voted on this face, and no model has predicted it.</p>'
    return f'<div class="sources">{"".join(shown)}</div>'


def _panel(
    title: str,
    remark: str,
    emotions: tuple[Emotion, ...],
    shares: FloatArray,
    interval: tuple[FloatArray, FloatArray] | None,
) -> str:
    rows = ""
    for column, emotion in enumerate(emotions):
        share = share_words(shares[column])
        whisker, words = "", share
        if interval is not None:
            low, high = interval[0][column], interval[1][column]
            whisker = f'<i style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>'
            words += f", 95% {share_words(low)} to {share_words(high)}"
        rows += (
            f'<div class="share" title="{escape(f"{emotion.title} {words}")}"><span>{escape(emotion.title)}</span>'
            f'<div class="track"><b style="width:{100 * shares[column]:.1f}%;background:{emotion.colour}"></b>{whisker}'
            f"</div><em>{escape(share)}</em></div>"
        )
    return f'<div class="source"><h4>{escape(title)}<small>{escape(remark)}</small></h4>{rows}</div>'


def share_words(share: float) -> str:
    """A share in percent; one that rounds to 0% without being 0 says so."""
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def draw_follow_up(found: Exploration, study: StudySummary, view: View) -> None:
    """Picking the first faces of what is shown, and the study made of those picked."""
    picked = picks(study)
    if (made := st.session_state.pop(_MADE, None)) is not None:
        st.success(f"“{made}” is a draft now. Open it on the Studies page.", icon=":material/check:")
    if (failure := st.session_state.pop(_FAILURE, None)) is not None:
        st.html(components.alert(failure))
    with st.container(horizontal=True, vertical_alignment="bottom", key="picking"):
        wanted = st.number_input(
            "How many", 1, max(1, study.images), min(FEWEST_AMBIGUOUS, study.images), key=_COUNT, width=160
        )
        first = len(found.first(view, int(wanted)))
        st.button(
            f"Pick the first {first:,} shown" if first else "Pick the first shown",
            key="pick-first",
            disabled=not first,
            on_click=_pick_first,
            args=(found, study, view),
        )
        st.button("Unpick all", key="unpick", disabled=not picked, on_click=_unpick, args=(study,))
    st.html(f'<p class="muted">{picked_words(found, view, picked)}</p>')
    with st.container(horizontal=True, vertical_alignment="bottom", key="follow-up"):
        suggestion = follow_up_name(study, set(session.repository().study_titles()))
        st.text_input("Short name of the follow-up study", key=_NAME, placeholder=suggestion)
        st.button(
            f"Make a study of {counted(len(picked), 'face')}",
            key="make-follow-up",
            type="primary",
            disabled=not picked,
            on_click=_make,
            args=(found, study, suggestion),
        )
    st.caption("A draft with the same protocol. How its faces were chosen is recorded with it.")


def picked_words(found: Exploration, view: View, picked: set[int]) -> str:
    """How many faces are picked, and how many of them are not among those shown."""
    outside = len(picked - {found.votes.image_ids[row] for row in found.rows(view)})
    words = f"{counted(len(picked), 'face')} picked"
    return f"{words}, {outside:,} of them not among those shown now." if outside else f"{words}."


def _pick_first(found: Exploration, study: StudySummary, view: View) -> None:
    # The number is read here, not passed: it may have been typed just before the click.
    rows = found.first(view, int(st.session_state[_COUNT]))
    faces = frozenset(found.votes.image_ids[row] for row in rows)
    step = _Step(view.record(len(rows)), faces)
    picks(study).update(faces)
    if step not in (steps := _steps(study)):
        steps.append(step)


def _steps(study: StudySummary) -> list[_Step]:
    """What the visitor picked at once, in order; ticks by hand are what the picks differ by."""
    found: list[_Step] = st.session_state.setdefault(f"explore-steps-{study.name}", [])
    return found


def _how(study: StudySummary) -> dict[str, Any]:
    """How the picked faces were picked."""
    steps, picked = _steps(study), picks(study)
    at_once: frozenset[int] = frozenset().union(*(step.faces for step in steps))
    by_hand = {"added": len(picked - at_once), "removed": len(at_once - picked)}
    return {"by": [step.how for step in steps], "by_hand": by_hand}


def _unpick(study: StudySummary) -> None:
    picks(study).clear()
    _steps(study).clear()


def _make(found: Exploration, study: StudySummary, suggestion: str) -> None:
    name = str(st.session_state[_NAME] or "").strip() or suggestion  # read here: typed just before the click, perhaps
    picked = picks(study)
    rows = [row for row, number in enumerate(found.votes.image_ids) if number in picked]
    try:
        follow_up_on(session.repository(), study, name, found, rows, _how(study))
    except LdlvaError as error:
        st.session_state[_FAILURE] = str(error)
        return
    st.session_state[_MADE] = name
    st.session_state[_NAME] = ""  # the next one needs another name
    _unpick(study)
