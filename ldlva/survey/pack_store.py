"""Packs from the database and into it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session, undefer

from ldlva.emotions import NONE_OF_THESE, OTHER
from ldlva.errors import SurveyError
from ldlva.run_folder import without_paths
from ldlva.survey.access import keyed_hash, new_secret
from ldlva.survey.new_studies import check_new_study_name
from ldlva.survey.pack import PACK, Pack, Rows, publishing_problem
from ldlva.survey.pictures import MEDIA_TYPES
from ldlva.survey.protocol import parse_protocol
from ldlva.survey.schema import Image, Model, Prediction, Study, StudyProtocol, Volunteer, Vote
from ldlva.survey.store import Store, find_study

KINDS = ("face", "practice", "gold", "repeat")

_AT_ONCE = 10_000


class PackStore(Store):
    """Studies as they are published."""

    def pack(self, name: str, answers: bool = False, images: bool = False) -> Pack:
        """A study as it is published.

        Args:
            name: the study.
            answers: include answers about volunteers and their own words; whoever publishes them has read them.
            images: include the image files.

        Raises:
            SurveyError: unknown study, or an open one with a protocol, all of which are published, that names the
                completion code, or an address that may hold it.
        """
        with self._database.read() as session:
            study = find_study(session, name)
            protocols = session.scalars(
                select(StudyProtocol)
                .where(StudyProtocol.study_id == study.id, StudyProtocol.version <= study.protocol_version)
                .order_by(StudyProtocol.version)
            ).all()
            if problem := publishing_problem(name, study.status, *(parse_protocol(row.content) for row in protocols)):
                raise SurveyError(problem)
            known = {"name": study.name, "seed": study.seed, "origin": study.origin, "withdrawn": study.withdrawn}
            pictures = session.scalars(select(Image).where(Image.study_id == study.id).order_by(Image.id)).all()
            numbers = {image.id: number for number, image in enumerate(pictures, start=1)}
            names = {image.id: image.name for image in pictures}
            raters = _numbered(session, study)
            models, predictions, features = _predictions(session, study, names)
            return Pack(
                study={**known, "created_on": _day(study.created_at)},
                protocols=[
                    {
                        "version": row.version,
                        "sha256": row.sha256,
                        "content": row.content,
                        "created_on": _day(row.created_at),
                    }
                    for row in protocols
                ],
                tables={
                    "votes": _votes(session, study, {row.id: n for n, row in raters}, names, answers),
                    "raters": [_rater(number, row, numbers, answers) for number, row in raters],
                    "images": [_image(number, row) for number, row in enumerate(pictures, start=1)],
                    "models": models,
                    "predictions": predictions,
                },
                features=features,
                contents=_contents(session, study) if images else {},
            )

    def unpack(self, pack: Pack, contents: Mapping[str, bytes], name: str | None = None) -> int:
        """Make a study of a pack, in one transaction; it is closed, and nobody can resume in it. Returns its id.

        Args:
            pack: the pack.
            contents: image files by SHA-256.
            name: of the new study; None: the pack's.

        Raises:
            SurveyError: the name is bad or taken, an image is missing, a model of the same name has other weights, or
                the tables contradict each other.
        """
        _check(pack)
        wanted = name or str(pack.study["name"])
        check_new_study_name(wanted)
        missing = [row["image"] for row in pack.tables["images"] if row["sha256"] not in contents]
        if missing:
            raise SurveyError(
                f"{len(missing)} of {len(pack.tables['images'])} images are not in the pack, the first is "
                f"{missing[0]!r}. Name a folder that holds them with --images."
            )
        with self._database.write() as session:
            if session.scalar(select(Study.id).where(Study.name == wanted)) is not None:
                raise SurveyError(f"A study named {wanted!r} exists already. Choose another name with --name.")
            study = Study(
                name=wanted,
                status="closed",
                link_secret=new_secret(),
                private_secret=new_secret(),
                seed=pack.study["seed"],
                origin={**pack.study["origin"], PACK: True},
                withdrawn=pack.study["withdrawn"],
                created_at=_time(pack.study["created_on"]),
                protocol_version=pack.protocols[-1]["version"],
            )
            session.add(study)
            session.flush()
            session.add_all(
                StudyProtocol(
                    study_id=study.id,
                    version=row["version"],
                    sha256=row["sha256"],
                    content=row["content"],
                    created_at=_time(row["created_on"]),
                )
                for row in pack.protocols
            )
            images = [
                Image(
                    study_id=study.id,
                    name=row["image"],
                    sha256=row["sha256"],
                    media_type=row["media_type"],
                    width=row["width"],
                    height=row["height"],
                    label=row["image_label"],
                    content=contents[row["sha256"]],
                )
                for row in pack.tables["images"]
            ]
            session.add_all(images)
            session.flush()
            raters = [_new_rater(study.id, row, [image.id for image in images]) for row in pack.tables["raters"]]
            session.add_all(raters)
            session.flush()
            ids = {image.name: image.id for image in images}
            rater_ids = {row["rater"]: rater.id for row, rater in zip(pack.tables["raters"], raters, strict=True)}
            rows = [_new_vote(study.id, row, rater_ids, ids) for row in pack.tables["votes"]]
            for start in range(0, len(rows), _AT_ONCE):
                session.execute(insert(Vote), rows[start : start + _AT_ONCE])
            _store_predictions(session, pack, ids)
            return study.id


def _check(pack: Pack) -> None:
    """Whether the tables fit each other: checksums can be made anew by whoever edits a file."""
    images = {row["image"] for row in pack.tables["images"]}
    raters = {row["rater"] for row in pack.tables["raters"]}
    labels = {row["model"]: _split(row["labels"]) or [] for row in pack.tables["models"]}
    hashes = {row["sha256"] for row in pack.protocols}
    choices = {NONE_OF_THESE, OTHER}
    for protocol in pack.protocols:
        choices.update(parse_protocol(protocol["content"]).label_names)
    for row in pack.tables["images"]:
        if row["media_type"] not in MEDIA_TYPES.values() or not str(row["image"]).isprintable():
            raise _contradiction("images", row, "is no image that a study can hold")
    for row in pack.tables["votes"]:
        if row["rater"] not in raters or row["image"] not in images:
            raise _contradiction("votes", row, "is of a rater or an image that is not listed")
        if not {row["choice"], *(_split(row["choices"]) or [])} <= choices or row["kind"] not in KINDS:
            raise _contradiction("votes", row, "is for no label of the study, or of an unknown kind")
        if row["protocol_hash"] is not None and row["protocol_hash"] not in hashes:
            raise _contradiction("votes", row, "was made under a protocol that is not part of the data set")
    for row in pack.tables["predictions"]:
        if row["image"] not in images or row["label"] not in labels.get(row["model"], []):
            raise _contradiction("predictions", row, "is of a model, image or label that is not listed")
    for row in pack.tables["raters"]:
        if any(not 1 <= number <= len(images) for number, _, _ in json.loads(row["showings"])):
            raise _contradiction("raters", row, "was shown an image that is not listed")


def _contradiction(table: str, row: dict[str, Any], fault: str) -> SurveyError:
    shown = ", ".join(f"{name} {value}" for name, value in list(row.items())[:4])
    return SurveyError(f"The data set contradicts itself: in {table}, the row with {shown} {fault}.")


def _numbered(session: Session, study: Study) -> list[tuple[int, Volunteer]]:
    """Raters with their published numbers: an order that only this database knows; an imported pack keeps its own.

    Who enrolled in an imported study that was opened again follows after the pack's raters, who never had a link.
    """
    rows = session.scalars(select(Volunteer).where(Volunteer.study_id == study.id).order_by(Volunteer.id)).all()
    kept = [r for r in rows if PACK in study.origin and r.token_hash is None and r.purged_at is None]
    known = {row.id for row in kept}
    drawn = [row for row in rows if row.id not in known]
    drawn.sort(key=lambda row: keyed_hash(study.private_secret, f"rater:{row.id}"))
    return list(enumerate([*kept, *drawn], start=1))


def _votes(session: Session, study: Study, raters: dict[int, int], names: dict[int, str], answers: bool) -> Rows:
    found: dict[int, Rows] = {number: [] for number in sorted(raters.values())}
    for vote in session.scalars(select(Vote).where(Vote.study_id == study.id).order_by(Vote.id)):
        mine = found[raters[vote.volunteer_id]]
        mine.append(
            {
                "rater": raters[vote.volunteer_id],
                "trial": len(mine) + 1,
                "image": names[vote.image_id],
                "repeat": vote.repeat,
                "kind": vote.kind,
                "choice": vote.choice,
                "choices": _joined(vote.choices),
                "intensity": vote.intensity,
                "valence": vote.valence,
                "arousal": vote.arousal,
                "other_text": vote.other_text if answers else None,
                "options": _joined(vote.options),
                "protocol_hash": vote.protocol_hash,
                "source_choice": vote.source_choice,
                "response_ms": vote.response_ms,
                "voted_on": _day(vote.created_at),
                "taken_back_on": _day(vote.superseded_at),
            }
        )
    return [vote for votes in found.values() for vote in votes]


def _rater(number: int, row: Volunteer, images: dict[int, int], answers: bool) -> dict[str, Any]:
    showings = [[images[image_id], repeat, kind] for image_id, repeat, kind in row.trials]
    return {
        "rater": number,
        "source": row.source,
        "language": row.language,
        "consent_version": row.consent_version,
        "consented_on": _day(row.consented_at),
        "started_on": _day(row.created_at),
        "finished_on": _day(row.finished_at),
        "showings": json.dumps(showings, separators=(",", ":")),
        "buttons": _joined(row.options),
        "answers": json.dumps(row.demographics, sort_keys=True) if answers and row.demographics is not None else None,
    }


def _image(number: int, row: Image) -> dict[str, Any]:
    return {
        "image_number": number,
        "image": row.name,
        "sha256": row.sha256,
        "media_type": row.media_type,
        "width": row.width,
        "height": row.height,
        "image_label": row.label,
    }


def _contents(session: Session, study: Study) -> dict[str, bytes]:
    query = select(Image.name, Image.content).where(Image.study_id == study.id).order_by(Image.id)
    return {row.name: row.content for row in session.execute(query)}


def _predictions(
    session: Session, study: Study, names: dict[int, str]
) -> tuple[Rows, Rows, list[tuple[str, str, bytes]]]:
    query = (
        select(Model, Prediction)
        .join(Prediction, Prediction.model_id == Model.id)
        .join(Image, Image.id == Prediction.image_id)
        .where(Image.study_id == study.id)
        .order_by(Model.name, Image.id)
        .options(undefer(Prediction.features))
    )
    models: dict[str, dict[str, Any]] = {}
    predictions: Rows = []
    features: list[tuple[str, str, bytes]] = []
    for model, prediction in session.execute(query):
        image = names[prediction.image_id]
        models[model.name] = {
            "model": model.name,
            "method": model.method,
            "backbone": model.backbone,
            "labels": _joined(model.labels),
            "weights_sha256": model.weights_sha256,
            "details": json.dumps(without_paths(model.details), sort_keys=True),
        }
        predictions += [
            {"model": model.name, "image": image, "label": label, "probability": probability}
            for label, probability in zip(model.labels, prediction.probabilities, strict=True)
        ]
        if prediction.features:
            features.append((model.name, image, prediction.features))
    return list(models.values()), predictions, features


def _new_rater(study_id: int, row: dict[str, Any], image_ids: Sequence[int]) -> Volunteer:
    showings = [[image_ids[number - 1], repeat, kind] for number, repeat, kind in json.loads(row["showings"])]
    return Volunteer(
        study_id=study_id,
        source=row["source"],
        language=row["language"],
        consent_version=row["consent_version"],
        consented_at=_time(row["consented_on"]),
        demographics=None if row["answers"] is None else json.loads(row["answers"]),
        trials=showings,
        options=_split(row["buttons"]) or [],
        created_at=_time(row["started_on"]),
        finished_at=_time(row["finished_on"]),
    )


def _new_vote(study_id: int, row: dict[str, Any], raters: dict[int, int], images: dict[str, int]) -> dict[str, Any]:
    kept = (
        "repeat", "kind", "choice", "intensity", "valence", "arousal", "other_text", "protocol_hash", "source_choice",
        "response_ms",
    )  # fmt: skip
    return {
        "study_id": study_id,
        "volunteer_id": raters[row["rater"]],
        "image_id": images[row["image"]],
        "choices": _split(row["choices"]),
        "options": _split(row["options"]),
        "created_at": _time(row["voted_on"]),
        "superseded_at": _time(row["taken_back_on"]),
        **{name: row[name] for name in kept},
    }


def _store_predictions(session: Session, pack: Pack, images: dict[str, int]) -> None:
    features = {(model, image): content for model, image, content in pack.features}
    models: dict[str, Model] = {}
    for row in pack.tables["models"]:
        model = session.scalar(select(Model).where(Model.name == row["model"]))
        if model is None:
            model = Model(
                name=row["model"],
                method=row["method"],
                backbone=row["backbone"],
                labels=_split(row["labels"]) or [],
                weights_sha256=row["weights_sha256"],
                details=json.loads(row["details"]),
            )
            session.add(model)
            session.flush()
        elif model.weights_sha256 != row["weights_sha256"]:
            raise SurveyError(
                f"A model named {row['model']!r} with other weights is in this database already. Import into another "
                "one (LDLVA_DATABASE_URL)."
            )
        models[row["model"]] = model
    grouped: dict[tuple[str, str], dict[str, float]] = {}
    for row in pack.tables["predictions"]:
        grouped.setdefault((row["model"], row["image"]), {})[row["label"]] = row["probability"]
    rows = [
        {
            "model_id": models[model].id,
            "image_id": images[image],
            "probabilities": [shares[label] for label in models[model].labels],
            "features": features.get((model, image), b""),
        }
        for (model, image), shares in grouped.items()
    ]
    for start in range(0, len(rows), _AT_ONCE):
        session.execute(insert(Prediction), rows[start : start + _AT_ONCE])


def _joined(values: Sequence[str] | None) -> str | None:
    return None if values is None else "|".join(values)


def _split(text: str | None) -> list[str] | None:
    return None if text is None else text.split("|") if text else []


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).date().isoformat()


def _time(day: str | None) -> Any:
    return None if day is None else datetime.combine(date.fromisoformat(day), time(), UTC)
