"""The only queries on the survey database. Takes and returns the plain values of `records`."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from sqlalchemy import ColumnElement, Select, case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from ldlva.emotions import NONE_OF_THESE, emotion
from ldlva.errors import SurveyError
from ldlva.survey.assignment import presentation_order
from ldlva.survey.database import Database
from ldlva.survey.records import (
    Ballot,
    Enrolment,
    ModelFeatures,
    ModelPredictions,
    NewImage,
    NewModel,
    NewStudy,
    NewVote,
    StudyStatus,
    StudySummary,
    StudyVotes,
)
from ldlva.survey.schema import STUDY_STATUSES, Image, Model, Prediction, Study, Volunteer, Vote, now

WEB_VOLUNTEER = "web"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_CURRENT: ColumnElement[bool] = Vote.superseded_at.is_(None)


class Repository:
    """Studies, volunteers, votes and predictions in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Studies

    def create_study(self, study: NewStudy, images: Sequence[NewImage], votes: Iterable[NewVote] = ()) -> int:
        """Store a study with its images, and imported votes if any, in one transaction; returns its id.

        Raises:
            SurveyError: a bad or taken name, an unknown label, no image, or the same image twice.
        """
        _check_name(study.name)
        for label in study.labels:
            emotion(label)
        if not images:
            raise SurveyError("A study needs at least one image.")
        if study.faces_per_volunteer is not None and study.faces_per_volunteer < 1:
            raise SurveyError("Faces per volunteer must be at least 1.")
        for image in images:
            if not image.name.isprintable():  # nor are bytes that are no Unicode, which Linux allows in names
                raise SurveyError(
                    f"The file name {image.name!r} has characters that cannot be stored. Rename the file."
                )
        by_hash: dict[str, str] = {}
        for image in images:
            digest = hashlib.sha256(image.content).hexdigest()
            if digest in by_hash:
                raise SurveyError(f"{image.name} and {by_hash[digest]} are the same image. Leave one out.")
            by_hash[digest] = image.name
        if len(set(by_hash.values())) < len(images):
            raise SurveyError("Two images have the same name. Rename one.")

        with self._database.write() as session:
            _check_free(session, study.name)
            row = Study(
                name=study.name,
                title=study.title,
                description=study.description,
                status=study.status,
                labels=list(study.labels),
                faces_per_volunteer=study.faces_per_volunteer,
                consent_text=study.consent_text,
                consent_version=study.consent_version,
                seed=study.seed,
                origin=study.origin,
            )
            session.add(row)
            session.flush()
            image_rows = [
                Image(
                    study_id=row.id,
                    name=image.name,
                    sha256=digest,
                    media_type=image.media_type,
                    width=image.width,
                    height=image.height,
                    label=image.label,
                    content=image.content,
                )
                for image, digest in zip(images, by_hash, strict=True)
            ]
            session.add_all(image_rows)
            session.flush()
            _import_votes(session, row, {image.name: image.id for image in image_rows}, list(votes))
            return row.id

    def check_new_name(self, name: str) -> None:
        """Whether a study may be given this name.

        Raises:
            SurveyError: a bad or taken name.
        """
        _check_name(name)
        with self._database.read() as session:
            _check_free(session, name)

    def studies(self) -> list[StudySummary]:
        """All studies, newest first."""
        with self._database.read() as session:
            return [_summary(row) for row in session.execute(_summaries().order_by(Study.id.desc()))]

    def study(self, name: str) -> StudySummary:
        """One study by name.

        Raises:
            SurveyError: there is none; existing names are listed.
        """
        with self._database.read() as session:
            row = session.execute(_summaries().where(Study.name == name)).one_or_none()
            if row is None:
                known = ", ".join(session.scalars(select(Study.name).order_by(Study.name))) or "none yet"
                raise SurveyError(f"There is no study named {name!r}. Studies: {known}.")
            return _summary(row)

    def set_study_status(self, name: str, status: str) -> None:
        """Open, pause or close a study.

        Raises:
            SurveyError: unknown study or status.
        """
        if status not in STUDY_STATUSES:
            raise SurveyError(f"Unknown status {status!r}. Choose one of {', '.join(STUDY_STATUSES)}.")
        study = self.study(name)
        with self._database.write() as session:
            session.execute(update(Study).where(Study.id == study.id).values(status=status))

    def image_content(self, image_id: int) -> tuple[bytes, str]:
        """An image file and its media type.

        Raises:
            SurveyError: no such image.
        """
        with self._database.read() as session:
            row = session.execute(select(Image.content, Image.media_type).where(Image.id == image_id)).one_or_none()
        if row is None:
            raise SurveyError(f"Image {image_id} does not exist.")
        return row.content, row.media_type

    # Volunteers and votes

    def enrol(self, study_name: str) -> Enrolment:
        """Register a volunteer who has just agreed to the study's consent text.

        Raises:
            SurveyError: unknown study, or it is not open.
        """
        study = self.study(study_name)
        if study.status != "open":
            raise SurveyError(f"“{study.title}” is {study.status} and takes no new volunteers.")
        token = secrets.token_urlsafe(18)
        with self._database.write() as session:
            image_ids = session.scalars(select(Image.id).where(Image.study_id == study.id).order_by(Image.id)).all()
            tally = session.execute(
                select(Vote.image_id, func.count()).where(Vote.study_id == study.id, _CURRENT).group_by(Vote.image_id)
            )
            order = presentation_order(image_ids, dict(tally.all()), study.faces_per_volunteer, secrets.randbits(64))
            session.add(
                Volunteer(
                    study_id=study.id,
                    source=WEB_VOLUNTEER,
                    token_hash=_token_hash(token),
                    consent_version=study.consent_version,
                    consented_at=now(),
                    image_order=order,
                )
            )
        return Enrolment(token)

    def ballot(self, token: str) -> Ballot:
        """Where the volunteer with this resume token stands.

        Raises:
            SurveyError: the token is unknown (mistyped, cut off or tampered with).
        """
        with self._database.read() as session:
            return _ballot(session, token)

    def vote(self, token: str, image_id: int, choice: str, response_ms: int | None = None) -> Ballot:
        """Store a volunteer's choice for one of their faces and return where they stand then.

        A face that already has the volunteer's current vote keeps it: a second click or tab changes nothing.

        Raises:
            SurveyError: unknown token or choice, an image that is not the volunteer's, or the study is not open.
        """
        with self._database.write() as session:
            ballot = _ballot(session, token, lock=True)
            if ballot.study_status != "open":
                raise SurveyError(f"“{ballot.study_title}” is {ballot.study_status}; this vote was not stored.")
            if choice != NONE_OF_THESE and choice not in ballot.labels:
                raise SurveyError(f"{choice!r} is not a choice of this study.")
            volunteer = session.get_one(Volunteer, ballot.volunteer_id)
            if image_id not in volunteer.image_order:
                raise SurveyError("This face is not part of your list; the vote was not stored. Reload the page.")
            voted = session.scalar(
                select(Vote.id).where(Vote.volunteer_id == volunteer.id, Vote.image_id == image_id, _CURRENT)
            )
            if voted is None:
                session.add(
                    Vote(
                        study_id=ballot.study_id,
                        volunteer_id=volunteer.id,
                        image_id=image_id,
                        choice=choice,
                        response_ms=response_ms,
                    )
                )
                session.flush()
                ballot = _ballot(session, token)
                if ballot.image_id is None:
                    volunteer.finished_at = now()
            return ballot

    def undo(self, token: str) -> Ballot:
        """Supersede the volunteer's newest current vote, so that its face comes up again; nothing is deleted.

        Raises:
            SurveyError: unknown token, or the study is not open.
        """
        with self._database.write() as session:
            ballot = _ballot(session, token, lock=True)
            if ballot.study_status != "open":
                raise SurveyError(f"“{ballot.study_title}” is {ballot.study_status}; votes can no longer be changed.")
            newest = session.scalar(
                select(Vote).where(Vote.volunteer_id == ballot.volunteer_id, _CURRENT).order_by(Vote.id.desc()).limit(1)
            )
            if newest is None:
                return ballot
            newest.superseded_at = now()
            session.get_one(Volunteer, ballot.volunteer_id).finished_at = None
            session.flush()
            return _ballot(session, token)

    def votes(self, study: StudySummary) -> StudyVotes:
        """Current votes of a study tallied in the database."""
        column = {label: index for index, label in enumerate(study.labels)}
        with self._database.read() as session:
            images = session.execute(
                select(Image.id, Image.name, Image.label).where(Image.study_id == study.id).order_by(Image.id)
            ).all()
            tally = session.execute(
                select(Vote.image_id, Vote.choice, func.count())
                .where(Vote.study_id == study.id, _CURRENT)
                .group_by(Vote.image_id, Vote.choice)
            ).all()
        row = {image.id: index for index, image in enumerate(images)}
        counts = np.zeros((len(images), len(column)), dtype=np.int64)
        none_counts = np.zeros(len(images), dtype=np.int64)
        for image_id, choice, votes in tally:
            if choice == NONE_OF_THESE:
                none_counts[row[image_id]] = votes
            else:
                counts[row[image_id], column[choice]] = votes
        return StudyVotes(
            labels=study.labels,
            image_ids=tuple(image.id for image in images),
            image_names=tuple(image.name for image in images),
            image_labels=tuple(image.label for image in images),
            counts=counts,
            none_counts=none_counts,
        )

    def version(self, study: StudySummary) -> tuple[int, ...]:
        """Changes whenever a vote, an undo or a prediction of the study does; the key of every cached result."""
        with self._database.read() as session:
            votes = session.execute(
                select(func.count(), func.max(Vote.id), func.count(Vote.superseded_at)).where(Vote.study_id == study.id)
            ).one()
            predictions = session.execute(
                select(func.count(), func.max(Prediction.id))
                .join(Image, Image.id == Prediction.image_id)
                .where(Image.study_id == study.id)
            ).one()
        return tuple(value or 0 for value in (*votes, *predictions))

    def vote_rows(self, study: StudySummary) -> list[dict[str, Any]]:
        """Every vote of a study, superseded ones too, as flat rows in the order they were made; for export."""
        query = (
            select(
                Vote.id.label("vote"),
                Study.name.label("study"),
                Image.name.label("image"),
                Image.sha256.label("image_sha256"),
                Image.label.label("image_label"),
                Vote.volunteer_id.label("volunteer"),
                Volunteer.source.label("volunteer_source"),
                Volunteer.consent_version,
                Vote.repeat,
                Vote.choice,
                Vote.source_choice,
                Vote.response_ms,
                Vote.created_at,
                Vote.superseded_at,
            )
            .join(Study, Study.id == Vote.study_id)
            .join(Image, Image.id == Vote.image_id)
            .join(Volunteer, Volunteer.id == Vote.volunteer_id)
            .where(Vote.study_id == study.id)
            .order_by(Vote.id)
        )
        with self._database.read() as session:
            return [dict(row) for row in session.execute(query).mappings()]

    # Predictions

    def images(self, study: StudySummary) -> list[tuple[int, str, bytes]]:
        """Id, name and file of every image of a study."""
        query = select(Image.id, Image.name, Image.content).where(Image.study_id == study.id).order_by(Image.id)
        with self._database.read() as session:
            return [(row.id, row.name, row.content) for row in session.execute(query)]

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
        must go, which happens only if `replace` says so.

        Args:
            model: its identity.
            image_ids: M images.
            probabilities: `[M, C]`, columns `model.labels`, rows summing to 1.
            features: `[M, D]`.
            replace: allow predictions of other weights for other images to be dropped.

        Raises:
            SurveyError: that would be needed and is not allowed; the studies concerned are named.
        """
        identity = {
            "method": model.method,
            "backbone": model.backbone,
            "labels": list(model.labels),
            "weights_sha256": model.weights_sha256,
            "details": model.details,
        }
        with self._database.write() as session:
            row = session.scalar(select(Model).where(Model.name == model.name))
            if row is None:
                row = Model(name=model.name, **identity)
                session.add(row)
                session.flush()
            else:
                stale = delete(Prediction).where(Prediction.model_id == row.id)
                if row.weights_sha256 == model.weights_sha256:
                    stale = stale.where(Prediction.image_id.in_(image_ids))
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


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise SurveyError(f"Bad study name {name!r}: use lower-case letters, digits, - and _, at most 80.")


def _check_free(session: Session, name: str) -> None:
    if session.scalar(select(Study.id).where(Study.name == name)) is not None:
        raise SurveyError(f"A study named {name!r} exists already. Choose another name.")


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


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _ballot(session: Session, token: str, lock: bool = False) -> Ballot:
    """Where a volunteer stands; `lock` makes other processes' votes of the same volunteer wait for this transaction."""
    query = (
        select(Volunteer, Study)
        .join(Study, Study.id == Volunteer.study_id)
        .where(Volunteer.token_hash == _token_hash(token))
    )
    # SQLite ignores FOR UPDATE; its write transactions exclude each other anyway.
    found = session.execute(query.with_for_update(of=Volunteer) if lock else query).one_or_none()
    if found is None:
        raise SurveyError(
            "This link is not valid: it may have been cut off or mistyped. Open the full link, or start again."
        )
    volunteer, study = found
    voted = set(session.scalars(select(Vote.image_id).where(Vote.volunteer_id == volunteer.id, _CURRENT)))
    remaining = [image_id for image_id in volunteer.image_order if image_id not in voted]
    return Ballot(
        volunteer_id=volunteer.id,
        study_id=study.id,
        study_name=study.name,
        study_title=study.title,
        study_status=cast(StudyStatus, study.status),
        labels=tuple(study.labels),
        image_id=remaining[0] if remaining else None,
        done=len(volunteer.image_order) - len(remaining),
        total=len(volunteer.image_order),
    )


