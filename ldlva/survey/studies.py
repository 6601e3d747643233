"""Studies in the database: listed, opened and closed, and their images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, cast

from sqlalchemy import Select, case, func, select, update
from sqlalchemy.orm import Session, undefer

from ldlva.errors import SurveyError, VolunteerError
from ldlva.survey.access import same_secret, secret_hash
from ldlva.survey.protocol import Protocol, parse_protocol
from ldlva.survey.protocol_versions import has_volunteers
from ldlva.survey.records import NewImage, StudyStatus, StudySummary
from ldlva.survey.schema import STUDY_STATUSES, Image, Invitation, Study, StudyProtocol, Volunteer, Vote
from ldlva.survey.store import COUNTED, WEB_VOLUNTEER, Store, find_study

_PRESENT = (StudyProtocol.study_id == Study.id) & (StudyProtocol.version == Study.protocol_version)
"""A protocol is its study's present version."""


class StudyStore(Store):
    """Studies and their images."""

    def studies(self) -> list[StudySummary]:
        """All studies, newest first."""
        with self._database.read() as session:
            return [_summary(row) for row in session.execute(_summaries().order_by(Study.id.desc()))]

    def study_titles(self) -> dict[str, str]:
        """Every study's title by its name, newest first; nothing is counted. For pickers: where several studies have
        the same title, as clones do, the name is behind it."""
        query = select(Study.name, StudyProtocol.content).join(StudyProtocol, _PRESENT).order_by(Study.id.desc())
        with self._database.read() as session:
            titles = {row.name: parse_protocol(row.content).main_title for row in session.execute(query)}
        times = Counter(titles.values())
        return {name: title if times[title] == 1 else f"{title} ({name})" for name, title in titles.items()}

    def listed_open_studies(self) -> list[StudySummary]:
        """Studies that strangers may see: open to anyone, and not kept off the home page."""
        query = _summaries().where(Study.status == "open").order_by(Study.id.desc())
        with self._database.read() as session:
            found = [_summary(row) for row in session.execute(query)]
        return [study for study in found if study.protocol.access.listed and study.protocol.access.who == "anyone"]

    def study(self, name: str) -> StudySummary:
        """One study by name.

        Raises:
            SurveyError: there is none; existing names are listed.
        """
        with self._database.read() as session:
            find_study(session, name)
            return _summary(session.execute(_summaries().where(Study.name == name)).one())

    def has_study(self, name: str) -> bool:
        """Whether there is a study of this name; nothing is counted."""
        with self._database.read() as session:
            return session.scalar(select(Study.id).where(Study.name == name)) is not None

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
            if status == "draft" and study.status != "draft" and has_volunteers(session, study.id):
                raise SurveyError(
                    f"Volunteers have taken part in {name!r}: pause it instead of making it a draft again."
                )
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
    ).join(StudyProtocol, _PRESENT)


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
        private_secret=study.private_secret,
        seed=study.seed,
        origin=study.origin,
        created_at=study.created_at,
        images=row.images,
        volunteers=row.volunteers,
        imported_raters=row.everyone - row.volunteers,
        votes=row.votes,
        withdrawn=study.withdrawn,
    )
