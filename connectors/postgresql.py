r"""The ``postgresql`` kind: a table or view of a PostgreSQL database (11 or later), in one snapshot, landed in parts.

Leaves checking the values to `warehouse`; how the server is reached is in `connectors.postgresql_source`, how parts are
written side by side in `connectors.postgresql_readers`.

Settings: ``host``, ``port`` (5432), ``database``, ``user``, ``password`` (names a secret), ``schema`` (``public``),
``sslmode`` (``prefer``) and ``ca_file`` as libpq has them, ``connect_timeout_s`` (15), ``statement_timeout_s`` (3600,
for one part). The object is ``table`` or ``schema.table``. Options: those of `connectors.relational.ReadOptions`.

Nothing can be written: every transaction is read-only. All connections of a read (one for each thread of DuckDB's, one
that asks) see one snapshot.

Values land in the type asked for where PostgreSQL's own converts without loss, else as the text that PostgreSQL makes
of them: intervals, arrays, JSON, enums as it writes them, ``bytea`` as ``\x`` and hexadecimal, times with a zone in
UTC. A numeric column that holds NaN, and a date or timestamp column with values that are infinite or outside the years
1 to 9999, lands as text for that read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from connectors import duck
from connectors import postgresql_source as source
from connectors import relational as sql
from connectors.errors import ConnectorError, ConnectorSettingsError, SourceShapeError
from connectors.parts import ROWS_PER_PART, Parts
from connectors.postgresql_readers import Readers, readers
from connectors.protocol import Batch, Measures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from connectors.postgresql_source import Snapshot, Table
    from connectors.protocol import ReadRequest

    Written: TypeAlias = list[tuple[Path, int]]

# Above it a read is worth resuming: minutes of it would be lost to a kill.
ROWS_READ_BY_KEY = 5_000_000
# So few rows fit into the memory, however wide, unless they hold files.
ROWS_UNSAMPLED = 2_000
# Where the server has no estimate: rows of some eighty bytes.
ROWS_PER_PAGE = 100


class PostgresqlConnector:
    """See the module; promises of `connectors.protocol.Connector`, landing in parts (`connectors.parts`)."""

    kind = "postgresql"

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str]) -> None:
        self._server = source.Server(settings, secrets)

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """The columns of the table or view."""
        del options
        with self._server.snapshot(object) as snapshot:
            return tuple(column.name for column in snapshot.table(object).columns)

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land the table; see `connectors.protocol.Connector.read`."""
        with self._server.snapshot(request.object) as snapshot, Parts(request, into) as landing:
            reading = _Reading(snapshot, snapshot.table(request.object), request, landing)
            reading.measure()
            reading.land(into)
            landed = landing.finish()
        return reading.choice.batch(into, landed, reading.measured)


