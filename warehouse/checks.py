"""The contract over one landed batch, as vectorised SQL: good rows one way, rejected rows with their reasons the other.

What the rules are is `warehouse.contract`; what becomes of the good rows is `warehouse.merge`.

One pass over all rows asks whether anything is to be doubted about each; only the rows that are go the long way, where
reasons are found and texts are normalised. A landed part whose rows are all in order, sorted, and of the table's types
is a good file as it is: nothing of it is written again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import duckdb
import pyarrow.parquet as pq

from catalog.model import Disposition
from warehouse import sql
from warehouse.contract import Contract
from warehouse.errors import (
    ContractInvalidError,
    ErrorBudgetExceededError,
    SchemaIncompatibleError,
    StagedFileDamagedError,
)
from warehouse.schema import contract_digest, duckdb_type
from warehouse.staging import Checked, StagedBatch, StagedPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from pyiceberg.schema import Schema

    from catalog.model import InformationResource

ROWS_PER_FILE = 250_000
FEW_REJECTED = 3
_WORST_REASONS = 3
# One pass of the uniqueness test holds this many keys at most, so that its memory does not grow with the batch.
_KEYS_PER_PASS = 4_000_000
# `_row` is the number of the file and the position in it. Files of a batch are fewer than 2^31, rows of one than 2^32.
_ROW_BITS = 32
_PLACES = frozenset({"file_index", "file_row_number"})


class RowRule(Protocol):
    """A rule over several fields of a row or over other resources' rows (`warehouse.rules`).

    *condition* is true where the rule is broken (NULL counts as kept), in SQL over ``__t{i}``, ``__v{i}`` and landed
    columns. *prepare* are statements run once before.
    """

    @property
    def reason(self) -> str:
        """``code:field`` of the rejected row."""

    @property
    def condition(self) -> str:
        """See the class."""

    @property
    def prepare(self) -> tuple[str, ...]:
        """See the class."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files that checking one batch writes; the batch's id is in their names, so a re-run overwrites its own."""

    rejected: Path
    deleted: Path
    _good: Path

    @classmethod
    def of(cls, into: Path, batch_id: str) -> Outputs:
        """The outputs of this batch in the folder *into*."""
        stem = batch_id[:24]
        return cls(*(into / f"{stem}.{kind}.parquet" for kind in ("rejected", "deleted", "good")))

    def good(self, number: int) -> Path:
        """The file of good rows with this number."""
        return self._good.with_suffix(f".{number:05d}.parquet")


@dataclass(frozen=True, slots=True)
class Landing:
    """Landed files as they were found, alike in their columns: *fields* maps each to (Arrow type, field id or 0)."""

    parts: tuple[StagedPart, ...]
    folder: bool
    fields: Mapping[str, tuple[str, int]]

    def fits(self, resource: InformationResource, schema: Schema) -> bool:
        """Whether the parts have exactly the table's columns of the list, in the table's types, under its ids."""
        wanted = {}
        for f in resource.fields:
            column = schema.find_field(f.name)
            wanted[f.name] = (_arrow_type(duckdb_type(column.field_type)), column.field_id)
        return self.folder and wanted == dict(self.fields)


@dataclass(slots=True)
class _Batch:
    """One batch being checked in one session."""

    con: duckdb.DuckDBPyConnection
    contract: Contract
    landing: Landing
    rules: Sequence[RowRule]
    doubted: int = 0
    repeated: int = 0
    sorted: frozenset[int] = frozenset()
    normalised: tuple[tuple[str, int], ...] = ()
    dirty: frozenset[int] = field(default_factory=frozenset)

    @property
    def values(self) -> str:
        """Names of the columns of typed values."""
        return ", ".join(f"__v{i}" for i in range(len(self.contract.fields)))

    @property
    def keys(self) -> str:
        """Names of the columns of the typed key."""
        return ", ".join(key_columns(self.contract))


