"""Studies in the database: made, listed, opened and closed, their protocols and their images."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, case, func, insert, select, update
from sqlalchemy.orm import Session, undefer

from ldlva.emotions import LABEL_SETS, NONE_OF_THESE, emotion
from ldlva.errors import SurveyError, VolunteerError
from ldlva.survey.access import new_secret, same_secret, secret_hash
from ldlva.survey.protocol import Protocol, parse_protocol
from ldlva.survey.protocol_file import check_protocol
from ldlva.survey.records import NewImage, NewStudy, NewVote, StudyStatus, StudySummary
from ldlva.survey.schema import STUDY_STATUSES, Image, Invitation, Study, StudyProtocol, Volunteer, Vote
from ldlva.survey.store import COUNTED, WEB_VOLUNTEER, Store, file_hash, find_study, present_protocol

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


@dataclass(frozen=True)
class ProtocolVersion:
    """One protocol that a study has or had, and the votes made under it."""

    version: int
    hash: str
    created_at: datetime
    votes: int


class StudyStore(Store):
    """Studies, their protocols and images."""

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
            study = find_study(session, name)
            if protocol is None:
                protocol, _ = present_protocol(session, study)
            names = session.scalars(select(Image.name).where(Image.study_id == study.id)).all()
            if faces is not None:
                if missing := sorted(set(faces) - set(names)):
                    raise SurveyError(f"{missing[0]!r} is not among the faces of {name!r}.")
                names = [face for face in names if face in {*faces, *protocol.faces.special}]
            check_faces(protocol, names)
            origin = {**study.origin, "cloned_from": study.name, **({} if chosen is None else {"chosen": chosen})}
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

    def studies(self) -> list[StudySummary]:
        """All studies, newest first."""
        with self._database.read() as session:
            return [_summary(row) for row in session.execute(_summaries().order_by(Study.id.desc()))]

    def listed_open_studies(self) -> list[StudySummary]:
        """Studies that strangers may see: open to anyone, and not kept off the home page."""
        return [
            study
            for study in self.studies()
            if study.status == "open" and study.protocol.access.listed and study.protocol.access.who == "anyone"
        ]

    def study(self, name: str) -> StudySummary:
        """One study by name.

        Raises:
            SurveyError: there is none; existing names are listed.
        """
        with self._database.read() as session:
            find_study(session, name)
            return _summary(session.execute(_summaries().where(Study.name == name)).one())

    def invited_study(self, name: str, invitation: str | None = None) -> StudySummary:
        """The study that a volunteer's link leads to; says nothing about any other.

        Raises:
            VolunteerError: no such study, it is a draft, or the link lacks the secret that it needs.
        """
        with self._database.read() as session:
            row = session.execute(_summaries().where(Study.name == name)).one_or_none()
            if row is None or row.Study.status == "draft":
                raise no_study(name)
            check_invitation(session, row.Study, parse_protocol(row.content), invitation)
            return _summary(row)

    def set_study_status(self, name: str, status: str) -> None:
        """Open, pause or close a study.

        Raises:
            SurveyError: unknown study or status, or a study with volunteers is to become a draft again.
        """
        if status not in STUDY_STATUSES:
            raise SurveyError(f"Unknown status {status!r}. Choose one of {', '.join(STUDY_STATUSES)}.")
        with self._database.write() as session:
            study = find_study(session, name)
            if status == "draft" and study.status != "draft" and _has_volunteers(session, study.id):
                raise SurveyError(
                    f"Volunteers have taken part in {name!r}: pause it instead of making it a draft again."
                )
            session.execute(update(Study).where(Study.id == study.id).values(status=status))

    def set_protocol(self, name: str, protocol: Protocol) -> int:
        """Give a draft or paused study another protocol, as a new version; earlier votes keep the hash of theirs.

        Returns:
            The version that holds now: the present one if nothing changed.

        Raises:
            SurveyError: the study is open or closed; what cannot change once somebody took part would; or a changed
                consent text keeps its version.
        """
        with self._database.write() as session:
            find_study(session, name)
            study = session.execute(
                select(Study)
                .where(Study.name == name)
                .with_for_update(key_share=True)
                .execution_options(populate_existing=True)
            ).scalar_one()
            present, present_hash = present_protocol(session, study)
            if protocol.hash == present_hash:
                return study.protocol_version
            if study.status not in ("draft", "paused"):
                raise SurveyError(f"{name!r} is {study.status}. Pause it before changing its protocol.")
            check_faces(protocol, session.scalars(select(Image.name).where(Image.study_id == study.id)).all())
            if _has_volunteers(session, study.id):
                _check_change(present, protocol, name)
            study.protocol_version += 1
            session.add(_protocol_row(study, protocol))
            return study.protocol_version

    def protocol_versions(self, name: str) -> list[ProtocolVersion]:
        """All protocols of a study, the present one last.

        Raises:
            SurveyError: unknown study.
        """
        with self._database.read() as session:
            study = find_study(session, name)
            votes: dict[str | None, int] = dict(
                session.execute(
                    select(Vote.protocol_hash, func.count())
                    .where(Vote.study_id == study.id)
                    .group_by(Vote.protocol_hash)
                ).all()
            )
            rows = session.scalars(
                select(StudyProtocol).where(StudyProtocol.study_id == study.id).order_by(StudyProtocol.version)
            )
            return [ProtocolVersion(row.version, row.sha256, row.created_at, votes.get(row.sha256, 0)) for row in rows]

    def protocol_contents(self, name: str) -> list[tuple[int, str]]:
        """Every protocol of a study as it is stored: version and canonical JSON, the present one last.

        Raises:
            SurveyError: unknown study.
        """
        with self._database.read() as session:
            study = find_study(session, name)
            query = select(StudyProtocol.version, StudyProtocol.content).where(StudyProtocol.study_id == study.id)
            return [(row.version, row.content) for row in session.execute(query.order_by(StudyProtocol.version))]

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

    def image_names(self, study: StudySummary) -> list[str]:
        """Names of a study's images, in the order of its files."""
        with self._database.read() as session:
            return list(session.scalars(select(Image.name).where(Image.study_id == study.id).order_by(Image.id)))

    def image_files(self, study: StudySummary, always: Collection[str], most: int) -> list[NewImage]:
        """Some of a study's images whole: those named, and the first `most` of the others."""
        names = self.image_names(study)
        wanted = {*always, *[name for name in names if name not in always][:most]}
        query = (
            select(Image)
            .options(undefer(Image.content))
            .where(Image.study_id == study.id, Image.name.in_(wanted))
            .order_by(Image.id)
        )
        with self._database.read() as session:
            return [
                NewImage(row.name, row.content, row.media_type, row.width, row.height, row.label)
                for row in session.scalars(query)
            ]

    def images(self, study: StudySummary) -> list[tuple[int, str, bytes]]:
        """Id, name and file of every image of a study."""
        query = select(Image.id, Image.name, Image.content).where(Image.study_id == study.id).order_by(Image.id)
        with self._database.read() as session:
            return [(row.id, row.name, row.content) for row in session.execute(query)]


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


