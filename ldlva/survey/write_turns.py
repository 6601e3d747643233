"""Taking turns: writers of one process, one at a time, in the order they came."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from time import monotonic


class StuckError(Exception):
    """The line did not move."""


class WriteTurns:
    """A line before a lock that other programs hold, too.

    SQLite serves waiting writers unfairly (seconds of delay under load); inside one process the first to come is the
    first to write. Nobody gives up while the line moves, however long it is. But if another program keeps the lock,
    those ahead each wait for it in vain, and waiting for all of them would add up.

    Args:
        patience: seconds without any sign of progress after which to give up.
        in_vain: what a turn ends in that did not get the lock. Any other turn is a sign of progress.
    """

    def __init__(self, patience: float, in_vain: type[Exception]) -> None:
        self._patience = patience
        self._in_vain = in_vain
        self._guard = threading.Lock()
        self._taken = False
        self._line: deque[threading.Event] = deque()
        self._moved = monotonic()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a turn and hold it.

        Raises:
            StuckError: no sign of progress for `patience` seconds.
        """
        self._take()
        try:
            yield
            self.moved()
        except self._in_vain:
            raise
        except BaseException:
            self.moved()
            raise
        finally:
            self._give_up()

    def moved(self) -> None:
        """A sign of progress that only the holder of the turn sees, such as another program's writing."""
        self._moved = monotonic()

    def _take(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            called = threading.Event()
            self._line.append(called)
        came = monotonic()
        while not called.wait(max(came, self._moved) + self._patience - monotonic()):
            with self._guard:
                if not called.is_set() and monotonic() >= max(came, self._moved) + self._patience:
                    self._line.remove(called)
                    raise StuckError

    def _give_up(self) -> None:
        with self._guard:
            if self._line:
                self._line.popleft().set()  # the turn passes on; it is never free in between
            else:
                self._taken = False
