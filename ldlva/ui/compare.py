"""What the Compare page shows, as values and HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import streamlit as st

from ldlva.comparison.comparison import REPLICATES, Comparison
from ldlva.distributions import human_distribution
from ldlva.figures import MODEL_COLOURS
from ldlva.measures import ACCURACY, GRID, HEADLINE
from ldlva.permutation import FLIPS
from ldlva.survey.comparing import Alignment, StudyComparison
from ldlva.survey.records import StudySummary, StudyVotes
from ldlva.ui import comparison_tables, components
from ldlva.ui.session import repository
from ldlva.wording import counted

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

FREQUENCIES_NOTE = (
    "Class frequencies do worse than uniform here because a face’s own votes are left out of what predicts it: where "
    "faces are few and balanced, that makes its own emotion the least frequent one of the others."
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
    each = counted(high, "vote") if low == high else f"{low:,} to {high:,} votes"
    left_out = "".join(
        f" Left out {reason}: {counted(count, 'face')}." for reason, count in report.left_out.items() if count
    )
    tied = counted(report.tied_faces, "face")
    ties = f" On {tied} several emotions share the most votes." if report.tied_faces else ""
    narrowed = "".join(
        f" {one.name} predicted only {one.predicted:,}; without it {counted(one.costs, 'face')} more could be compared."
        for one in report.coverage
        if one.costs
    )
    start = f"{counted(len(report.rows), 'face')} with {each} each; a smaller divergence is closer to people."
    lone = " One vote a face is one person's view, and says nothing about how far people agree." if high == 1 else ""
    return f"{start}{lone}{left_out}{narrowed}{ties}"


def choose_models(study: StudySummary, aligned: Alignment) -> list[str] | None:
    """A picker of the models to compare, and why others cannot be; None: all of them.

    The choice lasts as long as the visit, for each study by itself. A model that is added later is chosen too.
    """
    for name, why in aligned.incomparable.items():
        st.html(f'<p class="muted"><b>{escape(name)}</b> is left out: {escape(why)}</p>')
    names = list(aligned.predictions)
    if len(names) < 2:
        return None
    # Not the picker's own state, which Streamlit drops on every other page.
    left_out_key = f"compare-left-out-{study.name}"
    _pick_models(names, left_out_key)
    chosen = _chosen(names, left_out_key)
    return None if chosen == names else sorted(chosen)


@st.fragment
def _pick_models(names: Sequence[str], left_out_key: str) -> None:
    """Only the button starts a computation, and as a fragment a click on a name leaves the rest of the page alone."""
    compared = _chosen(names, left_out_key)
    # A key of the study and the names: with other models, the picker begins anew with what is compared.
    picked = st.pills(
        "Models", names, selection_mode="multi", default=compared, format_func=components.plain,
        key=f"models-{left_out_key}-{'/'.join(names)}",
    )  # fmt: skip
    same = set(picked) == set(compared)
    if st.button("Compare these models", key="compare-models", disabled=same or not picked):
        st.session_state[left_out_key] = set(names) - set(picked)
        st.rerun()
    if not picked:
        st.html(components.notice("Choose at least one model."))


def _chosen(names: Sequence[str], left_out_key: str) -> list[str]:
    """The models to compare; all where none of those chosen before is left."""
    left_out = st.session_state.get(left_out_key, set())
    return [name for name in names if name not in left_out] or list(names)


def draw_tables(report: Comparison, constant: str) -> None:
    """All numbers, from the most to the least asked for; sorted by the chosen constant, whose column is marked."""
    with st.expander("All numbers", expanded=True):
        st.html(comparison_tables.main_table(report, constant))
        st.html(f'<p class="muted">{reference_note(report)}</p><p class="muted">{METHOD_NOTE} {RATERS_NOTE}</p>')
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
        st.html(comparison_tables.further_table(report, constant))
        st.html('<p class="muted">Cosine, intersection and entropy correlation: larger is closer to people.</p>')
    if report.differences:
        with st.expander("Every pair of models"):
            st.html(comparison_tables.difference_table(report.differences, constant))
            if report.calibrated_differences:
                st.html('<p class="muted">After temperature:</p>')
                st.html(comparison_tables.difference_table(report.calibrated_differences, constant))
            st.html(f'<p class="muted">{PAIRS_NOTE}</p>')


def reference_note(report: Comparison) -> str:
    """What the reference rows are, as HTML, and why one of them looks wrong where it does."""
    notes = "; ".join(f"<b>{escape(floor.name)}</b> {escape(floor.meaning)}" for floor in report.floors)
    rows = {floor.name: floor.values for floor in report.floors}
    frequencies, uniform = rows.get("class frequencies"), rows["uniform"]
    beyond = frequencies is not None and (
        any(frequencies[key] > uniform[key] for key in GRID) or frequencies[ACCURACY] < uniform[ACCURACY]
    )
    return f"Reference rows: {notes}.{f' {FREQUENCIES_NOTE}' if beyond else ''}"


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
    people = {f"People ({counted(int(counts.sum()), 'vote')})": human_distribution(counts)[0].tolist()}
    models = {model.name: compared.predictions[model.name][row].tolist() for model in compared.comparison.models}
    return components.distribution_bars(compared.votes.emotions, people | models)


def divergences(report: Comparison, position: int) -> str:
    """The headline divergence of every model on one face."""
    values = ", ".join(f"{model.name} {model.per_image[position]:.2f}" for model in report.models)
    return f"Jeffreys divergence (ε = {HEADLINE}): {values}"


@dataclass(frozen=True)
class Order:
    """An order of faces.

    Attributes:
        rows: positions in the report, first to last.
        meaning: what faces are sorted by; `{model}` stands for the closest model overall.
    """

    rows: Callable[[Comparison], list[int]]
    meaning: str

    def explain(self, report: Comparison) -> str:
        """The meaning, as Markdown."""
        return self.meaning.format(model=f"**{components.plain(report.models[0].name)}**")


def farthest_first(report: Comparison) -> list[int]:
    """Faces on which the closest model is farthest from people first."""
    return list(np.argsort(-report.models[0].per_image, kind="stable"))


def closest_first(report: Comparison) -> list[int]:
    """Faces on which the closest model is closest to people first."""
    return list(np.argsort(report.models[0].per_image, kind="stable"))


def widest_gap_first(report: Comparison) -> list[int]:
    """Faces on which the models' divergences from people differ most first."""
    values = np.array([model.per_image for model in report.models])
    return list(np.argsort(-(values.max(axis=0) - values.min(axis=0)), kind="stable"))


_OF_THE_BEST = "Goes by {model} alone, the closest model over all faces; Explore goes by the mean of all models."
ORDERS: dict[str, Order] = {
    "Widest gap between models": Order(
        widest_gap_first,
        "Goes by how much farther from people the farthest model is on a face than the closest one. Models equally far "
        "from people may still say different things: Explore sorts by that.",
    ),
    "Farthest from people, closest model": Order(farthest_first, _OF_THE_BEST),
    "Closest to people, closest model": Order(closest_first, _OF_THE_BEST),
}
