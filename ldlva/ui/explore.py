"""The Explore page: faces by disagreement, one of them in full, and a follow-up study of those picked."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from ldlva.comparison.disagreement import NOBODY, wilson_interval
from ldlva.distributions import HEADLINE_EPSILON, FloatArray, epsilon_name
from ldlva.emotions import Emotion
from ldlva.errors import LdlvaError
from ldlva.survey.exploring import ORDERS, PEOPLE, Exploration, explore_study
from ldlva.survey.records import StudySummary
from ldlva.ui import components, face_grid, session

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


@st.cache_data(show_spinner="Lining up votes and predictions …", max_entries=32)
def _exploration(identity: str, version: tuple[int, ...], _study: StudySummary) -> Exploration:
    return explore_study(session.repository(), _study)


def exploration(study: StudySummary) -> Exploration:
    """The study's faces with votes and predictions, lined up once per state of them."""
    return _exploration(study.identity, session.repository().version(study), study)


def choose_rows(found: Exploration) -> tuple[str, str | None, list[int]]:
    """Let the visitor sort and filter: the order, the model it is about if any, and the rows."""
    left, right = st.columns([3, 2])
    with left:
        order = st.segmented_control(
            "Sort by", found.orders, default=found.orders[0], required=True, format_func=ORDERS.__getitem__, key="order"
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
        )
    seers = [name for name, choices in found.choices.items() if (choices != NOBODY).any()]
    with right:
        who = st.selectbox(
            "as seen by", seers, format_func=lambda name: "People (majority)" if name == PEOPLE else name, key="who"
        )
    return order, model, found.rows(order, model, who or PEOPLE, labels or ())


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
        _remember(study, "hand", True)

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
    facts = [f"{int(votes.counts[row].sum())} votes"]
    if votes.none_counts[row]:
        facts.append(f"{int(votes.none_counts[row])} “none of these” or other, in no share")
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
        shown.append(_panel(f"People ({total})", "", votes.emotions, counts / total, (low, high)))
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
        whisker, words = "", f"{shares[column]:.0%}"
        if interval is not None:
            low, high = interval[0][column], interval[1][column]
            whisker = f'<i style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>'
            words += f", 95% {low:.0%} to {high:.0%}"
        rows += (
            f'<div class="share" title="{escape(emotion.title)} {words}"><span>{escape(emotion.title)}</span>'
            f'<div class="track"><b style="width:{100 * shares[column]:.1f}%;background:{emotion.colour}"></b>{whisker}'
            f"</div><em>{shares[column]:.0%}</em></div>"
        )
    return f'<div class="source"><h4>{escape(title)}<small>{escape(remark)}</small></h4>{rows}</div>'


def draw_follow_up(found: Exploration, study: StudySummary) -> None:
    """Picking faces in bulk, and the study made of those picked."""
    picked = picks(study)
    if (made := st.session_state.pop(_MADE, None)) is not None:
        st.success(f"“{made}” is a draft now. Open it on the Studies page.", icon=":material/check:")
    if (failure := st.session_state.pop(_FAILURE, None)) is not None:
        st.html(components.alert(failure))
    with st.container(horizontal=True, vertical_alignment="bottom", key="picking"):
        count = st.number_input(
            "How many", 1, max(1, study.images), min(FEWEST_AMBIGUOUS, study.images), key="how-many"
        )
        for order in found.orders:
            st.button(
                f"Pick: {ORDERS[order].lower()}",
                key=f"pick-{order}",
                on_click=_pick_top,
                args=(found, study, order, int(count)),
            )
        st.button("Unpick all", key="unpick", disabled=not picked, on_click=_unpick, args=(study,))
    st.html(f'<p class="muted">{_faces(len(picked))} picked.</p>')
    with st.container(horizontal=True, vertical_alignment="bottom", key="follow-up"):
        name = st.text_input(
            "Short name of the follow-up study", key="follow-up-name", placeholder=f"{study.name}-again"
        )
        st.button(
            f"Make a study of {_faces(len(picked))}",
            key="make-follow-up",
            type="primary",
            disabled=not picked,
            on_click=_make,
            args=(found, study, (name or "").strip()),
        )
    st.caption("A draft with the same protocol. How its faces were chosen is recorded with it.")


def _faces(count: int) -> str:
    return "1 face" if count == 1 else f"{count} faces"


def _pick_top(found: Exploration, study: StudySummary, order: str, count: int) -> None:
    ids = dict(zip(found.votes.image_names, found.votes.image_ids, strict=True))
    picks(study).update(ids[name] for name in found.top(order, count))
    _remember(study, order, count)


def _how(study: StudySummary) -> dict[str, int]:
    """How the picked faces were picked: by which order how many, and whether by hand."""
    return dict(st.session_state.get(f"explore-how-{study.name}", {}))


def _remember(study: StudySummary, order: str, count: int) -> None:
    st.session_state[f"explore-how-{study.name}"] = {**_how(study), order: count}


def _unpick(study: StudySummary) -> None:
    picks(study).clear()
    st.session_state.pop(f"explore-how-{study.name}", None)


def _make(found: Exploration, study: StudySummary, name: str) -> None:
    picked = picks(study)
    names = [
        face for face, number in zip(found.votes.image_names, found.votes.image_ids, strict=True) if number in picked
    ]
    chosen = {
        "by": _how(study),
        "votes": study.votes,
        "models": list(found.predictions),
        "faces": len(names),
    }
    try:
        session.repository().clone_study(study.name, name, faces=names, chosen=chosen)
    except LdlvaError as error:
        st.session_state[_FAILURE] = str(error)
        return
    st.session_state[_MADE] = name
    _unpick(study)
