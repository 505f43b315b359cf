"""A logical replication slot and where a reader stands in the log: made, watched, moved on, judged for gaps.

Plain SQL by psycopg, PostgreSQL 13 or later. Leaves the changes themselves to `connectors.cdc`.

A `Position` is the cursor of ``postgresql-cdc``. As text it orders by the log: ``0000000A/01B2C3D8 …``. Beside the
log sequence number it holds what a reader needs who has lost the slot: the horizon *xid*, timeline, and server.

The horizon. Every transaction that is not covered by the position (its commit record stands at or after *lsn*) has a
transaction id of *xid* or later. It is taken as the oldest running transaction *before* the log's end is read: an older
one had ended by then, and so its commit record stands before that end. What such transactions wrote is therefore found
by the ``xmin`` of its rows. 0: not known.
"""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import psycopg

from connectors.errors import (
    ConnectorError,
    SourceDeniedError,
    SourceLapsedError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.postgresql_source import Postgres, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from connectors.postgresql_source import Server, Table

PLUGIN = "pgoutput"
NAME_LENGTH = 63
# Beyond half of the 32-bit circle an xmin no longer tells before from after.
MOST_XIDS = 2**31
# As long as a background writer takes to bring commits to disk that did not wait for it (synchronous_commit = off).
FLUSH_S = 1.0
POLL_S = 0.05
_POSITION = re.compile(r"([0-9A-F]{8})/([0-9A-F]{8}) x=([0-9]{20}) t=([0-9A-F]{8}) s=([0-9]{1,20})")


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the log of which server; see the module."""

    lsn: int
    xid: int
    timeline: str
    server: str

    def text(self) -> str:
        """As a cursor: in the order of *lsn*."""
        return f"{lsn_text(self.lsn)} x={self.xid:020d} t={self.timeline} s={self.server}"

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """The position that a cursor holds.

        Raises:
            SourceLapsedError: it holds none; the resource was read by another kind before.
        """
        found = _POSITION.fullmatch(text)
        if found is None:
            raise SourceLapsedError(problem="position_unfit", where=where)
        return cls(int(found[1], 16) << 32 | int(found[2], 16), int(found[3]), found[4], found[5])


def lsn_text(lsn: int) -> str:
    """A log sequence number in fixed width, so that texts order as numbers do."""
    return f"{lsn >> 32:08X}/{lsn & 0xFFFFFFFF:08X}"


def lsn_of(text: str) -> int:
    """The number of PostgreSQL's own way of writing it (``A/1B2C3D8``)."""
    high, _, low = text.partition("/")
    return int(high, 16) << 32 | int(low, 16)


@dataclass(frozen=True, slots=True)
class SlotHealth:
    """How a slot is, for a watch over it.

    *wal_status* is PostgreSQL's: ``reserved``, ``extended`` (beyond max_wal_size), ``unreserved`` (about to be given
    up), ``lost``. *lag_bytes* is how far what was acknowledged lies behind the log's end; *kept_bytes* how much log the
    slot makes the server keep; *safe_bytes* how much more may be written before it is lost (None: no such bound).
    """

    slot: str
    exists: bool
    active: bool = False
    plugin: str = ""
    database: str = ""
    wal_status: str = ""
    confirmed_lsn: str = ""
    restart_lsn: str = ""
    lag_bytes: int = 0
    kept_bytes: int = 0
    safe_bytes: int | None = None

    @property
    def lost(self) -> bool:
        """Whether nothing can be read from it any more."""
        return self.exists and (self.wal_status == "lost" or not self.confirmed_lsn)


@dataclass(frozen=True, slots=True)
class Names:
    """What a reader of one table calls its slot and its publication."""

    slot: str
    publication: str


def default_name(database: str, table: str) -> str:
    """A name for slot and publication: ``zhengtong_…``, of what slots may be called (a-z, 0-9, _), and no other's."""
    plain = f"{database}_{table}".lower()
    cleaned = re.sub("[^a-z0-9_]", "_", plain)
    name = f"zhengtong_{cleaned}"
    if cleaned == plain and len(name) <= NAME_LENGTH:
        return name
    # Two tables whose names differ in Chinese characters alone must not share a slot.
    return f"{name[: NAME_LENGTH - 9]}_{hashlib.sha256(plain.encode()).hexdigest()[:8]}"


class Steward:
    """A session that may do more than read: it makes and moves slots, and uses up a transaction id. One thread.

    It writes to no table.
    """

    def __init__(
        self, server: Server, connection: psycopg.Connection, where: str, sleep: Callable[[float], None]
    ) -> None:
        self._server = server
        self._connection = connection
        self._where = where
        self._sleep = sleep

    @classmethod
    @contextmanager
    def of(cls, server: Server, object_: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[Self]:
        """Open one for the table *object_*.

        Raises:
            ConnectorError: no connection, or no such rights.
        """
        where = server.where(object_)
        try:
            connection = psycopg.connect(server.conninfo(), autocommit=True)
        except psycopg.Error:
            # Opened as a reader would, for the names that it has for every refusal.
            with server.snapshot(object_):
                pass
            raise SourceUnavailableError(problem="cannot_connect", where=where) from None
        try:
            with connection:
                milliseconds = max(1, round(server.statement_s * 1000))
                connection.execute(f"SET statement_timeout = {milliseconds}".encode())
                yield cls(server, connection, where, sleep)
        except psycopg.Error as failure:
            # PostgreSQL's own sentences may hold values: none is passed on.
            raise named(server, failure, where) from None

    def table(self, object_: str) -> Table:
        """What the catalogue says of the table. Raises: SourceObjectMissingError."""
        return Snapshot(self._server, self._connection, self._where, Postgres("UTC")).table(object_)

    def _row(self, query: str, parameters: Sequence[object] = ()) -> tuple[object, ...] | None:
        return self._connection.execute(query.encode(), parameters).fetchone()

    def health(self, slot: str) -> SlotHealth:
        """How *slot* is now."""
        row = self._row(
            "SELECT active, plugin, database, wal_status, confirmed_flush_lsn::text, restart_lsn::text, "
            "pg_wal_lsn_diff(pg_current_wal_flush_lsn(), confirmed_flush_lsn)::bigint, "
            "pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn)::bigint, safe_wal_size "
            "FROM pg_replication_slots WHERE slot_name = %s",
            [slot],
        )
        if row is None:
            return SlotHealth(slot, exists=False)
        active, plugin, database, status, confirmed, restart, lag, kept, safe = row
        return SlotHealth(
            slot,
            exists=True,
            active=bool(active),
            plugin=str(plugin or ""),
            database=str(database or ""),
            wal_status=str(status or ""),
            confirmed_lsn=str(confirmed or ""),
            restart_lsn=str(restart or ""),
            lag_bytes=max(0, int(str(lag or 0))),
            kept_bytes=max(0, int(str(kept or 0))),
            safe_bytes=None if safe is None else int(str(safe)),
        )

    def end(self) -> Position:
        """The end of the log as it is on disk now, with its horizon."""
        row = self._row(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text, pg_current_wal_insert_lsn()::text, "
            "(SELECT system_identifier::text FROM pg_control_system())"
        )
        horizon, inserted, system = (str(value) for value in row or ("0", "0/0", ""))
        position = self._flushed(int(horizon), system)
        for _ in range(round(FLUSH_S / POLL_S)):
            if position.lsn >= lsn_of(inserted):
                return position
            self._sleep(POLL_S)
            position = self._flushed(int(horizon), system)
        # A commit older than the horizon may still stand beyond the end that we know: then the horizon holds nothing.
        return position if position.lsn >= lsn_of(inserted) else replace(position, xid=0)

    def _flushed(self, horizon: int, system: str) -> Position:
        row = self._row("SELECT l::text, substr(pg_walfile_name(l), 1, 8) FROM pg_current_wal_flush_lsn() l")
        lsn, timeline = (str(value) for value in row or ("0/0", ""))
        return Position(lsn_of(lsn), horizon, timeline, system)

    def settle(self, wait_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Wait until every transaction that has begun by now has ended.

        Only then does a new snapshot see all whose commit record stands before the end of the log that `end` told
        before: a commit is in the log a moment (with a synchronous standby, much longer) before others see it.

        Raises:
            SourceUnavailableError: they did not end within *wait_s*.
        """
        begun = clock()
        # An id of our own is later than all that have begun; a snapshot's xmax only than all that have ended.
        row = self._row("SELECT pg_current_xact_id()::text")
        upto = int(str((row or ("0",))[0]))
        while True:
            row = self._row("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
            if int(str((row or ("0",))[0])) >= upto:
                return
            if clock() - begun > wait_s:
                raise SourceUnavailableError(problem="transactions_open", where=self._where, waited_s=wait_s)
            self._sleep(POLL_S)

    def check(self, table: Table, names: Names, *, create: bool) -> None:
        """See that changes of *table* are published, whole and in all operations; publish it where *create*.

        The publication must be there before the slot is: pgoutput looks for it as of the time of each change.

        Raises:
            SourceDeniedError: the server logs too little, or we have no right to publish.
            SourceShapeError: the table cannot be followed, or is published in part.
            SourceObjectMissingError: there is no such publication, and we are not to make it.
        """
        row = self._row("SELECT current_setting('wal_level')")
        level = str((row or ("",))[0])
        if level != "logical":
            raise SourceDeniedError(problem="wal_level", where=self._where, level=level)
        if table.kind not in {"r", "p"}:
            raise SourceShapeError(problem="cdc_table", where=self._where)
        held = "pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot"
        row = self._row(f"SELECT {held} FROM pg_publication WHERE pubname = %s", [names.publication])
        if row is None:
            if not create:
                raise SourceObjectMissingError(
                    problem="no_publication", where=self._where, publication=names.publication
                )
            quoted = '"' + names.publication.replace('"', '""') + '"'
            statement = f"CREATE PUBLICATION {quoted} FOR TABLE {'ONLY ' if table.kind == 'r' else ''}{table.quoted}"
            self._connection.execute(f"{statement} WITH (publish_via_partition_root = true)".encode())
            return
        whole, by_root = row
        if table.kind == "p" and not by_root:
            raise SourceShapeError(problem="cdc_table", where=self._where)
        filtered = "rowfilter IS NOT NULL" if table.version >= 150_000 else "false"  # noqa: PLR2004 - PostgreSQL 15
        row = self._row(
            f"SELECT {filtered} FROM pg_publication_tables WHERE pubname = %s AND schemaname = %s AND tablename = %s",
            [names.publication, table.schema, table.name],
        )
        if row is None or row[0] or not whole:
            raise SourceShapeError(problem="not_published", where=self._where, publication=names.publication)

    def ensure(self, names: Names, *, create: bool) -> SlotHealth:
        """The slot, made anew where it is not there or lost and *create* says so.

        Raises:
            SourceObjectMissingError: it is not there, and we are not to make it.
            SourceShapeError: one of that name serves something else.
        """
        health = self.health(names.slot)
        if (not health.exists or health.lost) and not create:
            raise SourceObjectMissingError(problem="no_slot", where=self._where, slot=names.slot)
        if health.lost:
            self._connection.execute(b"SELECT pg_drop_replication_slot(%s)", [names.slot])
        if not health.exists or health.lost:
            self._connection.execute(
                b"SELECT lsn FROM pg_create_logical_replication_slot(%s, %s)", [names.slot, PLUGIN]
            )
            health = self.health(names.slot)
        self.check_ours(health)
        return health

    def check_ours(self, health: SlotHealth) -> None:
        """Refuse a slot of another plugin or database. Raises: SourceShapeError."""
        if health.plugin != PLUGIN or health.database != self._connection.info.dbname:
            raise SourceShapeError(problem="slot_foreign", where=self._where, slot=health.slot)

    def lapse(self, health: SlotHealth, position: Position) -> str:
        """Why changes after *position* cannot be had from the slot any more, as a problem's code; "" if they can."""
        end = self.end()
        if (end.server, end.timeline) != (position.server, position.timeline) or end.lsn < position.lsn:
            return "server_other"
        if not health.exists:
            return "slot_gone"
        if health.lost:
            return "slot_lost"
        # We acknowledge only what is committed, and the commit holds the position: the slot is never before it.
        return "slot_elsewhere" if lsn_of(health.confirmed_lsn) > position.lsn else ""

    def changed_since(self, position: Position) -> str | None:
        """The condition on a row's xmin that holds for all that was written after *position*; None: cannot be told.

        It may hold for a row written long before (its xmin was frozen and the circle went round): read once more.
        """
        row = self._row("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        latest = int(str((row or ("0",))[0]))
        # Half of the half: there is room for what begins before the snapshot is taken.
        if not position.xid or not 0 <= latest - position.xid < MOST_XIDS // 2:
            return None
        low = position.xid & 0xFFFFFFFF
        return f"((xmin::text::bigint - {low}) & 4294967295) < {MOST_XIDS}"

    def advance(self, slot: str, position: Position) -> None:
        """Have the server forget what stands before *position*. A slot that is there already is left alone.

        Raises:
            SourceLapsedError: the slot is gone, or of another server.
        """
        health = self.health(slot)
        if not health.exists or health.lost:
            problem = "slot_lost" if health.lost else "slot_gone"
            raise SourceLapsedError(problem=problem, where=self._where, slot=slot)
        self.check_ours(health)
        end = self.end()
        if (end.server, end.timeline) != (position.server, position.timeline):
            raise SourceLapsedError(problem="server_other", where=self._where)
        if lsn_of(health.confirmed_lsn) < position.lsn:
            self._connection.execute(
                b"SELECT end_lsn FROM pg_replication_slot_advance(%s, %s::pg_lsn)", [slot, lsn_text(position.lsn)]
            )


def named(server: Server, failure: psycopg.Error, where: str) -> ConnectorError:
    """The error that a failure of replication is to our caller."""
    match failure.sqlstate:
        case "42501":
            return SourceDeniedError(problem="replication_denied", where=where)
        case "55006":
            return SourceUnavailableError(problem="slot_busy", where=where, slot="…")
        case "53400":
            return SourceUnavailableError(problem="slots_full", where=where)
        case None:
            return SourceUnavailableError(problem="connection_lost", where=where)
        case state:
            return server.named(state, where)
