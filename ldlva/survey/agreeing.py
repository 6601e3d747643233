"""How well the raters of a study agree, and how each of them voted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ldlva.distributions import IntArray
from ldlva.inference import CONFIDENCE, Estimate
from ldlva.raters.agreement import Agreement, agreement, pairwise_agreement, set_agreement, vote_entropy
from ldlva.raters.quality import RaterQuality, rater_quality
from ldlva.survey.records import StudySummary, StudyVotes
from ldlva.survey.repository import Repository

NO_RATERS = (
    "Nothing can be said about single raters: these votes come from a source that publishes counts per face, and they "
    "were dealt to raters at random."
)
NO_VOLUNTEERS = "Nobody has voted on this site yet, so there is nothing to say about single raters."
SOME_IMPORTED = "Imported votes were dealt to raters at random and are left out of everything about single raters."
SEVERAL = (
    "Volunteers could choose several emotions, and two answers of one person are no disagreement: α compares sets of "
    "answers (MASI distance), the entropy is over single answers, and κ and the share of agreeing pairs, which need "
    "one answer a person, are left out."
)
FIRST_ANSWER = "What is said about single raters goes by the first of their answers, in the study’s order of labels."
_GOLDEN = frozenset({"faces", "folder"})
"""Origins whose labels were not made from these very votes, as FER+'s were."""


@dataclass(frozen=True)
class StudyAgreement:
    """Agreement on a study's faces; `quality` is None where votes have no known raters, and `remark` says why."""

    overall: Agreement
    quality: RaterQuality | None
    alpha_over_raters: Estimate | None
    remark: str

    def dump(self) -> str:
        """All of it, for `load`."""
        return json.dumps(_ADAPTER.dump_python(self))

    @staticmethod
    def load(content: str) -> StudyAgreement:
        """What `dump` wrote.

        Raises:
            ValueError: it is something else.
        """
        return _ADAPTER.validate_python(json.loads(content))

    def to_json(self, votes: StudyVotes) -> dict[str, Any]:
        """All of it, with entropy and pairwise agreement per face."""
        counts = choices(votes)
        given = counts if votes.sets is None else votes.sets.counts
        pairs = pairwise_agreement(counts) if votes.sets is None else np.full(len(counts), np.nan)
        faces = zip(votes.image_names, vote_entropy(counts), pairs, given, strict=True)
        return {
            "confidence": CONFIDENCE,
            "choices": [*votes.labels, "none"],
            **plain(asdict(self.overall)),
            "alpha_interval_over": "images (jackknife)",
            "alpha_distance": "nominal" if votes.sets is None else "MASI",
            "alpha_over_raters": plain(asdict(self.alpha_over_raters)) if self.alpha_over_raters else None,
            "remark": self.remark,
            "rater_quality": plain(asdict(self.quality)) if self.quality else None,
            "faces": [
                {"name": name, "votes": int(row.sum()), "entropy": plain(float(e)), "pairwise": plain(float(p))}
                for name, e, p, row in faces
            ],
        }


_ADAPTER: TypeAdapter[StudyAgreement] = TypeAdapter(StudyAgreement)


def plain(value: Any) -> Any:
    """Nested values with None in place of what is not a number."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def choices(votes: StudyVotes) -> IntArray:
    """Votes `[N, C + 1]`: agreement counts "none of these", together with "other", as a choice like the others."""
    return np.column_stack([votes.counts, votes.none_counts])


def vote_agreement(votes: StudyVotes) -> Agreement:
    """Agreement over all current votes; of whole sets of answers where several were allowed."""
    return agreement(choices(votes)) if votes.sets is None else set_agreement(votes.sets.counts, votes.sets.sets)


def outside_labels(study: StudySummary) -> tuple[str, ...]:
    """What votes that are for no label said; they are counted together."""
    response = study.protocol.response
    if not response.other_option:
        return ("none of these",)
    return ("none of these", "other") if response.none_option else ("other",)


def study_agreement(repository: Repository, study: StudySummary, votes: StudyVotes) -> StudyAgreement:
    """Agreement over all current votes, and rater quality over those of the site's own volunteers."""
    counts = choices(votes)
    listed = repository.rater_votes(study, votes)
    overall = vote_agreement(votes)
    remarks = [] if votes.sets is None else [SEVERAL]
    if not listed.rater_ids:
        remarks.append(NO_RATERS if study.imported_raters else NO_VOLUNTEERS)
        return StudyAgreement(overall, None, None, " ".join(remarks))
    if votes.sets is not None:
        remarks.append(FIRST_ANSWER)
    if study.imported_raters:
        remarks.append(SOME_IMPORTED)
    gold = None
    if study.origin.get("source") in _GOLDEN:
        column = {label: index for index, label in enumerate(votes.labels)}
        gold = [column.get(label) if label is not None else None for label in votes.image_labels]
    return StudyAgreement(
        overall=overall,
        quality=rater_quality(listed, counts.shape[0], counts.shape[1], gold),
        alpha_over_raters=listed.alpha_over_raters(counts.shape[0], counts.shape[1]),
        remark=" ".join(remarks),
    )
