"""The contract over one landed batch, as vectorised SQL: good rows one way, rejected rows with their reasons the other.

What the rules are is `warehouse.contract`; what becomes of the good rows is `warehouse.merge`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

from catalog.model import Disposition, FieldKind
from warehouse import sql
from warehouse.contract import Contract
from warehouse.errors import ContractInvalidError, ErrorBudgetExceededError, StagedFileDamagedError
from warehouse.schema import contract_digest
from warehouse.staging import Checked, StagedBatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from catalog.model import InformationResource

_WORST_REASONS = 3
FEW_REJECTED = 3


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files that checking one batch writes; the batch's id is in their names, so a re-run overwrites its own."""

    good: Path
    rejected: Path
    deleted: Path

    @classmethod
    def of(cls, into: Path, batch_id: str) -> Outputs:
        """The outputs of this batch in the folder *into*."""
        stem = batch_id[:24]
        return cls(*(into / f"{stem}.{kind}.parquet" for kind in ("good", "rejected", "deleted")))


def check(
    con: duckdb.DuckDBPyConnection,
    resource: InformationResource,
    staged: StagedBatch,
    into: Path,
    *,
    now: datetime,
) -> Checked:
    """Judge every row of *staged* by the contract of *resource*; write the outcome into the folder *into*.

    Safe to call again: the same batch overwrites the same files with the same bytes. *now* is only recorded.

    Raises:
        StagedFileDamagedError: the staged file is not the one described.
        ContractInvalidError: a rule of the list cannot be applied.
        ErrorBudgetExceededError: too many rows were rejected; the quarantine file is written all the same.
    """
    # 1. The file is the one that the connector handed on.
    columns = verify_staged(resource.code, staged)
    batch_id = staged.batch_id(resource.code, contract_digest(resource))
    files = Outputs.of(into, batch_id)
    contract = Contract.over(resource, columns)
    contract.compile_patterns(con)
    into.mkdir(parents=True, exist_ok=True)
    # 2. Every row judged on its own.
    land(con, staged.path, columns)
    try:
        _judge(con, contract)
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.BinderException) as error:
        raise ContractInvalidError(resource=resource.code, detail="the engine refused a rule") from error
    # 3. Rows that share a key, among those that passed.
    _judge_repeats(con, contract)
    superseded = sql.scalar(con, "SELECT count(*) FROM outcome WHERE code = 'superseded'")
    # 4. Three files.
    _write_good(con, contract, files)
    reject_rows(
        con,
        contract,
        "SELECT _row, list_concat(reasons, extra) AS _reasons FROM rejection",
        batch_id=batch_id,
        into=files.rejected,
    )
    if contract.marks_deletes:
        _write_deleted(con, contract, files.deleted)
    checked = _summary(con, contract, files, batch_id=batch_id, read=staged.rows, superseded=superseded, now=now)
    # A delta may be a handful of rows, of which one bad one is a large share and no alarm.
    few = 0 if resource.disposition is Disposition.REPLACE else FEW_REJECTED
    if checked.rejected_rows > max(few, resource.error_budget * staged.rows):
        worst = ", ".join(f"{reason} × {rows}" for reason, rows in checked.reasons[:_WORST_REASONS])
        raise ErrorBudgetExceededError(
            checked=checked,
            resource=resource.code,
            rejected=checked.rejected_rows,
            read=staged.rows,
            budget=f"{resource.error_budget:.1%}",
            worst=worst,
            quarantine=files.rejected,
        )
    return checked


def verify_staged(resource_code: str, staged: StagedBatch) -> tuple[str, ...]:
    """The columns of the staged file, once it is known to be the one described.

    Raises:
        StagedFileDamagedError: it is absent, has other bytes, or other than the described number of rows.
    """
    verify_file(resource_code, staged.path, staged.sha256)
    try:
        parquet = pq.ParquetFile(staged.path)
    except (OSError, ValueError) as error:
        raise StagedFileDamagedError(resource=resource_code, path=staged.path, detail="no Parquet file") from error
    with parquet:
        if parquet.metadata.num_rows != staged.rows:
            detail = f"{parquet.metadata.num_rows} rows, {staged.rows} were handed on"
            raise StagedFileDamagedError(resource=resource_code, path=staged.path, detail=detail)
        return tuple(parquet.schema_arrow.names)


def verify_file(resource_code: str, path: Path, digest: str) -> None:
    """Compare a file with the digest that was handed on with it.

    Raises:
        StagedFileDamagedError: it is absent or has other bytes.
    """
    try:
        found = sql.file_digest(path)
    except OSError as error:
        raise StagedFileDamagedError(resource=resource_code, path=path, detail="cannot be read") from error
    if not sql.same_digest(found, digest):
        raise StagedFileDamagedError(resource=resource_code, path=path, detail="its SHA-256 differs")


def land(con: duckdb.DuckDBPyConnection, path: Path, columns: Sequence[str]) -> None:
    """Make the landed rows the view ``landed``, numbered by ``_row`` from 0, with ``_line`` in any case."""
    line = "" if "_line" in columns else ", file_row_number + 1 AS _line"
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW landed AS SELECT * EXCLUDE (file_row_number), file_row_number AS _row{line} "
        f"FROM read_parquet({sql.text(str(path))}, file_row_number = true)"
    )


def judged_query(contract: Contract) -> str:
    """Landed rows with normalised text ``__t…``, values ``__v…``, ``_cursor`` and ``_deleted``."""
    return (
        f"SELECT *, {contract.cursor()} AS _cursor FROM (SELECT *, {contract.typed_columns()} FROM "
        f"(SELECT *, {contract.deleted()} AS _deleted, {contract.normalised_columns()} FROM landed))"
    )


