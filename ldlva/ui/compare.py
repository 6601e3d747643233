"""What the Compare page shows, as values and HTML."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import numpy as np

from ldlva.comparison import HEADLINE, REPLICATES, Comparison
from ldlva.figures import MODEL_COLOURS
from ldlva.survey.records import StudyVotes
from ldlva.ui import components
from ldlva.ui.session import repository

METHOD_NOTE = (
    "Jeffreys divergence: the mean over faces of Σ (d − f) ln(d / f), d the human and f the predicted distribution. It "
    "is infinite where nobody chose an emotion, so both are clipped at ε and renormalised; ε moves the values "
    "several-fold, so trust only an order that holds in every column. Soft cross-entropy leaves the votes as they are; "
    "Jensen-Shannon needs no clipping at all. Intervals: 95%, paired bootstrap over faces and raters within faces, "
    f"{REPLICATES:,} replicates."
)

RENDERED_NOTE = (
    "These faces are computer-made. Models trained on photographs (FER+) read them poorly, mostly as neutral, and "
    "models trained on computer-made faces have only seen what the generator meant to show: this comparison shows what "
    "the page does, not what the models can do."
)


def scope(report: Comparison) -> str:
    """On what the numbers rest."""
    low, high = report.votes_per_image
    each = ("1 vote" if high == 1 else f"{high} votes") if low == high else f"{low} to {high} votes"
    left_out = "".join(f" Left out {reason}: {_faces(count)}." for reason, count in report.left_out.items() if count)
    return f"{_faces(len(report.rows))} with {each} each; a smaller divergence is closer to people.{left_out}"


def _faces(count: int) -> str:
    return "1 face" if count == 1 else f"{count} faces"


def model_colours(report: Comparison) -> dict[str, str]:
    """A colour per model that does not depend on the ranking."""
    names = sorted(model.name for model in report.models)
    return {name: MODEL_COLOURS[index % len(MODEL_COLOURS)] for index, name in enumerate(names)}


def face(votes: StudyVotes, row: int) -> str:
    """One face with its name."""
    content, media_type = repository().image_content(votes.image_ids[row])
    name = escape(votes.image_names[row])
    return (
        f'<img class="panel-face" src="{components.data_url(content, media_type)}" alt="{name}">'
        f'<div class="muted">{name}</div>'
    )


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
