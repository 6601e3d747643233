"""What the Results page shows, as values and HTML."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from ldlva.distributions import entropy
from ldlva.inference import Estimate
from ldlva.raters.agreement import Agreement
from ldlva.raters.quality import RaterQuality
from ldlva.survey.agreeing import (
    NO_RATERS,
    NO_VOLUNTEERS,
    SEVERAL,
    StudyAgreement,
    outside_labels,
    vote_agreement,
)
from ldlva.survey.records import StudySummary, StudyVotes
from ldlva.ui import components
from ldlva.ui.comparison_tables import DIGITS, number
from ldlva.ui.session import rater_results, repository
from ldlva.ui.session import votes as votes_of
from ldlva.wording import counted, data_set


def key_figures(study: StudySummary, votes: StudyVotes) -> list[tuple[str, str]]:
    """Value and caption of the tiles on top; agreement counts "none of these" as a choice like the others."""
    found = vote_agreement(votes)
    several = votes.sets is not None
    people = [_tile(study.volunteers, "volunteer")]
    if study.imported_raters:
        people.append(_tile(study.imported_raters, "imported rater"))
    tiles = [
        _tile(study.images, "face"),
        *people,
        _tile(study.votes, "vote"),
        (
            "–" if found.alpha is None else f"{found.alpha.mean:.2f}",
            "Krippendorff's α (sets of answers)" if several else "Krippendorff's α",
        ),
    ]
    if not several:
        pairs = "–" if found.pairwise is None else f"{found.pairwise:.0%}"
        tiles.append((pairs, "two raters agree (mean over faces)"))
    return tiles


def _tile(number: int, one: str) -> tuple[str, str]:
    """A count as value and caption."""
    value, caption = counted(number, one).split(" ", 1)
    return value, caption


def draw_agreement(study: StudySummary) -> None:
    """Agreement of all votes; single raters only on request, because that reads every vote, in a process of its own."""
    st.header("Agreement")
    nobody = study.volunteers == 0
    looks = st.toggle("Look at every rater", key="raters", disabled=nobody)
    if nobody:
        st.html(f'<p class="muted">{NO_RATERS if study.imported_raters else NO_VOLUNTEERS}</p>')
    if not looks:
        votes = votes_of(study)
        st.html(agreement_table({"All votes": vote_agreement(votes)}, several=votes.sets is not None))
        if votes.sets is not None:
            st.html(f'<p class="muted">{SEVERAL}</p>')
        return
    found = rater_results(study)
    several = study.protocol.response.mode == "multiple"
    st.html(agreement_table(agreement_columns(found), several))
    if found.alpha_over_raters is not None:
        st.html(f'<p class="muted">α with an interval over raters instead: {_in_line(found.alpha_over_raters)}</p>')
    if found.remark:
        st.html(f'<p class="muted">{escape(found.remark)}</p>')
    if found.quality is not None:
        st.html(f"<p>{rater_summary(found.quality)}</p>")
        draw_raters(found.quality)
        st.html(f'<p class="muted">{RATERS_NOTE}</p>')


def agreement_columns(found: StudyAgreement) -> dict[str, Agreement]:
    """All votes, and, where raters are known and some are flagged, the volunteers' with and without those."""
    columns = {"All votes": found.overall}
    if found.quality is not None and found.quality.flagged:
        if found.quality.everyone.votes != found.overall.votes:  # imported ones are there, too
            columns["Volunteers’ votes"] = found.quality.everyone
        columns["Without flagged volunteers"] = found.quality.without_flagged
    return columns


