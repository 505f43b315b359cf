"""How a checked batch enters a table: which rows are new, changed, gone, and the few files rewritten for them.

Only data files that hold a changed or deleted key are rewritten; the others pass into the new snapshot as they are.
Making that snapshot is `warehouse.table`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.model import Disposition
from warehouse import sql
from warehouse.checks import judged_query, key_columns, land, reject_rows
from warehouse.contract import Contract
from warehouse.schema import duckdb_type

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb
    from pyiceberg.schema import Schema

    from catalog.model import InformationResource
    from warehouse.staging import Checked, StagedBatch
    from warehouse.table import FileOfRows

# Loads add files; beyond so many small ones, the next load that writes takes them along.
MAX_SMALL_FILES = 8
_SMALL_SHARE = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch does to a table: counts of rows, the files it replaces, and rows refused only now."""

    inserted: int
    updated: int
    deleted: int
    unchanged: int
    conflicts: int
    touched: tuple[FileOfRows, ...]

    @property
    def changed(self) -> int:
        """Rows inserted, updated and deleted."""
        return self.inserted + self.updated + self.deleted


def read_files(schema: Schema, files: Sequence[Path], *, filename: bool = False) -> str:
    """A FROM item over data files, columns matched by Iceberg field id: a file older than a column has it NULL."""
    if not files:
        extra = ", CAST(NULL AS VARCHAR) AS filename" if filename else ""
        nulls = ", ".join(f"CAST(NULL AS {duckdb_type(f.field_type)}) AS {sql.name(f.name)}" for f in schema.fields)
        return f"(SELECT {nulls}{extra} WHERE false)"
    columns = ", ".join(
        f"{f.field_id}: {{name: {sql.text(f.name)}, type: {sql.text(duckdb_type(f.field_type))}, default_value: NULL}}"
        for f in schema.fields
    )
    paths = ", ".join(sql.text(str(p)) for p in files)
    return f"read_parquet([{paths}], schema = MAP {{{columns}}}, filename = {str(filename).lower()})"


def plan(
    con: duckdb.DuckDBPyConnection,
    resource: InformationResource,
    schema: Schema,
    files: Sequence[FileOfRows],
    checked: Checked,
    *,
    rows_per_file: int,
) -> Plan:
    """Compare the batch with the table; leaves ``change(key…, kind, filename)`` in *con* for `write`.

    replace: keys that the pull does not have are deleted, unless a rejected row of it has them: a record
    whose new version cannot be read is not a record that is gone.
    merge: rows marked deleted go, and nothing else does.
    append: a key that is there stays as it is; with other content the row is refused (kind ``conflict``).
    """
    keys = [f.name for f in resource.key]
    key = sql.names(keys)
    con.execute(f"CREATE OR REPLACE TEMP VIEW good AS SELECT * FROM read_parquet({sql.text(str(checked.good))})")
    current = read_files(schema, [f.path for f in files], filename=True)
    con.execute(f"CREATE OR REPLACE TEMP VIEW kept AS SELECT * FROM {current}")
    differs = " OR ".join(
        f"g.{sql.name(f.name)} IS DISTINCT FROM k.{sql.name(f.name)}" for f in resource.fields if not f.key
    )
    other = "conflict" if resource.disposition is Disposition.APPEND else "update"
    both = " AND ".join(f"g.{sql.name(k)} = k.{sql.name(k)}" for k in keys)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE change AS SELECT {sql.names(keys, 'g.')}, "
        f"CASE WHEN k.filename IS NULL THEN 'insert' ELSE '{other}' END AS kind, k.filename "
        f"FROM good g LEFT JOIN kept k ON {both} WHERE k.filename IS NULL OR ({differs or 'false'})"
    )
    if resource.disposition is Disposition.REPLACE:
        _held_keys(con, resource, checked)
        con.execute(
            f"INSERT INTO change SELECT {key}, 'delete', filename FROM kept "
            f"ANTI JOIN good USING ({key}) ANTI JOIN held USING ({key})"
        )
    elif checked.deleted is not None:
        gone = f"read_parquet({sql.text(str(checked.deleted))})"
        con.execute(
            f"INSERT INTO change SELECT {key}, 'delete', filename FROM kept SEMI JOIN {gone} gone USING ({key})"
        )
    count = {str(kind): int(n) for kind, n in con.execute("SELECT kind, count(*) FROM change GROUP BY kind").fetchall()}
    total = sql.scalar(con, "SELECT count(*) FROM good")
    inserted, updated, conflicts = count.get("insert", 0), count.get("update", 0), count.get("conflict", 0)
    hit = {
        str(row[0])
        for row in con.execute("SELECT DISTINCT filename FROM change WHERE kind IN ('update', 'delete')").fetchall()
    }
    touched = [f for f in files if str(f.path) in hit]
    if inserted or hit:
        small = [f for f in files if f.rows * _SMALL_SHARE < rows_per_file and f not in touched]
        touched += small if len(small) >= MAX_SMALL_FILES else []
    return Plan(
        inserted=inserted,
        updated=updated,
        deleted=count.get("delete", 0),
        unchanged=total - inserted - updated - conflicts,
        conflicts=conflicts,
        touched=tuple(touched),
    )


