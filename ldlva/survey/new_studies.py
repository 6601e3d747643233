"""New studies in the database: made of images, or cloned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from ldlva.emotions import LABEL_SETS, NONE_OF_THESE, emotion
from ldlva.errors import SurveyError
from ldlva.survey.access import new_secret
from ldlva.survey.pack import PACK
from ldlva.survey.protocol import Protocol
from ldlva.survey.protocol_file import check_protocol
from ldlva.survey.protocol_versions import check_faces, protocol_row
from ldlva.survey.records import NewImage, NewStudy, NewVote
from ldlva.survey.schema import Image, Study, Volunteer, Vote
from ldlva.survey.store import Store, file_hash, find_study, present_protocol

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


class NewStudyStore(Store):
    """What makes studies."""

    def create_study(self, study: NewStudy, images: Sequence[NewImage], votes: Iterable[NewVote] = ()) -> int:
        """Store a study with its images, and imported votes if any, in one transaction; returns its id.

        Raises:
            SurveyError: a bad or taken name, a bad protocol, no image, or the same image twice.
        """
        check_new_study_name(study.name)
        protocol = protocol_of(study)
        hashes = _image_hashes(images)
        check_faces(protocol, [image.name for image in images])
        with self._database.write() as session:
            row = _add_study(session, study, protocol)
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
                for image, digest in zip(images, hashes, strict=True)
            ]
            session.add_all(image_rows)
            session.flush()
            ids = {image.name: image.id for image in image_rows}
            _import_votes(session, row, protocol, ids, list(votes))
            return row.id

    def clone_study(
        self,
        name: str,
        new_name: str,
        protocol: Protocol | None = None,
        faces: Sequence[str] | None = None,
        chosen: dict[str, Any] | None = None,
    ) -> int:
        """A draft with the same faces and, unless another is given, the same protocol; without votes and predictions.

        Args:
            name: the study.
            new_name: the draft.
            protocol: another protocol.
            faces: names of the faces to take, a follow-up on them; None: all. Practice and gold faces come along.
            chosen: how they were chosen, kept in the draft's origin.

        Raises:
            SurveyError: unknown study, a bad or taken name, or a face that the study does not have.
        """
        check_new_study_name(new_name)
        with self._database.write() as session:
            study = find_study(session, name, lock=True)
            if protocol is None:
                protocol, _ = present_protocol(session, study)
            names = session.scalars(select(Image.name).where(Image.study_id == study.id)).all()
            if faces is not None:
                if missing := sorted(set(faces) - set(names)):
                    raise SurveyError(f"{missing[0]!r} is not among the faces of {name!r}.")
                names = [face for face in names if face in {*faces, *protocol.faces.special}]
            check_faces(protocol, names)
            # A clone of an imported study is none: its volunteers enrol here.
            origin = {key: value for key, value in study.origin.items() if key != PACK}
            origin |= {"cloned_from": study.name, **({} if chosen is None else {"chosen": chosen})}
            new = NewStudy(new_name, seed=study.seed, status="draft", origin=origin)
            row = _add_study(session, new, protocol)
            copied = ("name", "sha256", "media_type", "width", "height", "label", "content")
            columns = [getattr(Image, column) for column in copied]
            source = select(Study.id, *columns).join(Image, Image.study_id == study.id).where(Study.id == row.id)
            if faces is not None:
                source = source.where(Image.name.in_(names))
            session.execute(insert(Image).from_select(["study_id", *copied], source.order_by(Image.id)))
            return row.id

    def check_new_name(self, name: str) -> None:
        """Whether a study may be given this name.

        Raises:
            SurveyError: a bad or taken name.
        """
        check_new_study_name(name)
        with self._database.read() as session:
            _check_free(session, name)


def protocol_of(study: NewStudy) -> Protocol:
    """The study's protocol, made of its other fields where it has none.

    Raises:
        SurveyError: an unknown label, or a field that no protocol may have.
    """
    if study.protocol is not None:
        return study.protocol
    for label in study.labels:
        emotion(label)
    known = next((name for name, labels in LABEL_SETS.items() if study.labels == tuple(e.name for e in labels)), None)
    return check_protocol(
        {
            "title": study.title or study.name,
            "description": study.description,
            "labels": {"set": known} if known else {"set": "own", "own": [{"name": name} for name in study.labels]},
            "faces": {"per_volunteer": study.faces_per_volunteer},
            "consent": {"version": study.consent_version, "text": study.consent_text},
        },
        f"Study {study.name!r}",
    )


def check_new_study_name(name: str) -> None:
    """Whether a study may be called this.

    Raises:
        SurveyError: it may not.
    """
    if not _NAME.fullmatch(name):
        raise SurveyError(f"Bad study name {name!r}: use lower-case letters, digits, - and _, at most 80.")


def _check_free(session: Session, name: str) -> None:
    if session.scalar(select(Study.id).where(Study.name == name)) is not None:
        raise SurveyError(f"A study named {name!r} exists already. Choose another name.")


def _image_hashes(images: Sequence[NewImage]) -> list[str]:
    """SHA-256 of every image's file, all different and with names that are different and can be stored."""
    if not images:
        raise SurveyError("A study needs at least one image.")
    by_hash: dict[str, str] = {}
    for image in images:
        if not image.name.isprintable():  # nor are bytes that are no Unicode, which Linux allows in names
            raise SurveyError(f"The file name {image.name!r} has characters that cannot be stored. Rename the file.")
        digest = file_hash(image.content)
        if digest in by_hash:
            raise SurveyError(f"{image.name} and {by_hash[digest]} are the same image. Leave one out.")
        by_hash[digest] = image.name
    if len(set(by_hash.values())) < len(images):
        raise SurveyError("Two images have the same name. Rename one.")
    return list(by_hash)


def _add_study(session: Session, study: NewStudy, protocol: Protocol) -> Study:
    _check_free(session, study.name)
    row = Study(
        name=study.name,
        status=study.status,
        link_secret=new_secret(),
        private_secret=new_secret(),
        seed=study.seed,
        origin=study.origin,
    )
    row.protocol_version = 1
    session.add(row)
    session.flush()
    session.add(protocol_row(row, protocol))
    return row


def _import_votes(
    session: Session, study: Study, protocol: Protocol, image_ids: dict[str, int], votes: list[NewVote]
) -> None:
    if not votes:
        return
    for vote in votes:
        if vote.choice != NONE_OF_THESE and vote.choice not in protocol.label_names:
            raise SurveyError(f"Imported vote {vote.choice!r} for {vote.image_name} is not a label of the study.")
        if vote.image_name not in image_ids:
            raise SurveyError(f"An imported vote is for {vote.image_name!r}, which is not in the study.")
    source = str(study.origin.get("source", "import"))
    raters = [
        Volunteer(study_id=study.id, source=source, trials=[], options=[])
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
