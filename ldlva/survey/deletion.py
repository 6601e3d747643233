"""Deleting a whole study, with everything that was ever stored for it."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, select
from sqlalchemy.orm import Session

from ldlva.errors import SurveyError
from ldlva.survey.records import Deletion, StudySummary
from ldlva.survey.schema import Base, Claim, Image, Invitation, Model, Prediction, Study, StudyProtocol, Volunteer, Vote
from ldlva.survey.store import Store, gone


class DeletionStore(Store):
    """What deletes studies."""

    def delete_study(self, study: StudySummary) -> Deletion:
        """Delete a study for ever: faces, votes, volunteers, invitations, protocols and predictions.

        Models that predicted no other study's faces go too. Nothing of it is left in the database's file.

        Raises:
            SurveyError: it is open, so somebody may be voting; or it is not there any more.
        """
        with self._database.write() as session:
            row = session.execute(select(Study).where(Study.id == study.id).with_for_update()).scalar_one_or_none()
            if row is None:
                raise gone(study.name)
            if row.status == "open":
                raise SurveyError(f"{study.name!r} is open, somebody may be voting. Close it first.")
            deleted = _delete(session, study.id)
        self._database.forget_erased()
        return deleted


def _delete(session: Session, study_id: int) -> Deletion:
    def delete_all(table: type[Base], condition: ColumnElement[bool]) -> int:
        done = session.execute(delete(table).where(condition).execution_options(synchronize_session=False))
        return cast("CursorResult[Any]", done).rowcount

    faces = select(Image.id).where(Image.study_id == study_id)
    predicted = select(Prediction.model_id).where(Prediction.image_id.in_(faces))
    models = {row.id: row.name for row in session.scalars(select(Model).where(Model.id.in_(predicted)))}
    delete_all(Prediction, Prediction.image_id.in_(faces))
    used = select(Prediction.model_id)
    unused = session.scalars(select(Model.id).where(Model.id.in_(models), Model.id.not_in(used))).all()
    delete_all(Model, Model.id.in_(unused))
    # What refers to other rows goes before them.
    votes = delete_all(Vote, Vote.study_id == study_id)
    delete_all(Claim, Claim.study_id == study_id)
    volunteers = delete_all(Volunteer, Volunteer.study_id == study_id)
    delete_all(Invitation, Invitation.study_id == study_id)
    pictures = delete_all(Image, Image.study_id == study_id)
    delete_all(StudyProtocol, StudyProtocol.study_id == study_id)
    delete_all(Study, Study.id == study_id)
    return Deletion(pictures, volunteers, votes, tuple(sorted(models[model] for model in unused)))
