"""Assignment, claims and answers on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from ldlva.errors import SurveyError, VolunteerError
from ldlva.survey import participation
from ldlva.survey.access import completion_code
from ldlva.survey.database import Database
from ldlva.survey.protocol import Protocol
from ldlva.survey.protocol_file import check_protocol
from ldlva.survey.records import Ballot, NewStudy
from ldlva.survey.repository import Repository
from ldlva.survey.schema import Claim, Study, Volunteer, Vote, now
from tests.conftest import pictures


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.time = now()

    def __call__(self) -> datetime:
        return self.time

    def pass_minutes(self, minutes: float) -> None:
        self.time += timedelta(minutes=minutes)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(database: Database, clock: Clock) -> Repository:
    """A repository whose clock the test moves."""
    return Repository(database, clock)


def protocol(**tables: Any) -> Protocol:
    return check_protocol({"title": "T", "consent": {"text": "C"}, **tables})


def quota(votes: int, faces: int | None = None, minutes: int = 30, **more: Any) -> Protocol:
    return protocol(
        stopping={"rule": "quota", "votes_per_face": votes},
        faces={"per_volunteer": faces, "claim_minutes": minutes},
        **more,
    )


def create(repository: Repository, protocol: Protocol, faces: int, name: str = "s") -> None:
    repository.create_study(NewStudy(name, protocol=protocol), pictures(faces))


def vote_on(repository: Repository, token: str, count: int = 1000) -> Ballot:
    """Vote on the volunteer's next faces."""
    ballot = repository.ballot(token)
    while count and ballot.trial is not None:
        ballot = repository.vote(token, ballot.trial.image_id, "fear", repeat=ballot.trial.repeat)
        count -= 1
    return ballot


def counts(repository: Repository, name: str = "s") -> list[int]:
    tally = repository.votes(repository.study(name))
    return tally.raters.tolist()  # type: ignore[no-any-return]


def test_quotas_are_exact_with_fifty_volunteers_at_once_of_whom_some_drop_out(
    timed: Repository, clock: Clock, database: Database
) -> None:
    """50 at once on 12 faces that need 10 votes each: 120 votes, never one more, and in the end not one less."""
    create(timed, quota(10, faces=4), 12)
    url = database.engine.url.render_as_string(hide_password=False)
    replicas = [Repository(Database(url), clock) for _ in range(3)]
    start = threading.Barrier(50)

    def take_part(number: int) -> str:
        repository = replicas[number % 3]
        start.wait()
        try:
            token = repository.enrol("s").token
        except VolunteerError as error:
            return error.kind
        # Every fourth volunteer leaves after one face; its other faces stay promised for half an hour.
        vote_on(repository, token, 1 if number % 4 == 0 else 1000)
        return "left" if number % 4 == 0 else "finished"

    with ThreadPoolExecutor(50) as pool:
        first = Counter(pool.map(take_part, range(50)))
    assert first["finished"] + first["left"] == 30  # 120 votes to give, four each
    assert first["busy"] == 20
    assert sum(counts(timed)) == 120 - 3 * first["left"]
    assert max(counts(timed)) <= 10

    clock.pass_minutes(31)
    start = threading.Barrier(50)
    with ThreadPoolExecutor(50) as pool:
        second = Counter(pool.map(lambda number: take_part(4 * number + 1), range(50)))
    assert counts(timed) == [10] * 12
    # Who came while a face was free voted; for the others there was nothing left, now or for good.
    assert second["finished"] + second["busy"] + second["complete"] == 50
    with pytest.raises(VolunteerError, match="all the votes it needs") as caught:
        timed.enrol("s")
    assert caught.value.kind == "complete"
    for replica in replicas:
        replica._database.close()


