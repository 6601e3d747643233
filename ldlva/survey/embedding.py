"""A study's faces and what stored models see in them, lined up for `ldlva.embedding.drawing`."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from ldlva.distributions import IntArray
from ldlva.embedding.drawing import Faces, ModelView, sample
from ldlva.embedding.separation import NO_GROUP
from ldlva.errors import NotYetError, SurveyError
from ldlva.survey.records import ModelFeatures, StudySummary, StudyVotes
from ldlva.survey.repository import Repository


def study_faces(
    repository: Repository, study: StudySummary, models: Sequence[str], most: int, seed: int
) -> tuple[Faces, list[ModelView], Iterator[Image.Image]]:
    """The faces that all chosen models predicted, at most `most` of them, the models' views, and the pictures.

    Args:
        repository: of the study.
        study: the study.
        models: names, in the order of the panels; none: all whose features are stored with what they predicted.
        most: a random part of more faces is drawn.
        seed: of that draw.

    Raises:
        NotYetError: no model has predicted the study, or all that have were imported without features.
        SurveyError: an unknown model, one stored without features, or no face that all have predicted.
    """
    predictors = repository.predictors(study)
    known = [model.name for model in predictors]
    drawable = [model.name for model in predictors if model.has_features]
    if not drawable:
        raise NotYetError(
            f"No model has predicted the faces of “{study.title}” with its features yet. Run: "
            f"python -m ldlva predict --model NAME --study {study.name}"
        )
    if missing := [name for name in models if name not in known]:
        raise SurveyError(f"{missing[0]!r} has not predicted “{study.title}”. Models that have: {', '.join(known)}.")
    found = [_checked(repository.features(study, name)) for name in models or drawable]
    everywhere = set(found[0].image_ids).intersection(*(model.image_ids for model in found[1:]))
    votes = repository.votes(study)
    rows = np.array([row for row, image_id in enumerate(votes.image_ids) if image_id in everywhere], dtype=np.int64)
    if len(rows) == 0:
        raise SurveyError("There is no face that all of these models have predicted. Choose fewer models.")
    kept = rows[sample(len(rows), most, seed)]
    ids = [votes.image_ids[row] for row in kept]
    faces = Faces(
        source=f"study:{study.name}",
        title=study.title,
        names=tuple(votes.image_names[row] for row in kept),
        labels=_labels(votes, kept),
        counts=votes.counts[kept] if votes.counts.any() else None,
        reference="votes" if votes.counts.any() else "",
        emotions=votes.emotions,
        of=len(rows) if len(kept) < len(rows) else 0,
    )
    return faces, [_view(model, ids) for model in found], _pictures(repository, ids)


def _checked(model: ModelFeatures) -> ModelFeatures:
    if model.features.shape[1] == 0:
        raise SurveyError(f"{model.name!r} was stored without features: its predictions were imported. Leave it out.")
    return model


def _labels(votes: StudyVotes, rows: IntArray) -> IntArray:
    column = {label: number for number, label in enumerate(votes.labels)}
    return np.array([column.get(votes.image_labels[row] or "", NO_GROUP) for row in rows], dtype=np.int64)


def _view(model: ModelFeatures, ids: Sequence[int]) -> ModelView:
    row = {image_id: number for number, image_id in enumerate(model.image_ids)}
    rows = [row[image_id] for image_id in ids]
    return ModelView(
        model.name, model.method, model.weights_sha256, model.features[rows], model.probabilities[rows], model.labels
    )


def _pictures(repository: Repository, ids: Sequence[int]) -> Iterator[Image.Image]:
    for image_id in ids:
        with Image.open(io.BytesIO(repository.image_content(image_id)[0])) as image:
            image.draft(None, (256, 256))
            yield image.convert("L" if image.mode == "L" else "RGB")
