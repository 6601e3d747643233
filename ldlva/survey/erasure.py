"""Erasing for pages and commands: what the database erases, no stored result rests on any longer."""

from __future__ import annotations

import logging

from ldlva import result_jobs
from ldlva.errors import JobError
from ldlva.survey.privacy import Purge
from ldlva.survey.records import Withdrawal
from ldlva.survey.repository import Repository


def withdraw(repository: Repository, code: str) -> Withdrawal:
    """`Repository.withdraw`, and forget what was computed for the volunteer's study: it may list them.

    Raises:
        VolunteerError: no volunteer has this code.
    """
    erased = repository.withdraw(code)
    _forget(repository, erased.study_name)
    return erased


def purge(repository: Repository, name: str | None = None) -> list[Purge]:
    """`Repository.purge`, and forget what was computed for every study in which it erased something.

    Raises:
        SurveyError: unknown study.
    """
    done = repository.purge(name)
    for purged in done:
        if purged.volunteers:
            _forget(repository, purged.study)
    return done


def _forget(repository: Repository, study: str) -> None:
    try:
        result_jobs.forget(repository.study(study).identity)
    except JobError as error:  # the answers are erased all the same, and a volunteer could not help it
        logging.getLogger(__name__).warning("%s", error)
