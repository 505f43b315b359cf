"""What all SQL kinds share: matching columns, the range of a read, measures, keyset chunks, landing types.

Leaves how a database is reached, and what its SQL and its types are like, to each kind (`Dialect`). Everything here is
asked through one function, which runs a query in the snapshot of the read and answers its only row as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from connectors import options as opt
from connectors.errors import ConnectorSettingsError, SourceIncompleteError
from connectors.headings import match
from connectors.parts import ROWS_PER_PART
from connectors.protocol import Batch, Measures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from connectors.parts import Landed
    from connectors.protocol import Column, ReadRequest

    Ask: TypeAlias = Callable[[str], tuple[str | None, ...] | None]

Kind: TypeAlias = Literal["integer", "decimal", "boolean", "date", "timestamp", "moment", "text", "uuid", "other"]
"""What a source type is like: ``timestamp`` has no time zone and at most microseconds, ``moment`` has a zone, ``text``
holds any text as it is; ``other`` is only ever read as the text that the server makes of it."""

# Digits that a whole number of 64 bits may have; a decimal with fewer fits into it.
BIGINT_DIGITS = 19
TIMES: frozenset[Kind] = frozenset({"date", "timestamp", "moment"})
NUMBERS: frozenset[Kind] = frozenset({"integer", "decimal"})
# Types whose text, put back as a literal, is the same value, and whose order is total: a chunk may end at any of them.
ORDERABLE: frozenset[Kind] = NUMBERS | TIMES | {"text", "uuid"}
STATEMENT_TIMEOUT_S = 3600
CONNECT_TIMEOUT_S = 15
# Who looks at the source's list of sessions should see whom to call.
APPLICATION_NAME = "zhengtong"

_DURATION = re.compile(r"(?P<number>[0-9]{1,12})(?P<unit>[smhd]?)")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DECIMAL = re.compile(r"DECIMAL\((?P<precision>[0-9]+),\s*(?P<scale>[0-9]+)\)")


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column as the source has it: *declared* in its own words, *kind* in ours; *digits* and *scale* of numbers."""

    name: str
    declared: str
    kind: Kind
    digits: int = 0
    scale: int = 0
    nullable: bool = True


class Dialect(Protocol):
    """The words in which databases differ. SQL goes in and comes out; identifiers and literals are quoted here only."""

    def name(self, identifier: str) -> str:
        """*identifier* quoted."""

    def literal(self, value: str, column: SourceColumn) -> str:
        """*value* as a value of *column*'s type that an index on it can be searched with."""

    def text(self, expression: str, column: SourceColumn) -> str:
        """*expression*, of *column*'s type, as the text it lands as."""

    def less(self, value: str, column: SourceColumn, amount: int) -> str:
        """The literal *value* less *amount*: seconds for a time (whole days for a date, rounded up), else a number."""

    def clock(self, column: SourceColumn, delay_s: int) -> str:
        """The server's own clock less *delay_s*, in the type of *column*."""

    def placeless(self, column: SourceColumn) -> Sequence[str]:
        """Conditions on *column* that hold for values without a place in any range, NULL apart (infinity, "")."""

    def ordered(self, column: SourceColumn) -> str:
        """*column* such that its least and greatest are those that a comparison of the landed text by bytes finds."""

    def after(self, columns: Sequence[SourceColumn], values: Sequence[str], *, equal: bool) -> str:
        """The rows that come after *values* in the order of *columns*; with *equal*, those that do not.

        Both together are all rows: ``(a, b) > (x, y)`` and ``(a, b) <= (x, y)``.
        """


