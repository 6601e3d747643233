"""The configured database, ready to use."""

from __future__ import annotations

from ldlva.settings import settings
from ldlva.survey.database import Database
from ldlva.survey.demo import create_demo_study
from ldlva.survey.repository import Repository


def open_repository() -> Repository:
    """Open and, if needed, create or upgrade the database that the settings name; erase what its time is over for.

    Raises:
        LdlvaError: a bad setting, or the database cannot be opened.
    """
    configured = settings()
    database = Database(configured.database_url, configured.sqlite_synchronous)
    is_new = database.prepare()
    repository = Repository(database)
    if is_new and configured.demo_study:
        create_demo_study(repository)
    elif repository.purge_is_due():
        repository.purge()
    return repository
