"""Writers of one process in line."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from ldlva.survey.write_turns import StuckError, WriteTurns


def line_up(pool: ThreadPoolExecutor, turns: WriteTurns, writer: Callable[[], None]) -> Future[None]:
    """Start a writer and wait until it stands in line."""
    before = len(turns._line)
    future = pool.submit(writer)
    while len(turns._line) == before:
        time.sleep(0.001)
    return future


def test_the_first_to_come_is_the_first_to_write() -> None:
    turns = WriteTurns(60, BlockingIOError)
    wrote: list[int] = []
    inside = [0]

    def writer(number: int) -> None:
        with turns.one():
            inside[0] += 1
            assert inside[0] == 1
            wrote.append(number)
            inside[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        with turns.one():
            futures = [line_up(pool, turns, lambda number=number: writer(number)) for number in range(8)]  # type: ignore[misc]
        for future in futures:
            future.result(timeout=60)
    assert wrote == list(range(8))
    with turns.one():
        pass  # and it is free again


def test_nobody_gives_up_while_the_line_moves() -> None:
    """Eight writers of .25 s: the last waits far longer than anybody's patience."""
    turns = WriteTurns(1, BlockingIOError)

    def writer() -> None:
        with turns.one():
            time.sleep(0.25)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(writer) for _ in range(8)]:
            future.result(timeout=60)


def test_waiting_behind_one_who_does_not_get_through_ends() -> None:
    turns = WriteTurns(0.05, BlockingIOError)

    def writer() -> None:
        with turns.one():
            pass

    with ThreadPoolExecutor(2) as pool:
        with turns.one():
            futures = [line_up(pool, turns, writer), line_up(pool, turns, writer)]
            for future in futures:
                with pytest.raises(StuckError):
                    future.result(timeout=60)
        pool.submit(writer).result(timeout=60)  # who gave up does not stand in anybody's way
    assert not turns._line


def test_a_turn_in_vain_is_no_progress_and_any_other_is() -> None:
    turns = WriteTurns(60, BlockingIOError)
    last = turns._moved
    with pytest.raises(BlockingIOError), turns.one():
        raise BlockingIOError
    assert turns._moved == last
    with pytest.raises(KeyError), turns.one():
        raise KeyError
    assert turns._moved > last
    last = turns._moved
    with turns.one():
        pass
    assert turns._moved > last


def test_what_only_the_holder_sees_keeps_the_line_waiting() -> None:
    turns = WriteTurns(1, BlockingIOError)

    def writer() -> None:
        with turns.one():
            pass

    with ThreadPoolExecutor(1) as pool, turns.one():
        waiting = line_up(pool, turns, writer)
        for _ in range(6):
            time.sleep(0.25)
            turns.moved()
        assert not waiting.done()
    waiting.result(timeout=60)


def test_an_error_passes_the_turn_on() -> None:
    turns = WriteTurns(60, BlockingIOError)
    with pytest.raises(ZeroDivisionError), turns.one():
        _ = 1 / 0
    with turns.one():
        pass
