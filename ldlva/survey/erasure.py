"""Withdrawing and deleting for pages and commands: no stored result rests on what the database erased.

The retention time is the database's alone: results hold nothing that it erases.
"""

from __future__ import annotations

import logging

from ldlva import result_jobs
from ldlva.embedding import embedding
from ldlva.errors import JobError
from ldlva.jobs import MAKING, MAPPING, PREDICTING, end_jobs
from ldlva.survey.records import Deletion, StudySummary, Withdrawal
from ldlva.survey.repository import Repository


def withdraw(repository: Repository, code: str) -> Withdrawal:
    """`Repository.withdraw`, and forget what was computed for the volunteer's study: it may list them.

    Raises:
        VolunteerError: no volunteer has this code.
    """
    erased = repository.withdraw(code)
    try:
        _forget_results(erased.study_name, erased.study_identity)
    except JobError as error:  # the answers are erased all the same, and a volunteer could not help it
        logging.getLogger(__name__).warning("%s", error)
    return erased


def delete_study(repository: Repository, study: StudySummary) -> tuple[Deletion, str]:
    """`Repository.delete_study`, and forget everything that was computed for it or started about it.

    A failed attempt to make a study of this name stays: it may be tried again.

    Returns:
        What went, and a sentence about what could not be deleted beside it, mostly empty.

    Raises:
        SurveyError: it is open or not there any more.
    """
    deleted = repository.delete_study(study)
    end_jobs(MAKING, lambda job: job.record()["details"].get("name") == study.name and job.state() == "finished")
    end_jobs(PREDICTING, lambda job: job.record()["details"].get("study") == study.name)
    try:
        _forget_results(study.name, study.identity)
    except JobError as error:
        return deleted, str(error)
    return deleted, ""


def _forget_results(name: str, identity: str) -> None:
    source = f"study:{name}"
    end_jobs(MAPPING, lambda job: job.record()["details"].get("source") == source)
    embedding.forget(source)
    result_jobs.forget(identity)
