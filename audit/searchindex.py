"""An index beside a log, by which an auditor finds entries among millions at once. It is a help and never a witness.

Whatever it names is read from the log again, proven against the pinned checkpoint, and compared with what was looked
for (`audit.searching`). So a false index can hide an entry and cannot invent one; against hiding there is `check`,
which reads everything, and building the index oneself, from the log alone.

One SQLite file, made of published entries only. A stretch of entries enters it in one transaction together with the
size that it then covers: a crash leaves an index that covers less. It belongs to one history of one log: the root that
the log had at that size is kept, and an index of another history is built anew.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from .errors import AuditError, LogDamagedError, StorageFailedError, StorageFullError
from .searching import Hit, Query, describe, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from .pinned import PinnedLog

FORMAT: Final = 2
STRETCH: Final = 16_384  # entries in a transaction
# Fewer entries than this share of the whole are entered into the sorted part one by one; more, and it is made anew.
_SHARE_ONE_BY_ONE: Final = 0.2
_CACHE_KIB: Final = 65_536
_LOCK_TIMEOUT_S: Final = 60.0
_WORDS_KEPT: Final = 200_000  # kinds, actors, resources, purposes and outcomes; a city has some thousands

_TABLES: Final = """
CREATE TABLE about (format INTEGER, origin TEXT, size INTEGER, root BLOB);
CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT UNIQUE);
CREATE TABLE entry (
    idx INTEGER PRIMARY KEY, at INTEGER, kind INTEGER, actor INTEGER, resource INTEGER, purpose INTEGER,
    outcome INTEGER, subject INTEGER
);
CREATE TABLE stretch (first INTEGER PRIMARY KEY, last INTEGER, least INTEGER, greatest INTEGER);
CREATE TABLE tally (part INTEGER, word INTEGER, entries INTEGER, PRIMARY KEY (part, word)) WITHOUT ROWID;
CREATE TABLE subject (key INTEGER, idx INTEGER, PRIMARY KEY (key, idx)) WITHOUT ROWID;
"""
# Who an entry is about stands in its row; of entries about several, all of them in a table of their own.
_SORTED: Final = "CREATE INDEX IF NOT EXISTS entry_by_subject ON entry (subject) WHERE subject IS NOT NULL"
PAGE: Final = 10_000  # places read from the index at once
# What entries are counted by as they enter: by one of these how many fit is known without looking at them.
PARTS: Final = ("kind", "actor", "resource", "purpose", "outcome")
COUNTED: Final = 10_000  # of a query by several things so many are counted; then it is said that there are more
_LEAST, _GREATEST, _HALF = -(2**63), 2**63 - 1, 2**63


class Newest(NamedTuple):
    """What the index says fits: *total* entries, or *more* than that; *places* of some, the last first."""

    total: int
    more: bool
    places: list[int]


class IndexDamagedError(AuditError):
    """Build the index anew: the file is none, or of another form or log."""

    en = "`{where}` is no search index of this log: {problem}. Remove it; it is built anew from the entries."
    zh = "`{where}` 不是本日志的检索索引：{problem}。请删除该文件，索引会由条目重建。"


def _silent(done: int, total: int) -> None:
    """For who does not want to be told how far it is."""
    del done, total


class SearchIndex:
    """The index in one file. Any number of processes may read and extend it; one extends at a time."""

    def __init__(self, path: Path, log: PinnedLog) -> None:
        """The index of *log* in the file *path*, which need not be there yet."""
        self._path = path
        self._log = log

    def extend(self, progress: Callable[[int, int], None] = _silent) -> int:
        """Cover everything that the log's checkpoint covers; how many entries had to be read for it.

        Raises:
            LogDamagedError: an entry is not the one that was logged. What was read before it is covered.
            StorageFullError, StorageFailedError: the index cannot be written; search by reading.
        """
        log, read = self._log, 0
        with self._opened(write=True) as database:
            begin = self._covered(database)
            if begin is None:
                _empty(database, log)
                begin = 0
            todo = log.size - begin
            if todo > _SHARE_ONE_BY_ONE * log.size:
                database.execute("DROP INDEX IF EXISTS entry_by_subject")
            words = _Words(database)
            while begin < log.size:
                end = min(begin + STRETCH, log.size)
                database.execute("BEGIN IMMEDIATE")
                # Another process may have covered it since.
                if (others := self._covered(database)) != begin:
                    database.execute("ROLLBACK")
                    # It may have undone numbers, or given them.
                    words.clear()
                    if others is None:
                        _empty(database, log)
                    begin = others or 0
                    continue
                _enter(database, words, begin, log.entries(begin, end))
                database.execute("UPDATE about SET size = ?, root = ?", (end, log.root_at(end)))
                database.execute("COMMIT")
                read += end - begin
                begin = end
                progress(begin, log.size)
            database.execute(_SORTED)
        return read

    def covered(self) -> int:
        """How many entries of this log the index covers: 0 without one, or with one of another log."""
        if not self._path.exists():
            return 0
        with self._opened() as database:
            return self._covered(database) or 0

    def find(self, query: Query) -> Iterator[Hit]:
        """The published entries that *query* looks for, in order; those that the index does not cover yet are read.

        Raises:
            LogDamagedError: an entry that the index names is not the one that was logged.
            IndexDamagedError: the index cannot be read.
        """
        covered = self.covered()
        for index in self.places(query) if covered else ():
            if index >= covered:
                break
            data = self._log.entry(index)
            about = describe(data)
            # The index finds by a part of a subject's hash; and it may lie.
            if query.fits(about):
                yield Hit(index, data, about)
        yield from scan(self._log, query, covered)

    def places(self, query: Query) -> Iterator[int]:
        """Where the index says that entries are that fit *query*, in order and each once. To be read and compared."""
        with self._opened() as database:
            condition = _condition(database, query)
            if condition is None:
                return
            after = -1
            while True:
                # A page at a time, so that no reader holds up who extends the index.
                found = condition.page(database, after)
                yield from found
                if len(found) < PAGE:
                    return
                after = found[-1]

    def newest(self, query: Query, *, skip: int, limit: int) -> Newest:
        """How many entries the index says fit *query*, and where *limit* of them are, the last first, after *skip*.

        Counted are `COUNTED`, and one more than is shown; of a query by one of `PARTS`, or by nothing, all.
        """
        with self._opened() as database:
            condition = _condition(database, query)
            return Newest(0, False, []) if condition is None else condition.newest(database, skip, limit)

    def tally(self, part: str) -> dict[str, int]:
        """How many covered entries have each word of *part*, one of `PARTS`; in no order."""
        text = "SELECT w.text, t.entries FROM tally t JOIN word w ON w.id = t.word WHERE t.part = ?"
        with self._opened() as database:
            return dict(database.execute(text, (PARTS.index(part),)))

    def check(self, progress: Callable[[int, int], None] = _silent) -> Iterator[int]:
        """The entries of which the index does not say what the log says: nothing may be hidden, nothing made up.

        Reads all that is covered, in one read transaction.

        Raises:
            LogDamagedError: an entry is not the one that was logged.
            IndexDamagedError: the index cannot be read, or counts other entries than it has.
        """
        covered = self.covered()
        counted: Counter[tuple[int, str]] = Counter()
        with self._opened() as database:
            words = dict(database.execute("SELECT id, text FROM word"))
            rows = database.execute("SELECT * FROM entry ORDER BY idx")
            keys = database.execute("SELECT idx, key FROM subject ORDER BY idx, key")
            key = next(keys, None)
            for index, data in enumerate(self._log.entries(0, covered)):
                about = describe(data)
                row = next(rows, None)
                said = None if row is None else (*row[:2], *(words.get(word) for word in row[2:7]))
                named = [] if row is None or row[7] is None else [row[7]]
                while key is not None and key[0] <= index:
                    named.append(key[1])
                    key = next(keys, None)
                if said != (index, *about[:6]) or named != sorted({_key(one) for one in about.subjects}):
                    yield index
                counted.update(enumerate(about[1:6]))
                if index % STRETCH == 0:
                    progress(index, covered)
            tally = database.execute("SELECT t.part, w.text, t.entries FROM tally t JOIN word w ON w.id = t.word")
            if {(part, text): count for part, text, count in tally} != counted:
                raise IndexDamagedError(where=str(self._path), problem="it counts other entries than the log has")

    def _covered(self, database: sqlite3.Connection) -> int | None:
        """How much of this very log the index covers; None where it is of another one, or of another form."""
        try:
            row = database.execute("SELECT format, origin, size, root FROM about").fetchone()
        except sqlite3.DatabaseError:
            return None
        if row is None or row[:2] != (FORMAT, self._log.origin) or not 0 <= row[2] <= self._log.size:
            return None
        try:
            return int(row[2]) if self._log.root_at(row[2]) == row[3] else None
        except LogDamagedError:
            return None

    @contextmanager
    def _opened(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        name = f"{self._path.absolute().as_uri()}?mode={'rwc' if write else 'ro'}"
        try:
            with closing(sqlite3.connect(name, uri=True, timeout=_LOCK_TIMEOUT_S, isolation_level=None)) as database:
                database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
                # A power failure may cost the index, which costs no more than building it.
                database.execute("PRAGMA synchronous = OFF")
                yield database
        except sqlite3.DatabaseError as error:
            raise _storage_error(error, str(self._path)) from error


@dataclass(frozen=True, slots=True)
class _Condition:
    """A query as SQL: *where* over ``e``, the entries, with its *values*; *keys* of subjects, if it has any.

    *total*: how many fit, where that is known without looking.
    """

    where: str
    values: tuple[int, ...]
    keys: tuple[int, ...] = ()
    total: int | None = None

    def page(self, database: sqlite3.Connection, after: int) -> list[int]:
        """The first `PAGE` places after *after*."""
        source, keys = self._source(after)
        text = f"SELECT e.idx FROM {source} WHERE {self.where} AND e.idx > ? ORDER BY e.idx LIMIT {PAGE}"
        return [index for (index,) in database.execute(text, (*keys, *self.values, after))]

    def newest(self, database: sqlite3.Connection, skip: int, limit: int) -> Newest:
        """How many places there are, and *limit* of them after *skip*, the last first."""
        source, keys = self._source(-1)
        values = (*keys, *self.values)
        total, most = self.total, max(COUNTED, skip + limit)
        if total is None:
            text = f"SELECT count(*) FROM (SELECT 1 FROM {source} WHERE {self.where} LIMIT ?)"
            (total,) = database.execute(text, (*values, most + 1)).fetchone()
        more = self.total is None and total > most
        # Once as many are found as there are, the rest is not looked at.
        text = f"SELECT e.idx FROM {source} WHERE {self.where} ORDER BY e.idx DESC LIMIT ? OFFSET ?"
        places = database.execute(text, (*values, max(0, min(limit, total - skip)), skip))
        return Newest(most if more else total, more, [index for (index,) in places])

    def _source(self, after: int) -> tuple[str, tuple[int, ...]]:
        """What is selected from, and the values that it takes first."""
        if not self.keys:
            return "entry e", ()
        # The few entries of a subject first. CROSS JOIN says so to SQLite, which would have to guess.
        marks = ",".join("?" * len(self.keys))
        one = f"SELECT idx FROM entry WHERE subject IN ({marks}) AND idx > {after}"
        many = f"SELECT idx FROM subject WHERE key IN ({marks}) AND idx > {after}"
        return f"({one} UNION {many}) s CROSS JOIN entry e ON e.idx = s.idx", self.keys * 2


def _condition(database: sqlite3.Connection, query: Query) -> _Condition | None:
    """*query* over the numbers of its words; None where a word that it needs is in no entry that is covered."""
    parts, values = ["1"], []
    by: list[tuple[int, list[int]]] = []
    wanted = (query.kinds, query.actors, query.resources, query.purposes, query.outcomes)
    for part, (column, texts) in enumerate(zip(PARTS, wanted, strict=True)):
        if texts:
            numbers = sorted({number for text in texts for number in _numbers(database, text, column)})
            if not numbers:
                return None
            parts.append(f"e.{column} IN ({','.join('?' * len(numbers))})")
            values += numbers
            by.append((part, numbers))
    since, until = query.span
    if since is not None:
        parts.append("e.at >= ?")
        values.append(since)
    if until is not None:
        parts.append("e.at >= 0 AND e.at < ?")
        values.append(until)
    if since is not None or until is not None:
        # Entries are nearly in the order of time, so that a span of time is a few stretches of them.
        bounds = (_LEAST if since is None else since, _GREATEST if until is None else until)
        first, last = database.execute(
            "SELECT min(first), max(last) FROM stretch WHERE greatest >= ? AND least < ?", bounds
        ).fetchone()
        if first is None:
            return None
        parts.append("e.idx BETWEEN ? AND ?")
        values += [first, last]
    keys = tuple(sorted({_key(one) for one in query.subjects}))
    total = None if keys or since is not None or until is not None else _total(database, by)
    return _Condition(" AND ".join(parts), tuple(values), keys, total)


def _total(database: sqlite3.Connection, by: list[tuple[int, list[int]]]) -> int | None:
    """How many entries have one of the words of one part, or of none how many there are; None of several parts."""
    if len(by) > 1:
        return None
    if not by:
        (size,) = database.execute("SELECT size FROM about").fetchone()
        return int(size)
    part, numbers = by[0]
    text = f"SELECT total(entries) FROM tally WHERE part = ? AND word IN ({','.join('?' * len(numbers))})"
    return int(database.execute(text, (part, *numbers)).fetchone()[0])


def _numbers(database: sqlite3.Connection, text: str, column: str) -> list[int]:
    """The numbers of the words that *text* stands for in *column*: itself, or what begins with it."""
    if column == "kind" and text.endswith("."):
        # The slash follows the dot in every encoding of text.
        rows = database.execute("SELECT id FROM word WHERE text >= ? AND text < ?", (text, f"{text[:-1]}/"))
    elif column == "actor" and text.endswith(":"):
        # The semicolon follows the colon.
        whole = (text[:-1], text, f"{text[:-1]};")
        rows = database.execute("SELECT id FROM word WHERE text = ? OR (text >= ? AND text < ?)", whole)
    else:
        rows = database.execute("SELECT id FROM word WHERE text = ?", (text,))
    return [number for (number,) in rows]


class _Words(dict[str, int]):
    """The numbers of words, those seen lately in memory; a word without one gets one."""

    def __init__(self, database: sqlite3.Connection) -> None:
        super().__init__()
        self._database = database

    def __missing__(self, text: str) -> int:
        if len(self) >= _WORDS_KEPT:
            self.clear()
        row = self._database.execute("SELECT id FROM word WHERE text = ?", (text,)).fetchone()
        if row is None:
            row = self._database.execute("INSERT INTO word (text) VALUES (?) RETURNING id", (text,)).fetchone()
        number = self[text] = int(row[0])
        return number


def _empty(database: sqlite3.Connection, log: PinnedLog) -> None:
    """Begin anew: whatever the file holds is of another log or form."""
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    database.execute("BEGIN IMMEDIATE")
    for name in tables:
        quoted = name.replace('"', '""')
        database.execute(f'DROP TABLE "{quoted}"')
    for statement in _TABLES.strip().split(";\n"):
        if statement.strip():
            database.execute(statement)
    database.execute("INSERT INTO about VALUES (?, ?, 0, ?)", (FORMAT, log.origin, log.root_at(0)))
    database.execute("COMMIT")


def _enter(database: sqlite3.Connection, words: _Words, first: int, entries: Iterable[bytes]) -> None:
    """Put what the entries from *first* on are about into the tables; one at a time is in memory."""
    least, greatest, last = _GREATEST, _LEAST, first
    several: list[tuple[int, int]] = []
    tally: Counter[tuple[int, int]] = Counter()

    def rows() -> Iterator[tuple[int | None, ...]]:
        nonlocal least, greatest, last
        for last, data in enumerate(entries, first):
            at, kind, actor, resource, purpose, outcome, named = describe(data)
            least, greatest = min(at, least), max(at, greatest)
            subject = _key(named[0]) if len(named) == 1 else None
            if len(named) > 1:
                several.extend((_key(one), last) for one in named)
            numbers = (words[kind], words[actor], words[resource], words[purpose], words[outcome])
            tally.update(enumerate(numbers))
            yield last, at, *numbers, subject

    database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows())
    database.executemany("INSERT OR IGNORE INTO subject VALUES (?, ?)", sorted(several))
    database.executemany(
        "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET entries = entries + excluded.entries",
        [(*key, count) for key, count in tally.items()],
    )
    database.execute("INSERT INTO stretch VALUES (?, ?, ?, ?)", (first, last, least, greatest))


def _key(subject: str) -> int:
    """The first 64 bits of a keyed hash; of other text, of its SHA-256. Two may share it: hits are compared in full."""
    try:
        begin = bytes.fromhex(subject[:16])
    except ValueError:
        begin = hashlib.sha256(subject.encode()).digest()[:8]
    return int.from_bytes(begin, "big") - _HALF


def _storage_error(error: sqlite3.DatabaseError, where: str) -> AuditError:
    if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
        return StorageFullError(where=where)
    if isinstance(error, sqlite3.OperationalError):
        return StorageFailedError(where=where, problem=str(error))
    return IndexDamagedError(where=where, problem=str(error))