def check(
    con: duckdb.DuckDBPyConnection,
    resource: InformationResource,
    schema: Schema,
    staged: StagedBatch,
    into: Path,
    *,
    now: datetime,
    rules: Sequence[RowRule] = (),
    rows_per_file: int = ROWS_PER_FILE,
) -> Checked:
    """Judge every row of *staged* by the contract of *resource*; write the outcome into the folder *into*.

    *schema* is the table's, for the field ids of good files. Safe to call again: the same batch overwrites the same
    files with the same rows. *now* is only recorded.

    Raises:
        SchemaIncompatibleError: the table lacks a field of the list; see `table.ensure`.
        StagedFileDamagedError: a staged file is not the one described.
        ContractInvalidError: a rule of the list cannot be applied.
        ErrorBudgetExceededError: too many rows were rejected; the quarantine file is written all the same.
    """
    known = {column.name for column in schema.fields}
    for missing in (f for f in resource.fields if f.name not in known):
        raise SchemaIncompatibleError(resource=resource.code, field=missing.name, was="absent", now=str(missing.type))
    # 1. The files are those that the connector handed on.
    landing = verify_staged(resource.code, staged)
    batch_id = staged.batch_id(resource.code, contract_digest(resource))
    files = Outputs.of(into, batch_id)
    contract = Contract.over(resource, _types(con, landing))
    contract.compile_patterns(con)
    into.mkdir(parents=True, exist_ok=True)
    batch = _Batch(con, contract, landing, rules)
    land(con, [part.path for part in landing.parts], tuple(landing.fields))
    # 2. Every row judged on its own.
    try:
        for rule in rules:
            for statement in rule.prepare:
                con.execute(statement)
        _judge(batch)
    except (
        duckdb.ConversionException,
        duckdb.InvalidInputException,
        duckdb.BinderException,
        duckdb.ParserException,
        duckdb.CatalogException,
    ) as error:
        raise ContractInvalidError(resource=resource.code, detail="the engine refused a rule") from error
    # 3. Rows that share a key, among those that passed.
    _judge_repeats(batch)
    # 4. The files.
    _mark_dirty(batch)
    good = _write_good(batch, schema, files, rows_per_file, fit=landing.fits(resource, schema))
    reject_rows(con, contract, "SELECT _row, _reasons FROM rejection", batch_id=batch_id, into=files.rejected)
    if contract.marks_deletes:
        _write_deleted(batch, files.deleted)
    checked = _summary(batch, files, good, batch_id=batch_id, read=staged.rows, now=now)
    # Of what was rejected before, most may be so again: a replay has no budget to exceed.
    if staged.replay_of is None:
        _weigh(resource, checked)
    return checked


def _weigh(resource: InformationResource, checked: Checked) -> None:
    """Raises: ErrorBudgetExceededError."""
    # A delta may be a handful of rows, of which one bad one is a large share and no alarm.
    few = 0 if resource.disposition is Disposition.REPLACE else FEW_REJECTED
    budget = ""
    if checked.rejected_rows > max(few, resource.error_budget * checked.read):
        budget = f"{resource.error_budget:.1%}"
    elif resource.error_limit and checked.rejected_rows > resource.error_limit:
        budget = f"{resource.error_limit:,}"
    if budget:
        worst = ", ".join(f"{reason} × {rows}" for reason, rows in checked.reasons[:_WORST_REASONS])
        raise ErrorBudgetExceededError(
            checked=checked,
            resource=resource.code,
            rejected=checked.rejected_rows,
            read=checked.read,
            budget=budget,
            worst=worst,
            quarantine=checked.rejected,
        )


# --- the files between the steps ---


