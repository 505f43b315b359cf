"""Whether a table holds what its source holds: by the measures of one load, or row by row over the whole.

Reading the source is `connectors`, when that is done `hub`'s. Nothing of a table is changed here.

A full comparison goes by buckets of keys: of both sides one pass counts the rows of each bucket and adds up their
hashes; only buckets that differ are compared row by row. Memory does not grow with the rows: what is kept are the sums
of 4,096 buckets, and the keys and hashes of the rows in buckets that differ, which spill to disk.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from catalog.model import FieldKind
from warehouse import checks, compare, reading, rules, sql
from warehouse import table as tables
from warehouse.contract import Contract
from warehouse.errors import ErrorBudgetExceededError
from warehouse.schema import table_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from catalog.model import Field, InformationResource
    from warehouse.engine import Warehouse
    from warehouse.staging import Checked, StagedBatch

BUCKETS: Final = 4096  # Of 10 million rows some 2,400 in each; of 100 million still few enough to compare row by row.
NAMED: Final = 10_000  # Differences named in the report; all of them are counted.
_SALT_BYTES: Final = 16
_NUMBERS: Final = frozenset({FieldKind.INTEGER, FieldKind.DECIMAL})
_OWNER_READS, _OWNER_ENTERS = 0o600, 0o700


# --- of one load: measures ---


class Measured(Protocol):
    """What one side says of its rows; `connectors.protocol.Measures` is of this shape.

    *columns* maps a column to its aggregates as text: ``count`` (not NULL), ``min``, ``max``, ``sum``, ``distinct``.
    """

    @property
    def rows(self) -> int:
        """The number of rows."""

    @property
    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """See the class."""


@dataclass(frozen=True, slots=True)
class TableMeasures:
    """The measures of a table, as `Measured`."""

    rows: int
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unequal:
    """A measure in which source and table differ by more than the rows that were left out explain.

    *column* is "" for the number of rows. *source* and *table* are aggregates, of a ``min`` or ``max`` a value of a
    row: they are for who may see the rows, and no part of `text`.
    """

    column: str
    measure: str
    source: str
    table: str
    allowed: int = 0

    def text(self, lang: str) -> str:
        """The difference as a sentence without values of rows."""
        told = self.measure in {"rows", "count", "distinct"}
        numbers = (f": {self.source} ≠ {self.table}" if told else "") + (f" (± {self.allowed})" if self.allowed else "")
        word, word_zh = _MEASURES[self.measure]
        if lang == "zh":
            where = f"`{self.column}` 的" if self.column else ""
            return f"{where}{word_zh}与来源不一致{numbers.replace(': ', '：')}"
        where = f" of `{self.column}`" if self.column else ""
        return f"{word}{where} differs from the source's{numbers}"

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict without values of rows."""
        return {"column": self.column, "measure": self.measure, "en": self.text("en"), "zh": self.text("zh")}


_MEASURES: Final = {
    "rows": ("the number of rows", "行数"),
    "count": ("the number of values", "非空数"),
    "distinct": ("the number of different values", "不同取值数"),
    "sum": ("the sum", "合计"),
    "min": ("the least value", "最小值"),
    "max": ("the greatest value", "最大值"),
}


def measure(con: duckdb.DuckDBPyConnection, resource: InformationResource, item: str) -> TableMeasures:
    """The measures of the rows of the FROM item *item*, in one pass: as many as `compare_measures` can compare."""
    wanted = [(f, m) for f in resource.fields for m in _measured(f)]
    columns = ", ".join(["count(*)", *(f"CAST({_aggregate(f, m)} AS VARCHAR)" for f, m in wanted)])
    row = con.execute(f"SELECT {columns} FROM {item}").fetchone() or (0,)
    found: dict[str, dict[str, str]] = {}
    for (f, m), value in zip(wanted, row[1:], strict=True):
        if value is not None:
            found.setdefault(f.name, {})[m] = str(value)
    return TableMeasures(int(row[0]), found)