def test_a_late_vote_on_a_face_that_others_filled_is_not_stored(timed: Repository, clock: Clock) -> None:
    create(timed, quota(1, faces=1), 2)
    late = timed.enrol("s").token
    own = timed.ballot(late).image_id
    assert own is not None
    clock.pass_minutes(31)
    other = timed.enrol("s").token  # both faces are free again: this one may get either
    free = timed.ballot(other).image_id
    vote_on(timed, other)
    ballot = timed.vote(late, own, "anger")
    if free == own:
        assert (ballot.done, ballot.image_id is not None, ballot.image_id != own) == (0, True, True)
        ballot = vote_on(timed, late)
    assert ballot.done == ballot.total == 1
    assert counts(timed) == [1, 1]


def test_who_comes_back_too_late_for_every_face_is_done(timed: Repository, clock: Clock) -> None:
    create(timed, quota(1), 2)
    late = timed.enrol("s").token
    assert vote_on(timed, late, 1).done == 1
    clock.pass_minutes(31)
    vote_on(timed, timed.enrol("s").token)
    ballot = timed.ballot(late)
    assert (ballot.image_id, ballot.done, ballot.total) == (None, 1, 1)
    assert counts(timed) == [1, 1]


def test_who_comes_back_before_any_vote_and_too_late_is_told_so(timed: Repository, clock: Clock) -> None:
    create(timed, quota(1), 1)
    late = timed.enrol("s").token
    clock.pass_minutes(31)
    vote_on(timed, timed.enrol("s").token)
    with pytest.raises(VolunteerError) as caught:
        timed.ballot(late)
    assert caught.value.kind == "complete"
    assert counts(timed) == [1]


def test_who_is_done_because_others_filled_the_rest_gets_a_code(timed: Repository, clock: Clock) -> None:
    create(timed, quota(1, completion={"per_volunteer": True}), 2)
    late = timed.enrol("s").token
    assert vote_on(timed, late, 1).completion_code is None
    clock.pass_minutes(31)
    vote_on(timed, timed.enrol("s").token)
    code = timed.ballot(late).completion_code
    assert code == completion_code(late)
    assert timed.volunteer_rows(timed.study("s"))[0]["completion_code"] == code


