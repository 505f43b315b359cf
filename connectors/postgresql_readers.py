"""DuckDB's connections to one PostgreSQL snapshot, side by side, each writing parts.

Leaves what each part is to hold to `connectors.postgresql`.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

import duckdb

from connectors import duck
from connectors import postgresql_source as source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from connectors.postgresql_source import Snapshot
    from connectors.relational import Chosen

Item = TypeVar("Item")
Done = TypeVar("Done")


class Reader:
    """One connection, in a read-only transaction that has joined the snapshot."""

    def __init__(self, con: duckdb.DuckDBPyConnection, columns: tuple[Chosen, ...], order: tuple[str, ...]) -> None:
        self._con = con
        self._order = order
        self._ids = {chosen.column.name: chosen.field_id for chosen in columns if chosen.field_id}
        wanted = [(f"c{n}", chosen) for n, chosen in enumerate(columns)]
        fetched = [f"{source.fetched(c.source, c.landed)} AS {n}" for n, c in wanted if c.source]
        self._fetched = ", ".join(fetched) or "1 AS nothing"
        self._landed = ", ".join(f"{_landed(n, c)} AS {duck.name(c.column.name)}" for n, c in wanted)

    def join(self, snapshot: Snapshot, exported: str) -> None:
        """Begin the transaction. Raises: ConnectorSettingsError: it could write."""
        first = f"SET TRANSACTION SNAPSHOT {duck.text(exported)}; {snapshot.server.speech()}"
        self._con.execute("BEGIN")
        # Adopting a snapshot must come before any query of the transaction, so DuckDB has asked nothing yet.
        self._con.execute(f"CALL postgres_execute('source', {duck.text(first)})")
        said = self._con.execute(
            "SELECT said FROM postgres_query('source', 'SELECT current_setting(''transaction_read_only'') AS said')"
        ).fetchone()
        source.check_read_only(said[0] if said else "", snapshot.where)

    def _query(self, rest: str) -> str:
        return f"SELECT {self._landed} FROM postgres_query('source', {duck.text(f'SELECT {self._fetched} {rest}')})"

    def write(self, rest: str, path: Path) -> int:
        """Write a part of the rows of *rest*, which is a query from FROM on; how many there were."""
        return duck.write_part(self._con, self._query(rest), path, self._ids, order=self._order)

    def slices(self, rest: str, rows_each: int, temporary: Callable[[], Path]) -> Iterator[tuple[Path, int]]:
        """Write the rows of *rest* as they come, parts of *rows_each* (one part at least)."""
        none = True
        with self._con.cursor() as writer:
            for table in duck.slices(self._con, self._query(rest), rows_each):
                path, none = temporary(), False
                writer.register("slice", table)
                yield path, duck.write_part(writer, "SELECT * FROM slice", path, self._ids, order=self._order)
                writer.unregister("slice")
        if none:
            path = temporary()
            yield path, self.write(rest, path)

    def stop(self) -> None:
        """End what is running, from any thread."""
        self._con.interrupt()

    def close(self) -> None:
        """Leave the snapshot."""
        with suppress(duckdb.Error):
            self._con.execute("ROLLBACK")
        self._con.close()


class Readers:
    """Several readers, each used by one thread at a time."""

    def __init__(self, readers: list[Reader], pool: ThreadPoolExecutor) -> None:
        self.count = len(readers)
        """How many there are."""
        self._pool = pool
        self._free: SimpleQueue[Reader] = SimpleQueue()
        for reader in readers:
            self._free.put(reader)

    @contextmanager
    def one(self) -> Iterator[Reader]:
        """A reader that nobody else uses meanwhile."""
        reader = self._free.get()
        try:
            yield reader
        finally:
            self._free.put(reader)

    def in_order(self, do: Callable[[Item], Done], work: Iterator[Item]) -> Iterator[tuple[Item, Done]]:
        """Do all of *work* side by side; what each came to, in the order of the work."""
        pending: deque[tuple[Item, Future[Done]]] = deque()
        for item in work:
            pending.append((item, self._pool.submit(do, item)))
            # One more than there are readers, so that none waits while a part is being taken.
            if len(pending) > self.count:
                first, done = pending.popleft()
                yield first, done.result()
        for first, done in pending:
            yield first, done.result()


@contextmanager
def readers(
    snapshot: Snapshot, into: Path, columns: tuple[Chosen, ...], order: tuple[str, ...], count: int
) -> Iterator[Readers]:
    """*count* readers of *snapshot* that land *columns* sorted by *order*, for a read to *into*.

    Raises:
        ConnectorError: see `connectors.protocol.Connector.read`.
    """
    opened: list[Reader] = []
    try:
        with duck.session(into, "postgres_scanner") as con, ThreadPoolExecutor(count) as pool:
            try:
                # DuckDB would keep connections for a next time that never comes.
                con.execute("SET pg_pool_max_connections = 0")
                conninfo = duck.text(snapshot.server.conninfo())
                con.execute(f"ATTACH {conninfo} AS source (TYPE postgres, READ_ONLY)")
                _register_masks(con, columns)
                exported = snapshot.export()
                for _ in range(count):
                    opened.append(Reader(con.cursor(), columns, order))
                    opened[-1].join(snapshot, exported)
                yield Readers(opened, pool)
            except BaseException:
                # Who waits for the pool would else wait for parts that nobody wants any more.
                pool.shutdown(wait=False, cancel_futures=True)
                for reader in opened:
                    reader.stop()
                raise
            finally:
                pool.shutdown()
                for reader in opened:
                    reader.close()
    except duckdb.Error as failure:
        # DuckDB's messages hold the connection string and values: none is passed on.
        ours = duck.landing_failure(failure, into)
        raise ours or source.failed(snapshot.server, str(failure), snapshot.where) from None


def _landed(fetched: str, chosen: Chosen) -> str:
    """The column as it is to land."""
    if chosen.source is None:
        return f"NULL::{chosen.landed}"
    if chosen.column.mask:
        return f"{_mask(chosen)}({fetched})"
    return fetched if chosen.landed == "VARCHAR" else f"CAST({fetched} AS {chosen.landed})"


def _mask(chosen: Chosen) -> str:
    return duck.name(f"mask {chosen.column.name}")


def _register_masks(con: duckdb.DuckDBPyConnection, columns: tuple[Chosen, ...]) -> None:
    for chosen in columns:
        if chosen.column.mask:
            from connectors.masking import masker  # noqa: PLC0415  # few reads mask, and it loads Arrow

            show = masker(chosen.column.mask) or str
            con.create_function(_mask(chosen)[1:-1], show, ["VARCHAR"], "VARCHAR")