class Plain:
    """A dialect near the standard, to build others on."""

    def name(self, identifier: str) -> str:
        """*identifier* in double quotes."""
        return '"' + identifier.replace('"', '""') + '"'

    def string(self, value: str) -> str:
        """*value* as a string literal of the standard."""
        return "'" + value.replace("'", "''") + "'"

    def literal(self, value: str, column: SourceColumn) -> str:
        """A number as it is, all else as a string, which the server takes in the type it is compared with."""
        if column.kind in NUMBERS and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            return value
        return self.string(value)

    def placeless(self, column: SourceColumn) -> Sequence[str]:
        """An empty text, as NULL, says that there is no value."""
        return (f"{self.name(column.name)} = ''",) if column.kind == "text" else ()

    def ordered(self, column: SourceColumn) -> str:
        """The column as it is."""
        return self.name(column.name)

    def after(self, columns: Sequence[SourceColumn], values: Sequence[str], *, equal: bool) -> str:
        """A comparison of rows, which databases that know it answer from the index of the key."""
        names = ", ".join(self.name(column.name) for column in columns)
        given = ", ".join(self.literal(value, column) for column, value in zip(columns, values, strict=True))
        return f"({names}) {'<=' if equal else '>'} ({given})"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A column wanted, where the source has it (or not), and the DuckDB type it lands in."""

    column: Column
    source: SourceColumn | None
    landed: str

    @property
    def field_id(self) -> int:
        """The field id that the landed column may bear; 0 where its type is not the table's."""
        return self.column.field_id if _spelt(self.landed) == _spelt(self.column.type) else 0


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns of a read, in order, and what `Batch` tells of them."""

    columns: tuple[Chosen, ...]
    renamed: tuple[tuple[str, str], ...]
    extra: tuple[str, ...]

    @property
    def absent(self) -> tuple[str, ...]:
        """The columns asked for that the source does not have."""
        return tuple(chosen.column.name for chosen in self.columns if chosen.source is None)

    @property
    def types(self) -> dict[str, str]:
        """The source's own types, by the names asked for."""
        return {chosen.column.name: chosen.source.declared for chosen in self.columns if chosen.source}

    @property
    def field_ids(self) -> dict[str, int]:
        """The columns that bear a field id."""
        return {chosen.column.name: chosen.field_id for chosen in self.columns if chosen.field_id}

    def has(self, name: str) -> bool:
        """Whether *name* was asked for."""
        return any(chosen.column.name == name for chosen in self.columns)

    def batch(self, into: Path, landed: Landed, measured: Measured) -> Batch:
        """What `Connector.read` answers."""
        return Batch(
            into,
            landed.sha256,
            landed.rows,
            measured.cursor,
            self.renamed,
            self.extra,
            self.absent,
            self.types,
            measured.measures,
        )

    def source(self, name: str) -> SourceColumn | None:
        """Where the column asked for as *name* comes from."""
        return next((chosen.source for chosen in self.columns if chosen.column.name == name), None)

    def as_text(self, names: frozenset[str]) -> Choice:
        """The same, with *names* landing as text: their values do not all fit into the type."""
        return Choice(
            tuple(Chosen(c.column, c.source, "VARCHAR") if c.column.name in names else c for c in self.columns),
            self.renamed,
            self.extra,
        )


def choose(request: ReadRequest, columns: Sequence[SourceColumn], where: str) -> Choice:
    """Match the columns that *request* asks for with those that the source has.

    Raises:
        SourceShapeError: a required column is missing, or two are named alike.
        ConnectorSettingsError: the cursor column is not requested.
    """
    if request.cursor_column and request.cursor_column not in {column.name for column in request.columns}:
        raise ConnectorSettingsError(
            problem="setting_invalid", where=request.resource, name="cursor_column", expected="one of the columns"
        )
    matching = match(request.columns, [column.name for column in columns], where)
    chosen = []
    for column, index in zip(request.columns, matching.indexes, strict=True):
        source = None if index is None else columns[index]
        chosen.append(Chosen(column, source, landed_type(column, source)))
    return Choice(tuple(chosen), matching.renamed, matching.extra)


