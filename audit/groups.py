"""Group commit: what many threads want written is written by one of them, for all who wait, with one sync.

What writing means, and the lock between processes, are left to whoever made the group.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from .errors import LogUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class _Waiting(Generic[T]):
    __slots__ = ("error", "leads", "request", "woken")

    def __init__(self, request: T) -> None:
        self.request = request
        self.woken = threading.Lock()
        self.woken.acquire()
        self.leads = False
        self.error: Exception | None = None


class GroupCommit(Generic[T]):
    """Hands requests of any number of threads to *write*, which one thread at a time calls with all that wait.

    An error of *write* is raised in every thread whose request was in that call.
    """

    def __init__(self, write: Callable[[list[T]], None]) -> None:
        self._write = write
        self.renew()

    def renew(self) -> None:
        """Begin anew: in a child just forked, whoever was writing is not there."""
        self._mutex = threading.Lock()
        self._queue: deque[_Waiting[T]] = deque()
        self._led = False

    @property
    def waiting(self) -> int:
        """How many requests wait for the next call of *write*."""
        return len(self._queue)

    def submit(self, request: T) -> None:
        """Return when *write* returned for *request*.

        Raises:
            Exception: whatever *write* raised.
            LogUnavailableError: the thread that wrote was stopped.
        """
        mine = _Waiting(request)
        with self._mutex:
            self._queue.append(mine)
            mine.leads = not self._led
            self._led = True
        try:
            if not mine.leads:
                # Each waits on a lock of its own: on a common one they would wake each other in turn, one by one.
                mine.woken.acquire()
            if mine.leads:
                self._lead(mine)
        except BaseException:
            # A signal stopped this thread. What it asked for is left out, unless it was being written already.
            with self._mutex:
                if mine in self._queue:
                    self._queue.remove(mine)
            self._pass_on(mine)
            raise
        if mine.error is not None:
            raise mine.error

    def _lead(self, mine: _Waiting[T]) -> None:
        with self._mutex:
            group, self._queue = self._queue, deque()
        try:
            self._write([waiting.request for waiting in group])
        except Exception as error:  # noqa: BLE001 - handed to each caller of the group, who raises it
            for waiting in group:
                waiting.error = error
        except BaseException as error:
            for waiting in group:
                waiting.error = LogUnavailableError(problem=f"the thread that wrote was stopped by {error!r}")
            raise
        finally:
            # The next leader first: it writes while those who are done go their ways.
            self._pass_on(mine)
            for waiting in group:
                if waiting is not mine:
                    waiting.woken.release()

    def _pass_on(self, mine: _Waiting[T]) -> None:
        with self._mutex:
            if not mine.leads:
                return
            mine.leads = False
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].woken.release()
            else:
                self._led = False
