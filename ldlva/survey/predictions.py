"""Predictions of models in the database."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from ldlva.errors import SurveyError
from ldlva.survey.records import ModelFeatures, ModelPredictions, NewModel, Predictor, StudySummary
from ldlva.survey.schema import Image, Model, Prediction, Study
from ldlva.survey.store import Store


class PredictionStore(Store):
    """What models say about studies' images."""

    def store_predictions(
        self,
        model: NewModel,
        image_ids: Sequence[int],
        probabilities: np.ndarray,
        features: np.ndarray,
        replace: bool = False,
    ) -> None:
        """Store a model's predictions for some images, replacing its earlier ones for them, in one transaction.

        A model's stored predictions always come from one set of weights: with other weights, those for other studies
        must go, which happens only if `replace` says so; nor does another model of the same name go unasked: one from
        outside, or of another method, backbone or data set.

        Args:
            model: its identity.
            image_ids: M images.
            probabilities: `[M, C]`, columns `model.labels`, rows summing to 1.
            features: `[M, D]`.
            replace: allow predictions of other weights for other images to be dropped.

        Raises:
            SurveyError: that would be needed and is not allowed; the studies concerned, or the other model, are named.
                Or the images were deleted meanwhile.
        """
        identity = {
            "method": model.method,
            "backbone": model.backbone,
            "labels": list(model.labels),
            "weights_sha256": model.weights_sha256,
            "details": model.details,
        }
        with self._database.write() as session:
            there = session.scalar(select(func.count()).where(Image.id.in_(image_ids)))
            if there != len(set(image_ids)):
                raise SurveyError("The study was deleted while its faces were predicted; nothing was stored.")
            row = session.scalar(select(Model).where(Model.name == model.name))
            if row is None:
                row = Model(name=model.name, **identity)
                session.add(row)
                session.flush()
            else:
                stale = delete(Prediction).where(Prediction.model_id == row.id)
                if row.weights_sha256 == model.weights_sha256:
                    stale = stale.where(Prediction.image_id.in_(image_ids))
                elif not replace and _is_another(row, model):
                    raise SurveyError(
                        f"There is a model named {model.name!r} already, and it is another one ({row.method}, "
                        f"{row.backbone}). Store this one under another name (--name), or drop what that one predicted "
                        "(--replace)."
                    )
                elif not replace and (others := _studies_predicted(session, row.id, image_ids)):
                    raise SurveyError(
                        f"A model named {model.name!r} with other weights has predicted {', '.join(others)}. Store "
                        "this one under another name (--name), or drop those predictions (--replace)."
                    )
                session.execute(stale)
                for name, value in identity.items():
                    setattr(row, name, value)
            session.execute(
                insert(Prediction),
                [
                    {
                        "model_id": row.id,
                        "image_id": image_id,
                        "probabilities": [float(value) for value in distribution],
                        "features": np.asarray(vector, dtype="<f4").tobytes(),
                    }
                    for image_id, distribution, vector in zip(image_ids, probabilities, features, strict=True)
                ],
            )

    def model_method(self, name: str) -> str | None:
        """The method of a model with stored predictions; None if there is no model of that name."""
        with self._database.read() as session:
            return session.scalar(select(Model.method).where(Model.name == name))

    def drop_predictions(self, name: str, study: StudySummary) -> None:
        """Delete what a model predicted for a study."""
        images = select(Image.id).where(Image.study_id == study.id)
        with self._database.write() as session:
            model_id = session.scalar(select(Model.id).where(Model.name == name))
            session.execute(delete(Prediction).where(Prediction.model_id == model_id, Prediction.image_id.in_(images)))

    def predictions(self, study: StudySummary) -> list[ModelPredictions]:
        """Stored predictions for a study's images, one entry a model, by name."""
        query = (
            select(Model, Prediction.image_id, Prediction.probabilities)
            .join(Prediction, Prediction.model_id == Model.id)
            .join(Image, Image.id == Prediction.image_id)
            .where(Image.study_id == study.id)
            .order_by(Model.name, Image.id)
        )
        with self._database.read() as session:
            found: dict[int, tuple[Model, list[int], list[list[float]]]] = {}
            for model, image_id, probabilities in session.execute(query):
                _, image_ids, rows = found.setdefault(model.id, (model, [], []))
                image_ids.append(image_id)
                rows.append(probabilities)
            return [
                ModelPredictions(
                    name=model.name,
                    method=model.method,
                    backbone=model.backbone,
                    details=model.details,
                    labels=tuple(model.labels),
                    image_ids=tuple(image_ids),
                    probabilities=np.array(rows, dtype=np.float64),
                )
                for model, image_ids, rows in found.values()
            ]

    def predictors(self, study: StudySummary) -> list[Predictor]:
        """The models that have predicted a study's images, by name, without reading what they predicted."""
        query = (
            select(Model.name, Model.method, func.min(func.length(Prediction.features)))
            .join(Prediction, Prediction.model_id == Model.id)
            .join(Image, Image.id == Prediction.image_id)
            .where(Image.study_id == study.id)
            .group_by(Model.id, Model.name, Model.method)
            .order_by(Model.name)
        )
        with self._database.read() as session:
            return [Predictor(name, method, shortest > 0) for name, method, shortest in session.execute(query)]

    def features(self, study: StudySummary, model: str) -> ModelFeatures:
        """One model's stored predictions and features for a study's images.

        Raises:
            SurveyError: it has predicted none of them, or its features differ in length.
        """
        query = (
            select(Prediction.image_id, Prediction.probabilities, Prediction.features)
            .join(Model, Model.id == Prediction.model_id)
            .join(Image, Image.id == Prediction.image_id)
            .where(Image.study_id == study.id, Model.name == model)
            .order_by(Image.id)
        )
        with self._database.read() as session:
            rows = session.execute(query).all()
            if not rows:
                raise SurveyError(f"{model!r} has not predicted “{study.title}”.")
            row = session.execute(select(Model).where(Model.name == model)).scalar_one()
            if len({len(found.features) for found in rows}) > 1:
                raise SurveyError(f"Features of {model!r} differ in length. Predict the study with it again.")
            stored = b"".join(found.features for found in rows)
            return ModelFeatures(
                name=row.name,
                method=row.method,
                weights_sha256=row.weights_sha256,
                labels=tuple(row.labels),
                image_ids=tuple(found.image_id for found in rows),
                probabilities=np.array([found.probabilities for found in rows], dtype=np.float64),
                features=np.frombuffer(stored, dtype="<f4").astype(np.float32).reshape(len(rows), -1),
            )


def _is_another(stored: Model, model: NewModel) -> bool:
    """Whether the names are all that two models share: training one again changes neither method nor data."""
    data = [details.get("data", {}).get("source") for details in (stored.details, model.details)]
    return (stored.method, stored.backbone, data[0]) != (model.method, model.backbone, data[1])


def _studies_predicted(session: Session, model_id: int, except_images: Sequence[int]) -> Sequence[str]:
    """Names of the studies with a prediction of the model, apart from those of some images."""
    return session.scalars(
        select(Study.name)
        .distinct()
        .join(Image, Image.study_id == Study.id)
        .join(Prediction, Prediction.image_id == Image.id)
        .where(Prediction.model_id == model_id, Prediction.image_id.not_in(except_images))
        .order_by(Study.name)
    ).all()