def landed_type(column: Column, source: SourceColumn | None) -> str:
    """The DuckDB type in which *source* lands as *column*: the one asked for where every value fits, else VARCHAR."""
    asked = _spelt(column.type)
    if not asked or column.mask:
        return "VARCHAR"  # a mask makes text of anything
    if source is None:
        return column.type
    kind, fits = source.kind, False
    if kind in NUMBERS:
        whole = source.digits - source.scale
        if decimal := _DECIMAL.fullmatch(asked):
            scale = int(decimal["scale"])
            fits = source.digits > 0 and source.scale <= scale and whole <= int(decimal["precision"]) - scale
        elif asked == "BIGINT":
            fits = kind == "integer" or (source.scale == 0 and 0 < whole < BIGINT_DIGITS)
    else:
        fits = (kind, asked) in {("boolean", "BOOLEAN"), ("date", "DATE"), ("timestamp", "TIMESTAMP")}
    return column.type if fits else "VARCHAR"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The options that all SQL kinds know, read once."""

    open_range: bool
    lag: str
    until_clock: bool
    delay_s: int
    measure: str
    by_key: bool

    @classmethod
    def of(cls, options: Mapping[str, str], where: str) -> ReadOptions:
        """Those of *options*. Raises: ConnectorSettingsError."""
        lag, delay = options.get("lag", ""), options.get("delay", "")
        until_clock = opt.choice(options, "until", ("", "clock"), where) == "clock"
        if lag and not _DURATION.fullmatch(lag):
            _refuse("lag", "15m | 2h | 1d | 100", where)
        if delay and not (until_clock and re.fullmatch("[0-9]{1,12}[smhd]", delay)):
            _refuse("delay", "5m, until=clock", where)
        return cls(
            opt.choice(options, "range", ("closed", "open"), where) == "open",
            lag,
            until_clock,
            amount(delay)[0] if delay else 0,
            opt.choice(options, "measure", ("count", "none", "columns"), where),
            opt.choice(options, "chunk", ("auto", "key"), where) == "key",
        )


def amount(duration: str) -> tuple[int, bool]:
    """``15m`` as (900, True): seconds of time; ``100`` as (100, False): a plain number."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(duration)
    return int(found["number"]) * _UNIT_S.get(found["unit"], 1), bool(found["unit"])


@dataclass(frozen=True, slots=True)
class Range:
    """The rows of one read: *condition* ("" for all), and which of them have a place in the cursor's order."""

    condition: str
    placed: str
    cursor: SourceColumn | None

    def and_(self, *others: str) -> str:
        """The WHERE clause of the range and *others* together; "" where there is nothing to ask."""
        return where_clause(self.condition, *others)


def where_clause(*conditions: str) -> str:
    """All of *conditions* that say something, as a WHERE clause with a space before it."""
    said = [f"({condition})" for condition in conditions if condition]
    return f" WHERE {' AND '.join(said)}" if said else ""


def range_of(request: ReadRequest, choice: Choice, options: ReadOptions, dialect: Dialect, ask: Ask) -> Range:
    """Which rows *request* asks for. The clock, where it is the bound, is the server's, in the snapshot of *ask*.

    Rows without a place in the order (NULL, an empty text, infinity) belong to every range but a window: they are
    read each time rather than never.

    Raises:
        ConnectorSettingsError: the options do not fit the type of the cursor column.
    """
    cursor = choice.source(request.cursor_column) if request.cursor_column else None
    if cursor is None:
        return Range("", "", None)
    column = dialect.name(cursor.name)
    nowhere = [*([f"{column} IS NULL"] if cursor.nullable else []), *dialect.placeless(cursor)]
    placed = f"NOT ({' OR '.join(nowhere)})" if nowhere else ""
    if request.window is not None:
        first, last = request.window
        bounds = [f"{column} >= {dialect.literal(first, cursor)}"] if first else []
        bounds += [f"{column} <= {dialect.literal(last, cursor)}"] if last else []
        # A value without a place in the order lies in no window, were its end as open as may be.
        return Range(" AND ".join([*bounds, *([placed] if placed else [])]) or f"{column} IS NOT NULL", placed, cursor)
    bounds = []
    if request.cursor is not None:
        lower = dialect.literal(_lowered(request.cursor, cursor, options, dialect, ask), cursor)
        bounds.append(f"{column} {'>' if options.open_range else '>='} {lower}")
    if options.until_clock:
        if cursor.kind not in TIMES:
            _refuse("until", f"clock only for a time, not {cursor.declared}", request.resource)
        upper = ask(f"SELECT {dialect.text(dialect.clock(cursor, options.delay_s), cursor)}")
        bounds.append(f"{column} <= {dialect.literal((upper or ('',))[0] or '', cursor)}")
    if not bounds:
        return Range("", placed, cursor)
    return Range(" OR ".join([f"({' AND '.join(bounds)})", *nowhere]), placed, cursor)