def agreement_table(columns: dict[str, Agreement], several: bool = False) -> str:
    """Coefficients by row; where several answers were allowed, without those that need one answer a person."""
    alpha, answers = ("α of sets of answers", "single answers") if several else ("α", "votes")
    rows: dict[str, list[str]] = {
        f"Krippendorff’s {alpha} (95%, jackknife over faces)": [_interval(one.alpha) for one in columns.values()]
    }
    if not several:
        rows |= {
            "Fleiss’ κ": [_number(one.fleiss_kappa) for one in columns.values()],
            "Two raters agree, mean over faces": [_number(one.pairwise, ".1%") for one in columns.values()],
        }
    rows |= {
        f"Entropy of a face’s {answers}, mean, nats": [_number(one.entropy) for one in columns.values()],
        "Faces with votes": [f"{one.images:,}" for one in columns.values()],
        "Votes": [f"{one.votes:,}" for one in columns.values()],
    }
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for name, cells in rows.items()
    )
    return (
        '<div class="table-wrap" tabindex="0"><table class="figures pinned"><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def draw_raters(quality: RaterQuality) -> None:
    """Every volunteer who voted, to be sorted by any column; at first, those with a sign come first."""
    rows = rater_rows(quality)
    st.caption(
        f"{len(rows):,} volunteers{', those with a sign first' if quality.flagged else ''}. Click a heading to sort, "
        "point at it to see what it means."
    )
    st.dataframe(
        rows,
        column_config=RATER_COLUMNS,
        hide_index=True,
        key="rater-table",
        placeholder="–",
        # Half a row at the lower edge shows that there are more.
        height=min(ROW_PIXELS * (len(rows) + 1) + 3, int(ROW_PIXELS * (MOST_RATERS + 1.5))),
    )


def rater_rows(quality: RaterQuality) -> list[dict[str, Any]]:
    """One line a volunteer, those with a sign first; columns that nobody has a value in are left out."""
    rows = [
        {
            "volunteer": rater.id,
            "signs": "; ".join(rater.flags) or None,
            "votes": rater.votes,
            "same": 100 * rater.most_frequent_share,
            "run": rater.longest_run,
            "seconds": None if rater.median_ms is None else rater.median_ms / 1000,
            "agrees": None if rater.agrees_with_others is None else 100 * rater.agrees_with_others,
            "beyond": rater.beyond_chance,
            "expected": 100 * rater.expected_accuracy,
            "gold": None if rater.gold_accuracy is None else 100 * rater.gold_accuracy,
        }
        for rater in sorted(quality.raters, key=lambda rater: (not rater.flags, rater.id))
    ]
    known = [name for name in RATER_COLUMNS if any(row[name] is not None for row in rows)]
    return [{name: row[name] for name in known} for row in rows]


def rater_summary(quality: RaterQuality) -> str:
    """What leaving the flagged out would change; nobody is left out of anything else."""
    people = f"{len(quality.raters):,} volunteers voted, {quality.flagged:,} with a sign of not having looked."
    if not quality.flagged:
        return people
    return (
        f"{people} Without them the most-voted answer changes on {quality.changed_majorities:,} faces, and "
        f"distributions move by {quality.moved:.3f} (mean total variation). All other results on these pages count "
        "everybody."
    )


def _interval(value: Estimate | None) -> str:
    if value is None:
        return "–"
    known = not np.isnan(value.low)
    return number(value.mean, DIGITS) + (f"<span class='interval'>{_bounds(value)}</span>" if known else "")


def _in_line(value: Estimate) -> str:
    return f"{number(value.mean, DIGITS)} {_bounds(value)}"


def _bounds(value: Estimate) -> str:
    return f"[{number(value.low, DIGITS)}, {number(value.high, DIGITS)}]"


def _number(value: float | None, form: str = ".3f") -> str:
    return "–" if value is None else f"{value:{form}}"


def link(study: StudySummary) -> str:
    """Where volunteers go, as it may be shown in Markdown."""
    return components.plain(f"/vote?study={study.name}")


def import_note(study: StudySummary) -> str:
    """Where imported votes come from and what they cannot tell."""
    source = escape(data_set(str(study.origin.get("source", "a file"))))
    return (
        f"Includes votes imported from {source}, which publishes counts per face: who cast which vote is unknown, so "
        "nothing here is about single raters."
    )


def outside(study: StudySummary, votes: StudyVotes) -> str:
    """How many votes are for no label, and what they said."""
    said = " or ".join(f"“{words}”" for words in outside_labels(study))
    together = ", which agreement takes for one and the same answer" if len(outside_labels(study)) > 1 else ""
    number = int(votes.none_counts.sum())
    are = "is" if number == 1 else "are"
    return f"{counted(number, 'more vote')} said {said}{together}, and {are} in no distribution."


def outside_title(study: StudySummary) -> str:
    """What votes for no label are called beside the labels."""
    return " or ".join(outside_labels(study)).capitalize()


def card(study: StudySummary, votes: StudyVotes, row: int) -> str:
    """The card of one face."""
    content, media_type = repository().image_content(votes.image_ids[row])
    return components.vote_card(
        votes.image_names[row],
        components.data_url(content, media_type),
        votes.emotions,
        votes.counts[row].tolist(),
        int(votes.none_counts[row]),
        outside_title(study),
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


RATERS_NOTE = (
    "Signs: one answer in nine of ten votes; half of the votes within 0.6 s; agreement with others hardly beyond "
    "chance; each from ten votes on. Beyond chance: 0 is what the same answers would reach on shuffled faces, 1 is "
    "always the same as the others. Expected accuracy: Dawid–Skene, which takes every face to show one emotion. None "
    "of this is proof: who sees what others do not is no bad rater."
)

ROW_PIXELS = 35
"""Height of a line of Streamlit's table."""

MOST_RATERS = 12
"""Lines of the table of raters that are seen at once."""

_number_column = st.column_config.NumberColumn
RATER_COLUMNS = {
    "volunteer": _number_column("Volunteer", pinned=True, format="%d", width=85),
    "signs": st.column_config.TextColumn("Signs", width=240, help="Signs of not having looked; see below."),
    "votes": _number_column("Votes", format="%d", width=60),
    "same": _number_column("Same", format="%.0f%%", width=65, help="Share of the most frequent answer."),
    "run": _number_column("Run", format="%d", width=55, help="Longest run of one and the same answer."),
    "seconds": _number_column("Time", format="%.1f s", width=65, help="Median time of an answer."),
    "agrees": _number_column("Agrees", format="%.0f%%", width=75, help="Share of the others who gave the same answer."),
    "beyond": _number_column("Beyond chance", format="%.2f", width=120, help="Agreement, corrected for chance."),
    "expected": _number_column("Accuracy", format="%.0f%%", width=90, help="Expected accuracy (Dawid–Skene)."),
    "gold": _number_column("Own label", format="%.0f%%", width=95, help="Agreement with the data set’s own label."),
}
"""Name, and how it is shown."""

ORDERS: dict[str, Callable[[StudyVotes], list[int]]] = {
    "Most ambiguous": most_ambiguous_first,
    "Clearest": clearest_first,
    "Name": by_name,
}
