"""Sends calls over many connections of one process, and says how many were answered and how long they took."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONNECTIONS = 64
_LENGTH = re.compile(rb"content-length: ([0-9]+)")
_TIMING = re.compile(rb"server-timing: ([^\r]*)")
_STAGE = re.compile(r"(\w+);dur=([0-9.]+)")


@dataclass
class Load:
    """What one measurement saw: *calls* in *seconds*, how long each took, how much processor the server took."""

    calls: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    failed: int = 0
    waits: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    def percentile(self, share: float) -> float:
        """The wait, in milliseconds, that the *share* of calls did not pass."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3


class Connection(asyncio.Protocol):
    """One connection of the generator: a request, its answer, the next; bytes are looked at as little as is needed."""

    def __init__(self, done: Callable[[Connection, bool], None]) -> None:
        self._done = done
        self._got = b""
        self._missing = -1
        self._ok = False
        self.idle = True
        self.began = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]  # of a stream it is one

    def send(self, request: bytes, began: float) -> None:
        """Send *request*, whose wait counts from *began*."""
        self.idle = False
        self.began = began
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Count down to the end of the answer."""
        if self._missing < 0:
            self._got += data
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._got[:end].lower()
            self._ok = head.startswith(b"http/1.1 200")
            found = _LENGTH.search(head)
            if found is None:  # chunked, of which only Go's server makes use
                if not self._got.endswith(b"0\r\n\r\n"):
                    return
                self._missing = 0
            else:
                self._missing = int(found[1]) - (len(self._got) - end - 4)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._got, self._missing, self.idle = b"", -1, True
            self._done(self, self._ok)

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends before its answer does has failed, unless the measurement was over."""
        if not self.idle and exc is not None:
            self._done(self, False)


async def closed_loop(address: tuple[str, int], requests: Sequence[bytes], seconds: float) -> Load:
    """Each connection sends its next request when the last is answered, for *seconds*."""
    load, loop = Load(), asyncio.get_running_loop()
    position, over = 0, loop.create_future()
    begin = time.perf_counter()
    end = begin + seconds

    def done(connection: Connection, ok: bool) -> None:  # noqa: FBT001 - a callback
        nonlocal position
        now = time.perf_counter()
        load.calls += 1
        load.failed += not ok
        load.waits.append(now - connection.began)
        if now >= end or position >= len(requests):
            if not over.done() and (now >= end or all(one.idle for one in connections)):
                over.set_result(None)
            return
        connection.send(requests[position], now)
        position += 1

    connections = []
    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(lambda: Connection(done), *address)
        connections.append(connection)
    for connection in connections:
        connection.send(requests[position], time.perf_counter())
        position += 1
    await over
    load.seconds = time.perf_counter() - begin
    for connection in connections:
        connection.transport.abort()
    return load


async def open_loop(address: tuple[str, int], requests: Sequence[bytes], rate: float) -> Load:
    """A request every 1/*rate* seconds whatever becomes of the others; waits count from when it was due."""
    load, loop = Load(), asyncio.get_running_loop()
    free: list[Connection] = []
    waiting: list[tuple[bytes, float]] = []
    over = loop.create_future()

    def done(connection: Connection, ok: bool) -> None:  # noqa: FBT001 - a callback
        load.calls += 1
        load.failed += not ok
        load.waits.append(time.perf_counter() - connection.began)
        if waiting:
            connection.send(*waiting.pop(0))
        else:
            free.append(connection)
        if load.calls == len(requests) and not over.done():
            over.set_result(None)

    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(lambda: Connection(done), *address)
        free.append(connection)
    begin = time.perf_counter()
    for number, request in enumerate(requests):
        due = begin + number / rate
        delay = due - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        elif number % 16 == 0:
            await asyncio.sleep(0)
        if free:
            free.pop().send(request, due)
        else:
            waiting.append((request, due))
    await over
    load.seconds = time.perf_counter() - begin
    for connection in free:
        connection.transport.abort()
    return load


def stages(address: tuple[str, int], requests: Sequence[bytes]) -> dict[str, float]:
    """What each stage of a call took by the server's own account (`Server-Timing`), and all of it as it was waited for.

    Medians in microseconds of *requests*, sent one after the other: nothing waits for anything else.
    """
    found: dict[str, list[float]] = {}
    with socket.create_connection(address) as connection:
        for request in requests:
            began = time.perf_counter()
            connection.sendall(request)
            got = b""
            while (head := got.find(b"\r\n\r\n")) < 0:
                got += _received(connection)
            fields = got[:head].lower()
            length = _LENGTH.search(fields)
            missing = head + 4 + int(length[1]) - len(got) if length else 0
            while missing > 0:
                missing -= len(_received(connection))
            found.setdefault("all", []).append((time.perf_counter() - began) * 1e6)
            timing = _TIMING.search(fields)
            for name, spent in _STAGE.findall(timing[1].decode()) if timing else ():
                found.setdefault(name, []).append(float(spent) * 1e3)
    return {name: sorted(spent)[len(spent) // 2] for name, spent in found.items()}


def _received(connection: socket.socket) -> bytes:
    """Raises: ConnectionError: the server has closed it."""
    got = connection.recv(1 << 20)
    if not got:
        raise ConnectionError("the server closed the connection before its answer ended")
    return got
