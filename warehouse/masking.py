"""Masks and row rules over whole tables, as SQL: what `catalog.masks.apply` and `catalog.rows.row_test` say of a value.

What may be shown to whom is decided by `catalog.decide`, before; orders, manifests and files handed out are `hub`'s.

A value that no mask touches keeps its type, times cut to whole seconds as in every answer. A field that is masked, be
it in some rows only, is text. Keyed hashes are made in SQL too (HMAC, RFC 2104 §2): one by one in Python they took half
as long again, and held up every other thread of the process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Any, Final

from pyiceberg.types import StringType, TimestampType

from catalog import masks, rows
from catalog.model import FieldKind, Mask
from catalog.rows import RowOp
from warehouse import sql
from warehouse.reading import read_files
from warehouse.scan import fields_of
from warehouse.schema import MAX_PRECISION
from warehouse.wire import wire_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import duckdb
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

    from catalog.access import Scope
    from catalog.model import Field, InformationResource
    from catalog.rows import RowRule
    from warehouse.table import FileOfRows

PARQUET, CSV, CSV_GZ = "parquet", "csv", "csv.gz"
FORMS: Final = (PARQUET, CSV, CSV_GZ)
ROWS_PER_PART: Final = 1_000_000  # some 50 MB of Parquet: what is lost when a run is killed takes a second to make anew
_BLOCK_BYTES: Final = 64  # of SHA-256, FIPS 180-4 §1
_MARK: Final = "\ufeff"  # without it spreadsheets take UTF-8 for the local encoding

# What `catalog.masks` goes by, taken from there: two lists of one thing would drift apart.
_SPACE: Final = "".join(chr(c) for c in range(0x3001) if chr(c).isspace())
_COMPOUNDS: Final = masks._COMPOUND_SURNAMES.pattern  # noqa: SLF001 - see above
_FIRSTS: Final = "".join(name[0] for name in _COMPOUNDS.split("|"))
# The surname, where something follows it but space: a compound one, else one character.
_SURNAME: Final = f"^[{_SPACE}]*({_COMPOUNDS}|[^{_SPACE}])[{_SPACE}]*[^{_SPACE}]"
# The pattern of `catalog.masks` without looking behind, which RE2 cannot: what stands before 区 or 市 is spelt out.
_BETWEEN: Final = "省市区县旗路街巷道镇乡村号弄组栋幢室0-9０-９"
_NO_DISTRICT, _NO_CITY = "小社校厂园景院片街宅", "超门夜菜"
_COUNTY: Final = (
    "^([^市区县旗路街巷道镇乡村号]{2,8}?(?:省|自治区|特别行政区))?"
    "([^省市区县旗路街巷道村号]{2,10}?(?:市|自治州|地区|盟))?"
    rf"([^\n{_NO_DISTRICT}]区|[^\n]县|[^\n]旗|[^\n{_NO_CITY}]市"
    rf"|[^\n][^{_BETWEEN}]{{0,11}}?(?:[^{_BETWEEN}{_NO_DISTRICT}]区|[^{_BETWEEN}]县|[^{_BETWEEN}]旗"
    rf"|[^{_BETWEEN}{_NO_CITY}]市))?"
)
# What a spreadsheet would run; `catalog.csvfile` guards its tables alike. A tab or line end may stand before it.
_RUN: Final = r"^'*[=+\-@＝＋－＠\t\r\n]"
_GUARD: Final = "'"
_MAY_RUN: Final = "'=+-@＝＋－＠\t\r\n"


@dataclass(frozen=True, slots=True)
class Selection:
    """What is shown of a table: *fields* in order, in the rows and with the masks of *scopes*, one at least.

    Rights add up as in `catalog.decide.row_view`. *rules* narrow further; one holds only in rows in which the scopes
    show its field as it is, so that nobody learns by asking what is masked.
    """

    resource: InformationResource
    fields: tuple[str, ...]
    scopes: tuple[Scope, ...]
    rules: tuple[RowRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is written: its *type* (a field type of the list, or ``text`` where masked), and its masks."""

    name: str
    type: str
    masks: tuple[Mask, ...]


