"""A study as volunteers see it, in a database of its own that is thrown away: nothing of it reaches the real one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ldlva.survey.access import keyed_hash, same_secret
from ldlva.survey.database import Database
from ldlva.survey.protocol_sections import Access, Stopping
from ldlva.survey.records import NewStudy, StudySummary
from ldlva.survey.repository import Repository

MOST_FACES = 60
"""Faces of a preview, besides the practice and gold ones."""


class Preview:
    """A repository with one open study; its files vanish with it."""

    def __init__(self, source: Repository, study: StudySummary) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ldlva-preview-", ignore_cleanup_errors=True)
        database = Database(f"sqlite:///{Path(self._folder.name) / 'preview.db'}")
        database.prepare()
        self.repository = Repository(database)
        protocol = study.protocol.model_copy(update={"access": Access(listed=False), "stopping": Stopping()})
        special = protocol.faces.special
        images = source.image_files(study, special, MOST_FACES)
        self.repository.create_study(NewStudy(study.name, protocol=protocol, seed=study.seed), images)


def preview_key(study: StudySummary) -> str:
    """What a preview's link carries, so that only who manages the study can open it, drafts included."""
    return keyed_hash(study.private_secret, f"preview {study.name}")[:20]


def is_preview_key(study: StudySummary, key: str) -> bool:
    """Whether a link's key opens the study's preview."""
    return same_secret(key, preview_key(study))
