from __future__ import annotations

from ldlva.survey.repository import Repository
from tests.survey.test_participation import Clock, clock, create, protocol, timed, vote_on

__all__ = ["clock", "timed"]


def test_progress_counts_votes_promises_and_people(timed: Repository, clock: Clock) -> None:
    clock.time = clock.time.replace(hour=10, minute=50)
    create(timed, protocol(stopping={"rule": "quota", "votes_per_face": 4}), 3)
    vote_on(timed, timed.enrol("s").token)
    clock.pass_minutes(15)
    left = timed.enrol("s")
    vote_on(timed, left.token, 1)
    gone = timed.enrol("s")
    clock.pass_minutes(20)
    timed.withdraw(gone.withdrawal_code)
    now_voting = timed.progress(timed.study("s"))
    assert now_voting.states == {"finished": 1, "voting": 1}
    assert sorted((face.votes, face.claims, face.needed, face.more) for face in now_voting.faces) == [
        (1, 1, 4, 3),
        (1, 1, 4, 3),
        (2, 0, 4, 2),
    ]
    assert (now_voting.more, now_voting.share, now_voting.withdrawn) == (8, 4 / 12, 1)
    assert [(hour.hour, votes) for hour, votes in now_voting.votes_by_hour] == [(10, 3), (11, 1)]
    clock.pass_minutes(31)
    later = timed.progress(timed.study("s"))
    assert later.states == {"finished": 1, "dropped out": 1}
    assert sum(face.claims for face in later.faces) == 0
    assert later.to_json()["votes_needed"] == 8


def test_without_a_stopping_rule_nothing_is_projected(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(), 2)
    progress = sqlite_repository.progress(sqlite_repository.study("s"))
    assert (progress.more, progress.share, progress.faces[0].more) == (None, None, None)


def test_attention_flags_gold_repeats_and_speed(sqlite_repository: Repository) -> None:
    create(sqlite_repository, protocol(faces={"gold": {"face00.png": ["fear"]}, "repeated": 2}), 5)

    def take_part(gold: str, again: str, milliseconds: int) -> None:
        token = sqlite_repository.enrol("s").token
        ballot = sqlite_repository.ballot(token)
        while ballot.trial is not None:
            trial = ballot.trial
            choice = {"gold": gold, "repeat": again}.get(trial.kind, "anger")
            ballot = sqlite_repository.vote(token, trial.image_id, choice, milliseconds, repeat=trial.repeat)

    for behaviour in (("fear", "anger", 900), ("anger", "anger", 900), ("fear", "fear", 900), ("fear", "anger", 100)):
        take_part(*behaviour)
    progress = sqlite_repository.progress(sqlite_repository.study("s"))
    assert [volunteer.attention.flags for volunteer in progress.volunteers] == [(), ("gold",), ("repeats",), ("fast",)]
    assert len(progress.flagged) == 3
    slow = progress.volunteers[0].attention
    assert (slow.gold_seen, slow.repeats_seen, slow.timed, slow.too_fast) == (1, 2, 7, 0)
    # Nothing is dropped for it.
    assert sqlite_repository.study("s").votes == 16
