"""The ``postgresql-cdc`` kind: the changes of a table, in the order of their commits, from a logical replication slot.

Batches by plain SQL: no process of ours stands at the source. Leaves the slot to `connectors.slots`, the bytes to
`connectors.pgoutput`, the connection to `connectors.postgresql_source`, bringing changes in to `warehouse`.

Settings: those of ``postgresql``. The object is a table. Options (or settings): ``slot`` and ``publication``
(``zhengtong_DATABASE_TABLE``; each table a slot of its own, for each is acknowledged on its own; a publication may
hold many tables); ``create`` (``no``; ``yes`` makes both where they are not there, and a lost slot anew);
``operation_column`` (a column of the request that lands ``I``, ``U``, ``D``, or ``R`` for a row read from the table
itself: the list's ``deleted_field``, with ``deleted_value`` D); ``order_column`` (default: the cursor field, which it
must be: it lands a text that orders the changes, so that the newest of a key wins); ``max_changes`` (100000, and the
transaction that exceeds it to its end); ``settle_s`` (60); ``recover`` (``no``; ``keys``, see below).

What a read does:

1. No cursor: the slot is made first and the table read whole after it. What is changed in between comes again through
   the slot and is merged by key, so nothing is lost; that the reading sees all that stands before the position at
   which the slot goes on, `slots.Steward.settle` waits for.
2. A cursor: the slot is looked at (peeked), never moved. Transactions that the warehouse holds already, since a crash
   came before `acknowledge`, are passed over by their place in the log. Only whole transactions come.
3. After the commit `acknowledge` moves the slot to the cursor, and the server forgets what stands before.

A row that an update left partly out of the log (an unchanged TOAST value) is read from the table as it stands now,
by its key, in the same transaction; had it changed again or gone since, that comes through the slot as well. With
``REPLICA IDENTITY FULL`` the log holds it and nothing is read again. An update of the key lands as a deletion of the
old one and the row under the new one.

When changes are lost (the slot gone or given up, the table truncated) the read fails with SourceLapsedError: a full
reload is due. With ``recover=keys`` it lands instead what was written since the cursor, told by its transactions (after
a TRUNCATE: the whole table), and beside it, at `keys_file`, every key that the table has in the same snapshot: whoever
reads with this option must delete the keys that are not among them in the same commit. A server restored from a backup,
or a standby that took over, is never recovered in this way: what it lost cannot be told.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psycopg

from connectors import options as opt
from connectors.changes import ChangeStream, Marks, TableRows, TruncatedError
from connectors.cursor import FullPull
from connectors.errors import ConnectorSettingsError, SourceLapsedError
from connectors.files import Reading
from connectors.landing import land
from connectors.postgresql_source import Server
from connectors.slots import Names, Position, SlotHealth, Steward, default_name, lsn_text, named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from connectors.postgresql_source import Table
    from connectors.protocol import Batch, ReadRequest

MOST_CHANGES = 100_000
SETTLE_S = 60.0


def keys_file(into: Path) -> Path:
    """Where a recovering read lands the keys that the table has; nothing stands there after any other read."""
    return into.with_name(f"{into.name}.keys.parquet")


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of one read."""

    names: Names
    create: bool
    marks: Marks
    most: int
    settle_s: float
    recover: bool


