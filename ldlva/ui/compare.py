"""What the Compare page shows, as values and HTML."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import numpy as np
import streamlit as st

from ldlva.comparison.comparison import REPLICATES, Comparison
from ldlva.distributions import human_distribution
from ldlva.figures import MODEL_COLOURS
from ldlva.measures import HEADLINE
from ldlva.permutation import FLIPS
from ldlva.survey.comparing import Alignment, StudyComparison
from ldlva.survey.records import StudyVotes
from ldlva.ui import comparison_tables, components
from ldlva.ui.session import repository

METHOD_NOTE = (
    "Jeffreys divergence: the mean over faces of Σ (d − f) ln(d / f), d the human and f the predicted distribution. It "
    "is infinite where nobody chose an emotion, so both are clipped at ε and renormalised; ε moves the values "
    "several-fold, so trust only an order that holds in every column. Soft cross-entropy leaves the votes as they are; "
    "Jensen–Shannon needs no clipping at all. Intervals: 95%, paired bootstrap over faces and raters within faces, "
    f"{REPLICATES:,} replicates, rescaled to the standard error over faces. Accuracy: the most probable label has the "
    "most votes; a label tied for most counts."
)

RATERS_NOTE = (
    "Worth raters: how many people, their votes averaged, predict the crowd as well as the model, by squared distance, "
    "free of zero handling (survey equivalence, Resnick et al. 2021). “More than” where that is beyond the number of "
    "votes a face has."
)

PAIRS_NOTE = (
    f"Farther minus closer. p: paired sign flips over faces ({FLIPS:,} random ones, all of them with few faces), "
    "corrected for the number of pairs by Holm's method, within each column."
)

HALF_NOTE = (
    "People can only be compared with people by setting some against the others. Here half of a face's raters is what "
    "everyone is measured against, models and the other half alike."
)

RENDERED_NOTE = (
    "These faces are computer-made. Models trained on photographs (FER+) read them poorly, mostly as neutral, and "
    "models trained on computer-made faces have only seen what the generator meant to show: this comparison shows what "
    "the page does, not what the models can do."
)


def scope(report: Comparison) -> str:
    """On what the numbers rest, and which model makes it less."""
    low, high = report.votes_per_image
    each = ("1 vote" if high == 1 else f"{high} votes") if low == high else f"{low} to {high} votes"
    left_out = "".join(f" Left out {reason}: {_faces(count)}." for reason, count in report.left_out.items() if count)
    ties = f" On {_faces(report.tied_faces)} several emotions share the most votes." if report.tied_faces else ""
    narrowed = "".join(
        f" {one.name} predicted only {one.predicted}; without it {_faces(one.costs)} more could be compared."
        for one in report.coverage
        if one.costs
    )
    start = f"{_faces(len(report.rows))} with {each} each; a smaller divergence is closer to people."
    return f"{start}{left_out}{narrowed}{ties}"


def _faces(count: int) -> str:
    return "1 face" if count == 1 else f"{count:,} faces"


def choose_models(aligned: Alignment) -> list[str] | None:
    """A picker of the models to compare, and why others cannot be; None: all of them."""
    for name, why in aligned.incomparable.items():
        st.html(f'<p class="muted"><b>{escape(name)}</b> is left out: {escape(why)}</p>')
    names = list(aligned.predictions)
    if len(names) < 2:
        return None
    # A key of the names: a model that is added later is chosen too.
    chosen = st.pills(
        "Models", names, selection_mode="multi", default=names, format_func=components.plain,
        key=f"models-{'/'.join(names)}",
    )  # fmt: skip
    if not chosen:
        st.html(components.notice("Choose at least one model."))
        st.stop()
    return None if set(chosen) == set(names) else sorted(chosen)


def draw_tables(report: Comparison) -> None:
    """All numbers, from the most to the least asked for."""
    with st.expander("All numbers", expanded=True):
        st.html(comparison_tables.main_table(report))
        notes = "; ".join(f"<b>{escape(floor.name)}</b> {escape(floor.meaning)}" for floor in report.floors)
        st.html(f'<p class="muted">Reference rows: {notes}.</p><p class="muted">{METHOD_NOTE} {RATERS_NOTE}</p>')
        if temperatures := comparison_tables.temperature_notes(report.models):
            st.html(
                '<p class="muted">Temperature makes a model’s predictions flatter or sharper as a whole and changes no '
                f"order of emotions. Fitted on {escape('; '.join(temperatures))}.</p>"
            )
    if half := comparison_tables.half_table(report):
        with st.expander("Models and people against half of the raters"):
            st.html(half)
            st.html(f'<p class="muted">{HALF_NOTE}</p>')
    with st.expander("Other measures"):
        st.html(comparison_tables.further_table(report))
        st.html('<p class="muted">Cosine, intersection and entropy correlation: larger is closer to people.</p>')
    if report.differences:
        with st.expander("Every pair of models"):
            st.html(comparison_tables.difference_table(report.differences))
            if report.calibrated_differences:
                st.html('<p class="muted">After temperature:</p>')
                st.html(comparison_tables.difference_table(report.calibrated_differences))
            st.html(f'<p class="muted">{PAIRS_NOTE}</p>')


def model_colours(compared: StudyComparison) -> dict[str, str]:
    """A colour per model that depends neither on the ranking nor on which models are chosen."""
    names = sorted(compared.predictions)
    return {name: MODEL_COLOURS[index % len(MODEL_COLOURS)] for index, name in enumerate(names)}


def face(votes: StudyVotes, row: int) -> str:
    """One face with its name."""
    content, media_type = repository().image_content(votes.image_ids[row])
    name = escape(votes.image_names[row])
    return (
        f'<img class="panel-face" src="{components.data_url(content, media_type)}" alt="{name}">'
        f'<div class="muted">{name}</div>'
    )


def panels(compared: StudyComparison, row: int) -> str:
    """What people and every model said about one face."""
    counts = compared.votes.counts[[row]]
    people = {f"People ({counts.sum()} votes)": human_distribution(counts)[0].tolist()}
    models = {model.name: compared.predictions[model.name][row].tolist() for model in compared.comparison.models}
    return components.distribution_bars(compared.votes.emotions, people | models)


def divergences(report: Comparison, position: int) -> str:
    """The headline divergence of every model on one face."""
    values = ", ".join(f"{model.name} {model.per_image[position]:.2f}" for model in report.models)
    return f"Jeffreys divergence (ε = {HEADLINE}): {values}"


def farthest_first(report: Comparison) -> list[int]:
    """Faces on which the closest model is farthest from people first."""
    return list(np.argsort(-report.models[0].per_image, kind="stable"))


def closest_first(report: Comparison) -> list[int]:
    return list(np.argsort(report.models[0].per_image, kind="stable"))


def most_different_first(report: Comparison) -> list[int]:
    """Faces on which the models' divergences differ most first."""
    values = np.array([model.per_image for model in report.models])
    return list(np.argsort(-(values.max(axis=0) - values.min(axis=0)), kind="stable"))


ORDERS: dict[str, Callable[[Comparison], list[int]]] = {
    "Models differ most": most_different_first,
    "Farthest from people": farthest_first,
    "Closest to people": closest_first,
}
