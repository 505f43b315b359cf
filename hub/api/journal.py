"""The journal (运行日志): a line of JSON for each request and each message of the program, for whoever runs the hub.

Of a call a line says what the call's entry in the public log says, how it ended and how long it took; of any other
request the pattern of its address, never the address. So nothing of what was asked or told, no key and no network
address stands in it. How calls are counted is `hub.api.metrics`'; spans are `hub.api.tracing`'s, who is told by this.

Whoever answers only leaves a request behind. A thread of its own writes what has gathered, a few times a second, so
that a slow disk or terminal holds nobody up: what does not fit into the queue is not written, and counted.
"""

from __future__ import annotations

import logging
import os
import random
import re
import stat
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from hub.api.metrics import STAGES
from hub.api.problems import unnamed
from hub.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from hub.receipts import Receipt
    from hub.settings import Settings

TEXT: Final = "text"
JSON: Final = "json"
FORMATS: Final = (TEXT, JSON)
LEVELS: Final = ("info", "warning", "error")
# Under this name a request's `Seen` travels in its scope.
SEEN: Final = "zhengtong.seen"
REQUEST_ID: Final = b"zhengtong-request-id"
TRACEPARENT: Final = b"traceparent"
# Some two seconds of all that one process answers, in some ten megabytes.
MAX_WAITING: Final = 20_000
MAX_MESSAGE_CHARS: Final = 4_000
_EVERY_S: Final = 0.25
_STOP_WAIT_S: Final = 2.0
# What a pipe takes at once or not at all, so that lines of several processes never mix (POSIX, PIPE_BUF).
_PIECE_BYTES: Final = 4_096
_STDERR: Final = 2
_FAULT: Final = 500
_UNAVAILABLE: Final = 503
_SANDBOX: Final = "/sandbox"
_OURS: Final = ("hub", "audit", "catalog", "connectors", "licence", "warehouse")
_OUTCOMES: Final[Mapping[int, str]] = {401: "denied", 403: "denied", 503: "unavailable", 500: "fault", 0: "gone"}
# W3C Trace Context §3.2; of a later version what follows is not ours to read.
_PARENT: Final = re.compile(rb"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_FIRST_VERSION: Final = b"00"


class LogSettingsError(SetupError):
    """A setting of the journal is of the wrong form."""

    code = "log_settings"
    en = "The setting `{name}` must be {expected}. See docs/operations.md."
    zh = "配置项 `{name}` 应为 {expected}。见 docs/operations.md。"


class Seen:
    """One request on its way. Whoever answers a call says how it ended, once: `call`.

    *id* is the trace that the client says the request is part of, or else drawn; *parent* is the span that it names,
    with its flags. *began* is by the monotonic clock, in nanoseconds; *at* is when that was.
    """

    # What most requests never have stands with the class: to begin one is then to set as little as can be.
    parent: tuple[str, int] | None = None
    department = client = resource = outcome = problem = ""
    receipt: Receipt | None = None
    stages: Sequence[int] = ()
    status = elapsed = 0

    def __init__(self, method: str, headers: Iterable[tuple[bytes, bytes]], door: str = "") -> None:
        self.began = perf_counter_ns()
        self.at = datetime.now(UTC)
        self.id = self._named(headers)
        self.method = method
        self.door = door

    def call(self, outcome: str, problem: str, receipt: Receipt | None, stages: Sequence[int] = ()) -> None:
        """How a call ended: *outcome*, the code of its *problem* or "", its *receipt* if there is one, its *stages*.

        *stages* are the nanoseconds of `hub.api.metrics.STAGES`. Whom the call is of, the receipt's entry says.
        """
        self.outcome, self.problem, self.receipt, self.stages = outcome, problem, receipt, stages

    def ends(self, status: int) -> None:
        """The answer is out, or never will be: *status* 0."""
        self.elapsed = perf_counter_ns() - self.began
        self.status = status

    def _named(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        said = b""
        for name, value in headers:
            if name == TRACEPARENT:
                # Two are as good as none (W3C Trace Context §3.2.1).
                said = b"two" if said else value
        found = _PARENT.fullmatch(said) if said else None
        if found is not None and not (found[1] == _FIRST_VERSION and found[5]):
            trace, span = found[2].decode(), found[3].decode()
            if int(trace, 16) and int(span, 16):
                self.parent = (span, int(found[4], 16))
                return trace
        # Nobody is kept out by not knowing it: it only has to be another one each time.
        return random.randbytes(16).hex()  # noqa: S311 - said above


class _Facts(msgspec.Struct):
    caller: str = ""


class _Entry(msgspec.Struct):
    """Of a receipt's leaf what a line says; the rest is passed over."""

    actor: str = ""
    resource: str = ""
    facts: _Facts = msgspec.field(default_factory=_Facts)


# By the names that stand in one place; a row of numbers is written out in a third of the time of a dictionary.
_Stages: Final[Callable[..., msgspec.Struct]] = msgspec.defstruct("_Stages", [(name, int) for name in STAGES], gc=False)


class Line(msgspec.Struct, omit_defaults=True, gc=False):
    """One request as it is written. *ms* are milliseconds, *stages_us* microseconds, *client* a system's number."""

    time: datetime
    level: str
    id: str
    door: str
    outcome: str
    status: int
    ms: float
    problem: str = ""
    stages_us: msgspec.Struct | None = None
    department: str = ""
    client: str = ""
    resource: str = ""
    entry: int | None = None


class _Message(msgspec.Struct, omit_defaults=True):
    """One message of the program as it is written; *where* are the places of an error's way, innermost last."""

    time: datetime
    level: str
    logger: str
    message: str
    error: str = ""
    where: list[str] = []


class Tracer(Protocol):
    """Who makes a span of a request that has ended."""

    def span(self, seen: Seen, line: Line) -> None:
        """Make the span of *seen*, whose facts *line* has put into words."""


_ENCODER: Final = msgspec.json.Encoder()
_ENTRIES: Final = msgspec.json.Decoder(_Entry)


def line_of(seen: Seen) -> Line:
    """What is written about *seen*, which has ended."""
    receipt = seen.receipt
    department, client, resource, entry = seen.department, seen.client, seen.resource, None
    if receipt is not None:
        # Only what the entry says, for that is public and holds no word but the list's own.
        said = _ENTRIES.decode(receipt.leaf)
        department, client, resource = said.actor, said.facts.caller, said.resource
        entry = None if receipt.origin.endswith(_SANDBOX) else receipt.index
    status = seen.status
    outcome = seen.outcome or _OUTCOMES.get(status) or ("answered" if status < 400 else "refused")  # noqa: PLR2004 - RFC 9110
    return Line(
        seen.at,
        "info" if status < _FAULT else "warning" if status == _UNAVAILABLE else "error",
        seen.id,
        seen.door,
        outcome,
        status,
        round(seen.elapsed / 1e6, 3),
        seen.problem,
        _Stages(*[spent // 1_000 for spent in seen.stages]) if seen.stages else None,
        department,
        client,
        resource,
        entry,
    )


class Sink:
    """Where lines go: standard error, or a file that may be moved away meanwhile. Whole lines; several may write."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = _STDERR
        self._piece = _PIECE_BYTES
        if path is not None:
            self._open(path)
        elif not stat.S_ISFIFO(os.fstat(_STDERR).st_mode):
            self._piece = sys.maxsize

    def write(self, data: bytes) -> None:
        """Write *data*, which are whole lines.

        Raises:
            OSError: part of it may not be written.
        """
        if self._path is not None and self._moved(self._path):
            os.close(self._file)
            self._open(self._path)
        while data:
            end = len(data) if len(data) <= self._piece else data.rfind(b"\n", 0, self._piece) + 1 or len(data)
            self._all(data[:end])
            data = data[end:]

    def close(self) -> None:
        """Let go of the file."""
        if self._path is not None:
            os.close(self._file)

    def _all(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._file, data) :]
            except BlockingIOError:
                # Somebody made the terminal not wait; the thread has the time.
                time.sleep(0.05)

    def _open(self, path: Path) -> None:
        # Appending, and so each write is whole, whoever else writes.
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._piece = sys.maxsize

    def _moved(self, path: Path) -> bool:
        try:
            there = path.stat()
        except FileNotFoundError:
            return True
        ours = os.fstat(self._file)
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)


class Journal:
    """The journal of one process. `ended` and `say` may be called by any thread and never wait.

    *sink* None: nothing is written, and spans are made all the same. *lost* is told how many were dropped.
    """

    def __init__(
        self,
        sink: Sink | None,
        *,
        lost: Callable[[int], None],
        level: str = "info",
        tracer: Tracer | None = None,
    ) -> None:
        self._sink = sink
        self._lost = lost
        self._least = LEVELS.index(level)
        self._tracer = tracer
        self._waiting: list[Seen | _Message] = []
        self._dropped = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._handler = _Handler(self)

    @classmethod
    def open(cls, settings: Settings, *, lost: Callable[[int], None], tracer: Tracer | None = None) -> Journal | None:
        """The journal that *settings* ask for; None where they ask for none.

        Raises:
            LogSettingsError: a setting is of the wrong form, or the file cannot be written.
        """
        check(settings)
        if settings.log_format != JSON:
            return None if tracer is None else cls(None, lost=lost, tracer=tracer)
        try:
            sink = Sink(settings.log_file)
        except OSError as error:
            raise LogSettingsError(name="ZHENGTONG_LOG_FILE", expected="a file that can be written") from error
        return cls(sink, lost=lost, level=settings.log_level, tracer=tracer)

    def start(self) -> None:
        """Begin to write, and take the program's own messages too."""
        if self._sink is not None:
            root = logging.getLogger()
            for direct in [handler for handler in root.handlers if isinstance(handler, Direct)]:
                root.removeHandler(direct)
            root.addHandler(self._handler)
        self._thread.start()

    def stop(self) -> None:
        """Write what has gathered; what cannot be written within two seconds is given up."""
        logging.getLogger().removeHandler(self._handler)
        self._stopping.set()
        self._thread.join(_STOP_WAIT_S)
        if self._sink is not None and not self._thread.is_alive():
            self._sink.close()

    def ended(self, seen: Seen, status: int) -> None:
        """The request *seen* was answered with *status*; 0: its client has gone."""
        seen.ends(status)
        self._put(seen)

    def say(self, record: logging.LogRecord) -> None:
        """A message of the program."""
        if _rank(record.levelno) >= self._least:
            self._put(_message(record))

    def _put(self, one: Seen | _Message) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(one)
        else:
            self._dropped += 1

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            self._write()
        self._write()

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        dropped, self._dropped = self._dropped, 0
        lines: list[Line | _Message] = []
        for one in waiting:
            try:
                line = one if isinstance(one, _Message) else self._line(one)
            except Exception:  # noqa: BLE001 - whatever a tracer does, the journal goes on
                dropped += 1
                continue
            if LEVELS.index(line.level) >= self._least:
                lines.append(line)
        if lines and self._sink is not None:
            try:
                self._sink.write(_ENCODER.encode_lines(lines))
            except OSError:
                # There is nowhere left to say so but in the numbers.
                dropped += len(lines)
        if dropped:
            self._lost(dropped)

    def _line(self, seen: Seen) -> Line:
        line = line_of(seen)
        if self._tracer is not None:
            self._tracer.span(seen, line)
        return line


class _Handler(logging.Handler):
    """Hands messages to a journal."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        self._journal.say(record)


class Direct(logging.Handler):
    """Writes messages at once: before a journal has begun, after it has ended, and in a process that serves nobody."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record* to standard error, if that is still there."""
        try:
            os.write(_STDERR, _ENCODER.encode_lines([_message(record)]))
        except OSError:
            self.handleError(record)


def check(settings: Settings) -> None:
    """Find out now what would fail later.

    Raises:
        LogSettingsError
    """
    if settings.log_format not in FORMATS:
        raise LogSettingsError(name="ZHENGTONG_LOG_FORMAT", expected=" / ".join(FORMATS))
    if settings.log_level not in LEVELS:
        raise LogSettingsError(name="ZHENGTONG_LOG_LEVEL", expected=" / ".join(LEVELS))


def speak(settings: Settings) -> None:
    """Let this process's messages be of the form that *settings* say, until it has a journal."""
    if settings.log_format != JSON:
        return
    root = logging.getLogger()
    if not any(isinstance(handler, Direct) for handler in root.handlers):
        root.addHandler(Direct())
    # Of others' libraries only what is wrong: what they do otherwise is told in addresses and statements.
    for name in _OURS:
        logging.getLogger(name).setLevel(settings.log_level.upper())


def _rank(level: int) -> int:
    return 2 if level >= logging.ERROR else 1 if level >= logging.WARNING else 0


def _message(record: logging.LogRecord) -> _Message:
    """*record* without what an error or another's library quotes: of an error its kind and its way, never its text."""
    ours = record.name.partition(".")[0] in _OURS
    text = record.getMessage() if ours else str(record.msg)
    kind, where = "", list[str]()
    if record.exc_info and record.exc_info[0] is not None:
        kind = record.exc_info[0].__name__
        where = [f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_tb(record.exc_info[2])]
    return _Message(
        datetime.fromtimestamp(record.created, UTC),
        LEVELS[_rank(record.levelno)],
        record.name,
        unnamed(text)[:MAX_MESSAGE_CHARS],
        kind,
        where,
    )