def verify_staged(resource_code: str, staged: StagedBatch) -> Landing:
    """The landed files, once they are known to be the ones described.

    Raises:
        StagedFileDamagedError: one is absent, has other bytes, or other than the described number of rows.
    """
    parts = _verified_parts(resource_code, staged)
    shapes = set()
    found = 0
    for part in parts:
        try:
            parquet = pq.ParquetFile(part.path)
        except (OSError, ValueError) as error:
            raise StagedFileDamagedError(resource=resource_code, path=part.path, detail="no Parquet file") from error
        with parquet:
            rows, arrow = parquet.metadata.num_rows, parquet.schema_arrow
            if rows != part.rows:
                detail = f"{rows} rows, {part.rows} were handed on"
                raise StagedFileDamagedError(resource=resource_code, path=part.path, detail=detail)
            found += rows
            shapes.add(tuple((f.name, str(f.type), int((f.metadata or {}).get(_FIELD_ID, 0))) for f in arrow))
    if found != staged.rows:
        detail = f"{found} rows, {staged.rows} were handed on"
        raise StagedFileDamagedError(resource=resource_code, path=staged.path, detail=detail)
    if len(shapes) != 1:
        raise StagedFileDamagedError(resource=resource_code, path=staged.path, detail="its parts differ in columns")
    fields = {column: (type_, id_) for column, type_, id_ in shapes.pop()}
    return Landing(parts, staged.path.is_dir(), fields)


def _types(con: duckdb.DuckDBPyConnection, landing: Landing) -> dict[str, str]:
    """The landed columns with DuckDB's names of their types."""
    described = con.execute("DESCRIBE FROM read_parquet(?)", [str(landing.parts[0].path)]).fetchall()
    return {str(row[0]): str(row[1]) for row in described}


def verify_checked(resource_code: str, staged: StagedBatch, checked: Checked) -> None:
    """Prove, before a commit, that landed and checked files are those that were handed on; each is read once.

    Raises:
        StagedFileDamagedError: one is absent or has other bytes.
    """
    parts = {part.path for part in _verified_parts(resource_code, staged)}
    for file, digest in checked.digests:
        verify_file(resource_code, checked.rejected.with_name(file), digest)
    known = parts | {checked.rejected.with_name(file) for file, _ in checked.digests}
    for path in checked.good:
        if path not in known:
            raise StagedFileDamagedError(resource=resource_code, path=path, detail="not a file of this batch")


def _verified_parts(resource_code: str, staged: StagedBatch) -> tuple[StagedPart, ...]:
    try:
        parts = staged.parts()
    except StagedFileDamagedError as error:
        raise StagedFileDamagedError(**{**error.params, "resource": resource_code}) from error
    for part in (*parts, *([staged.keys] if staged.keys is not None else [])):
        verify_file(resource_code, part.path, part.sha256)
    return parts


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


_FIELD_ID = b"PARQUET:field_id"


def _arrow_type(duckdb_name: str) -> str:
    """What Arrow calls the type that a Parquet file has for a column of this DuckDB type."""
    plain = {
        "VARCHAR": "string",
        "BIGINT": "int64",
        "DATE": "date32[day]",
        "TIMESTAMP": "timestamp[us]",
        "BOOLEAN": "bool",
    }
    return plain.get(duckdb_name) or duckdb_name.replace("DECIMAL", "decimal128").replace(",", ", ")


def good_rows(checked: Checked) -> str:
    """A FROM item over the good rows of all files, columns by name."""
    return f"read_parquet({_paths(checked.good)})"


def _paths(files: Sequence[Path]) -> str:
    return f"[{', '.join(sql.text(str(path)) for path in files)}]"


# --- landed rows ---


