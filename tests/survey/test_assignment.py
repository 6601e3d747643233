from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldlva.survey.assignment import FEWEST_BETWEEN, FaceState, arrange, choose_faces, option_order, replace_full
from ldlva.survey.records import Trial


def states(votes: list[int], needed: int | None = None, claims: int = 0) -> list[FaceState]:
    return [FaceState(image_id, count, claims, needed) for image_id, count in enumerate(votes)]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 30), st.integers(0, 2**32))
def test_least_voted_faces_come_first(votes: list[int], faces: int, seed: int) -> None:
    chosen = choose_faces(states(votes), faces, random.Random(seed))
    assert len(chosen) == len(set(chosen)) == min(faces, len(votes))
    assert chosen == choose_faces(states(votes), faces, random.Random(seed))
    left_out = set(range(len(votes))) - set(chosen)
    if left_out:
        assert max(votes[i] for i in chosen) <= min(votes[i] for i in left_out)


def test_votes_and_claims_together_never_pass_what_a_face_needs() -> None:
    faces = [FaceState(0, 2, 1, 3), FaceState(1, 3, 0, 3), FaceState(2, 1, 1, 3), FaceState(3, 0, 9, None)]
    assert sorted(choose_faces(faces, None, random.Random(0))) == [2, 3]
    assert [face.is_full for face in faces] == [False, True, False, False]


def test_ties_are_broken_at_random() -> None:
    first = Counter(choose_faces(states([0] * 5), 2, random.Random(seed))[0] for seed in range(2000))
    assert set(first) == set(range(5))
    assert all(300 < count < 500 for count in first.values())


def test_position_does_not_tell_how_many_votes_a_face_has() -> None:
    first = Counter(
        arrange(choose_faces(states([0, 5]), 2, random.Random(seed)), [], [], 0, "random", random.Random(seed))[
            0
        ].image_id
        for seed in range(2000)
    )
    assert 900 < first[1] < 1100


@given(
    st.integers(1, 25), st.integers(0, 3), st.integers(0, 4), st.integers(0, 6), st.sampled_from(["random", "fixed"]),
    st.integers(0, 2**32),
)  # fmt: skip
def test_every_showing_is_there_once_and_repeats_come_late(
    faces: int, practice: int, gold: int, repeated: int, order: str, seed: int
) -> None:
    chosen = list(range(100, 100 + faces))
    warm_up, known = list(range(practice)), list(range(50, 50 + gold))
    trials = arrange(chosen, warm_up, known, repeated, order, random.Random(seed))  # type: ignore[arg-type]
    assert len({(t.image_id, t.repeat) for t in trials}) == len(trials)
    assert [t.image_id for t in trials[:practice]] == warm_up
    assert sorted(t.image_id for t in trials if t.kind == "face") == chosen
    assert sorted(t.image_id for t in trials if t.kind == "gold") == known
    again = [t for t in trials if t.kind == "repeat"]
    assert len(again) == min(repeated, faces)
    for second in again:
        between = trials.index(second) - trials.index(Trial(second.image_id, 0, "face"))
        assert between > (FEWEST_BETWEEN if faces >= 20 and order == "random" else 0)
    if order == "fixed":
        shown = [t.image_id for t in trials if t.kind in ("face", "gold")]
        assert shown == sorted(shown)


def test_full_faces_give_their_places_to_spare_ones_repeats_included() -> None:
    trials = [Trial(1, 0, "face"), Trial(2, 0, "face"), Trial(3, 0, "face"), Trial(2, 1, "repeat")]
    assert replace_full(trials, {2, 3}, [9]) == [Trial(1, 0, "face"), Trial(9, 0, "face"), Trial(9, 1, "repeat")]


def test_no_face_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        choose_faces(states([0]), 0, random.Random(0))


def test_none_and_other_stay_last_when_options_are_shuffled() -> None:
    orders = {tuple(option_order("abc", ["none", "other"], True, random.Random(seed))) for seed in range(100)}
    assert len(orders) == 6
    assert {order[3:] for order in orders} == {("none", "other")}
    assert option_order("abc", ["none"], False, random.Random(0)) == ["a", "b", "c", "none"]
