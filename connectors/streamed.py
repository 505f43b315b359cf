"""Read a table that comes as a stream of text columns: range, measures, pages and resumption, landed as parts.

Leaves how rows are had from a database, and what its SQL is like, to each kind (`Table`); shared by the SQL kinds that
DuckDB does not read by itself.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

import duckdb
import pyarrow as pa

from connectors import duck
from connectors.errors import ConnectorError, SourceEncodingError, SourceIncompleteError
from connectors.masking import Masks
from connectors.parts import ROWS_PER_PART, Parts
from connectors.protocol import Batch, Measures
from connectors.relational import ORDERABLE, ReadOptions, check_rows, choose, measure, range_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from connectors.protocol import ReadRequest
    from connectors.relational import Choice, Dialect, Measured, Range, SourceColumn

# A part of long rows is cut before it has its number of them: two are in memory at once, and as Parquet too.
BYTES_PER_PART = 96 * 1024 * 1024


class Table(Protocol):
    """A table in one snapshot of its database."""

    @property
    def where(self) -> str:
        """How messages name it."""

    @property
    def sql(self) -> str:
        """What stands behind FROM."""

    @property
    def dialect(self) -> Dialect:
        """The words of its database."""

    @property
    def limit(self) -> str:
        """What ends a query that is to answer ``{rows}`` rows; "" where that is not known: then all come at once."""

    @property
    def columns(self) -> Sequence[SourceColumn]:
        """Its columns."""

    @property
    def key(self) -> Sequence[SourceColumn]:
        """Columns that are unique together and never NULL, such as the table is stored by; () if there are none."""

    @property
    def uncertain(self) -> frozenset[str]:
        """Columns, by the source's name, that can hold what their type does not promise: they land as text."""

    def ask(self, query: str) -> tuple[str | None, ...] | None:
        """The first row of *query*, as text."""

    def rows(self, query: str, columns: Sequence[SourceColumn | None]) -> Generator[list[pa.Array], None, None]:
        """The rows of *query* as they come, in bounded batches: an array of text or UTF-8 for each of *columns*."""


def read(request: ReadRequest, into: Path, table: Table, *, condition: str = "") -> Batch:
    """Land *request* from *table* at *into*, as `connectors.protocol.Connector.read`; *condition* narrows it.

    A large table with a key is read in its order, page by page; cut off, it goes on behind the last row that landed.
    It then keeps the cursor of its first try: what changed behind its back is newer, and is read the next time.

    Raises:
        ConnectorError: as `connectors.protocol.Connector.read`.
    """
    options = ReadOptions.of(request.options, request.resource)
    choice = choose(request, table.columns, table.where)
    sources = [chosen for chosen in choice.columns if chosen.source and chosen.source.name in table.uncertain]
    choice = choice.as_text(frozenset(chosen.column.name for chosen in sources))
    span = range_of(request, choice, options, table.dialect, table.ask)
    if condition:
        span = replace(span, condition=f"({span.condition}) AND ({condition})" if span.condition else condition)
    with (
        Parts(request, into) as parts,
        duck.session(into) as con,
        _Writer(parts, con, choice, request, table.where) as writer,
    ):
        reading = _Reading(request, options, table, choice, span, parts, writer)
        told, cursor, before = reading.land()
        landed = parts.finish()
    measures = told.measures
    if measures is not None and before:
        # The first snapshot is gone, and the aggregates of two cannot be put together.
        measures = Measures(landed.rows)
    return Batch(
        into,
        landed.sha256,
        landed.rows,
        cursor,
        choice.renamed,
        choice.extra,
        choice.absent,
        choice.types,
        measures,
    )


def behind(names: Sequence[str], given: Sequence[str], *, equal: bool) -> str:
    """``(names) > (given)`` spelt out, or with *equal* ``<=``; SQL goes in and comes out.

    Few databases know the comparison of rows, fewer look for it in an index: hence the bound on the first one alone.
    """
    cases = []
    for depth, (name, value) in enumerate(zip(names, given, strict=True)):
        same = [f"{n} = {v}" for n, v in zip(names[:depth], given[:depth], strict=True)]
        sign = ">" if not equal else "<=" if depth == len(names) - 1 else "<"
        cases.append(" AND ".join([*same, f"{name} {sign} {value}"]))
    if len(cases) == 1:
        return cases[0]
    bound = f"{names[0]} {'<=' if equal else '>='} {given[0]}"
    return f"({bound} AND ({' OR '.join(f'({case})' for case in cases)}))"


