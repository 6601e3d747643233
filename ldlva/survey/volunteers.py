"""Volunteers as rows: for the export, and for checking completion codes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from ldlva.survey.progress import ProgressStore
from ldlva.survey.records import StudySummary
from ldlva.survey.schema import Volunteer


class VolunteerStore(ProgressStore):
    """Volunteers of a study one by one."""

    def volunteer_rows(self, study: StudySummary) -> list[dict[str, Any]]:
        """Every rater, imported ones too, as flat rows; answers to the protocol's questions as `answer_KEY`."""
        progress = {volunteer.number: volunteer for volunteer in self.progress(study).volunteers}
        keys = [question.key for question in study.protocol.demographics]
        with self._database.read() as session:
            volunteers = session.scalars(
                select(Volunteer).where(Volunteer.study_id == study.id).order_by(Volunteer.id)
            ).all()
            for row in volunteers:  # answers to questions of an earlier protocol, after the present ones
                keys += [key for key in row.demographics or {} if key not in keys]
        rows = []
        for row in volunteers:
            stood = progress.get(row.id)
            rows.append(
                {
                    "volunteer": row.id,
                    "volunteer_source": row.source,
                    "participant_id": row.participant_id,
                    "language": row.language,
                    "consent_version": row.consent_version,
                    "consented_at": row.consented_at,
                    "finished_at": row.finished_at,
                    "completion_code": row.completion_code,
                    "showings": len(row.trials) if stood else None,
                    "votes": stood.done if stood else None,
                    "gold_seen": stood.attention.gold_seen if stood else None,
                    "gold_wrong": stood.attention.gold_wrong if stood else None,
                    "repeats_seen": stood.attention.repeats_seen if stood else None,
                    "repeats_changed": stood.attention.repeats_changed if stood else None,
                    "too_fast": stood.attention.too_fast if stood else None,
                    "attention_flags": "|".join(stood.attention.flags) if stood else None,
                    **{f"answer_{key}": (row.demographics or {}).get(key) for key in keys},
                }
            )
        return rows