def land(con: duckdb.DuckDBPyConnection, files: Path | Sequence[Path], columns: Sequence[str]) -> None:
    """Make the landed rows the view ``landed``, in order by ``_row``, with their ordinal ``_line`` in any case."""
    paths = [files] if isinstance(files, Path) else list(files)
    reserved = _PLACES & {column.lower() for column in columns}
    if reserved:
        # DuckDB would take the landed column for the place in the file, and say nothing.
        raise ContractInvalidError(resource="-", detail=f"a field may not be called `{min(reserved)}`")
    line = ""
    if "_line" not in columns:
        before = [0]
        for path in paths[:-1]:
            before.append(before[-1] + int(pq.read_metadata(path).num_rows))
        offset = "0" if len(paths) == 1 else f"{before}[CAST(file_index AS BIGINT) + 1]"
        line = f", {offset} + file_row_number + 1 AS _line"
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW landed AS SELECT *, {_ROW} AS _row{line} FROM read_parquet({_paths(paths)})"
    )


_ROW = f"(CAST(file_index AS BIGINT) << {_ROW_BITS}) + file_row_number"


def judged_query(contract: Contract, source: str = "landed") -> str:
    """Landed rows with normalised text ``__t…``, values ``__v…``, ``_cursor`` and ``_deleted``: right for every row."""
    return (
        f"SELECT *, {contract.cursor()} AS _cursor FROM (SELECT *, {contract.typed_columns()} FROM "
        f"(SELECT *, {contract.deleted()} AS _deleted, {contract.normalised_columns()} FROM {source}))"
    )


def quick_query(contract: Contract, source: str = "landed") -> str:
    """Landed rows with ``__t…``, ``__v…`` and ``_deleted``: right for rows about which there is no doubt."""
    return f"SELECT *, {contract.deleted()} AS _deleted, {contract.quick_columns()} FROM {source}"


def key_columns(contract: Contract) -> list[str]:
    """The columns that hold the typed key, in the order of the key."""
    return [f"__v{i}" for i, f in enumerate(contract.fields) if f.key]


# --- judging ---


def _conditions(batch: _Batch) -> Iterator[tuple[str, str]]:
    """(``code:field``, condition) for the rules of the fields, then for those over several."""
    contract = batch.contract
    yield from contract.conditions()
    for rule in batch.rules:
        yield rule.reason, f"(NOT _deleted AND {rule.condition})" if contract.marks_deletes else f"({rule.condition})"


def _judge(batch: _Batch) -> None:
    """Fill ``doubt(_row)``, and for each of its rows ``verdict(_row, _deleted, _ok, _changed, _reasons)``."""
    con, contract = batch.con, batch.contract
    doubts = [*contract.doubts(), *(f"({rule.condition})" for rule in batch.rules)]
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE doubt AS SELECT _row FROM ({quick_query(contract)}) "
        f"WHERE {' OR '.join(doubts) or 'false'}"
    )
    batch.doubted = sql.scalar(con, "SELECT count(*) FROM doubt")
    rewritten = list(contract.rewritten())
    changed = "".join(f", {condition} AS __n{i}" for i, condition in rewritten)
    broken = list(_conditions(batch))
    each = "".join(f", coalesce({condition}, false) AS __c{i}" for i, (_, condition) in enumerate(broken))
    found = ", ".join(f"CASE WHEN __c{i} THEN {sql.text(reason)} END" for i, (reason, _) in enumerate(broken))
    rows = "(FROM landed SEMI JOIN doubt USING (_row))" if batch.doubted else "(FROM landed WHERE false)"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE verdict AS SELECT _row, _deleted, _ok, "
        f"{' OR '.join(f'__n{i}' for i, _ in rewritten) or 'false'} AS _changed, "
        f"CASE WHEN NOT _ok THEN list_filter([{found or 'NULL'}], lambda r: r IS NOT NULL) END AS _reasons"
        f"{''.join(f', __n{i}' for i, _ in rewritten)} FROM ("
        f"SELECT *, NOT ({' OR '.join(f'__c{i}' for i in range(len(broken))) or 'false'}) AS _ok FROM ("
        f"SELECT *{changed}{each} FROM ({judged_query(contract, rows)})))"
    )
    if batch.doubted and rewritten:
        sums = ", ".join(f"count(*) FILTER (__n{i})" for i, _ in rewritten)
        counts = con.execute(f"SELECT {sums} FROM verdict").fetchone() or ()
        names = [contract.fields[i].name for i, _ in rewritten]
        batch.normalised = tuple((name, n) for name, n in zip(names, counts, strict=True) if n)


