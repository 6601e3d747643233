"""Withdrawing and deleting for pages and commands: no stored result rests on what the database erased.

The retention time is the database's alone: results hold nothing that it erases.
"""

from __future__ import annotations

import logging

from ldlva import result_jobs
from ldlva.errors import JobError
from ldlva.survey.records import Deletion, StudySummary, Withdrawal
from ldlva.survey.repository import Repository


def withdraw(repository: Repository, code: str) -> Withdrawal:
    """`Repository.withdraw`, and forget what was computed for the volunteer's study: it may list them.

    Raises:
        VolunteerError: no volunteer has this code.
    """
    erased = repository.withdraw(code)
    try:
        result_jobs.forget(repository.study(erased.study_name).identity)
    except JobError as error:  # the answers are erased all the same, and a volunteer could not help it
        logging.getLogger(__name__).warning("%s", error)
    return erased


def delete_study(repository: Repository, study: StudySummary) -> Deletion:
    """`Repository.delete_study`, and forget what was computed for it.

    Raises:
        SurveyError: it is open or not there any more.
        JobError: the study is gone, but some results are not; they are named.
    """
    deleted = repository.delete_study(study)
    result_jobs.forget(study.identity)
    return deleted