class PostgresqlCdcConnector:
    """See the module; promises of `connectors.protocol.Connector` and `Acknowledges`."""

    kind = "postgresql-cdc"

    def __init__(
        self,
        settings: Mapping[str, str],
        secrets: Callable[[str], str],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = dict(settings)
        self._database = opt.required(settings, "database", self.kind)
        self._server = Server(settings, secrets)
        self._sleep = sleep

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """The columns of the table."""
        del options
        with self._server.snapshot(object) as snapshot:
            return tuple(column.name for column in snapshot.table(object).columns)

    def watch(self, object: str, options: Mapping[str, str]) -> SlotHealth:  # noqa: A002  # as above
        """How the table's slot is: how far behind, how much log it keeps, whether it is about to be lost.

        Raises:
            ConnectorError: the server cannot be asked.
        """
        with self._steward(object) as steward:
            return steward.health(self._names(object, options).slot)

    def acknowledge(self, object: str, options: Mapping[str, str], cursor: str | None) -> None:  # noqa: A002  # as above
        """Move the slot to *cursor*; see `connectors.protocol.Acknowledges`.

        Raises:
            SourceLapsedError: the slot is gone; the next read will say the same.
        """
        if cursor is None:
            return
        position = Position.parse(cursor, self._server.where(object))
        with self._steward(object) as steward:
            steward.advance(self._names(object, options).slot, position)

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land the changes since the cursor, or the table; see the module and `connectors.protocol.Connector.read`.

        Raises:
            SourceLapsedError: changes since the cursor are lost; reload in full.
        """
        where = self._server.where(request.object)
        options = self._options(request)
        position = None if request.cursor is None else Position.parse(request.cursor, where)
        keys_file(into).unlink(missing_ok=True)
        with self._steward(request.object) as steward:
            pull = _Pull(self._server, request, into, options, steward, where)
            table = steward.table(request.object)
            if position is None:
                steward.check(table, options.names, create=options.create)
                steward.ensure(options.names, create=options.create)
                return pull.table("")
            health = steward.health(options.names.slot)
            problem = steward.lapse(health, position)
            if problem:
                return pull.recovered(table, position, problem)
            steward.check_ours(health)
            steward.check(table, options.names, create=False)
            try:
                return pull.changes(position)
            except TruncatedError:
                return pull.recovered(table, position, "table_truncated")

    def _steward(self, object_: str) -> AbstractContextManager[Steward]:
        return Steward.of(self._server, object_, self._sleep)

    def _names(self, object_: str, options: Mapping[str, str]) -> Names:
        said = {**self._settings, **options}
        name = default_name(self._database, object_)
        return Names(said.get("slot", "") or name, said.get("publication", "") or name)

    def _options(self, request: ReadRequest) -> _Options:
        where = request.resource
        said = {**self._settings, **request.options}
        order = said.get("order_column", "") or request.cursor_column
        operation = said.get("operation_column", "")
        columns = {column.name for column in request.columns}
        if not order or order != request.cursor_column or order not in columns:
            # Without a cursor every read would be of the whole table, and the slot would hold the log for ever.
            raise ConnectorSettingsError(
                problem="setting_invalid", where=where, name="order_column", expected="the cursor field"
            )
        if operation and (operation not in columns or operation == order):
            raise ConnectorSettingsError(
                problem="setting_invalid", where=where, name="operation_column", expected="one of the columns"
            )
        if request.window is not None:
            raise ConnectorSettingsError(problem="setting_invalid", where=where, name="window", expected="none")
        return _Options(
            self._names(request.object, request.options),
            opt.switch(said, "create", where),
            Marks(operation, order),
            opt.integer(said, "max_changes", MOST_CHANGES, where, least=1),
            opt.seconds(said, "settle_s", SETTLE_S, where),
            opt.choice(said, "recover", ("no", "keys"), where) == "keys",
        )


@dataclass(slots=True)
class _Pull:
    """One read under way."""

    server: Server
    request: ReadRequest
    into: Path
    options: _Options
    steward: Steward
    where: str

    def table(self, condition: str, *, keys: bool = False) -> Batch:
        """The rows of the table for which *condition* holds, and a position such that what it misses comes after it."""
        end = self.steward.end()
        self.steward.settle(self.options.settle_s)
        reading = Reading(self.request, self.into.parent)
        with self.server.snapshot(self.request.object) as snapshot:
            rows = TableRows(snapshot, snapshot.table(self.request.object), reading, self.options.marks)
            if keys:
                request = replace(self.request, columns=rows.key, cursor_column="", progress=None)
                land(request, rows.keys(), keys_file(self.into), FullPull())
            try:
                # Before any change: the position is at or before the first of those to come.
                tables = rows.read(condition, f"{lsn_text(end.lsn)}.{0:010d}")
                landed = land(self.request, tables, self.into, FullPull())
            except BaseException:
                keys_file(self.into).unlink(missing_ok=True)
                raise
        return reading.batch(self.into, landed, end.text())

    def recovered(self, table: Table, position: Position, problem: str) -> Batch:
        """What was written since *position*, and all keys beside it, where that can be told; see the module.

        Raises:
            SourceLapsedError: it cannot, or was not asked for.
        """
        slot = self.options.names.slot
        condition = "" if problem == "table_truncated" else self.steward.changed_since(position)
        if not self.options.recover or problem == "server_other" or condition is None:
            raise SourceLapsedError(problem=problem, where=self.where, slot=slot)
        self.steward.check(table, self.options.names, create=self.options.create)
        self.steward.ensure(self.options.names, create=self.options.create)
        return self.table(condition, keys=True)

    def changes(self, position: Position) -> Batch:
        """The changes after *position*.

        Raises:
            TruncatedError: the table was truncated among them.
        """
        end = self.steward.end()
        reading = Reading(self.request, self.into.parent)
        with self.server.snapshot(self.request.object) as snapshot:
            rows = TableRows(snapshot, snapshot.table(self.request.object), reading, self.options.marks)
            stream = ChangeStream(rows, position, end)
            names = self.options.names
            try:
                tables = stream.tables(names.slot, names.publication, self.options.most)
                landed = land(self.request, tables, self.into, FullPull())
            except psycopg.Error as failure:
                raise named(self.server, failure, self.where) from None
        return reading.batch(self.into, landed, stream.reached.text())
