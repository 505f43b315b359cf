"""The search index of a list in PostgreSQL: a table of its own per version, tsvector with GIN over the same tokens.

What a store promises is said in `hub.search.store`.
"""

from __future__ import annotations

import json
import weakref
from typing import TYPE_CHECKING, Self

from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from catalog.search.documents import documents
from catalog.search.masks import mask_of
from hub.control.database import open_engine
from hub.errors import ControlUnavailableError
from hub.search.store import KEPT_VERSIONS, IndexGoneError, Kept, index_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

    from catalog.model import ResponsibilityList
    from catalog.search.thesaurus import Thesaurus

SCHEMA = "zhengtong_search"
_LOCK = 0x7A74736561726368  # "ztsearch": one builder at a time; the second finds the index made
_ROWS_PER_BATCH = 500  # about 2 MB of tokens

_MAKE_VERSIONS = f"""
CREATE TABLE IF NOT EXISTS {SCHEMA}.versions (
    name text PRIMARY KEY, made timestamptz NOT NULL DEFAULT clock_timestamp(), size integer NOT NULL,
    spellings text NOT NULL, by_name text NOT NULL
)"""


class PostgresStore:
    """An index in the schema `zhengtong_search`. What was committed is never changed, only dropped as a whole."""

    def __init__(self, engine: Engine, name: str, size: int) -> None:
        """Open the index called *name* of *size* documents.

        Raises:
            IndexGoneError: there is none.
            ControlUnavailableError: the database does not answer.
        """
        self._engine, self._size = engine, size
        # An array of tokens, one round trip: each is looked up in the GIN index.
        self._query = text(
            "SELECT asked.token, (SELECT array_agg(kept.ordinal) FROM "
            f"{SCHEMA}.{_table(name)} kept WHERE kept.tokens @@ quote_literal(asked.token)::tsquery) "
            "FROM unnest(CAST(:tokens AS text[])) AS asked (token)"
        )
        query = text(f"SELECT size, spellings, by_name FROM {SCHEMA}.versions WHERE name = :name")
        try:
            with engine.connect() as connection:
                row = connection.execute(query, {"name": name}).one_or_none()
        except ProgrammingError as error:
            raise IndexGoneError from error
        except OperationalError as error:
            raise ControlUnavailableError from error
        if row is None or row.size != size:
            raise IndexGoneError
        self.kept = Kept(frozenset(json.loads(row.spellings)), tuple(json.loads(row.by_name)))
        # Who drops it while others may still ask cannot close it: its connections go with the last who holds it.
        weakref.finalize(self, engine.dispose)

    @classmethod
    def ensure(cls, url: str, list_: ResponsibilityList, thesaurus: Thesaurus) -> Self:
        """The index of *list_* in the database of *url*, made if it is not there; versions out of use are dropped.

        Raises:
            ControlUnavailableError: the database does not answer.
        """
        engine, name = open_engine(url), index_name(list_)
        event.listen(engine, "connect", _prefer_index)
        try:
            try:
                return cls(engine, name, len(list_.resources))
            except IndexGoneError:
                cls.build(engine, name, list_, thesaurus)
            return cls(engine, name, len(list_.resources))
        except BaseException:
            engine.dispose()
            raise

    @classmethod
    def build(cls, engine: Engine, name: str, list_: ResponsibilityList, thesaurus: Thesaurus) -> None:
        """Make the index in one transaction: a crash leaves nothing of it.

        Raises:
            ControlUnavailableError: the database does not answer.
        """
        try:
            with engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
                connection.execute(text(_MAKE_VERSIONS))
                query = text(f"SELECT 1 FROM {SCHEMA}.versions WHERE name = :name AND size = :size")
                if connection.execute(query, {"name": name, "size": len(list_.resources)}).first() is None:
                    _write(connection, name, list_, thesaurus)
                    _drop_stale(connection, name)
        except OperationalError as error:
            raise ControlUnavailableError from error

    def fetch(self, tokens: Sequence[str]) -> Mapping[str, int]:
        """As `Store` has it."""
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(self._query, {"tokens": list(tokens)}).all()
        except ProgrammingError as error:
            raise IndexGoneError from error
        except OperationalError as error:
            raise ControlUnavailableError from error
        return {token: mask_of(ordinals, self._size) for token, ordinals in rows if ordinals}

    def close(self) -> None:
        """As `Store` has it."""
        self._engine.dispose()


def _table(name: str) -> str:
    return f"docs_{name}"


def _prefer_index(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    del record
    # The planner would look for a frequent token in every row and unpack the tokens of each: its list is ready.
    cursor = connection.cursor()
    cursor.execute("SET enable_seqscan = off")
    cursor.close()
    connection.commit()


def _write(connection: Connection, name: str, list_: ResponsibilityList, thesaurus: Thesaurus) -> None:
    table = f"{SCHEMA}.{_table(name)}"
    connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
    connection.execute(text(f"CREATE TABLE {table} (ordinal integer PRIMARY KEY, tokens tsvector NOT NULL)"))
    insert = text(f"INSERT INTO {table} VALUES (:ordinal, array_to_tsvector(string_to_array(:tokens, ' ')))")
    spellings: set[str] = set()
    names: list[tuple[str, int]] = []
    batch: list[dict[str, object]] = []
    for document in documents(list_, thesaurus):
        batch.append({"ordinal": document.ordinal, "tokens": " ".join(sorted(document.tokens))})
        spellings |= document.words
        names.append((document.sort_key, document.ordinal))
        if len(batch) == _ROWS_PER_BATCH:
            connection.execute(insert, batch)
            batch = []
    if batch:
        connection.execute(insert, batch)
    connection.execute(text(f"CREATE INDEX ON {table} USING gin (tokens)"))
    connection.execute(text(f"DELETE FROM {SCHEMA}.versions WHERE name = :name"), {"name": name})
    connection.execute(
        text(
            f"INSERT INTO {SCHEMA}.versions (name, size, spellings, by_name) "
            "VALUES (:name, :size, :spellings, :by_name)"
        ),
        {
            "name": name,
            "size": len(names),
            "spellings": json.dumps(sorted(spellings)),
            "by_name": json.dumps([at for _, at in sorted(names)]),
        },
    )


def _drop_stale(connection: Connection, name: str) -> None:
    query = text(f"SELECT name FROM {SCHEMA}.versions WHERE name <> :name ORDER BY made DESC OFFSET :kept")
    for (stale,) in connection.execute(query, {"name": name, "kept": KEPT_VERSIONS - 1}).all():
        connection.execute(text(f"DROP TABLE IF EXISTS {SCHEMA}.{_table(stale)}"))
        connection.execute(text(f"DELETE FROM {SCHEMA}.versions WHERE name = :name"), {"name": stale})