def _kept(batch: _Batch, source: str, columns: str, *, without: str = "") -> str:
    """The *columns* of the rows of *source* that passed so far, in order or mended, but for the table *without*."""
    less = f" ANTI JOIN {without} USING (_row)" if without else ""
    if not batch.doubted:
        return f"SELECT {columns} FROM ({quick_query(batch.contract, f'(FROM {source}{less})')})"
    in_order = f"(FROM {source} ANTI JOIN doubt USING (_row){less})"
    mended = f"(FROM {source} SEMI JOIN (FROM verdict WHERE _ok) v USING (_row){less})"
    return (
        f"SELECT {columns} FROM ({quick_query(batch.contract, in_order)}) "
        f"UNION ALL SELECT {columns} FROM ({judged_query(batch.contract, mended)})"
    )


def _judge_repeats(batch: _Batch) -> None:
    """Fill ``outcome(_row, _code)`` for rows that share a key with another good row and are not the one taken.

    Among the newest rows of a key (all rows, where there is no cursor): identical ones are repeats of the first;
    different ones contradict each other, and none is taken, for there is no telling which is right. Then fill
    ``rejection(_row, _reasons)`` with all rejected rows.
    """
    con, contract = batch.con, batch.contract
    if not _told_apart(batch):
        _find_repeated(batch)
    if batch.repeated:
        keys = batch.keys
        content = f"_deleted, {batch.values}"
        # By name, for landed columns may be called anything.
        needed = f"_row, _cursor, _deleted, {batch.values}"
        same = "(FROM landed SEMI JOIN same_key USING (_row))"
        con.execute(
            f"""CREATE OR REPLACE TEMP TABLE outcome AS
            WITH aged AS (
                SELECT {needed}, _cursor IS NOT DISTINCT FROM max(_cursor) OVER (PARTITION BY {keys}) AS newest
                FROM ({judged_query(contract, same)})),
            counted AS (
                SELECT *, count(DISTINCT row({content})) FILTER (newest) OVER (PARTITION BY {keys}) AS variants,
                    min(_row) FILTER (newest) OVER (PARTITION BY {keys}) AS first_row
                FROM aged)
            SELECT _row, CASE WHEN NOT newest THEN 'superseded' WHEN variants > 1 THEN 'conflicting_key'
                WHEN _row <> first_row THEN 'duplicate_key' END AS _code
            FROM counted WHERE _code IS NOT NULL"""
        )
    else:
        con.execute("CREATE OR REPLACE TEMP TABLE outcome (_row BIGINT, _code VARCHAR)")
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE rejection AS
        SELECT _row, [_code || ':' || {sql.text(",".join(contract.keys))}] AS _reasons
        FROM outcome WHERE _code <> 'superseded'
        UNION ALL SELECT _row, _reasons FROM verdict WHERE NOT _ok"""
    )


def _told_apart(batch: _Batch) -> bool:
    """Whether one look at the keys as they follow each other proves that no two are equal; note the sorted files.

    It does where each file's keys rise strictly and no file begins before another ends: then no key has to be
    remembered. That is so for most sources. The proof does not rest on the order in which rows arrive here: each file
    must come in one piece, and in it each key must be greater than the one before.
    """
    con, contract = batch.con, batch.contract
    if len(batch.landing.parts) == 1 and not batch.landing.parts[0].rows:
        return True
    mended = [f"__n{i}" for i, _ in contract.rewritten() if contract.fields[i].key]
    # A key that was normalised stands here as it landed, so nothing is proven for it.
    if mended and sql.scalar(con, f"SELECT count(*) FROM verdict WHERE {' OR '.join(mended)}"):
        return False
    keys = key_columns(contract)
    empty = " OR ".join(f"{key} IS NULL" for key in keys)
    key = keys[0] if len(keys) == 1 else f"row({', '.join(keys)})"
    found = con.execute(
        f"""WITH run AS (
            SELECT _row >> {_ROW_BITS} AS file, lag(_row) OVER () AS before_row, _row, {key} AS key,
                lag({key}) OVER () AS before_key, ({empty}) AS empty
            FROM ({quick_query(contract)})),
        follow AS (
            SELECT *, file IS DISTINCT FROM before_row >> {_ROW_BITS} AS first FROM run),
        span AS (
            SELECT file, min(key) AS low, max(key) AS high, count(*) FILTER (first) AS pieces,
                count(*) FILTER (empty OR (NOT first AND NOT (key > before_key AND _row > before_row))) AS wrong
            FROM follow GROUP BY file)
        SELECT file, pieces = 1 AND wrong = 0, coalesce(low > lag(high) OVER (ORDER BY low), true) FROM span"""
    ).fetchall()
    batch.sorted = frozenset(int(file) for file, rising, _ in found if rising)
    return all(rising and apart for _, rising, apart in found)


def _find_repeated(batch: _Batch) -> None:
    """Fill ``same_key(_row)`` with the rows whose key another row has too, and count them."""
    con, keys = batch.con, batch.keys
    rows = sum(part.rows for part in batch.landing.parts)
    passes = 1 + rows // _KEYS_PER_PASS
    con.execute(f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {keys} FROM ({_kept(batch, 'landed', keys)}) LIMIT 0")
    for number in range(passes):
        slice_ = f"WHERE hash({keys}) % {passes} = {number}" if passes > 1 else ""
        con.execute(
            f"INSERT INTO repeated SELECT {keys} FROM ({_kept(batch, 'landed', keys)}) {slice_} "
            f"GROUP BY {keys} HAVING count(*) > 1"
        )
    if sql.scalar(con, "SELECT count(*) FROM repeated"):
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE same_key AS SELECT _row FROM ({_kept(batch, 'landed', f'_row, {keys}')}) "
            f"SEMI JOIN repeated USING ({keys})"
        )
        batch.repeated = sql.scalar(con, "SELECT count(*) FROM same_key")


# --- writing ---


def _mark_dirty(batch: _Batch) -> None:
    """Fill ``gone(_row)`` with rows that are in no good file; note the files with such rows or with mended ones."""
    con = batch.con
    con.execute(
        "CREATE OR REPLACE TEMP TABLE gone AS SELECT _row FROM outcome "
        "UNION SELECT _row FROM verdict WHERE _deleted OR NOT _ok"
    )
    found = con.execute(
        f"SELECT DISTINCT _row >> {_ROW_BITS} FROM "
        "(SELECT _row FROM gone UNION ALL SELECT _row FROM verdict WHERE _changed)"
    ).fetchall()
    batch.dirty = frozenset(int(row[0]) for row in found)


def _write_good(batch: _Batch, schema: Schema, files: Outputs, rows_per_file: int, *, fit: bool) -> tuple[Path, ...]:
    """The good files: landed parts that are fit as they are, and others written anew, each from a stretch of one file.

    Stretches are sorted one by one, so memory is that of one file, however many there are.
    """
    contract = batch.contract
    held = [(f.name, schema.find_field(f.name)) for f in contract.fields]
    # A table's decimals may have more digits than the list asks for now.
    columns = ", ".join(
        f"CAST(__v{i} AS {duckdb_type(column.field_type)}) AS {sql.name(name)}" for i, (name, column) in enumerate(held)
    )
    ids = ", ".join(f"{sql.name(name)}: {column.field_id}" for name, column in held)
    key = sql.names(contract.keys)
    good: list[Path] = []
    empty: Path | None = None
    for index, part in enumerate(batch.landing.parts):
        if fit and index in batch.sorted and index not in batch.dirty and part.rows <= rows_per_file:
            good.append(part.path)
            continue
        gone = "gone" if index in batch.dirty else ""
        # In order already, and nothing is put in between: then sorting would only hold the rows up.
        order = "" if index in batch.sorted and not batch.doubted and not gone else f" ORDER BY {key}"
        for start in range(0, max(part.rows, 1), rows_per_file):
            source = _stretch(index, part, start, start + rows_per_file)
            path = files.good(len(good))
            query = f"SELECT * FROM ({_kept(batch, source, columns, without=gone)}){order}"
            sql.write_parquet(batch.con, query, path, options=f"FIELD_IDS {{{ids}}}")
            if pq.read_metadata(path).num_rows:
                good.append(path)
            else:
                empty = path
    if not good and empty:
        return (empty,)
    return tuple(good)


def _stretch(index: int, part: StagedPart, start: int, end: int) -> str:
    where = "" if start == 0 and end >= part.rows else f" WHERE file_row_number >= {start} AND file_row_number < {end}"
    row = f"{index << _ROW_BITS} + file_row_number AS _row"
    return f"(SELECT *, {row} FROM read_parquet({sql.text(str(part.path))}){where})"


def _write_deleted(batch: _Batch, path: Path) -> None:
    columns = ", ".join(f"__v{i} AS {sql.name(f.name)}" for i, f in enumerate(batch.contract.fields) if f.key)
    rows = "(FROM landed SEMI JOIN (FROM verdict WHERE _ok AND _deleted) v USING (_row) ANTI JOIN outcome USING (_row))"
    query = f"SELECT {columns} FROM ({judged_query(batch.contract, rows)}) ORDER BY {batch.keys}"
    sql.write_parquet(batch.con, query, path)


def reject_rows(con: duckdb.DuckDBPyConnection, contract: Contract, reasons: str, *, batch_id: str, into: Path) -> None:
    """Write landed rows, whole and as text, with the ``_reasons`` that the query *reasons* gives their ``_row``."""
    landed = sorted(set(contract.landed) - {"_line"})
    columns = ", ".join(f"CAST({sql.name(c)} AS VARCHAR) AS {sql.name(c)}" for c in landed)
    sql.write_parquet(
        con,
        f"SELECT CAST(_line AS BIGINT) AS _line, {columns}, r._reasons, {sql.text(batch_id)} AS _batch "
        f"FROM landed JOIN ({reasons}) r USING (_row) ORDER BY _row",
        into,
    )


def _summary(
    batch: _Batch, files: Outputs, good: tuple[Path, ...], *, batch_id: str, read: int, now: datetime
) -> Checked:
    con = batch.con
    rejected = sql.scalar(con, "SELECT count(*) FROM rejection")
    superseded = sql.scalar(con, "SELECT count(*) FROM outcome WHERE _code = 'superseded'")
    found = Counter[str](
        dict(
            con.execute(
                "SELECT reason, count(*) FROM (SELECT unnest(_reasons) AS reason FROM rejection) GROUP BY reason"
            ).fetchall()
        )
    )
    marks = batch.contract.marks_deletes
    landed = {part.path for part in batch.landing.parts}
    written = [*(path for path in good if path not in landed), files.rejected, *([files.deleted] if marks else [])]
    return Checked(
        good=good,
        rejected=files.rejected,
        read=read,
        accepted=read - rejected - superseded,
        rejected_rows=rejected,
        reasons=tuple(sorted(found.items(), key=lambda item: (-item[1], item[0]))),
        batch_id=batch_id,
        superseded=superseded,
        deleted=files.deleted if marks else None,
        normalised=batch.normalised,
        checked_at=now,
        digests=tuple((path.name, sql.file_digest(path)) for path in written),
    )