def _lowered(value: str, cursor: SourceColumn, options: ReadOptions, dialect: Dialect, ask: Ask) -> str:
    """The cursor less the lag, as the server computes it."""
    if not options.lag:
        return value
    number, is_time = amount(options.lag)
    if is_time != (cursor.kind in TIMES) or cursor.kind not in TIMES | NUMBERS:
        _refuse("lag", f"a lag that fits {cursor.declared}", cursor.name)
    less = dialect.less(dialect.literal(value, cursor), cursor, number)
    row = ask(f"SELECT {dialect.text(less, cursor)}")
    return row[0] if row and row[0] is not None else value


@dataclass(frozen=True, slots=True)
class Measured:
    """What the source says of the rows of a range: *rows* is None where it was not asked to count.

    *cursor* is the greatest value with a place, not before the old cursor; *told* answers what else was asked.
    """

    rows: int | None
    cursor: str | None
    measures: Measures | None
    told: tuple[str | None, ...]


def measure(
    table: str,
    request: ReadRequest,
    choice: Choice,
    span: Range,
    *,
    options: ReadOptions,
    dialect: Dialect,
    ask: Ask,
    also: Sequence[str] = (),
) -> Measured:
    """Ask one query for all that is to be known of the rows of *span* in *table* (quoted SQL); *also*: more of it."""
    counted = options.measure != "none"
    selected = ["count(*)"] if counted else []
    if span.cursor is not None and request.window is None:
        greatest = f"max(CASE WHEN {span.placed} THEN {dialect.name(span.cursor.name)} END)"
        if not span.placed or not counted:
            # Alone in the query and without a CASE, an index answers it at once.
            greatest = f"max({dialect.name(span.cursor.name)})"
        if counted:
            selected.append(_not_before(greatest, request.cursor, span.cursor, dialect))
    keys = [key for key in request.key if choice.source(key)]
    names: list[tuple[str, str]] = []
    if options.measure == "columns":
        for chosen in choice.columns:
            for aggregate, expression in _aggregates(chosen, keys == [chosen.column.name], dialect):
                names.append((chosen.column.name, aggregate))
                selected.append(expression)
    selected += also
    row: tuple[str | None, ...] = ()
    if selected:
        row = ask(f"SELECT {', '.join(_unique(selected))} FROM {table}{span.and_()}") or ()
    values = iter(row)
    rows = int(next(values) or 0) if counted else None
    cursor = request.cursor
    if span.cursor is not None and request.window is None:
        if counted:
            found = next(values)
        else:
            last = _not_before(greatest, request.cursor, span.cursor, dialect)
            found = (ask(f"SELECT {last} FROM {table}{span.and_(span.placed)}") or (None,))[0]
        cursor = request.cursor if found is None else found
    columns: dict[str, dict[str, str]] = {}
    for (column, aggregate), value in zip(names, values, strict=False):
        if value is not None:
            columns.setdefault(column, {})[aggregate] = value
    measures = None if rows is None else Measures(rows, columns)
    cursor = cursor if span.cursor is not None and request.window is None else None
    return Measured(rows, cursor, measures, row[len(row) - len(also) :])