@pytest.mark.parametrize("status", ["open", "closed"])
def test_who_was_done_without_a_code_gets_it_when_they_open_their_link(
    timed: Repository, clock: Clock, database: Database, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    create(timed, quota(1, completion={"per_volunteer": True}), 1)
    token = timed.enrol("s").token
    vote_on(timed, token)
    with database.write() as session:
        volunteer = session.scalars(select(Volunteer)).one()
        finished, volunteer.completion_code = volunteer.finished_at, None
    timed.set_study_status("s", status)
    clock.pass_minutes(31)
    assert timed.ballot(token).completion_code == completion_code(token)
    [row] = timed.volunteer_rows(timed.study("s"))
    assert (row["completion_code"], row["finished_at"]) == (completion_code(token), finished)
    monkeypatch.setattr(database, "write", pytest.fail)  # from now on, looking is reading
    assert timed.ballot(token).completion_code == completion_code(token)


def test_voting_keeps_the_promise_alive(timed: Repository, clock: Clock) -> None:
    create(timed, quota(1), 3)
    token = timed.enrol("s").token
    for _ in range(3):
        clock.pass_minutes(29)
        with pytest.raises(VolunteerError) as caught:
            timed.enrol("s")
        assert caught.value.kind in ("busy", "complete")
        vote_on(timed, token, 1)
    assert counts(timed) == [1, 1, 1]


def test_how_long_to_wait_is_said(timed: Repository, clock: Clock) -> None:
    create(timed, quota(1), 1)
    timed.enrol("s")
    clock.pass_minutes(10)
    with pytest.raises(VolunteerError, match="in about 20 minutes") as caught:
        timed.enrol("s")
    assert (caught.value.kind, caught.value.values) == ("busy", {"minutes": "20"})


def test_an_undone_face_stays_promised_to_its_volunteer(timed: Repository, clock: Clock) -> None:
    create(timed, quota(1), 1)
    token = timed.enrol("s").token
    vote_on(timed, token)
    clock.pass_minutes(60)
    assert timed.undo(token).image_id is not None
    with pytest.raises(VolunteerError):
        timed.enrol("s")
    vote_on(timed, token)
    assert counts(timed) == [1]


def test_precision_gives_divided_faces_more_votes_and_never_more_than_the_most(timed: Repository) -> None:
    rule = {"rule": "precision", "half_width": 0.2, "fewest_votes": 5, "most_votes": 12}
    create(timed, protocol(stopping=rule), 2)
    clear, divided = timed.votes(timed.study("s")).image_ids
    generator = random.Random(0)
    for _ in range(40):
        try:
            token = timed.enrol("s").token
        except VolunteerError as error:
            assert error.kind == "complete"
            break
        ballot = timed.ballot(token)
        while ballot.image_id is not None:
            choice = "fear" if ballot.image_id == clear else generator.choice(["fear", "anger", "sadness", "disgust"])
            ballot = timed.vote(token, ballot.image_id, choice)
    votes = dict(zip((clear, divided), counts(timed), strict=True))
    assert 5 <= votes[clear] < votes[divided] == 12
    faces = {face.image_id: face for face in timed.progress(timed.study("s")).faces}
    assert faces[clear].more == faces[divided].more == 0


def test_practice_comes_first_gold_and_repeats_are_mixed_in_and_none_of_them_counts(timed: Repository) -> None:
    faces = {
        "practice": ["face00.png"],
        "practice_feedback": True,
        "practice_answers": {"face00.png": ["fear"]},
        "gold": {"face01.png": ["happiness"]},
        "repeated": 2,
    }
    create(timed, protocol(faces=faces), 8)
    study = timed.study("s")
    assert study.faces_shown == 10
    token = timed.enrol("s").token
    ballot, kinds, pairs = timed.ballot(token), [], []
    while ballot.trial is not None:
        kinds.append(ballot.trial.kind)
        pairs.append((ballot.image_id, ballot.next_image_id))
        assert ballot.trial.expected == (("fear",) if ballot.trial.kind == "practice" else ())
        ballot = timed.vote(token, ballot.trial.image_id, "fear", repeat=ballot.trial.repeat)
    assert kinds[0] == "practice"
    assert Counter(kinds) == {"practice": 1, "gold": 1, "face": 6, "repeat": 2}
    assert [following for _, following in pairs] == [*(face for face, _ in pairs[1:]), None]
    votes = timed.votes(study)
    assert votes.image_names == tuple(f"face{i:02d}.png" for i in range(2, 8))
    assert votes.counts.sum() == timed.study("s").votes == 6
    assert Counter(row["kind"] for row in timed.vote_rows(study)) == Counter(kinds)


def test_a_protocol_must_name_faces_that_are_there(timed: Repository) -> None:
    with pytest.raises(SurveyError, match=r"names 'nowhere\.png', which is not among"):
        create(timed, protocol(faces={"practice": ["nowhere.png"]}), 2)
    with pytest.raises(SurveyError, match="none is left to vote on"):
        create(timed, protocol(faces={"gold": {"face00.png": ["fear"]}}), 1)


@pytest.mark.parametrize(
    ("response", "good", "stored"),
    [
        ({}, {"choice": "fear"}, ("fear", None, None, None, None)),
        ({}, {"choice": "none"}, ("none", None, None, None, None)),
        ({}, {"choice": "fear", "intensity": 3}, ("fear", None, None, None, None)),
        ({"mode": "multiple"}, {"choice": ["anger", "fear"]}, ("fear", ["fear", "anger"], None, None, None)),
        ({"mode": "multiple"}, {"choice": ["none"]}, ("none", ["none"], None, None, None)),
        ({"mode": "intensity"}, {"choice": "fear", "intensity": 70}, ("fear", None, 70, None, None)),
        ({"mode": "intensity"}, {"choice": "none"}, ("none", None, None, None, None)),
        (
            {"mode": "valence_arousal"},
            {"choice": "fear", "valence": -0.5, "arousal": 1.0},
            ("fear", None, None, -0.5, 1.0),
        ),
    ],
)
def test_every_response_mode_stores_its_answer(
    timed: Repository, database: Database, response: dict[str, Any], good: dict[str, Any], stored: tuple[Any, ...]
) -> None:
    study = protocol(response=response)
    create(timed, study, 1)
    token = timed.enrol("s").token
    image_id = timed.ballot(token).image_id
    assert image_id is not None
    timed.vote(token, image_id, **good, response_ms=812)
    with database.read() as session:
        vote = session.scalars(select(Vote)).one()
        assert (vote.choice, vote.choices, vote.intensity, vote.valence, vote.arousal) == stored
        assert (vote.response_ms, vote.protocol_hash, vote.kind) == (812, study.hash, "face")
        assert vote.options == [*study.label_names, "none"]


@pytest.mark.parametrize(
    ("response", "bad", "kind"),
    [
        ({}, {"choice": ["fear", "anger"]}, "choice"),
        ({}, {"choice": []}, "choice"),
        ({}, {"choice": "other"}, "choice"),
        ({"none_option": False}, {"choice": "none"}, "choice"),
        ({"mode": "multiple"}, {"choice": ["fear", "none"]}, "choice"),
        ({"mode": "intensity"}, {"choice": "fear"}, "intensity"),
        ({"mode": "intensity"}, {"choice": "fear", "intensity": 101}, "intensity"),
        ({"mode": "valence_arousal"}, {"choice": "fear", "valence": 0.5}, "valence_arousal"),
        ({"mode": "valence_arousal"}, {"choice": "fear", "valence": 0.5, "arousal": float("nan")}, "valence_arousal"),
    ],
)
def test_an_answer_that_the_mode_does_not_allow_is_refused(
    sqlite_repository: Repository, response: dict[str, Any], bad: dict[str, Any], kind: str
) -> None:
    create(sqlite_repository, protocol(response=response), 1)
    token = sqlite_repository.enrol("s").token
    image_id = sqlite_repository.ballot(token).image_id
    assert image_id is not None
    with pytest.raises(VolunteerError) as caught:
        sqlite_repository.vote(token, image_id, **bad)
    assert caught.value.kind == kind
    assert sqlite_repository.study("s").votes == 0


def test_the_other_option_keeps_the_volunteers_word(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(response={"other_option": True}), 1)
    token = sqlite_repository.enrol("s").token
    image_id = sqlite_repository.ballot(token).image_id
    assert image_id is not None
    sqlite_repository.vote(token, image_id, "other", other_text=" bored ")
    study = sqlite_repository.study("s")
    assert [row["other_text"] for row in sqlite_repository.vote_rows(study)] == ["bored"]
    assert sqlite_repository.votes(study).none_counts.tolist() == [1]


def test_several_answers_count_once_each(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(response={"mode": "multiple"}), 1)
    for choice in (["fear", "surprise"], ["fear"]):
        token = sqlite_repository.enrol("s").token
        image_id = sqlite_repository.ballot(token).image_id
        assert image_id is not None
        sqlite_repository.vote(token, image_id, choice)
    votes = sqlite_repository.votes(sqlite_repository.study("s"))
    tallied = dict(zip(votes.labels, votes.counts[0].tolist(), strict=True))
    assert (tallied["fear"], tallied["surprise"], votes.raters.tolist()) == (2, 1, [2])


def test_options_are_shuffled_for_each_volunteer_and_stay_so(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(response={"option_order": "shuffled"}), 1)
    tokens = [sqlite_repository.enrol("s").token for _ in range(8)]
    orders = [sqlite_repository.ballot(token).options for token in tokens]
    assert len(set(orders)) > 1
    assert all(order[-1] == "none" for order in orders)
    assert orders == [sqlite_repository.ballot(token).options for token in tokens]


def test_the_fixed_order_is_that_of_the_files(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(presentation={"order": "fixed"}), 6)
    token = sqlite_repository.enrol("s").token
    seen = []
    ballot = sqlite_repository.ballot(token)
    while ballot.image_id is not None:
        seen.append(ballot.image_id)
        ballot = sqlite_repository.vote(token, ballot.image_id, "fear")
    assert seen == sorted(seen)


def test_a_protocol_changes_only_while_paused_and_votes_keep_their_hash(timed: Repository) -> None:
    before = quota(5)
    create(timed, before, 2)
    token = timed.enrol("s").token
    vote_on(timed, token, 1)
    after = quota(7)
    with pytest.raises(SurveyError, match=r"is open\. Pause it"):
        timed.set_protocol("s", after)
    timed.set_study_status("s", "paused")
    assert timed.set_protocol("s", before) == 1
    assert timed.set_protocol("s", after) == 2
    with pytest.raises(SurveyError, match="its response cannot change"):
        timed.set_protocol("s", quota(7, response={"none_option": False}))
    with pytest.raises(SurveyError, match=r"another consent\.version"):
        timed.set_protocol("s", quota(7, consent={"text": "Other"}))
    assert timed.set_protocol("s", quota(7, consent={"text": "Other", "version": "2"})) == 3
    timed.set_study_status("s", "open")
    vote_on(timed, token)
    study = timed.study("s")
    assert [row["protocol_hash"] for row in timed.vote_rows(study)] == [before.hash, study.protocol_hash]
    versions = [(v.version, v.hash, v.votes) for v in timed.protocol_versions("s")]
    assert versions == [(1, before.hash, 1), (2, after.hash, 0), (3, study.protocol_hash, 1)]


def test_a_draft_is_invisible_to_volunteers_and_its_labels_may_change(timed: Repository) -> None:
    timed.create_study(NewStudy("s", protocol=protocol(), status="draft"), pictures(1))
    for attempt in (lambda: timed.enrol("s"), lambda: timed.invited_study("s")):
        with pytest.raises(VolunteerError) as caught:
            attempt()
        assert caught.value.kind == "no_study"
    timed.set_protocol("s", protocol(labels={"set": "basic8"}))
    timed.set_study_status("s", "open")
    token = timed.enrol("s").token
    image_id = timed.ballot(token).image_id
    assert image_id is not None
    timed.vote(token, image_id, "contempt")
    votes = timed.votes(timed.study("s"))
    assert votes.counts[0, votes.labels.index("contempt")] == 1
    with pytest.raises(SurveyError, match="instead of making it a draft again"):
        timed.set_study_status("s", "draft")


def test_a_clone_has_the_faces_and_the_protocol_and_no_votes(timed: Repository) -> None:
    create(timed, quota(3), 2)
    vote_on(timed, timed.enrol("s").token)
    timed.clone_study("s", "copy")
    copy = timed.study("copy")
    assert (copy.status, copy.images, copy.votes, copy.protocol_hash) == ("draft", 2, 0, quota(3).hash)
    assert copy.link_secret != timed.study("s").link_secret
    assert [content for _, _, content in timed.images(copy)] == [c for _, _, c in timed.images(timed.study("s"))]
    with pytest.raises(SurveyError, match="exists already"):
        timed.clone_study("s", "copy")


def test_claims_turn_into_votes(timed: Repository, database: Database) -> None:
    create(timed, quota(3), 4)
    token = timed.enrol("s").token
    vote_on(timed, token, 3)
    with database.read() as session:
        assert len(session.scalars(select(Claim)).all()) == 1
        assert session.scalars(select(Volunteer)).one().finished_at is None


def test_a_volunteers_draws_do_not_follow_from_the_seed_alone() -> None:
    """The seed and every list of faces are published: together they would tell the order of enrolment."""
    study, other = (Study(seed=3, private_secret=secret) for secret in ("one", "another"))
    volunteer = Volunteer(id=1)
    assert participation._draws(study, volunteer).random() == participation._draws(study, volunteer).random()
    assert participation._draws(study, volunteer).random() != participation._draws(other, volunteer).random()
    assert participation._draws(study, volunteer).random() != participation._draws(study, Volunteer(id=2)).random()