class _Reading:
    """One read: which rows, how they are cut, and where it got to."""

    def __init__(self, snapshot: Snapshot, table: Table, request: ReadRequest, landing: Parts) -> None:
        self._snapshot, self._table, self._request = snapshot, table, request
        self._options = options = sql.ReadOptions.of(request.options, PostgresqlConnector.kind)
        self._landing = landing
        self.choice = choice = sql.choose(request, table.columns, snapshot.where)
        # A key of the list's serves too where it is asked for: were it not unique, the rows would not add up.
        listed = tuple(c for c in map(choice.source, request.key) if c and c.kind in sql.ORDERABLE)
        self._key = table.key or (listed if options.by_key and options.measure != "none" else ())
        if options.by_key and not self._key:
            raise ConnectorSettingsError(
                problem="setting_invalid", where=request.resource, name="chunk", expected="auto (key: —)"
            )
        self._span = sql.Range("", "", None)
        self._size = ROWS_PER_PART
        self.measured = sql.Measured(None, None, None, ())

    def measure(self) -> None:
        """Ask which rows there are and which columns hold what their type cannot; begin, or go on with a read."""
        landing, snapshot = self._landing, self._snapshot
        if landing.resumed and landing.state.get("key") != [column.name for column in self._key]:
            landing.restart()  # its parts were cut where the rows lay, and rows move
        with snapshot.fitting():
            whole = sql.range_of(self._request, self.choice, self._options, snapshot.dialect, snapshot.ask)
            special = self._measure(whole)
            known = landing.state
            if landing.resumed and not special <= set(known["text"]):
                landing.restart()  # its parts hold in their type what must be text in the rest
                special = self._measure(whole)
        if landing.resumed:
            special = frozenset(known["text"])
            rows = None if self.measured.rows is None else self.measured.rows + landing.rows
            # Two snapshots: the first one's cursor, for what changed since is read again; no aggregates of columns.
            self.measured = sql.Measured(rows, known["cursor"], None if rows is None else Measures(rows), ())
        self.choice = self.choice.as_text(special)
        landing.about = self.measured.rows

    def _measure(self, whole: sql.Range) -> frozenset[str]:
        """Measure what is left to read of *whole*; answer the columns that must land as text."""
        after = self._landing.state.get("after") if self._landing.resumed else None
        self._span = whole
        if after is not None:
            behind = self._snapshot.dialect.after(self._key, after, equal=False)
            self._span = replace(whole, condition=f"({whole.condition}) AND {behind}" if whole.condition else behind)
        asked = {
            chosen.column.name: f"bool_or({condition})::text"
            for chosen in self.choice.columns
            if chosen.landed != "VARCHAR" and chosen.source and (condition := source.special(chosen.source))
        }
        self.measured = sql.measure(
            self._table.quoted,
            self._request,
            self.choice,
            self._span,
            options=self._options,
            dialect=self._snapshot.dialect,
            ask=self._snapshot.ask,
            also=list(asked.values()),
        )
        return frozenset(name for name, told in zip(asked, self.measured.told, strict=True) if told == "true")

    def land(self, into: Path) -> None:
        """Write the parts that are still to be written, anew in smaller ones where the rows turn out too wide."""
        if self.measured.rows is None or self.measured.rows > ROWS_UNSAMPLED:
            widths = self._snapshot.ask(sql.sample(self._table.quoted, self.choice, self._span, self._snapshot.dialect))
            self._size = min(ROWS_PER_PART, duck.rows_that_fit([float(width or 0) for width in widths or ()]))
        while True:
            try:
                return self._land(into)
            except duck.TooWideError:
                if self._size == 1:
                    raise
                self._size = max(1, min(self._size, self.measured.rows or self._size) // 8)
                self._landing.restart()
                self.measure()

    def _land(self, into: Path) -> None:
        rows, landing = self.measured.rows, self._landing
        if landing.resumed and landing.state["after"] is None:
            return  # all was landed, and only that was left to be said
        large = (self._table.estimate if rows is None else rows) > ROWS_READ_BY_KEY
        by_key = bool(self._key) and (self._options.by_key or landing.resumed or large)
        by_pages = not by_key and self._table.has_ranges and not self._span.condition
        small = rows is not None and rows <= self._size
        landing.resumable = by_key
        columns, order = self.choice.columns, tuple(name for name in self._request.key if self.choice.has(name))
        # Whoever checks the parts finds out which of them are in order, and sorts the others.
        listed = [source_ for name in order if (source_ := self.choice.source(name))]
        if (by_pages or by_key) and self._snapshot.lies_in_order(self._table, listed):
            order = ()
        count = duck.threads() if (by_key or by_pages) and not small else 1
        with readers(self._snapshot, into, columns, order, count) as opened:
            if by_key:
                self._by_key(opened)
            elif small:
                self._take(self._write(opened))
            elif by_pages:
                self._by_pages(opened)
            else:
                # Views, foreign and partitioned tables, old servers, large deltas: one query, cut as its rows come.
                with opened.one() as reader:
                    for written in reader.slices(self._from(), self._size, landing.temporary):
                        self._take([written])
        try:
            sql.check_rows(rows, landing.rows, self._snapshot.where)
        except ConnectorError:
            landing.resumable = False  # what is missing is missing from parts that stand already
            raise

    def _from(self, *conditions: str) -> str:
        return f"FROM {self._table.quoted}{self._span.and_(*conditions)}"

    def _write(self, opened: Readers, *conditions: str) -> Written:
        path = self._landing.temporary()
        with opened.one() as reader:
            return [(path, reader.write(self._from(*conditions), path))]

    def _take(self, written: Written) -> None:
        for path, rows in written:
            # The last chunk may be empty, but one part there is always: it tells the columns.
            if rows or not self._landing.count:
                self._landing.take(path, rows)
            else:
                path.unlink()

    def _by_key(self, opened: Readers) -> None:
        """Chunks along the key, each noted with the key it ends at: a killed read goes on behind the last one."""
        known = {
            "key": [column.name for column in self._key],
            "text": [chosen.column.name for chosen in self.choice.columns if chosen.landed == "VARCHAR"],
            "cursor": self.measured.cursor,
        }

        def write(chunk: sql.Chunk) -> Written:
            written = self._write(opened, chunk.condition)
            if any(rows > ROWS_PER_PART for _, rows in written):
                names = "、".join(f"`{column.name}`" for column in self._key)
                raise SourceShapeError(problem="key_not_unique", where=self._snapshot.where, columns=names)
            return written

        # The span tells already what lies behind an earlier try's last key.
        dialect, ask = self._snapshot.dialect, self._snapshot.ask
        chunks = sql.keyset(self._table.quoted, self._key, self._span, dialect, ask, rows=self._size)
        for chunk, written in opened.in_order(write, chunks):
            self._landing.state = {**known, "after": chunk.at}
            self._take(written)

    def _by_pages(self, opened: Readers) -> None:
        """Ranges of pages, side by side. A killed one starts anew: a later snapshot has its rows elsewhere."""
        pages = self._table.pages
        about = self.measured.rows or self._table.estimate or pages * ROWS_PER_PAGE
        self._landing.about = about
        # A little less than a part holds, for no two pages are alike; and as many parts for each reader.
        parts = -(-about * 25 // (self._size * 23))
        step = max(1, -(-pages // max(1, parts + -parts % opened.count)))
        starts = range(0, max(1, pages), step)

        def write(range_: tuple[int, int | None]) -> Written:
            first, last = range_
            upto = "" if last is None else f"ctid < '({last},0)'::tid"
            written = self._write(opened, f"ctid >= '({first},0)'::tid", upto)
            middle = (first + (pages if last is None else last)) // 2
            if written[0][1] <= ROWS_PER_PART or middle <= first:
                return written
            # Denser than the table is on the whole: each half by itself.
            written[0][0].unlink()
            return [*write((first, middle)), *write((middle, last))]

        for _, written in opened.in_order(write, iter(zip(starts, [*starts[1:], None], strict=True))):
            self._take(written)
