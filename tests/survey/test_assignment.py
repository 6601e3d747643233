from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldlva.survey.assignment import presentation_order


@given(st.integers(1, 40), st.integers(0, 2**64 - 1))
def test_every_face_once_in_a_seeded_order(n: int, seed: int) -> None:
    order = presentation_order(range(n), {}, None, seed)
    assert sorted(order) == list(range(n))
    assert order == presentation_order(range(n), {}, None, seed)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 30), st.integers(0, 2**32))
def test_least_voted_faces_come_first(votes: list[int], faces: int, seed: int) -> None:
    chosen = presentation_order(range(len(votes)), dict(enumerate(votes)), faces, seed)
    assert len(chosen) == len(set(chosen)) == min(faces, len(votes))
    left_out = set(range(len(votes))) - set(chosen)
    if left_out:
        assert max(votes[i] for i in chosen) <= min(votes[i] for i in left_out)


def test_ties_are_broken_at_random_and_positions_are_spread() -> None:
    first = Counter(presentation_order(range(5), {}, 2, seed)[0] for seed in range(2000))
    assert set(first) == set(range(5))
    assert all(300 < count < 500 for count in first.values())


def test_position_does_not_tell_how_many_votes_a_face_has() -> None:
    votes = {0: 0, 1: 5}
    first = Counter(presentation_order([0, 1], votes, 2, seed)[0] for seed in range(2000))
    assert 900 < first[1] < 1100


def test_no_face_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        presentation_order([1, 2], {}, 0, 0)
