from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldlva.survey.protocol_sections import Stopping
from ldlva.survey.stopping import half_width, votes_needed

PRECISE = Stopping(rule="precision", half_width=0.1, fewest_votes=10, most_votes=200)


def test_the_interval_is_wilsons() -> None:
    # Newcombe (1998), Table I: 81 of 263, score method: 0.2553 to 0.3662.
    assert half_width(81 / 263, 263) == pytest.approx((0.3662 - 0.2553) / 2, abs=1e-4)


def test_quota_and_no_rule() -> None:
    assert votes_needed(Stopping(), 3, 5) is None
    assert votes_needed(Stopping(rule="quota", votes_per_face=50), 3, 5) == 50


@given(st.integers(0, 200), st.data())
def test_a_precise_face_is_done_when_its_interval_is_narrow_or_votes_run_out(votes: int, data: st.DataObject) -> None:
    top = data.draw(st.integers(0, votes))
    needed = votes_needed(PRECISE, top, votes)
    assert needed is not None
    assert PRECISE.fewest_votes <= needed <= 200
    done = votes >= needed
    narrow = votes >= 10 and half_width(top / votes, votes) <= 0.1
    assert done == (narrow or votes >= 200)
    if not done and votes and needed < 200:
        assert half_width(top / votes, needed) <= 0.1 < half_width(top / votes, max(votes, needed - 1)) or needed == 10


def test_unanimous_faces_need_fewer_votes_than_divided_ones() -> None:
    clear, divided = votes_needed(PRECISE, 20, 20), votes_needed(PRECISE, 10, 20)
    assert clear is not None
    assert divided is not None
    assert clear < divided