def _held_keys(con: duckdb.DuckDBPyConnection, resource: InformationResource, checked: Checked) -> None:
    """Fill ``held`` with the keys that rejected rows name, as far as they can be read as keys at all."""
    names = [row[0] for row in con.execute("DESCRIBE FROM read_parquet(?)", [str(checked.rejected)]).fetchall()]
    contract = Contract.over(resource, names)
    land(con, checked.rejected, names)
    columns = ", ".join(f"{v} AS {sql.name(k)}" for v, k in zip(key_columns(contract), contract.keys, strict=True))
    con.execute(f"CREATE OR REPLACE TEMP TABLE held AS SELECT {columns} FROM ({judged_query(contract)})")


def write(
    con: duckdb.DuckDBPyConnection,
    resource: InformationResource,
    schema: Schema,
    plan_: Plan,
    folder: Path,
    *,
    rows_per_file: int,
) -> list[Path]:
    """Write the new data files of a plan into *folder*: sorted by key, of at most *rows_per_file* rows, synced.

    They hold the rows of the touched files that stay, the changed rows, and the new ones.
    """
    key = sql.names([f.name for f in resource.key])
    columns = sql.names([f.name for f in schema.fields])
    known = {f.name for f in resource.fields}
    # A column that the list dropped keeps its values in rows that stay; rows that come no longer have one.
    incoming = ", ".join(
        f"g.{sql.name(f.name)}"
        if f.name in known
        else f"CAST(NULL AS {duckdb_type(f.field_type)}) AS {sql.name(f.name)}"
        for f in schema.fields
    )
    touched = read_files(schema, [f.path for f in plan_.touched])
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT {columns} FROM ("
        f"SELECT {columns} FROM {touched} t ANTI JOIN (SELECT * FROM change WHERE kind <> 'conflict') c USING ({key}) "
        f"UNION ALL "
        f"SELECT {incoming} FROM good g "
        f"SEMI JOIN (SELECT * FROM change WHERE kind IN ('insert', 'update')) c USING ({key})"
        f") ORDER BY {key}"
    )
    total = sql.scalar(con, "SELECT count(*) FROM fresh")
    parts = math.ceil(total / rows_per_file)
    ids = ", ".join(f"{sql.name(f.name)}: {f.field_id}" for f in schema.fields)
    paths = []
    for part in range(parts):
        start, end = total * part // parts, total * (part + 1) // parts
        path = folder / f"part-{part:05d}.parquet"
        sql.write_parquet(
            con,
            f"SELECT {columns} FROM fresh WHERE rowid >= {start} AND rowid < {end} ORDER BY rowid",
            path,
            options=f"FIELD_IDS {{{ids}}}",
        )
        paths.append(path)
    return paths


def write_quarantine(
    con: duckdb.DuckDBPyConnection,
    resource: InformationResource,
    *,
    staged: StagedBatch,
    columns: Sequence[str],
    checked: Checked,
    plan_: Plan,
    path: Path,
) -> str:
    """Write all rejected rows of the batch to *path*; return a digest of what they hold, blind to order and line.

    To the rows rejected by the contract come those that `plan` refused, as their source wrote them.
    """
    contract = Contract.over(resource, columns)
    rejected = f"read_parquet({sql.text(str(checked.rejected))})"
    if plan_.conflicts:
        land(con, staged.path, columns)
        keys = list(contract.keys)
        pairs = zip(key_columns(contract), keys, strict=True)
        match = " AND ".join(f"j.{v} = c.{sql.name(k)}" for v, k in pairs)
        good_row = f"SELECT *, {contract.holds()} AS _ok FROM ({judged_query(contract)})"
        reason = sql.text("appended_key_changed:" + ",".join(keys))
        late = path.with_name(path.name + ".late")
        reject_rows(
            con,
            contract,
            f"SELECT _row, [{reason}] AS _reasons FROM ({good_row}) j SEMI JOIN "
            f"(SELECT * FROM change WHERE kind = 'conflict') c ON {match} WHERE j._ok "
            f"AND NOT EXISTS (FROM {rejected} r WHERE r._line = j._line)",
            batch_id=checked.batch_id,
            into=late,
        )
        rejected = f"(SELECT * FROM {rejected} UNION ALL SELECT * FROM read_parquet({sql.text(str(late))}))"
        sql.write_parquet(con, f"SELECT * FROM {rejected} ORDER BY _line", path)
        late.unlink()
    else:
        sql.write_parquet(con, f"SELECT * FROM {rejected}", path)
    row = con.execute(
        "SELECT count(*), sum(hash(r)) FROM (SELECT * EXCLUDE (_line, _batch) FROM read_parquet(?)) r", [str(path)]
    ).fetchone()
    count, content = row or (0, 0)
    return f"{count}:{content or 0}"