@dataclass
class _Reading:
    """One read: what is asked of which rows, and who writes them."""

    request: ReadRequest
    options: ReadOptions
    table: Table
    choice: Choice
    span: Range
    parts: Parts
    writer: _Writer

    def land(self) -> tuple[Measured, str | None, int]:
        """Land the rows; what the source says of them, the cursor, and how many rows an earlier try had landed."""
        table, parts = self.table, self.parts
        key = self._key()
        state = {
            "key": [column.name for column in key],
            "landed": [chosen.landed for chosen in self.choice.columns],
        }
        if parts.resumed and any(parts.state.get(name) != value for name, value in state.items()):
            # Another key leads elsewhere; parts of another type cannot stand beside these.
            parts.restart()
        after: list[str] = parts.state.get("after", []) if key else []
        told = measure(
            table.sql,
            self.request,
            self.choice,
            self._behind(key, after),
            options=self.options,
            dialect=table.dialect,
            ask=table.ask,
        )
        cursor = parts.state["cursor"] if after else told.cursor
        before = parts.rows
        parts.about = None if told.rows is None else before + told.rows
        if not after and told.rows is not None and told.rows <= ROWS_PER_PART:
            key = ()  # in whatever order the database finds them quickest
        parts.resumable = bool(key)
        self.writer.state = {**state, "cursor": cursor}
        found = self._pages(key, after)
        try:
            check_rows(told.rows, found, table.where)
        except ConnectorError:
            parts.resumable = False  # what is wrong is in the parts already
            raise
        return told, cursor, before

    def _key(self) -> Sequence[SourceColumn]:
        """The key to read along, if it may stand in the manifest and its order is one that literals keep."""
        masked = {chosen.source.name for chosen in self.choice.columns if chosen.source and chosen.column.mask}
        key = self.table.key
        return key if all(column.kind in ORDERABLE and column.name not in masked for column in key) else ()

    def _behind(self, key: Sequence[SourceColumn], after: Sequence[str]) -> Range:
        """The rows of the range that come after *after* in the order of *key*."""
        if not after:
            return self.span
        behind = self.table.dialect.after(key, after, equal=False)
        span = self.span.condition
        return replace(self.span, condition=f"({span}) AND ({behind})" if span else behind)

    def _pages(self, key: Sequence[SourceColumn], after: Sequence[str]) -> int:
        """Land everything behind *after*; the number of rows."""
        table, dialect = self.table, self.table.dialect
        columns = [*(chosen.source for chosen in self.choice.columns), *key]
        shown = ["NULL" if c is None else dialect.text(dialect.name(c.name), c) for c in columns]
        query = f"SELECT {', '.join(f'{text} AS c{number}' for number, text in enumerate(shown))} FROM {table.sql}"
        order = f" ORDER BY {', '.join(dialect.name(column.name) for column in key)}" if key else ""
        limit = table.limit.format(rows=ROWS_PER_PART) if key else ""
        total = 0
        while True:
            page = f"{query}{self._behind(key, after).and_()}{order}{limit}"
            with closing(table.rows(page, columns)) as batches:
                found, after = self.writer.take(batches, len(key))
            total += found
            if not limit or found < ROWS_PER_PART:
                self.writer.end()
                return total


class _Writer:
    """Turns batches into parts; one is written while the rows of the next are on their way."""

    def __init__(
        self, parts: Parts, con: duckdb.DuckDBPyConnection, choice: Choice, request: ReadRequest, where: str
    ) -> None:
        self._where = where
        self._parts = parts
        self._con = con
        self._choice = choice
        self._names = [chosen.column.name for chosen in choice.columns]
        self._order = [name for name in request.key if name in self._names]
        self._masks = Masks(request.columns)
        self._pool = ThreadPoolExecutor(1, "part")
        self._writing: tuple[Future[int], Path, dict[str, Any]] | None = None
        self.state: dict[str, Any] = {}
        """What goes into the manifest with every part, beside the key of its last row."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with suppress(ConnectorError):
            if kind is not None:
                self._settle()  # what the read had before it failed need not be read again
        self._pool.shutdown()

    def take(self, batches: Iterator[list[pa.Array]], keys: int) -> tuple[int, list[str]]:
        """Write all rows of *batches*, whose last *keys* columns are the key; how many, and the last row's key."""
        held: list[pa.Table] = []
        rows = size = found = 0
        after: list[str] = []
        names = [*self._names, *(f"key {number}" for number in range(keys))]
        for arrays in batches:
            table = self._text(arrays, names)
            found += table.num_rows
            while table.num_rows:
                taken = table.slice(0, ROWS_PER_PART - rows)
                table = table.slice(taken.num_rows)
                held.append(taken)
                rows += taken.num_rows
                size += taken.nbytes
                if rows == ROWS_PER_PART or size >= BYTES_PER_PART:
                    after = self._write(held)
                    held, rows, size = [], 0, 0
        if held:
            after = self._write(held)
        return found, after

    def end(self) -> None:
        """All rows are taken: wait until they are landed. A read without rows has a part without rows."""
        if not self._parts.rows and self._writing is None:
            self._write([pa.table([pa.array([], pa.string()) for _ in self._names], self._names)])
        self._settle()

    def _text(self, arrays: list[pa.Array], names: list[str]) -> pa.Table:
        try:
            return pa.table([array.cast(pa.string()) for array in arrays], names)
        except pa.ArrowInvalid:
            # The cause would show the bytes.
            raise SourceEncodingError(problem="not_text", where=self._where) from None

    def _write(self, held: list[pa.Table]) -> list[str]:
        table = pa.concat_tables(held)
        keys = table.column_names[len(self._names) :]
        last = [str(table.column(key)[-1].as_py()) for key in keys]
        path = self._parts.temporary()
        written = self._pool.submit(self._part, table.select(self._names), path)
        self._settle()
        self._writing = (written, path, {**self.state, "after": last})
        return last

    def _settle(self) -> None:
        """Wait for the part that is being written, and name it in the manifest."""
        if self._writing is None:
            return
        (written, path, state), self._writing = self._writing, None
        rows = written.result()
        self._parts.state = state
        self._parts.take(path, rows)

    def _part(self, table: pa.Table, path: Path) -> int:
        table = self._masks.table(table)
        selected = [
            f"CAST({duck.name(name)} AS {chosen.landed}) AS {duck.name(name)}"
            for name, chosen in zip(self._names, self._choice.columns, strict=True)
        ]
        with self._con.cursor() as con:
            try:
                con.register("landed rows", table)
                query = f'SELECT {", ".join(selected)} FROM "landed rows"'
                return duck.write_part(con, query, path, self._choice.field_ids, order=self._order)
            except duckdb.Error as failure:
                # A value that is not of the type its column had: the table was altered while we read.
                raise (
                    duck.landing_failure(failure, path.parent)
                    or SourceIncompleteError(problem="table_changed", where=self._where)
                ) from None