def _summaries() -> Select[Any]:
    """Studies with their counts, as correlated scalars: no join multiplies rows."""
    images = select(func.count()).where(Image.study_id == Study.id).scalar_subquery()
    votes = select(func.count()).where(Vote.study_id == Study.id, _CURRENT).scalar_subquery()
    raters = select(func.coalesce(func.sum(case((Volunteer.source == WEB_VOLUNTEER, 1), else_=0)), 0)).where(
        Volunteer.study_id == Study.id
    )
    everyone = select(func.count()).where(Volunteer.study_id == Study.id).scalar_subquery()
    return select(
        Study,
        images.label("images"),
        votes.label("votes"),
        raters.scalar_subquery().label("volunteers"),
        everyone.label("everyone"),
    )


def _summary(row: Any) -> StudySummary:
    study: Study = row.Study
    return StudySummary(
        id=study.id,
        name=study.name,
        title=study.title,
        description=study.description,
        status=cast(StudyStatus, study.status),
        labels=tuple(study.labels),
        faces_per_volunteer=study.faces_per_volunteer,
        consent_text=study.consent_text,
        consent_version=study.consent_version,
        origin=study.origin,
        created_at=study.created_at,
        images=row.images,
        volunteers=row.volunteers,
        imported_raters=row.everyone - row.volunteers,
        votes=row.votes,
    )


def _import_votes(session: Session, study: Study, image_ids: dict[str, int], votes: list[NewVote]) -> None:
    if not votes:
        return
    for vote in votes:
        if vote.choice != NONE_OF_THESE and vote.choice not in study.labels:
            raise SurveyError(f"Imported vote {vote.choice!r} for {vote.image_name} is not a label of the study.")
        if vote.image_name not in image_ids:
            raise SurveyError(f"An imported vote is for {vote.image_name!r}, which is not in the study.")
    source = str(study.origin.get("source", "import"))
    raters = [
        Volunteer(study_id=study.id, source=source, image_order=[])
        for _ in range(1 + max(vote.rater for vote in votes))
    ]
    session.add_all(raters)
    session.flush()
    session.execute(
        insert(Vote),
        [
            {
                "study_id": study.id,
                "volunteer_id": raters[vote.rater].id,
                "image_id": image_ids[vote.image_name],
                "choice": vote.choice,
                "source_choice": vote.source_choice,
            }
            for vote in votes
        ],
    )