def masked(mask: Mask, text: str) -> str:  # noqa: PLR0911 - one way out for each mask
    """The SQL expression of what *mask* shows of *text*, an expression for the wire value as text; see `masks.apply`.

    ``hash`` needs a session on which `set_key` was called.
    """
    match mask:
        case Mask.NONE:
            return text
        case Mask.NULL:
            return "CAST(NULL AS VARCHAR)"
        case Mask.HASH:
            inner = f"unhex(sha256(CAST(getvariable('inner_pad') AS BLOB) || encode({text})))"
            return f"sha256(CAST(getvariable('outer_pad') AS BLOB) || {inner})"
        case Mask.KEEP_LAST_4:
            return _shown(f"length({text}) >= 8", f"repeat('*', length({text}) - 4) || right({text}, 4)", text)
        case Mask.KEEP_FIRST_4:
            return _shown(f"length({text}) >= 8", f"left({text}, 4) || repeat('*', length({text}) - 4)", text)
        case Mask.CITIZEN_ID:
            return _shown(
                f"length({text}) = 18", f"substring({text}, 1, 6) || '********' || substring({text}, 15, 4)", text
            )
        case Mask.YEAR:
            form = "([0-9]{4})-?[0-9]{2}(?:-?[0-9]{2})?(?:[T ].*)?"
            return _shown(f"regexp_full_match({text}, {sql.text(form)}, 's')", f"left({text}, 4)", text)
        case Mask.SURNAME:
            kept = f"regexp_extract({text}, {sql.text(_SURNAME)}, 1)"
            # Few names begin with a space or like a compound surname: for the others two characters tell.
            doubtful = (
                f"unicode({text}) IN ({_points(_SPACE + _FIRSTS)}) OR unicode({text}[2]) IN (-1, {_points(_SPACE)})"
            )
            found = f"coalesce(nullif({kept}, '') || '**', '{masks.REDACTED}')"
            return f"CASE WHEN {doubtful} THEN {found} ELSE {text}[1] || '**' END"
        case Mask.COUNTY:
            # Hardly any address begins with space, and to take it off costs twice what finding the county does.
            spaced = f"unicode({text}) IN ({_points(_SPACE)})"
            stripped = f"CASE WHEN {spaced} THEN ltrim({text}, {sql.text(_SPACE)}) ELSE {text} END"
            return f"regexp_extract({stripped}, {sql.text(_COUNTY)}) || '{masks.REDACTED}'"
        case Mask.REDACT:
            return _shown("false", "''", text)


def _points(characters: str) -> str:
    """*characters* as code points: compared as numbers, which costs a fifth of comparing texts."""
    return ", ".join(str(ord(character)) for character in dict.fromkeys(characters))


def _shown(condition: str, shown: str, text: str) -> str:
    return f"CASE WHEN {text} IS NULL THEN NULL WHEN {condition} THEN {shown} ELSE '{masks.REDACTED}' END"