def _measured(field_: Field) -> Iterator[str]:
    yield "count"
    # Databases sort text each in its own way.
    if field_.type.kind not in {FieldKind.STRING, FieldKind.BOOLEAN}:
        yield from ("min", "max")
    if field_.type.kind in _NUMBERS:
        yield "sum"
    if field_.key:
        yield "distinct"


def _aggregate(field_: Field, measure_: str) -> str:
    column = sql.name(field_.name)
    return f"count(DISTINCT {column})" if measure_ == "distinct" else f"{measure_}({column})"


def compare_measures(
    resource: InformationResource,
    measures: Measured,
    table_measures: Measured,
    *,
    read: int,
    rejected: int = 0,
    superseded: int = 0,
    normalised: Mapping[str, int] | None = None,
    whole: bool = True,
) -> tuple[Unequal, ...]:
    """In what the source's own *measures* of a load differ from what was read, and from what the table then holds.

    *read*, *rejected*, *superseded* and *normalised* (rows by field) are those of the check. Of a range (not *whole*)
    only the number of rows is compared, with what was read. Of a whole pull each count may differ by as many rows as
    were left out or may have become empty by normalising; where rows were left out, sums and bounds are not compared,
    for nobody knows what those rows would have made of them.
    """
    found = [] if measures.rows == read else [Unequal("", "rows", str(measures.rows), str(read))]
    if not whole:
        return tuple(found)
    out = rejected + superseded
    # A rejected row may have left the table with what it held under its key before, so that none is missing.
    if not measures.rows - out <= table_measures.rows <= measures.rows:
        found.append(Unequal("", "rows", str(measures.rows), str(table_measures.rows), out))
    for f in resource.fields:
        ours, theirs = table_measures.columns.get(f.name, {}), measures.columns.get(f.name, {})
        spare = out + dict(normalised or {}).get(f.name, 0)
        found += [
            Unequal(f.name, m, theirs[m], ours[m], spare if m in {"count", "distinct"} else 0)
            for m in _measured(f)
            if m in theirs and m in ours and not _same(f, m, theirs[m], ours[m], spare)
        ]
    return tuple(found)


def _same(field_: Field, measure_: str, theirs: str, ours: str, spare: int) -> bool:
    if measure_ in {"count", "distinct"}:
        one, other = _number(theirs), _number(ours)
        return one is not None and other is not None and abs(one - other) <= spare
    return bool(spare) or _plain(field_, theirs) == _plain(field_, ours)


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return None


_MIDNIGHT = re.compile(r"[ T]00:00(:00(\.0+)?)?$")
_FRACTION = re.compile(r"\.(\d*?)0*$")


def _plain(field_: Field, text: str) -> object:
    """A value as text in the one form in which both sides' texts meet."""
    if field_.type.kind in _NUMBERS:
        number = _number(text)
        return text if number is None else number
    found = text.strip().replace("T", " ")
    if field_.type.kind is FieldKind.DATE:
        return _MIDNIGHT.sub("", found)
    found = found if " " in found else f"{found} 00:00:00"
    return _FRACTION.sub(lambda m: f".{m[1]}" if m[1] else "", found)


# --- of the whole: row by row ---


