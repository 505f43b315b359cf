"""What a checked batch changes in a table that has rows, found by joins in DuckDB whose memory is bounded.

What is then written is `warehouse.merge`. A `Comparison` leaves tables in its session:

    good     the rows of the batch that passed the contract (a view, made before)
    change   one row for each key that is to change: the key, ``_kind`` (see below), the place of the row that goes
             (``_file``, ``_position``), ``_since`` and ``_until`` (from when and until when a version holds)
    old      the rows in force that change, whole, with their place
    past     closed versions of an scd2 table that a late row may fall between
    cut      places of closed versions that end earlier than they did, and when
    removed  every place whose row goes

Kinds are insert, update, delete, correction (a version in the past), and conflict (the row is refused).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.model import Disposition, FieldKind
from warehouse import checks, reading, sql
from warehouse.contract import Contract
from warehouse.errors import StagedFileDamagedError
from warehouse.reading import FILE, POSITION
from warehouse.schema import DELETED_AT, VALID_FROM, VALID_TO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb
    from pyiceberg.schema import Schema

    from catalog.model import InformationResource
    from warehouse.staging import Checked, StagedBatch
    from warehouse.table import FileOfRows


def is_complete(resource: InformationResource) -> bool:
    """Whether every pull of *resource* is the whole of it, so that a key that is absent is gone."""
    full = resource.disposition is Disposition.SCD2 and not resource.source.cursor_field
    return full or resource.disposition is Disposition.REPLACE


def present(resource: InformationResource, staged: StagedBatch) -> tuple[Path, ...]:
    """The files that name all keys there are, where a key that is absent from them is to go; else none."""
    # What is only appended never goes, and what is judged again was never all there is.
    upserts = resource.disposition in {Disposition.MERGE, Disposition.SCD2}
    return staged.present() if upserts and staged.replay_of is None else ()


def clock_of(resource: InformationResource) -> str | None:
    """The cursor field, where it is a time: then it tells from when a row holds."""
    field = resource.field(resource.source.cursor_field)
    return field.name if field and field.type.kind is FieldKind.DATETIME else None


def moment(at: datetime) -> str:
    """A local time as a SQL literal."""
    return f"TIMESTAMP '{at.isoformat(sep=' ')}'"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The steps of `plan` over a table that has files."""

    con: duckdb.DuckDBPyConnection
    resource: InformationResource
    schema: Schema
    files: tuple[FileOfRows, ...]
    window: bool
    at: datetime

    @property
    def _keys(self) -> list[str]:
        return [f.name for f in self.resource.key]

    @property
    def _key(self) -> str:
        return sql.names(self._keys)

    @property
    def _values(self) -> list[str]:
        return [f.name for f in self.resource.fields if not f.key]

    @property
    def _keeps_versions(self) -> bool:
        return self.resource.disposition is Disposition.SCD2

    @property
    def _now(self) -> str:
        return moment(self.at)

    @property
    def _cursor(self) -> str | None:
        """The cursor field, where the rows of the table have it."""
        field = self.resource.field(self.resource.source.cursor_field)
        return field.name if field else None

    @property
    def _clock(self) -> str | None:
        return clock_of(self.resource)

    def _rows(self, *, live: bool) -> str:
        return reading.read_places(self.schema, self.files, live=live)

    def _rows_of(self, keys: str, *, live: bool) -> str:
        """The rows of the keys that the query *keys* answers."""
        # Chosen before those deleted by position are left out: the other way round all rows would pass two joins.
        rows = reading.read_places(self.schema, self.files, live=live, deleted=True)
        found = f"SELECT * FROM {rows} SEMI JOIN ({keys}) USING ({self._key})"
        gone = reading.read_deleted(self.files)
        return f"(SELECT * FROM ({found}) ANTI JOIN {gone} USING ({FILE}, {POSITION}))" if gone else f"({found})"

    def _same_key(self, one: str, other: str) -> str:
        return " AND ".join(f"{one}.{sql.name(k)} = {other}.{sql.name(k)}" for k in self._keys)

    def _content(self, prefix: str = "") -> str:
        """A number that two rows of one key share if and, to one in 2^64, only if their values are the same."""
        return f"hash({sql.names(self._values, prefix)})" if self._values else "hash(0)"

    def _from_when(self, row: str) -> str:
        """From when the version in *row* holds."""
        return f"coalesce({row}.{sql.name(self._clock)}, {self._now})" if self._clock else self._now

    def compare_keys(self, checked: Checked, named: Sequence[Path] = ()) -> None:
        """Fill ``old`` and ``change`` for a batch that holds what changed.

        Where files *named* name all keys that the source has, what is not among them is gone like what is marked so.
        """
        con, key = self.con, self._key
        deleted = f"read_parquet({sql.text(str(checked.deleted))})" if checked.deleted else "good WHERE false"
        gone = f"SELECT {key} FROM {deleted}"
        if named:
            if unread := name_keys(con, self.resource, named, "present"):
                detail = f"no column `{unread[0]}`"
                raise StagedFileDamagedError(resource=self.resource.code, path=named[0], detail=detail)
            gone += (
                f" UNION SELECT {key} FROM {self._rows(live=True)} ANTI JOIN present USING ({key}) "
                f"ANTI JOIN good USING ({key})"
            )
        con.execute(f"CREATE OR REPLACE TEMP TABLE gone AS {gone}")
        # One pass over the table. The keys of the batch are the smaller side, and their bounds skip row groups.
        told = f"SELECT {key} FROM good UNION ALL SELECT {key} FROM gone"
        con.execute(f"CREATE OR REPLACE TEMP TABLE old AS SELECT * FROM {self._rows_of(told, live=True)}")
        differs = " OR ".join(f"g.{sql.name(v)} IS DISTINCT FROM o.{sql.name(v)}" for v in self._values) or "false"
        late = "false"
        kind, start = "update", self._now
        if self.resource.disposition is Disposition.APPEND:
            kind = "conflict"
        elif self._keeps_versions:
            start = f"greatest({self._from_when('g')}, o.{VALID_FROM})"
            late = f"coalesce(g.{sql.name(self._clock)} < o.{VALID_FROM}, false)" if self._clock else late
        elif self.window and self._cursor:
            late = f"coalesce(g.{sql.name(self._cursor)} < o.{sql.name(self._cursor)}, false)"
        begin = f"CASE WHEN {late} THEN {self._from_when('g')} ELSE {start} END" if self._keeps_versions else self._now
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE change AS SELECT {sql.names(self._keys, 'g.')}, "
            f"CASE WHEN o.{FILE} IS NULL THEN 'insert' WHEN {late} THEN 'late' ELSE '{kind}' END AS _kind, "
            f"o.{FILE}, o.{POSITION}, {begin} AS _since, CAST(NULL AS TIMESTAMP) AS _until "
            f"FROM good g LEFT JOIN old o ON {self._same_key('g', 'o')} WHERE o.{FILE} IS NULL OR {differs}"
        )
        end = f"greatest({self._now}, {VALID_FROM})" if self._keeps_versions else self._now
        con.execute(
            f"INSERT INTO change SELECT {key}, 'delete', {FILE}, {POSITION}, {end}, NULL FROM old "
            f"SEMI JOIN gone USING ({key})"
        )

    def compare_all(self, checked: Checked) -> None:
        """Fill ``old`` and ``change`` for a batch that is the whole resource."""
        con, key = self.con, self._key
        start = f", {VALID_FROM}" if self._keeps_versions else ""
        # Of both sides only the key and a number for the values meet: at twenty million rows that is what fits.
        at = f"greatest({self._now}, k.{VALID_FROM})" if self._keeps_versions else self._now
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE change AS SELECT {key}, "
            f"CASE WHEN k.{FILE} IS NULL THEN 'insert' WHEN g._content IS NULL THEN 'delete' ELSE 'update' END "
            f"AS _kind, k.{FILE}, k.{POSITION}, {at} AS _since, CAST(NULL AS TIMESTAMP) AS _until "
            f"FROM (SELECT {key}, {self._content()} AS _content FROM good) g "
            f"FULL JOIN (SELECT {key}, {self._content()} AS _content, {FILE}, {POSITION}{start} "
            f"FROM {self._rows(live=True)}) k USING ({key}) WHERE g._content IS DISTINCT FROM k._content"
        )
        if sql.scalar(con, "SELECT count(*) FROM change WHERE _kind = 'delete'"):
            hold_keys(con, self.resource, checked)
            con.execute(
                f"DELETE FROM change WHERE _kind = 'delete' AND EXISTS "
                f"(SELECT 1 FROM held h WHERE {self._same_key('h', 'change')})"
            )
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE old AS "
            f"SELECT r.* FROM {reading.read_places(self.schema, self.files, deleted=True)} r "
            f"SEMI JOIN change c ON r.{FILE} = c.{FILE} AND r.{POSITION} = c.{POSITION}"
        )

    def revive(self) -> None:
        """Let a softly deleted row go where its key comes again."""
        back = f"SELECT {self._key} FROM change WHERE _kind = 'insert'"
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE dead AS SELECT {self._key}, "
            f"arg_max({{f: {FILE}, p: {POSITION}}}, {DELETED_AT}) AS _place "
            f"FROM {self._rows_of(back, live=False)} WHERE {DELETED_AT} IS NOT NULL GROUP BY {self._key}"
        )
        self.con.execute(
            f"UPDATE change SET {FILE} = d._place.f, {POSITION} = d._place.p FROM dead d "
            f"WHERE _kind = 'insert' AND {self._same_key('d', 'change')}"
        )

    def place_late(self) -> int:
        """Deal with rows that are older than what the table holds; return how many of them told nothing new."""
        con = self.con
        con.execute(f"CREATE OR REPLACE TEMP TABLE cut AS SELECT {FILE}, {POSITION}, _since FROM change WHERE false;")
        if self._clock and self._keeps_versions:
            self._place_versions(self._clock)
        superseded = sql.scalar(con, "SELECT count(*) FROM change WHERE _kind = 'late'")
        con.execute("DELETE FROM change WHERE _kind = 'late'")
        return superseded

    def _place_versions(self, clock: str) -> None:
        """Turn late rows into corrections (or conflicts); those that stay late tell nothing new.

        A late row holds from its time until the version that held then would have ended, or until the next begins.
        """
        con, key = self.con, self._key
        late = f"SELECT {key} FROM change WHERE _kind IN ('insert', 'late')"
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE past AS SELECT *, {self._content()} AS _content "
            f"FROM {self._rows_of(late, live=False)} WHERE {VALID_TO} IS NOT NULL"
        )
        # Of a key that has gone: what its source says now holds from its end on. A window may have been read before the
        # key went, so there an older row belongs to the past, and the key stays gone.
        gone = f"coalesce(g.{sql.name(clock)} < p._ended, false)" if self.window else "false"
        con.execute(
            f"UPDATE change SET _kind = CASE WHEN {gone} THEN 'late' ELSE 'insert' END, "
            f"_since = CASE WHEN {gone} THEN _since ELSE greatest(_since, p._ended) END "
            f"FROM (SELECT {key}, max({VALID_TO}) AS _ended FROM past GROUP BY {key}) p, good g "
            f"WHERE _kind = 'insert' AND {self._same_key('p', 'change')} AND {self._same_key('g', 'change')}"
        )
        # The version before each late row (where there is none, any other), and when the one after it begins.
        places = f"{FILE}, {POSITION}, {VALID_FROM}, {VALID_TO}"
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE late AS WITH version AS ("
            f"SELECT {key}, _content, {places} FROM past UNION ALL "
            f"SELECT {key}, {self._content()}, {places} FROM old), "
            f"beside AS (SELECT {sql.names(self._keys, 'c.')}, c._since, v.* EXCLUDE ({key}), "
            f"{self._content('g.')} = v._content AS _same, "
            f"min(v.{VALID_FROM}) FILTER (v.{VALID_FROM} > c._since) OVER each AS _next, "
            f"coalesce(v.{VALID_FROM}, '-infinity') <= c._since AS _before "
            f"FROM change c JOIN version v USING ({key}) JOIN good g USING ({key}) WHERE c._kind = 'late' "
            f"WINDOW each AS (PARTITION BY {sql.names(self._keys, 'c.')})) "
            f"SELECT *, _before AND coalesce({VALID_TO} > _since, true) AS _within FROM beside "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _before DESC, "
            f"{VALID_FROM} DESC NULLS LAST, {VALID_TO} DESC NULLS FIRST) = 1"
        )
        con.execute(
            f"UPDATE change SET {FILE} = NULL, {POSITION} = NULL, "
            f"_kind = CASE WHEN l._same AND (l._within OR l._before AND l.{VALID_FROM} = l._since) THEN 'late' "
            f"WHEN l._before AND l.{VALID_FROM} = l._since THEN 'conflict' ELSE 'correction' END, "
            f"_until = CASE WHEN l._within THEN l.{VALID_TO} ELSE l._next END "
            f"FROM late l WHERE change._kind = 'late' AND {self._same_key('l', 'change')}"
        )
        con.execute(
            f"INSERT INTO cut SELECT l.{FILE}, l.{POSITION}, l._since FROM late l "
            f"JOIN (SELECT * FROM change WHERE _kind = 'correction') c USING ({key}) WHERE l._within"
        )

    def collect_removed(self) -> None:
        """Fill ``removed``."""
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE removed AS SELECT {FILE}, {POSITION} FROM change "
            f"WHERE _kind IN ('insert', 'update', 'delete') AND {FILE} IS NOT NULL "
            f"UNION ALL SELECT {FILE}, {POSITION} FROM cut"
        )


def hold_keys(con: duckdb.DuckDBPyConnection, resource: InformationResource, checked: Checked) -> None:
    """Fill ``held`` with the keys that rejected rows name, as far as they can be read as keys at all."""
    name_keys(con, resource, [checked.rejected], "held")


def name_keys(
    con: duckdb.DuckDBPyConnection, resource: InformationResource, files: Sequence[Path], into: str
) -> list[str]:
    """Fill the table *into* with the keys that landed *files* name, typed; NULL where a text is none of its type.

    Returns the columns of the key that the files do not have.
    """
    described = con.execute("DESCRIBE FROM read_parquet(?)", [str(files[0])]).fetchall()
    landed = {str(row[0]): str(row[1]) for row in described}
    contract = Contract.over(resource, landed)
    checks.land(con, list(files), tuple(landed))
    columns = ", ".join(
        f"{v} AS {sql.name(k)}" for v, k in zip(checks.key_columns(contract), contract.keys, strict=True)
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE {into} AS SELECT {columns} FROM ({checks.judged_query(contract)})")
    return [key for key in contract.keys if key not in landed]
