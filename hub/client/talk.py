"""How a client and a hub talk, without any I/O: what is sent, waited for and tried again, the same for both clients.

A talk is a generator of steps. Whoever drives it (`hub.client.lines`) takes each step and sends back what came of it.
Bytes, signatures and what is believed of an answer are `hub.client.wire`'s.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

from hub.client.errors import CallUnavailableError, HubCertificateError, HubUnreachableError
from hub.errors import AnswerRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hub.client.answers import Called
    from hub.client.wire import Asked, Got, Sent, Wire

TRIES: Final = 5
PATIENCE_S: Final = 60.0  # for all the tries of one call, with the waits between them
SILENCE_S: Final = 30.0  # of a hub that has said nothing more
FIRST_WAIT_S: Final = 0.2
# 500 sets of keys at the most that one answer holds are some megabytes; an endless answer fills no memory.
MAX_ANSWER_BYTES: Final = 64 << 20
OK, PARTIAL = 200, 206

T = TypeVar("T")


class Sink(Protocol):
    """Where the body of an answer goes. *blocks*: taking it waits for a disk."""

    blocks: bool

    def begin(self, status: int, fields: Mapping[str, str]) -> None:
        """The answer begins; header names in lower case."""

    def take(self, chunk: bytes) -> None:
        """A piece of the body. Raises: AnswerRefusedError: more than may come."""

    def end(self) -> Got:
        """The answer, whole; without the body where that lies in a file."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send *sent* and give the answer to *sink*; what *sink* makes of it comes back.

    Fails with HubUnreachableError when nothing came for *silence_s* seconds, or not all within *within_s*.
    """

    sent: Sent
    sink: Sink
    silence_s: float
    within_s: float = float("inf")


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for so many *seconds*."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """Do what takes long on this machine; what it returns comes back."""

    do: Callable[[], object]


Step: TypeAlias = Send | Pause | Work
Talk: TypeAlias = Generator[Step, Any, T]


class Memory:
    """An answer in memory, of at most *most* bytes."""

    blocks = False

    def __init__(self, most: int = MAX_ANSWER_BYTES) -> None:
        self._most = most
        self._status, self._fields, self._body = 0, dict[str, str](), bytearray()

    def begin(self, status: int, fields: Mapping[str, str]) -> None:
        """As `Sink.begin`."""
        self._status, self._fields = status, dict(fields)

    def take(self, chunk: bytes) -> None:
        """As `Sink.take`."""
        if len(self._body) + len(chunk) > self._most:
            raise AnswerRefusedError(why="more came than an answer may hold", why_zh="内容超过应答的上限")
        self._body += chunk

    def end(self) -> Got:
        """As `Sink.end`."""
        from hub.client.wire import Got  # noqa: PLC0415 - which builds upon this module

        return Got(self._status, self._fields, bytes(self._body))


class File:
    """A file that is brought up to *most* bytes, from where it stopped; what is no file goes into memory.

    What came is on the disk whenever it breaks off, and durable at the end.
    """

    blocks = True

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most
        self._problem = Memory()
        self._descriptor = -1
        self._seen = 0

    def begin(self, status: int, fields: Mapping[str, str]) -> None:
        """As `Sink.begin`. The hub may answer whole what was asked in part."""
        self._problem.begin(status, fields)
        if status in (OK, PARTIAL):
            mode = os.O_APPEND if status == PARTIAL else os.O_TRUNC
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | mode, 0o600)
            self._seen = os.fstat(self._descriptor).st_size

    def take(self, chunk: bytes) -> None:
        """As `Sink.take`."""
        if self._descriptor < 0:
            self._problem.take(chunk)
            return
        self._seen += len(chunk)
        if self._seen > self._most:
            raise AnswerRefusedError(why="more came than the manifest says", why_zh="内容多于清单所载")
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def end(self) -> Got:
        """As `Sink.end`."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
        return self._problem.end()

    def close(self) -> None:
        """Close the file, however it ended. Safe to repeat."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(frozen=True, slots=True)
class Patience:
    """How often (*tries*), and for how long in all (*total_s*), one call is tried; *silence_s*: see `Send`."""

    tries: int = TRIES
    total_s: float = PATIENCE_S
    silence_s: float = SILENCE_S

    def wait_s(self, error: Exception, tried: int, *, repeatable: bool) -> float | None:
        """How long to wait after the *tried*-th try in a row has failed with *error*; None: another is of no use.

        *repeatable*: the hub takes a repetition for the same request, or it does no harm.
        """
        if tried >= self.tries or isinstance(error, HubCertificateError):
            return None
        # Up to half as long again, drawn by lot: those who failed together do not come again together.
        lot = 1 + random.random() / 2  # noqa: S311 - no secret
        if isinstance(error, CallUnavailableError):
            return max(float(error.retry_after_s), FIRST_WAIT_S) * lot
        if isinstance(error, HubUnreachableError) and (repeatable or not error.lost):
            return FIRST_WAIT_S * 2.0 ** (tried - 1) * lot
        return None


class Talker:
    """Talks with one hub over *wire*, with so much *patience*."""

    def __init__(self, wire: Wire, patience: Patience, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.wire = wire
        self.patience = patience
        self._clock = clock

    def exchange(self, asked: Asked) -> Talk[Called]:
        """Ask, until there is an answer that holds or no sense in another try.

        Raises:
            CallFailedError, AnswerRefusedError: as `Wire.believed`.
            HubUnreachableError
        """
        called: Called = yield from self.trying(asked, lambda sent, got: self.wire.believed(asked, sent, got))
        return called

    def trying(self, asked: Asked, believed: Callable[[Sent, Got], T]) -> Talk[T]:
        """As `exchange`, of an answer that is *believed* in another way."""
        patience = self.patience
        ends = self._clock() + patience.total_s
        tried = 0
        while True:
            # Signed anew for every try: the hub takes no signature twice.
            sent = self.wire.sent(asked)
            left = max(ends - self._clock(), 0.001)
            try:
                got: Got = yield Send(sent, Memory(), min(patience.silence_s, left), left)
                return believed(sent, got)
            except (HubUnreachableError, CallUnavailableError) as error:
                tried += 1
                wait = patience.wait_s(error, tried, repeatable=asked.repeatable)
                if wait is None or self._clock() + wait >= ends:
                    raise
            yield Pause(wait)