def key_columns(contract: Contract) -> list[str]:
    """The columns that hold the typed key, in the order of the key."""
    return [f"__v{i}" for i, f in enumerate(contract.fields) if f.key]


def _judge(con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    changed = []
    for i, field in enumerate(contract.fields):
        rewritten = f"coalesce({contract.raw(field.name)}, '') <> coalesce(__t{i}, '')"
        if field.type.kind is FieldKind.DATE:
            rewritten += f" OR coalesce(__t{i} <> CAST(__v{i} AS VARCHAR), false)"
        changed.append(f"({rewritten}) AS __n{i}")
    values = ", ".join(f"__v{i}" for i in range(len(contract.fields)))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE judged AS SELECT _row, _cursor, _deleted, {contract.holds()} AS _ok, {values}, "
        f"{', '.join(changed)} FROM ({judged_query(contract)})"
    )


def _judge_repeats(con: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Fill ``outcome(_row, code)`` for rows that share a key with another good row and are not the one taken.

    Among the newest rows of a key (all rows, where there is no cursor): identical ones are repeats of the first;
    different ones contradict each other, and none is taken, for there is no telling which is right.
    """
    keys = ", ".join(key_columns(contract))
    content = ", ".join(["_deleted", *(f"__v{i}" for i in range(len(contract.fields)))])
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {keys} FROM judged WHERE _ok GROUP BY {keys} "
        f"HAVING count(*) > 1"
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE outcome AS
        WITH same_key AS (SELECT j.* FROM judged j SEMI JOIN repeated r USING ({keys}) WHERE j._ok),
        aged AS (
            SELECT *, _cursor IS NOT DISTINCT FROM max(_cursor) OVER (PARTITION BY {keys}) AS newest
            FROM same_key),
        counted AS (
            SELECT *, count(DISTINCT row({content})) FILTER (newest) OVER (PARTITION BY {keys}) AS variants,
                min(_row) FILTER (newest) OVER (PARTITION BY {keys}) AS first_row
            FROM aged)
        SELECT _row, CASE WHEN NOT newest THEN 'superseded' WHEN variants > 1 THEN 'conflicting_key'
            WHEN _row <> first_row THEN 'duplicate_key' END AS code
        FROM counted WHERE code IS NOT NULL"""
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE rejection AS
        SELECT _row, CAST([] AS VARCHAR[]) AS reasons, [code || ':' || {sql.text(",".join(contract.keys))}] AS extra
        FROM outcome WHERE code <> 'superseded'
        UNION ALL
        SELECT _row, {contract.reasons()}, CAST([] AS VARCHAR[]) FROM (
            SELECT * FROM ({judged_query(contract)}) WHERE _row IN (SELECT _row FROM judged WHERE NOT _ok))"""
    )


def _write_good(con: duckdb.DuckDBPyConnection, contract: Contract, files: Outputs) -> None:
    columns = ", ".join(f"__v{i} AS {sql.name(f.name)}" for i, f in enumerate(contract.fields))
    sql.write_parquet(
        con,
        f"SELECT {columns} FROM judged WHERE _ok AND NOT _deleted AND _row NOT IN (SELECT _row FROM outcome) "
        f"ORDER BY {', '.join(key_columns(contract))}",
        files.good,
    )


def _write_deleted(con: duckdb.DuckDBPyConnection, contract: Contract, path: Path) -> None:
    columns = ", ".join(f"__v{i} AS {sql.name(f.name)}" for i, f in enumerate(contract.fields) if f.key)
    sql.write_parquet(
        con,
        f"SELECT {columns} FROM judged WHERE _ok AND _deleted AND _row NOT IN (SELECT _row FROM outcome) "
        f"ORDER BY {', '.join(key_columns(contract))}",
        path,
    )


def reject_rows(con: duckdb.DuckDBPyConnection, contract: Contract, reasons: str, *, batch_id: str, into: Path) -> None:
    """Write landed rows, whole and as text, with the ``_reasons`` that the query *reasons* gives their ``_row``."""
    columns = ", ".join(f"CAST({sql.name(c)} AS VARCHAR) AS {sql.name(c)}" for c in sorted(contract.landed - {"_line"}))
    sql.write_parquet(
        con,
        f"SELECT CAST(_line AS BIGINT) AS _line, {columns}, r._reasons, {sql.text(batch_id)} AS _batch "
        f"FROM landed JOIN ({reasons}) r USING (_row) ORDER BY _row",
        into,
    )


def _summary(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    files: Outputs,
    *,
    batch_id: str,
    read: int,
    superseded: int,
    now: datetime,
) -> Checked:
    rejected = sql.scalar(con, "SELECT count(*) FROM rejection")
    found = Counter[str](
        dict(
            con.execute(
                "SELECT reason, count(*) FROM (SELECT unnest(list_concat(reasons, extra)) AS reason FROM rejection) "
                "GROUP BY reason"
            ).fetchall()
        )
    )
    sums = ", ".join(f"count(*) FILTER (__n{i})" for i in range(len(contract.fields)))
    counts = con.execute(f"SELECT {sums} FROM judged").fetchone() or ()
    named = [files.good, files.rejected, *([files.deleted] if contract.marks_deletes else [])]
    return Checked(
        good=files.good,
        rejected=files.rejected,
        read=read,
        accepted=read - rejected - superseded,
        rejected_rows=rejected,
        reasons=tuple(sorted(found.items(), key=lambda item: (-item[1], item[0]))),
        batch_id=batch_id,
        superseded=superseded,
        deleted=files.deleted if contract.marks_deletes else None,
        normalised=tuple((f.name, n) for f, n in zip(contract.fields, counts, strict=True) if n),
        checked_at=now,
        digests=tuple((path.name, sql.file_digest(path)) for path in named),
    )