def _not_before(greatest: str, old: str | None, column: SourceColumn, dialect: Dialect) -> str:
    """The text of *greatest*, or NULL where it is not beyond the old cursor: a cursor never moves backwards."""
    shown = dialect.text(greatest, column)
    return shown if old is None else f"CASE WHEN {greatest} > {dialect.literal(old, column)} THEN {shown} END"


def _aggregates(chosen: Chosen, is_key: bool, dialect: Dialect) -> Iterator[tuple[str, str]]:  # noqa: FBT001
    """Those of one column that mean the same to the source and to whoever compares them with what was landed."""
    source = chosen.source
    if source is None:
        return
    column = dialect.name(source.name)
    if chosen.column.mask:
        # Its least and greatest are values as they stand, which must not come beyond the reader.
        yield "count", f"count({column})"
        return
    yield "count", f"count({column})"
    if source.kind in NUMBERS | TIMES | {"text"}:
        ordered = dialect.ordered(source)
        yield "min", dialect.text(f"min({ordered})", source)
        yield "max", dialect.text(f"max({ordered})", source)
    if source.kind in NUMBERS:
        yield "sum", dialect.text(f"sum({column})", source)
    if is_key:
        yield "distinct", f"count(DISTINCT {column})"


def _unique(expressions: Sequence[str]) -> list[str]:
    """The expressions, each with a name of its own: readers of results refuse two columns named alike."""
    return [f"{expression} AS m{number}" for number, expression in enumerate(expressions)]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a range: *condition* ("" for all of it), its *rows* where known, and the key it ends *at*."""

    condition: str
    rows: int | None = None
    at: tuple[str, ...] | None = None


def keyset(
    table: str,
    key: Sequence[SourceColumn],
    span: Range,
    dialect: Dialect,
    ask: Ask,
    *,
    after: Sequence[str] | None = None,
    rows: int = ROWS_PER_PART,
) -> Iterator[Chunk]:
    """Cut *span* into chunks of *rows* rows along *key*, which is unique and never NULL, beginning behind *after*.

    A chunk ends at a key, not at a place in the file: rows move about in a table, and a later snapshot has them
    elsewhere, but their keys are the same. So a read that was cut off goes on behind the last key it landed.
    """
    names = [dialect.name(column.name) for column in key]
    shown = ", ".join(_unique([dialect.text(name, column) for name, column in zip(names, key, strict=True)]))
    while True:
        behind = "" if after is None else dialect.after(key, after, equal=False)
        query = f"SELECT {shown} FROM {table}{span.and_(behind)} ORDER BY {', '.join(names)}"
        row = ask(f"{query} LIMIT 1 OFFSET {rows - 1}")
        if row is None:
            yield Chunk(behind)
            return
        after = tuple(value or "" for value in row)
        upto = dialect.after(key, after, equal=True)
        yield Chunk(f"{behind} AND {upto}" if behind else upto, rows, after)


def sample(table: str, choice: Choice, span: Range, dialect: Dialect) -> str:
    """A query for the average bytes of each column found, as text, in the first rows of *span*."""
    found = [c.source for c in choice.columns if c.source]
    texts = _unique([dialect.text(dialect.name(column.name), column) for column in found])
    widths = _unique([f"avg(octet_length(m{number}))" for number in range(len(found))])
    return f"SELECT {', '.join(widths)} FROM (SELECT {', '.join(texts)} FROM {table}{span.and_()} LIMIT 1000) AS s"


def check_rows(expected: int | None, found: int, where: str) -> None:
    """Raise when the source counted another number of rows in the same snapshot than it delivered.

    Raises:
        SourceIncompleteError: it did.
    """
    if expected is not None and expected != found:
        raise SourceIncompleteError(problem="rows_missing", where=where, total=expected, found=found)


def _spelt(kind: str) -> str:
    return kind.upper().replace(" ", "")


def _refuse(name: str, expected: str, where: str) -> None:
    raise ConnectorSettingsError(problem="setting_invalid", where=where, name=name, expected=expected)