class Kind(StrEnum):
    """How a row differs: the table has it not, only the table has it, or both have it with different values."""

    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that differs. *key* is ``sha256`` of the reconciliation's salt and the key, not the key.

    *line* is the row's ordinal in the source object, 0 where it has none. *fields* are those in which values differ.
    """

    kind: Kind
    key: str
    line: int = 0
    fields: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return {"kind": self.kind.value, "key": self.key, "line": self.line, "fields": list(self.fields)}


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a full comparison found. *source_rows* were read, of which *rejected* break the contract.

    ``missing + extra + changed`` rows differ; *differences* names at most `NAMED` of them. *report* is the file that
    says so too, *keys* the protected one (owner only) in which the keys themselves stand; both None where none differs.
    *buckets* is how many of `BUCKETS` had to be looked into.
    """

    resource: str
    snapshot_id: int | None
    source_rows: int
    table_rows: int
    missing: int
    extra: int
    changed: int
    rejected: int
    buckets: int
    seconds: float
    differences: tuple[Difference, ...] = ()
    report: Path | None = None
    keys: Path | None = None

    @property
    def equal(self) -> bool:
        """Whether table and source hold the same."""
        return not (self.missing or self.extra or self.changed)

    def text(self, lang: str) -> str:
        """The outcome in a sentence."""
        numbers = {n: f"{getattr(self, n):,}" for n in ("source_rows", "table_rows", "missing", "extra", "changed")}
        if self.equal:
            en, zh = "source and table hold the same {table_rows} rows", "来源与库表一致，共 {table_rows} 行"
        else:
            en = (
                "of {source_rows} rows of the source {missing} are missing in the table and {changed} differ; "
                "the table has {extra} that the source has not"
            )
            zh = "来源 {source_rows} 行，库表缺失 {missing} 行、不同 {changed} 行、多余 {extra} 行"
        return (zh if lang == "zh" else en).format(**numbers)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; what the report holds."""
        plain: dict[str, Any] = {
            n: getattr(self, n)
            for n in (
                *("resource", "snapshot_id", "source_rows", "table_rows", "missing", "extra", "changed", "rejected"),
                *("buckets", "seconds"),
            )
        }
        found = [difference.to_json() for difference in self.differences]
        return {
            **plain,
            "differences": found,
            "keys": str(self.keys or ""),
            "en": self.text("en"),
            "zh": self.text("zh"),
        }


def full(
    house: Warehouse,
    resource: InformationResource,
    staged: StagedBatch,
    into: Path,
    *,
    without: Collection[str] = (),
    salt: bytes | None = None,
) -> Reconciliation:
    """Compare *staged*, a whole read of the source, with the table as it is now; *into* is a folder for the work.

    A row that breaks the contract is neither missing nor, while the table keeps an earlier version of it, extra. The
    report lies below ``reconciliations`` in the house's root, and beside it the protected file. *salt* (None: a new
    one) makes the digests of keys useless to who has not the protected file. *without* are fields that are not
    compared: marks of reading, which no source holds.

    Raises:
        TableMissingError
        StagedFileDamagedError: the staged file is not the one described.
        ContractInvalidError: a rule of the list cannot be applied.
        StorageFullError, StorageUnavailableError, CatalogueUnavailableError
    """
    begun = time.monotonic()
    table = tables.load(house._catalog, resource.code)  # noqa: SLF001 - the house's own room
    snapshot_id = table.metadata.current_snapshot_id
    files = tables.files_of(table, resource.code, snapshot_id)
    with sql.full_storage(resource.code, into), house._session(into) as con:  # noqa: SLF001 - as above
        # 1. Only what the contract takes can be in the table, and only in its types can the two sides be compared.
        beyond = rules.row_rules(resource, house._rows_of)  # noqa: SLF001 - as above
        try:
            checked = checks.check(con, resource, table.schema(), staged, into, now=datetime.now(UTC), rules=beyond)
        except ErrorBudgetExceededError as error:
            checked = error.checked
        # 2. Buckets, then rows.
        compare.hold_keys(con, resource, checked)
        key = sql.names([f.name for f in resource.key])
        have = {f.name for f in table.schema().fields}
        fields = [f.name for f in resource.fields if not f.key and f.name in have and f.name not in without]
        good, kept = checks.good_rows(checked), reading.read_files(table.schema(), files, live=True)
        compared = Comparison.of(con, good, kept, key=[f.name for f in resource.key], values=fields)
        # 3. What a rejected row stands for.
        con.execute(f"DELETE FROM differs WHERE _kind = 'extra' AND ({key}) IN (SELECT ({key}) FROM held)")
        # 4. Which rows they are, and where the source has them.
        counts = {
            str(k): int(n) for k, n in con.execute("SELECT _kind, count(*) FROM differs GROUP BY _kind").fetchall()
        }
        rows = list(_named(con, resource, staged, source=good, table=kept, values=fields)) if counts else []
        salt = salt or secrets.token_bytes(_SALT_BYTES)
        found = Reconciliation(
            resource=resource.code,
            snapshot_id=snapshot_id,
            source_rows=staged.rows,
            table_rows=compared.table_rows,
            missing=counts.get(Kind.MISSING, 0),
            extra=counts.get(Kind.EXTRA, 0),
            changed=counts.get(Kind.CHANGED, 0),
            rejected=checked.rejected_rows,
            buckets=compared.buckets,
            seconds=round(time.monotonic() - begun, 3),
            differences=tuple(Difference(kind, digest_of(salt, keys), line, names) for kind, keys, line, names in rows),
        )
        return found if found.equal else _write(con, house.root, found, salt)


def digest_of(salt: bytes, key: Sequence[Any]) -> str:
    """The salted digest by which a report names a key: hex SHA-256 over the salt and the key's values as JSON text."""
    plain = json.dumps([str(value) for value in key], ensure_ascii=False)
    return hashlib.sha256(salt + plain.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many rows both sides have, and in how many buckets they differ."""

    source_rows: int
    table_rows: int
    buckets: int

    @classmethod
    def of(
        cls,
        con: duckdb.DuckDBPyConnection,
        source: str,
        table: str,
        *,
        key: Sequence[str],
        values: Sequence[str],
        buckets: int = BUCKETS,
    ) -> Comparison:
        """Compare two FROM items whose columns *key* and *values* have the same types; no key stands twice in either.

        Leaves ``differs(key…, _kind)`` in *con*, one row for each that differs. That two different rows, or sets of
        rows, are taken for the same has a probability of about 2^-64 for each bucket and row.
        """
        keys = sql.names(key)
        bucket = f"CAST(hash({keys}) % {buckets} AS INTEGER)"
        # A row's hash goes by all its values, each with its place.
        whole = f"hash({sql.names([*key, *values])})"
        for name, item in (("source_sums", source), ("table_sums", table)):
            con.execute(
                f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {bucket} AS bucket, count(*) AS n, "
                f"bit_xor({whole}) AS x, sum(CAST({whole} AS HUGEINT)) AS s FROM {item} GROUP BY ALL"
            )
        con.execute(
            "CREATE OR REPLACE TEMP TABLE suspect AS SELECT bucket FROM source_sums s FULL JOIN table_sums t "
            "USING (bucket) WHERE (s.n, s.x, s.s) IS DISTINCT FROM (t.n, t.x, t.s)"
        )
        suspects = sql.scalar(con, "SELECT count(*) FROM suspect")
        columns = f"{keys}, {whole} AS _content"
        among = f"WHERE {bucket} IN (SELECT bucket FROM suspect)" if suspects else "WHERE false"
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE differs AS SELECT {keys}, "
            f"CASE WHEN t._content IS NULL THEN '{Kind.MISSING}' WHEN s._content IS NULL THEN '{Kind.EXTRA}' "
            f"ELSE '{Kind.CHANGED}' END AS _kind "
            f"FROM (SELECT {columns} FROM {source} {among}) s FULL JOIN (SELECT {columns} FROM {table} {among}) t "
            f"USING ({keys}) WHERE s._content IS DISTINCT FROM t._content"
        )
        read, held = (sql.scalar(con, f"SELECT sum(n) FROM {name}") for name in ("source_sums", "table_sums"))
        return cls(read, held, suspects)


def _named(
    con: duckdb.DuckDBPyConnection,
    resource: InformationResource,
    staged: StagedBatch,
    *,
    source: str,
    table: str,
    values: Sequence[str],
) -> Iterator[tuple[Kind, tuple[Any, ...], int, tuple[str, ...]]]:
    """(kind, key, line, names of fields) of the differences, as many as are named; also as the table ``named``."""
    key = [f.name for f in resource.key]
    keys = sql.names(key)
    con.execute(f"CREATE OR REPLACE TEMP TABLE shown AS SELECT * FROM differs ORDER BY _kind, {keys} LIMIT {NAMED}")
    # Of texts each side may hold several million characters; only the names of the fields leave the engine.
    each = ", ".join(
        f"CASE WHEN s.{sql.name(v)} IS DISTINCT FROM t.{sql.name(v)} THEN {sql.text(v)} END" for v in values
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE apart AS SELECT {keys}, "
        f"list_filter([{each or 'NULL'}], lambda v: v IS NOT NULL) AS _fields "
        f"FROM (SELECT * FROM {source} SEMI JOIN (FROM shown WHERE _kind = 'changed') USING ({keys})) s "
        f"JOIN (SELECT * FROM {table} SEMI JOIN (FROM shown WHERE _kind = 'changed') USING ({keys})) t USING ({keys})"
    )
    files = list(staged.files())
    described = con.execute("DESCRIBE FROM read_parquet(?)", [str(files[0])]).fetchall()
    landed = {str(row[0]): str(row[1]) for row in described}
    checks.land(con, files, tuple(landed))
    contract = Contract.over(resource, landed)
    typed = ", ".join(f"{v} AS {sql.name(k)}" for v, k in zip(checks.key_columns(contract), key, strict=True))
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE lines AS SELECT {keys}, max(_line) AS _line FROM "
        f"(SELECT _line, {typed} FROM ({checks.judged_query(contract)})) "
        f"SEMI JOIN (FROM shown WHERE _kind <> 'extra') USING ({keys}) GROUP BY ALL"
    )
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE named AS SELECT {keys}, _kind, CAST(coalesce(_line, 0) AS BIGINT) AS _line, "
        f"coalesce(_fields, CAST([] AS VARCHAR[])) AS _fields FROM shown LEFT JOIN apart USING ({keys}) "
        f"LEFT JOIN lines USING ({keys}) ORDER BY _kind, {keys}"
    )
    text = ", ".join(f"CAST({sql.name(k)} AS VARCHAR)" for k in key)
    for kind, line, fields, *found in con.execute(f"SELECT _kind, _line, _fields, {text} FROM named").fetchall():
        yield Kind(kind), tuple(found), int(line), tuple(fields)


def _write(con: duckdb.DuckDBPyConnection, root: Path, found: Reconciliation, salt: bytes) -> Reconciliation:
    """Write the report and the protected file, for nobody but the owner to read."""
    folder = root / "reconciliations" / table_name(found.resource)
    folder.mkdir(parents=True, exist_ok=True)
    # Before the first byte is in it.
    folder.chmod(_OWNER_ENTERS)
    stem = f"{found.snapshot_id or 0}-{secrets.token_hex(6)}"
    keys, report = folder / f"{stem}.keys.parquet", folder / f"{stem}.json"
    made = Reconciliation(**{**{n: getattr(found, n) for n in found.__slots__}, "report": report, "keys": keys})
    sql.write_parquet(con, "FROM named", keys, options=f"KV_METADATA {{salt: '{salt.hex()}'}}")
    part = report.with_suffix(".tmp")
    part.write_text(json.dumps(made.to_json(), ensure_ascii=False, indent=1), encoding="utf-8")
    sql.sync_file(part)
    part.replace(report)
    for path in (keys, report):
        path.chmod(_OWNER_READS)
    sql.sync_folder(folder)
    return made


def accounted(checked: Checked) -> dict[str, Any]:
    """What `compare_measures` needs of a check: rows read, rejected, superseded, normalised."""
    return {
        "read": checked.read,
        "rejected": checked.rejected_rows,
        "superseded": checked.superseded,
        "normalised": dict(checked.normalised),
    }
