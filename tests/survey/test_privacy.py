"""Consent, withdrawal and the retention time, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from ldlva.errors import VolunteerError
from ldlva.survey.access import normalised_code
from ldlva.survey.database import Database
from ldlva.survey.open import open_repository
from ldlva.survey.protocol_file import check_protocol
from ldlva.survey.records import NewStudy
from ldlva.survey.repository import Repository
from ldlva.survey.schema import Base, Invitation, Volunteer, now
from tests.conftest import pictures
from tests.survey.test_participation import Clock, clock, create, protocol, timed, vote_on

__all__ = ["clock", "timed"]

WORD = "unmistakeable-word"
QUESTIONS = [
    {"key": "age", "text": "Age?", "kind": "number", "minimum": 18, "maximum": 120},
    {"key": "job", "text": "Job?", "kind": "text"},
    {"key": "hand", "text": "Hand?", "kind": "choice", "options": ["left", "right"], "required": True},
]


def everything(database: Database) -> str:
    """All rows of all tables but images, as text."""
    with database.read() as session:
        names = [table.name for table in Base.metadata.sorted_tables if table.name != "image"]
        return "\n".join(str(session.execute(text(f"SELECT * FROM {name}")).all()) for name in names)


def test_consent_is_stored_with_version_language_and_time(timed: Repository, clock: Clock) -> None:
    texts = {"title": {"en": "T", "de": "T"}, "languages": ["en", "de"]}
    timed.create_study(
        NewStudy("s", protocol=check_protocol({**texts, "consent": {"version": "7", "text": {"en": "C", "de": "E"}}})),
        pictures(1),
    )
    for wanted, language in (("de", "de"), ("fr", "en"), (None, "en")):
        token = timed.enrol("s", language=wanted).token
        assert timed.ballot(token).language == language
    rows = timed.volunteer_rows(timed.study("s"))
    assert [row["language"] for row in rows] == ["de", "en", "en"]
    assert {row["consent_version"] for row in rows} == {"7"}
    assert abs(rows[0]["consented_at"] - clock.time) < timedelta(milliseconds=1)


def test_withdrawing_erases_everything_but_a_count(timed: Repository, database: Database) -> None:
    create(timed, protocol(demographics=QUESTIONS, response={"other_option": True}), 2)
    kept = timed.enrol("s", demographics={"hand": "left"})
    vote_on(timed, kept.token)
    before = everything(database)
    gone = timed.enrol("s", demographics={"age": 30, "job": WORD, "hand": "right"})
    image_id = timed.ballot(gone.token).image_id
    assert image_id is not None
    timed.vote(gone.token, image_id, "other", other_text=WORD)
    timed.undo(gone.token)
    vote_on(timed, gone.token)
    assert WORD in everything(database)
    version = timed.version(timed.study("s"))

    erased = timed.withdraw(f" {gone.withdrawal_code.lower().replace('-', ' ')}\n")
    assert (erased.study_title, erased.votes) == ("T", 3)
    study = timed.study("s")
    assert (study.volunteers, study.votes, study.withdrawn) == (1, 2, 1)
    assert WORD not in everything(database)
    assert [row["volunteer"] for row in timed.vote_rows(study)] == [1, 1]
    assert timed.version(study) != version
    # Of all tables, only the study's row (its count of withdrawals) differs from before.
    assert len(set(everything(database).splitlines()) ^ set(before.splitlines())) == 2
    for attempt in (lambda: timed.ballot(gone.token), lambda: timed.withdraw(gone.withdrawal_code)):
        with pytest.raises(VolunteerError):
            attempt()
    assert vote_on(timed, kept.token).done == 2


def test_on_sqlite_nothing_of_it_is_left_in_the_files(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    database.prepare()
    repository = Repository(database)
    create(repository, protocol(demographics=QUESTIONS), 1)

    def in_files() -> bool:
        return any(WORD.encode() in path.read_bytes() for path in tmp_path.iterdir())

    enrolment = repository.enrol("s", demographics={"job": WORD, "hand": "left"})
    assert in_files()
    repository.withdraw(enrolment.withdrawal_code)
    assert not in_files()
    database.close()


def test_a_withdrawn_volunteers_places_are_given_to_others(timed: Repository) -> None:
    create(timed, protocol(stopping={"rule": "quota", "votes_per_face": 1}), 2)
    first = timed.enrol("s")
    vote_on(timed, first.token)
    with pytest.raises(VolunteerError, match="all the votes"):
        timed.enrol("s")
    timed.withdraw(first.withdrawal_code)
    assert vote_on(timed, timed.enrol("s").token).done == 2


def test_codes_survive_typing() -> None:
    assert normalised_code("o1il 2abc-def0") == "0111-2ABC-DEF0"


@pytest.mark.parametrize(
    ("answers", "question"),
    [
        ({}, "hand"),
        ({"hand": " "}, "hand"),
        ({"hand": "both"}, "hand"),
        ({"hand": "left", "age": 17}, "age"),
        ({"hand": "left", "age": float("nan")}, "age"),
        ({"hand": "left", "age": "30"}, "age"),
        ({"hand": "left", "job": "x" * 3000}, "job"),
        ({"hand": "left", "shoe": 43}, "shoe"),
    ],
)
def test_answers_are_checked_before_anything_is_stored(
    sqlite_repository: Repository, answers: dict[str, Any], question: str
) -> None:
    create(sqlite_repository, protocol(demographics=QUESTIONS), 1)
    with pytest.raises(VolunteerError) as caught:
        sqlite_repository.enrol("s", demographics=answers)
    assert (caught.value.kind, caught.value.values) == ("answer", {"question": question})
    assert sqlite_repository.study("s").volunteers == 0


def test_after_the_retention_time_votes_stay_and_who_it_was_goes(
    timed: Repository, clock: Clock, database: Database
) -> None:
    create(
        timed,
        protocol(
            demographics=QUESTIONS, retention_days=10, access={"participant_id": "P", "participant_id_storage": "plain"}
        ),
        1,
    )
    first = timed.enrol("s", demographics={"hand": "left", "job": WORD}, participant_id="panel-17")
    vote_on(timed, first.token)
    assert not timed.purge_is_due()
    clock.pass_minutes(10 * 24 * 60 + 1)
    assert timed.purge_is_due()
    vote_on(timed, timed.enrol("s", demographics={"hand": "right"}).token)  # a new volunteer is enough
    assert not timed.purge_is_due()
    assert WORD not in everything(database)
    assert "panel-17" not in everything(database)
    assert timed.study("s").votes == 2
    with pytest.raises(VolunteerError):
        timed.ballot(first.token)
    clock.pass_minutes(10 * 24 * 60)
    clock.pass_minutes(1)
    assert [(p.study, p.retention_days, p.volunteers) for p in timed.purge("s")] == [("s", 10, 1)]
    assert timed.purge()[0].volunteers == 0


@pytest.mark.parametrize("when", ["at once", "each after its own time"])
def test_after_the_retention_time_no_one_time_link_leads_to_a_volunteer(
    timed: Repository, clock: Clock, database: Database, when: str
) -> None:
    create(timed, protocol(retention_days=10, access={"who": "one_time"}), 1)
    first, second, unused = (path.rpartition("=")[2] for path in timed.invite("s", ["Ann", "Bo", WORD]))
    clock.pass_minutes(1)
    for secret in (first, second):
        timed.enrol("s", invitation=secret)
        clock.pass_minutes(24 * 60)
    for days in (12,) if when == "at once" else (8.5, 1):
        clock.pass_minutes(days * 24 * 60)
        timed.purge()
    assert [(i.note, i.used_at is not None) for i in timed.invitations("s")] == [("", True), ("", True), (WORD, False)]
    with database.read() as session:
        used = {row.used_at for row in session.scalars(select(Invitation)) if row.used_at is not None}
        for volunteer in session.scalars(select(Volunteer)):
            assert volunteer.purged_at is not None and volunteer.invitation_id is None
            assert not used & {volunteer.created_at, volunteer.consented_at, volunteer.purged_at}
    with pytest.raises(VolunteerError) as caught:
        timed.enrol("s", invitation=first)
    assert caught.value.kind == "used"
    assert timed.enrol("s", invitation=unused).token


def test_a_purge_leaves_the_links_of_others_alone(timed: Repository, clock: Clock) -> None:
    for name in ("s", "other"):
        create(timed, protocol(retention_days=10 if name == "s" else None, access={"who": "one_time"}), 1, name)
        timed.enrol(name, invitation=timed.invite(name, ["Ann"])[0].rpartition("=")[2])
    clock.pass_minutes(11 * 24 * 60)
    timed.enrol("s", invitation=timed.invite("s", ["Bo"])[0].rpartition("=")[2])
    assert [(i.note, i.used_at == clock.time) for i in timed.invitations("s")] == [("", False), ("Bo", True)]
    assert [i.note for i in timed.invitations("other")] == ["Ann"]


def test_opening_the_database_erases_what_is_due(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(demographics=QUESTIONS, retention_days=1), 1)
    past = Repository(sqlite_repository._database, lambda: now() - timedelta(days=2))
    past.enrol("s", demographics={"hand": "left", "job": WORD})
    [row] = open_repository().volunteer_rows(open_repository().study("s"))
    assert row["answer_job"] is None