def set_key(con: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Let ``hash`` masks of the session *con* use *key*. It stands in no statement, and so in no message of an error.

    Raises:
        ValueError: it is shorter than 16 bytes, or longer than a block of 64.
    """
    if not 16 <= len(key) <= _BLOCK_BYTES:  # noqa: PLR2004 - as in `masks.apply`
        raise ValueError("the key of a hash mask must hold 16 to 64 bytes")
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    for name, value in (("inner_pad", 0x36), ("outer_pad", 0x5C)):
        con.execute(f"SET VARIABLE {name} = CAST(? AS BLOB)", [bytes(byte ^ value for byte in padded)])


# --- row rules ---------------------------------------------------------------------------------------------------


def holding(rules: Iterable[RowRule], resource: InformationResource) -> str:
    """The condition under which every one of *rules* holds, never NULL; as `catalog.rows.row_test`."""
    parts = [f"coalesce({_condition(rule, resource)}, false)" for rule in rules]
    return f"({' AND '.join(parts)})" if parts else "true"


def _condition(rule: RowRule, resource: InformationResource) -> str:
    field = resource.field(rule.field)
    if field is None or rule.op not in rows._fitting(field.type.kind):  # noqa: SLF001 - the test there asks the same
        return "false"
    column = sql.name(field.name)
    if rule.op is RowOp.PREFIX:
        region = field.name == resource.region_field
        wanted = [rows._region_prefix(v) if region else v for v in rule.values]  # noqa: SLF001 - as above
        text = column if field.type.kind is FieldKind.STRING else f"CAST({column} AS VARCHAR)"
        return _any(f"starts_with({text}, {_literal(prefix)})" for prefix in wanted if prefix)
    read = rows._READERS[field.type.kind]  # noqa: SLF001 - as above
    return _any(_compared(column, rule.op, field, value) for value in map(read, rule.values) if value is not None)


def _any(conditions: Iterable[str]) -> str:
    return f"({' OR '.join(conditions) or 'false'})"


_SIGNS: Final = {RowOp.IN: "=", RowOp.AT_LEAST: ">=", RowOp.AT_MOST: "<="}


def _compared(column: str, op: RowOp, field: Field, value: Any) -> str:  # noqa: ANN401 - what the field's reader gives
    sign = _SIGNS[op]
    match field.type.kind:
        case FieldKind.STRING:
            return f"{column} {sign} {_literal(value)}"
        case FieldKind.BOOLEAN:
            return f"{column} {sign} {str(value).lower()}"
        case FieldKind.INTEGER:
            return _numbered(column, op, Decimal(value), 0, "BIGINT", least=-(2**63), most=2**63 - 1)
        case FieldKind.DECIMAL:
            precision, scale = field.type.length or MAX_PRECISION, field.type.scale
            most = 10**precision - 1
            return _numbered(column, op, value, scale, f"DECIMAL({precision},{scale})", least=-most, most=most)
        case FieldKind.DATE:
            return f"{column} {sign} DATE {sql.text(value)}"
        case FieldKind.DATETIME:
            # A day stands for the whole of it.
            whole = "T" not in value
            cut = f"CAST({column} AS DATE)" if whole else f"date_trunc('second', {column})"
            return f"{cut} {sign} {'DATE' if whole else 'TIMESTAMP'} {sql.text(value)}"


def _numbered(column: str, op: RowOp, value: Decimal, scale: int, type_: str, *, least: int, most: int) -> str:
    """*column* compared with a number that its type need not hold: as many digits and places as people write."""
    with localcontext(prec=200):
        exact = value.scaleb(scale)
        unit = math.ceil(exact) if op is RowOp.AT_LEAST else math.floor(exact)
        if op is RowOp.IN and exact != unit:
            return "false"
        if op is RowOp.IN and not least <= unit <= most:
            return "false"
        if op is RowOp.AT_LEAST:
            if unit > most:
                return "false"
            unit = max(unit, least)
        if op is RowOp.AT_MOST:
            if unit < least:
                return "false"
            unit = min(unit, most)
        literal = format(Decimal(unit).scaleb(-scale), "f")
    return f"{column} {_SIGNS[op]} CAST('{literal}' AS {type_})"


def _literal(value: str) -> str:
    # The parser would end the statement at a NUL.
    return "(" + sql.text(value).replace("\0", "' || chr(0) || '") + ")"


# --- what is written ---------------------------------------------------------------------------------------------


class Masked:
    """The rows of a snapshot as a *selection* shows them, to be counted, and written part by part.

    The parts are whole data files in one fixed order: the same snapshot has the same parts, whoever makes them when.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        schema: Schema,
        files: Sequence[FileOfRows],
        selection: Selection,
        *,
        key: bytes,
        rows_per_part: int = ROWS_PER_PART,
    ) -> None:
        self._con = con
        self._schema = schema
        self._selection = selection
        self._files = sorted(files, key=lambda file: file.location)
        code = selection.resource.code
        self._fields = fields_of(schema, code, selection.fields)
        ruled = {r.field for r in (*selection.rules, *(r for s in selection.scopes for r in s.rows))}
        # A rule about a field that the list has and the table has not would be a fault of the statement.
        fields_of(schema, code, [name for name in ruled if selection.resource.field(name) is not None])
        self.parts = _grouped(self._files, rows_per_part)
        set_key(con, key)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns, in order."""
        kinds = {f.name: str(f.type) for f in self._selection.resource.fields}
        found = []
        for field in self._fields:
            own = tuple(sorted(set(self._by_mask(field.name)), key=masks.RANK.__getitem__))
            found.append(Column(field.name, kinds.get(field.name, "text") if own == (Mask.NONE,) else "text", own))
        return tuple(found)

    def count(self) -> int:
        """How many rows the selection shows; asked of the whole table at once, not of its parts."""
        if self._condition() == "true":
            return sum(file.rows for file in self._files)
        return sql.scalar(self._con, f"SELECT count(*) {self._from(self._files)}")

    def write(self, part: int, path: Path, form: str) -> int:
        """Write part number *part* (from 0) to *path*, durable on return; how many rows it has.

        Whatever lies at *path* is replaced. A crash leaves a file that nobody may take for whole.
        """
        query = self._query(self.parts[part], form)
        options = sql.ZSTD if form == PARQUET else "FORMAT csv, HEADER, DELIMITER ','"
        if form == CSV_GZ:
            options += ", COMPRESSION gzip"
        path.unlink(missing_ok=True)
        written = sql.scalar(self._con, f"COPY ({query}) TO {sql.text(str(path))} ({options})")
        sql.sync_file(path)
        return written

    def _query(self, files: Sequence[FileOfRows], form: str) -> str:
        shown, cells = [], []
        for position, field in enumerate(self._fields):
            given = self._by_mask(field.name)
            name = sql.name(field.name)
            shown.append(f"{self._case(field, given, plain=form == PARQUET)} AS {name}")
            # A number is none that a spreadsheet could run, even with a sign before it.
            text = given.keys() != {Mask.NONE} or isinstance(field.field_type, StringType)
            mark = _MARK if position == 0 else ""
            cells.append(f"{guarded(name) if text else name} AS {sql.name(mark + field.name)}")
        query = f"SELECT {', '.join(shown)} {self._from(files)}"
        return query if form == PARQUET else f"SELECT {', '.join(cells)} FROM ({query})"

    def _case(self, field: NestedField, given: Mapping[Mask, Sequence[str]], *, plain: bool) -> str:
        """What a row shows of *field*: by the least of the masks that its scopes give, nothing where none gives it."""
        if given.keys() == {Mask.NONE}:
            values = {Mask.NONE: _whole(field) if plain else wire(field)}
        else:
            text = wire(field) if isinstance(field.field_type, StringType) else f"CAST({wire(field)} AS VARCHAR)"
            values = {mask: masked(mask, text) for mask in given}
        cases: list[str] = []
        for mask in sorted(given, key=masks.RANK.__getitem__):
            if "true" in given[mask]:
                return f"CASE {' '.join(cases)} ELSE {values[mask]} END" if cases else values[mask]
            cases.append(f"WHEN {_any(given[mask])} THEN {values[mask]}")
        return f"CASE {' '.join(cases)} END"

    def _by_mask(self, name: str) -> Mapping[Mask, list[str]]:
        """For each mask of the field the conditions under which a scope gives it so."""
        found: dict[Mask, list[str]] = {}
        for number, scope in enumerate(self._selection.scopes):
            mask = dict(scope.masks).get(name)
            if mask is not None:
                found.setdefault(mask, []).append(self._scope(number))
        return found

    def _scope(self, number: int) -> str:
        return f"_scope_{number}" if self._selection.scopes[number].rows else "true"

    def _condition(self) -> str:
        shown = set(self._selection.fields)
        given = [self._scope(n) for n, s in enumerate(self._selection.scopes) if shown & dict(s.masks).keys()]
        parts = [] if "true" in given else [_any(given)]
        for rule in self._selection.rules:
            open_ = self._by_mask(rule.field).get(Mask.NONE, [])
            parts += [holding([rule], self._selection.resource), *([] if "true" in open_ else [_any(open_)])]
        return " AND ".join(parts) or "true"

    def _from(self, files: Sequence[FileOfRows]) -> str:
        read = read_files(self._schema, files, live=True)
        scopes = [
            f"{holding(scope.rows, self._selection.resource)} AS _scope_{number}"
            for number, scope in enumerate(self._selection.scopes)
            if scope.rows
        ]
        source = f"(SELECT *, {', '.join(scopes)} FROM {read})" if scopes else read
        return f"FROM {source} WHERE {self._condition()}"


def wire(field: NestedField) -> str:
    """The expression for the wire value of a column."""
    return wire_column(field).removesuffix(f" AS {sql.name(field.name)}")


def _whole(field: NestedField) -> str:
    """A value as it is, but for what answers do not have: parts of a second."""
    column = sql.name(field.name)
    return f"date_trunc('second', {column})" if isinstance(field.field_type, TimestampType) else column


def guarded(text: str) -> str:
    """The text expression *text* with an apostrophe before what a spreadsheet would run, or had one already."""
    first = ", ".join(sql.text(character) for character in _MAY_RUN)
    return (
        f"CASE WHEN left({text}, 1) IN ({first}) AND regexp_matches({text}, {sql.text(_RUN)}) "
        f"THEN {sql.text(_GUARD)} || {text} ELSE {text} END"
    )


def _grouped(files: Sequence[FileOfRows], rows_at_least: int) -> tuple[tuple[FileOfRows, ...], ...]:
    groups: list[list[FileOfRows]] = []
    reached = rows_at_least
    for file in files:
        if reached >= rows_at_least:
            groups.append([])
            reached = 0
        groups[-1].append(file)
        reached += file.records
    return tuple(map(tuple, groups))
