"""Where the postings of a list's search index are kept: what every store promises, and the one in SQLite.

An index is derived data: made from a list version and the word data of the program, thrown away and made again at any
time. The store in PostgreSQL is `hub.search.postgres`.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from catalog.search.documents import FORMAT, documents
from catalog.search.masks import mask_of
from catalog.search.thesaurus import fingerprint
from hub.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from catalog.model import ResponsibilityList
    from catalog.search.thesaurus import Thesaurus

KEPT_VERSIONS = 2  # the one in force and the one before, which a process may still be answering from
STRAY_AFTER_S = 3600.0  # an unfinished file this old belongs to a builder that is gone; building takes seconds


@dataclass(frozen=True, slots=True)
class Kept:
    """What an index keeps beside its postings: Latin words for misspellings, ordinals in the order of names."""

    spellings: frozenset[str]
    by_name: tuple[int, ...]


class Store(Protocol):
    """The index of one list version. Safe for many threads. Immutable: the same question has the same answer."""

    kept: Kept

    def fetch(self, tokens: Sequence[str]) -> Mapping[str, int]:
        """For each of *tokens* the set of documents that hold it (`catalog.search.masks`); none, no entry.

        Raises:
            IndexGoneError: the index was removed; make it again.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class IndexGoneError(Exception):
    """The index is not there, or is not one that this program can read. Make it again."""


def index_name(list_: ResponsibilityList) -> str:
    """What the index of *list_* is called: another list, word data or form of documents has another name."""
    return f"{list_.version.removeprefix('sha256:')[:32]}_{FORMAT}{fingerprint()[:8]}"


class SqliteStore:
    """An index in an SQLite file of its own (FTS5), read-only once it has its name."""

    def __init__(self, path: Path, size: int) -> None:
        """Open the index at *path* of *size* documents.

        Raises:
            IndexGoneError: there is none, or it is damaged.
        """
        self._size = size
        # One connection for all threads: a look-up takes microseconds, and the file may lose its name meanwhile.
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise IndexGoneError from error
        try:
            row = self._connection.execute("SELECT size, spellings, by_name FROM kept").fetchone()
            if row is None or row[0] != size:
                raise IndexGoneError
            self.kept = Kept(frozenset(json.loads(row[1])), tuple(json.loads(row[2])))
        except (sqlite3.Error, ValueError) as error:
            self._connection.close()
            raise IndexGoneError from error

    @classmethod
    def ensure(cls, folder: Path, list_: ResponsibilityList, thesaurus: Thesaurus) -> Self:
        """The index of *list_* in *folder*, made if it is not there; versions out of use are removed."""
        path = folder / f"{index_name(list_)}.sqlite"
        try:
            return cls(path, len(list_.resources))
        except IndexGoneError:
            cls.build(path, list_, thesaurus)
        _remove_stale(folder, path)
        return cls(path, len(list_.resources))

    @classmethod
    def build(cls, path: Path, list_: ResponsibilityList, thesaurus: Thesaurus) -> None:
        """Make the index aside and give it its name. Several builders may do so at once: their files are alike.

        A crash leaves a stray ``.tmp`` file, which a later builder removes, and the name unused.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            _write(aside, list_, thesaurus)
            with aside.open("rb") as file:
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        sync_folder(path.parent)

    def fetch(self, tokens: Sequence[str]) -> Mapping[str, int]:
        """As `Store` has it."""
        found = {}
        try:
            with self._lock:
                for token in tokens:
                    # Tokens are letters and digits only; the quotes keep FTS5 from reading one as an operator.
                    rows = self._connection.execute(
                        "SELECT rowid FROM postings WHERE postings MATCH ?", (f'"{token}"',)
                    )
                    ordinals = [row[0] for row in rows]
                    if ordinals:
                        found[token] = mask_of(ordinals, self._size)
        except sqlite3.Error as error:
            raise IndexGoneError from error
        return found

    def close(self) -> None:
        """As `Store` has it."""
        with self._lock:
            self._connection.close()


def _write(path: Path, list_: ResponsibilityList, thesaurus: Thesaurus) -> None:
    spellings: set[str] = set()
    names: list[tuple[str, int]] = []
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        # Nothing reads the file before it is whole and synced: a journal would guard nobody.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE kept (size INTEGER, spellings TEXT, by_name TEXT)")
        # The ascii tokenizer takes every other character as part of a word, hence a Han token stays one.
        connection.execute(
            "CREATE VIRTUAL TABLE postings USING fts5"
            "(tokens, content='', detail='none', columnsize=0, tokenize='ascii')"
        )
        for document in documents(list_, thesaurus):
            connection.execute(
                "INSERT INTO postings (rowid, tokens) VALUES (?, ?)",
                (document.ordinal, " ".join(sorted(document.tokens))),
            )
            spellings |= document.words
            names.append((document.sort_key, document.ordinal))
        connection.execute("INSERT INTO postings (postings) VALUES ('optimize')")
        connection.execute(
            "INSERT INTO kept VALUES (?, ?, ?)",
            (len(names), json.dumps(sorted(spellings)), json.dumps([at for _, at in sorted(names)])),
        )
        connection.execute("COMMIT")
    finally:
        connection.close()


def _remove_stale(folder: Path, current: Path) -> None:
    """Remove unfinished files nobody works on, and all but the newest versions beside *current*."""
    others = sorted((path for path in folder.glob("*.sqlite") if path != current), key=lambda path: -_changed(path))
    strays = [path for path in folder.glob("*.tmp") if _changed(path) < time.time() - STRAY_AFTER_S]
    for path in (*others[KEPT_VERSIONS - 1 :], *strays):
        path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # another process removed it first
