"""Rows that are rejected now, and how they come in once the list or the source's conventions were mended.

Judging them anew is `warehouse.checks`, bringing them in is `warehouse.commit`: a replay is a batch like any other, but
for what it is made of.

A row in quarantine is *rejected now* until it is settled. It is settled

1. by a pull of the whole resource, or a replay, that came after it: what is still wrong is in that load's quarantine;
2. where rows have a cursor, when the table holds its key with the same or a newer cursor;
3. otherwise, when the row of its key has changed, come or gone since the load that rejected it;
4. of a whole pull, when that pull itself accepted another row with its key. A row of that key that the table only kept,
   because its new version could not be read, settles nothing;
5. of records that are only appended, when its key is there, unless it was rejected for that.

A row whose key cannot be read is settled by 1 only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from catalog.model import Disposition
from warehouse import checks, compare, reading, sql
from warehouse import table as tables
from warehouse.contract import Contract
from warehouse.errors import SnapshotMissingError
from warehouse.reasons import Reason, Rejected
from warehouse.staging import StagedBatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb
    from pyiceberg.table import Table

    from catalog.model import InformationResource
    from warehouse.engine import Warehouse
    from warehouse.history import SnapshotInfo

REPLAY: Final = "replay"  # In the facts of a snapshot: the load was a replay of all that was rejected before it.
WHOLE: Final = "whole"  # In the facts of a snapshot: the load pulled the whole resource.
_OWN: Final = frozenset({"_line", "_reasons", "_batch"})


def stage(house: Warehouse, resource: InformationResource, into: Path, now: datetime) -> StagedBatch | None:
    """The rows that are rejected now, as text in one staged file at *into*; None where there are none.

    Of rows with one text only one is staged. The batch names the load it was staged after, and is refused once another
    has come: what a newer load brought is never overwritten. A cursor it has not.

    Raises:
        TableMissingError
        StagedFileDamagedError: a quarantine file was lost or altered.
        StorageFullError
    """
    del now  # The same rows staged at another time are the same batch.
    with sql.full_storage(resource.code, into.parent), house._session(into.parent) as con:  # noqa: SLF001 - the house's own room
        found = _Rejects(con, house, resource)
        if not found.gather():
            return None
        columns = sql.names(found.columns)
        lines = "_line" if found.lines_differ() else "row_number() OVER (ORDER BY _of, _line)"
        into.parent.mkdir(parents=True, exist_ok=True)
        sql.write_parquet(
            con, f"SELECT CAST({lines} AS BIGINT) AS _line, {columns} FROM rejected_now ORDER BY _of, _line", into
        )
        rows = sql.scalar(con, "SELECT count(*) FROM rejected_now")
    # Without the mark a commit would take what was staged of a replaced resource for the whole of it.
    return StagedBatch(into, sql.file_digest(into), rows, replay_of=found.history[0].snapshot_id)


def rejected(house: Warehouse, resource: InformationResource, *, limit: int = 1000) -> list[Rejected]:
    """At most *limit* rows that are rejected now, those of the newest load first.

    Raises:
        TableMissingError
        StagedFileDamagedError: a quarantine file was lost or altered.
    """
    with house._session(house.root / "tmp") as con:  # noqa: SLF001 - the house's own room
        found = _Rejects(con, house, resource)
        if not found.gather():
            return []
        columns = sql.names(found.columns)
        query = f"SELECT _line, _reasons, _batch, {columns} FROM rejected_now ORDER BY _of, _line LIMIT {int(limit)}"
        rows = con.execute(query).fetchall()
    return [
        Rejected(line, tuple(map(Reason.parse, reasons)), batch, dict(zip(found.columns, values, strict=True)))
        for line, reasons, batch, *values in rows
    ]


def counting(resource: InformationResource, history: Sequence[SnapshotInfo]) -> Iterator[tuple[int, SnapshotInfo]]:
    """The loads whose quarantine may hold rows that are rejected now, with their place in *history* (newest first)."""
    for number, info in enumerate(history):
        yield number, info
        if compare.is_complete(resource) or REPLAY in info.facts or WHOLE in info.facts:
            return


class _Rejects:
    """Finds, in one session, the rows of one resource that are rejected now.

    Leaves ``quarantined`` (all rows of the loads that count) and ``rejected_now`` (those of them not settled), with
    ``_of``, the place of their load in *history*, and their columns as text.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, house: Warehouse, resource: InformationResource) -> None:
        self.con = con
        self.resource = resource
        self.house = house
        self.table: Table = tables.load(house._catalog, resource.code)  # noqa: SLF001 - the house's own room
        self.history = list(tables.infos(self.table))
        self.columns: list[str] = []
        self.keys = [f.name for f in resource.key]
        have = {f.name for f in self.table.schema().fields}
        self.values = [f.name for f in resource.fields if not f.key and f.name in have]
        cursor = resource.source.cursor_field
        self.cursor = cursor if cursor in have and resource.field(cursor) is not None else ""

    def gather(self) -> bool:
        """Whether there is any."""
        counted = [(number, info) for number, info in counting(self.resource, self.history) if info.rejected]
        if not counted:
            return False
        self._read(counted)
        self._type()
        self.con.execute("CREATE OR REPLACE TEMP TABLE settled (_row BIGINT)")
        if self.resource.disposition is Disposition.APPEND:
            self._settle_appended()
        elif compare.is_complete(self.resource):
            self._settle_pulled()
        else:
            self._settle_upserted()
            # A version that contradicts the history kept is not cured by a newer one.
            self.con.execute(
                "DELETE FROM settled WHERE _row IN (SELECT _row FROM read "
                "WHERE list_bool_or([starts_with(r, 'version_conflict:') FOR r IN _reasons]))"
            )
        text = sql.names(self.columns)
        # What was read again with every delta was rejected with every delta.
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE rejected_now AS SELECT * FROM quarantined q "
            f"ANTI JOIN settled USING (_row) QUALIFY row_number() OVER (PARTITION BY {text} ORDER BY _of, _line) = 1"
        )
        return bool(sql.scalar(self.con, "SELECT count(*) FROM rejected_now"))

    def lines_differ(self) -> bool:
        """Whether the rows can keep the ordinals they had, for they come from one load."""
        return not sql.scalar(self.con, "SELECT count(*) - count(DISTINCT _line) FROM rejected_now")

    def _read(self, counted: Sequence[tuple[int, SnapshotInfo]]) -> None:
        paths = [(n, self.house.quarantine_file(self.resource.code, info.snapshot_id)) for n, info in counted]
        # Loads under older lists may have had other columns.
        parts = " UNION ALL BY NAME ".join(
            f"SELECT *, {n} AS _of FROM read_parquet({sql.text(str(path))})" for n, path in paths
        )
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE quarantined AS SELECT *, row_number() OVER (ORDER BY _of, _line) AS _row "
            f"FROM ({parts})"
        )
        names = [str(row[0]) for row in self.con.execute("DESCRIBE quarantined").fetchall()]
        self.columns = [n for n in names if n not in _OWN | {"_of", "_row"}]

    def _type(self) -> None:
        """Fill ``read(_row, _of, _reasons, key…, _cursor)`` for the rows whose key can be read."""
        contract = Contract.over(self.resource, self.columns)
        typed = [f"__v{i} AS {sql.name(f.name)}" for i, f in enumerate(contract.fields) if f.key]
        found = "true" if not self.keys else " AND ".join(f"{sql.name(k)} IS NOT NULL" for k in self.keys)
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE read AS SELECT * FROM ("
            f"SELECT _row, _of, _reasons, {', '.join(typed)}, _cursor "
            f"FROM ({checks.judged_query(contract, 'quarantined')})) WHERE {found}"
        )

    def _rows(self, name: str, snapshot_id: int | None, keys_of: str) -> bool:
        """Fill *name* with the live rows of a snapshot that have keys of *keys_of*; False where it was expired."""
        try:
            files = tables.files_of(self.table, self.resource.code, snapshot_id)
        except SnapshotMissingError:
            return False
        rows = reading.read_files(self.table.schema(), files, live=True)
        content = f"hash({sql.names(self.values)})" if self.values else "hash(0)"
        cursor = f", {sql.name(self.cursor)} AS _cursor" if self.cursor else ""
        key = sql.names(self.keys)
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {key}, {content} AS _content{cursor} FROM {rows} "
            f"SEMI JOIN ({keys_of}) USING ({key})"
        )
        return True

    def _now(self) -> None:
        self._rows("now_held", self.table.metadata.current_snapshot_id, f"SELECT {sql.names(self.keys)} FROM read")

    def _settle(self, query: str) -> None:
        self.con.execute(f"INSERT INTO settled {query}")

    def _settle_appended(self) -> None:
        self._now()
        self._settle(
            f"SELECT _row FROM read SEMI JOIN now_held USING ({sql.names(self.keys)}) "
            f"WHERE NOT list_bool_or([starts_with(r, 'appended_key_changed:') FOR r IN _reasons])"
        )

    def _settle_pulled(self) -> None:
        self._now()
        key = sql.names(self.keys)
        # A repeat is just as the row that was taken.
        self._settle(
            "SELECT _row FROM quarantined WHERE list_bool_and([starts_with(r, 'duplicate_key:') FOR r IN _reasons])"
        )
        kept = self._rows("then_held", self._before(0), f"SELECT {key} FROM read")
        only_kept = f"ANTI JOIN (SELECT {key}, _content FROM then_held) USING ({key}, _content)" if kept else ""
        self._settle(f"SELECT _row FROM read SEMI JOIN (SELECT {key} FROM now_held {only_kept}) USING ({key})")

    def _before(self, number: int) -> int | None:
        """The snapshot before the load with this place in the history."""
        return self.history[number].parent_id

    def _settle_upserted(self) -> None:
        self._now()
        key = sql.names(self.keys)
        same = " AND ".join(f"r.{sql.name(k)} = n.{sql.name(k)}" for k in self.keys)
        # What the table holds can be compared by age where both have an age.
        comparable = "r._cursor IS NOT NULL AND n._cursor IS NOT NULL" if self.cursor else "false"
        if self.cursor:
            self._settle(
                f"SELECT r._row FROM read r JOIN now_held n ON {same} WHERE {comparable} AND n._cursor >= r._cursor"
            )
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE unsure AS SELECT r.*, n._content FROM read r LEFT JOIN now_held n ON {same} "
            f"WHERE NOT coalesce({comparable}, false)"
        )
        # Without an age the last that was read is taken for the newest.
        self._settle(
            f"SELECT _row FROM (FROM unsure WHERE _cursor IS NULL) QUALIFY _of > min(_of) OVER (PARTITION BY {key})"
        )
        for (number,) in self.con.execute("SELECT DISTINCT _of FROM unsure ORDER BY _of").fetchall():
            of = f"unsure WHERE _of = {number}"
            if self._rows("then_held", self.history[number].snapshot_id, f"SELECT {key} FROM {of}"):
                self._settle(
                    f"SELECT _row FROM (FROM {of}) u LEFT JOIN "
                    f"(SELECT {key}, _content AS _then FROM then_held) USING ({key}) "
                    "WHERE _content IS DISTINCT FROM _then"
                )
            else:
                # Nobody knows what the table held then. What it holds now is not overwritten.
                self._settle(f"SELECT _row FROM {of} AND _content IS NOT NULL")


def facts_of(staged: Any) -> dict[str, str]:  # noqa: ANN401 - a staged batch of any version
    """What the snapshot of a load says of its kind, from which `counting` tells which quarantine still counts."""
    replay = {REPLAY: "true"} if getattr(staged, "replay_of", None) is not None else {}
    return replay | ({WHOLE: "true"} if getattr(staged, "whole", False) else {})
