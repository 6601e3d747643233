"""What the Results page shows, as values and HTML."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import numpy as np

from ldlva.distributions import entropy
from ldlva.inference import krippendorff_alpha, pairwise_agreement
from ldlva.survey.records import StudySummary, StudyVotes
from ldlva.ui import components
from ldlva.ui.session import repository


def key_figures(study: StudySummary, votes: StudyVotes) -> list[tuple[str, str]]:
    """Value and caption of the tiles on top; agreement counts "none of these" as a choice like the others."""
    choices = np.column_stack([votes.counts, votes.none_counts])
    alpha = krippendorff_alpha(choices)
    agreement = pairwise_agreement(choices)
    people = [(str(study.volunteers), "volunteers")]
    if study.imported_raters:
        people.append((str(study.imported_raters), "imported raters"))
    return [
        (str(study.images), "faces"),
        *people,
        (str(study.votes), "votes"),
        ("–" if alpha is None else f"{alpha:.2f}", "Krippendorff's α"),
        ("–" if np.isnan(agreement).all() else f"{np.nanmean(agreement):.0%}", "two raters agree (mean over faces)"),
    ]


def link(study: StudySummary) -> str:
    """Where volunteers go, as it may be shown in Markdown."""
    return components.plain(f"/vote?study={study.name}")


def import_note(study: StudySummary) -> str:
    """Where imported votes come from and what they cannot tell."""
    source = escape(str(study.origin.get("source", "a file")))
    return (
        f"Includes votes imported from {source}, which publishes counts per face: who cast which vote is unknown, so "
        "nothing here is about single raters."
    )


def card(votes: StudyVotes, row: int) -> str:
    """The card of one face."""
    content, media_type = repository().image_content(votes.image_ids[row])
    return components.vote_card(
        votes.image_names[row],
        components.data_url(content, media_type),
        votes.emotions,
        votes.counts[row].tolist(),
        int(votes.none_counts[row]),
    )


def most_ambiguous_first(votes: StudyVotes) -> list[int]:
    """Rows by falling entropy of their votes; faces without votes last."""
    return _by_entropy(votes, sign=-1)


def clearest_first(votes: StudyVotes) -> list[int]:
    """Rows by rising entropy of their votes; faces without votes last."""
    return _by_entropy(votes, sign=1)


def _by_entropy(votes: StudyVotes, sign: int) -> list[int]:
    totals = votes.counts.sum(axis=1)
    shares = votes.counts / np.maximum(totals, 1)[:, None]
    return list(np.argsort(np.where(totals > 0, sign * entropy(shares), np.inf), kind="stable"))


def by_name(votes: StudyVotes) -> list[int]:
    return sorted(range(len(votes.image_names)), key=lambda row: votes.image_names[row])


ORDERS: dict[str, Callable[[StudyVotes], list[int]]] = {
    "Most ambiguous": most_ambiguous_first,
    "Clearest": clearest_first,
    "Name": by_name,
}