def check_faces(protocol: Protocol, names: Iterable[str]) -> None:
    """Whether the faces that a protocol names are there, with some left to vote on.

    Raises:
        SurveyError: one is not, or none is left.
    """
    present = set(names)
    special = protocol.faces.special
    if missing := sorted(special - present):
        raise SurveyError(f"faces: the protocol names {missing[0]!r}, which is not among the study's images.")
    if not present - special:
        raise SurveyError("faces: every image is a practice or gold face; none is left to vote on.")


def no_study(name: str) -> VolunteerError:
    """There is no such study, as far as a volunteer may know."""
    return VolunteerError("no_study", f"There is no study named {name!r}. Check the link you were sent.", name=name)


def check_invitation(session: Session, study: Study, protocol: Protocol, secret: str | None) -> Invitation | None:
    """Whether a link's secret admits to a study; returns the one-time invitation that it is, if it is one.

    Raises:
        VolunteerError: it does not.
    """
    if secret is not None:
        found = session.scalar(
            select(Invitation).where(Invitation.study_id == study.id, Invitation.secret_hash == secret_hash(secret))
        )
        if found is not None:
            return found
    who = protocol.access.who
    if who == "anyone" or (who == "link" and same_secret(secret, study.link_secret)):
        return None
    raise VolunteerError(
        "invitation", "This study takes part by invitation. Open the full link you were sent; it may have been cut off."
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


def _check_change(present: Protocol, changed: Protocol, name: str) -> None:
    for field in ("labels", "response"):
        if getattr(present, field) != getattr(changed, field):
            raise SurveyError(
                f"Volunteers have taken part in {name!r}, so its {field} cannot change: votes could not be counted "
                "together. Clone the study and change the clone."
            )
    if present.consent.text != changed.consent.text and present.consent.version == changed.consent.version:
        raise SurveyError(
            "The consent text changed: give it another consent.version, so that it is known who agreed to what."
        )


def _has_volunteers(session: Session, study_id: int) -> bool:
    return session.scalar(select(Volunteer.id).where(Volunteer.study_id == study_id).limit(1)) is not None


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
        name=study.name, status=study.status, link_secret=new_secret(), seed=study.seed, origin=study.origin
    )  # fmt: skip
    row.protocol_version = 1
    session.add(row)
    session.flush()
    session.add(_protocol_row(row, protocol))
    return row


def _protocol_row(study: Study, protocol: Protocol) -> StudyProtocol:
    return StudyProtocol(
        study_id=study.id, version=study.protocol_version, sha256=protocol.hash, content=protocol.content
    )


def _summaries() -> Select[Any]:
    """Studies with their protocols and counts; the counts as correlated scalars: no join multiplies rows."""
    images = select(func.count()).where(Image.study_id == Study.id).scalar_subquery()
    votes = select(func.count()).where(Vote.study_id == Study.id, COUNTED).scalar_subquery()
    raters = select(func.coalesce(func.sum(case((Volunteer.source == WEB_VOLUNTEER, 1), else_=0)), 0)).where(
        Volunteer.study_id == Study.id
    )
    everyone = select(func.count()).where(Volunteer.study_id == Study.id).scalar_subquery()
    return select(
        Study,
        StudyProtocol.content,
        StudyProtocol.sha256,
        images.label("images"),
        votes.label("votes"),
        raters.scalar_subquery().label("volunteers"),
        everyone.label("everyone"),
    ).join(
        StudyProtocol,
        (StudyProtocol.study_id == Study.id) & (StudyProtocol.version == Study.protocol_version),
    )


def _summary(row: Any) -> StudySummary:
    study: Study = row.Study
    return StudySummary(
        id=study.id,
        name=study.name,
        status=cast(StudyStatus, study.status),
        protocol=parse_protocol(row.content),
        protocol_version=study.protocol_version,
        protocol_hash=row.sha256,
        link_secret=study.link_secret,
        seed=study.seed,
        origin=study.origin,
        created_at=study.created_at,
        images=row.images,
        volunteers=row.volunteers,
        imported_raters=row.everyone - row.volunteers,
        votes=row.votes,
        withdrawn=study.withdrawn,
    )


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
