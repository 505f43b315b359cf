"""The contract of a resource as DuckDB expressions: what is wrong with a field of a row, if anything.

Running it over a batch is `warehouse.checks`. Expressions stand over two columns for each field *i*: ``__t{i}``, the
normalised text, and ``__v{i}``, the typed value. A column that landed in its field's own type is its value as it is;
every other is read through its text.

There are two ways to the two columns. The long one (`normalised_columns`, `typed_columns`) is right for every row. The
quick one (`quick_columns`) is right for rows that `doubts` finds nothing about, which keep every rule and need no
normalising; nearly all rows are such, and the long way is gone with the others only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from catalog.identifiers import USCC_ALPHABET
from catalog.model import Check, Disposition, FieldKind
from warehouse.errors import ContractInvalidError
from warehouse.normal import (
    FALSE_WORDS,
    TRUE_WORDS,
    at_once,
    fixed_form,
    iso_date,
    iso_datetime,
    normalised,
    on_calendar,
    tidy,
    trimmed,
    typed,
)
from warehouse.schema import field_type
from warehouse.sql import name, text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from catalog.model import Field, InformationResource

_ORG_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_UPSERTS = frozenset({Disposition.MERGE, Disposition.SCD2})
_TEXT = "VARCHAR"
# All of them have every value in BIGINT.
_WHOLE_NUMBERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"})


def citizen_id_holds(value: str) -> str:
    """GB 11643: 17 digits with a calendar date at 7–14, and the check character of ISO 7064 MOD 11-2.

    Arithmetic on one number rather than on 17 substrings: the digit of weight 2^k mod 11 is (n / 10^(k-1)) mod 10.
    """
    number = f"TRY_CAST(substr({value}, 1, 17) AS BIGINT)"
    total = " + ".join(f"({number} // {10**k} % 10) * {pow(2, k + 1, 11)}" for k in range(17))
    day = f"substr({value}, 7, 4) || '-' || substr({value}, 11, 2) || '-' || substr({value}, 13, 2)"
    return (
        f"({value} GLOB '{fixed_form('[0-9]{17}[0-9X]')[0]}' AND substr({value}, 7, 4) <> '0000' "
        f"AND TRY_CAST({day} AS DATE) IS NOT NULL "
        f"AND substr('10X98765432', CAST(({total}) % 11 AS INTEGER) + 1, 1) = substr({value}, 18, 1))"
    )


def uscc_holds(value: str) -> str:
    """GB 32100: its alphabet, a division of six digits, the GB 11714 code at 9–17, and the check character mod 31."""
    total = " + ".join(
        f"(strpos('{USCC_ALPHABET}', substr({value}, {i + 1}, 1)) - 1) * {pow(3, i, 31)}" for i in range(17)
    )
    organisation = " + ".join(
        f"(strpos('{_ORG_ALPHABET}', substr({value}, {i + 9}, 1)) - 1) * {w}" for i, w in enumerate(_ORG_WEIGHTS)
    )
    return (
        f"(regexp_full_match({value}, '[{USCC_ALPHABET}]{{2}}[0-9]{{6}}[{USCC_ALPHABET}]{{10}}') "
        f"AND substr('0123456789X0', CAST(12 - ({organisation}) % 11 AS INTEGER), 1) = substr({value}, 17, 1) "
        f"AND substr('{USCC_ALPHABET}', CAST((31 - ({total}) % 31) % 31 AS INTEGER) + 1, 1) = substr({value}, 18, 1))"
    )


@dataclass(frozen=True, slots=True)
class Contract:
    """The rules of *resource* over landed files that have the columns *landed*, with their DuckDB types."""

    resource: InformationResource
    landed: Mapping[str, str]

    @classmethod
    def over(cls, resource: InformationResource, landed: Collection[str] | Mapping[str, str]) -> Contract:
        """The contract over files with these columns: of these types, or all of text."""
        return cls(resource, dict(landed) if isinstance(landed, Mapping) else dict.fromkeys(landed, _TEXT))

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields in published order."""
        return self.resource.fields

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the key fields."""
        return tuple(f.name for f in self.resource.key)

    @property
    def newest_wins(self) -> bool:
        """Whether an older row gives way to a newer one of the same batch."""
        return self.resource.disposition in _UPSERTS and bool(self.resource.source.cursor_field)

    @property
    def marks_deletes(self) -> bool:
        """Whether rows may be marked deleted."""
        return self.resource.disposition in _UPSERTS and bool(self.resource.source.deleted_field)

    def raw(self, column: str) -> str:
        """The landed text of *column*; a column that the source does not have is empty throughout."""
        if column not in self.landed:
            return f"CAST(NULL AS {_TEXT})"
        return name(column) if self.landed[column] == _TEXT else f"CAST({name(column)} AS {_TEXT})"

    def native(self, field: Field) -> bool:
        """Whether the field's column landed in a type whose values are the field's values as they are."""
        landed = self.landed.get(field.name, _TEXT)
        if field.type.kind is FieldKind.INTEGER and landed in _WHOLE_NUMBERS:
            return True
        return field.type.kind is not FieldKind.STRING and landed == field_type(field)

    def normalised_columns(self) -> str:
        """Select list ``__t0, __t1, …`` over the landed columns."""
        return ", ".join(f"{normalised(f, self.raw(f.name))} AS __t{i}" for i, f in enumerate(self.fields))

    def typed_columns(self) -> str:
        """Select list ``__v0, __v1, …`` over the landed columns and ``__t0, __t1, …``."""
        return ", ".join(
            f"CAST({name(f.name) if self.native(f) else typed(f.type, f'__t{i}')} AS {field_type(f)}) AS __v{i}"
            for i, f in enumerate(self.fields)
        )

    def quick_columns(self) -> str:
        """Select list ``__t0, __v0, __t1, …`` over the landed columns; right where `doubts` are none."""
        return ", ".join(
            f"{self.raw(f.name)} AS __t{i}, CAST({self._quick(f)[1]} AS {field_type(f)}) AS __v{i}"
            for i, f in enumerate(self.fields)
        )

    def _quick(self, field: Field) -> tuple[str, str]:
        """(condition under which the column needs no second look as regards form and type, its value then)."""
        raw = self.raw(field.name)
        if self.native(field):
            return "true", name(field.name)
        if field.type.kind is not FieldKind.STRING:
            return at_once(field.type, raw)
        glob, _ = fixed_form(field.pattern)
        return (f"({raw} GLOB {text(glob)})" if glob else tidy(field, raw)), raw

    def doubts(self) -> Iterator[str]:
        """Conditions over `quick_columns`, landed columns and ``_deleted``: where none is true, the row is in order.

        A row in order keeps every rule, needs no normalising and is not marked deleted. Conditions may be NULL, which
        is no doubt.
        """
        if self.marks_deletes:
            yield "_deleted"
        for i, field in enumerate(self.fields):
            quick, _ = self._quick(field)
            if quick != "true":
                yield f"NOT {quick}"
            yield from (condition for code, condition in self.faults(field, i) if code not in self._settled(field))

    def _settled(self, field: Field) -> Collection[str]:
        """The rules that a column in the form that was asked for (`_quick`) keeps already."""
        if self.native(field):
            return ()
        if field.type.kind is not FieldKind.STRING:
            return ("bad_type", "impossible_date")
        _, length = fixed_form(field.pattern)
        if not length:
            return ()
        fits = not field.type.length or length <= field.type.length
        return ("bad_pattern", "too_long") if fits else ("bad_pattern",)

    def rewritten(self) -> Iterator[tuple[int, str]]:
        """(number of a field, whether the text of its column was normalised) for all columns that came as text."""
        for i, field in enumerate(self.fields):
            if not self.native(field) and field.name in self.landed:
                changed = f"coalesce({self.raw(field.name)}, '') <> coalesce(__t{i}, '')"
                if field.type.kind is FieldKind.DATE:
                    changed += f" OR coalesce(__t{i} <> CAST(__v{i} AS VARCHAR), false)"
                yield i, f"({changed})"

    def cursor(self) -> str:
        """The value by which a row is newer than another (over landed columns and ``__v…``), NULL without a cursor."""
        column = self.resource.source.cursor_field
        if not self.newest_wins:
            return "NULL"
        for i, f in enumerate(self.fields):
            if f.name == column:
                return f"__v{i}"
        return trimmed(self.raw(column))

    def deleted(self) -> str:
        """Whether the row is marked deleted (over landed columns)."""
        if not self.marks_deletes:
            return "false"
        source = self.resource.source
        value = trimmed(self.raw(source.deleted_field))
        field = self.resource.field(source.deleted_field)
        if field is not None and field.type.kind is FieldKind.BOOLEAN:
            words = next((w for w in (TRUE_WORDS, FALSE_WORDS) if source.deleted_value.lower() in w), None)
            if words is not None:
                return f"coalesce(lower({value}) IN ({', '.join(text(w) for w in words)}), false)"
        return f"coalesce({value} = {text(source.deleted_value)}, false)"

    def faults(self, field: Field, i: int) -> Iterator[tuple[str, str]]:
        """(reason code, condition) for each rule of the field; a condition is NULL where the value is."""
        t, v = f"__t{i}", f"__v{i}"
        filled = v if self.native(field) else t
        if field.key:
            yield "null_key", f"{filled} IS NULL"
        elif not field.nullable:
            yield "null_not_allowed", f"{filled} IS NULL"
        if self.native(field):
            if field.type.kind in {FieldKind.DATE, FieldKind.DATETIME}:
                yield "impossible_date", f"NOT {on_calendar(field.type, v)}"
        elif field.type.kind in {FieldKind.DATE, FieldKind.DATETIME}:
            shape = iso_date(t) if field.type.kind is FieldKind.DATE else iso_datetime(t)
            # `0000-01-01` is the year 1 BC to DuckDB, and to a register it is a day that does not exist.
            impossible = f"({v} IS NULL OR year({v}) NOT BETWEEN 1 AND 9999)"
            yield "bad_type", f"{t} IS NOT NULL AND ({shape}) IS NULL"
            yield "impossible_date", f"({shape}) IS NOT NULL AND {impossible}"
        elif field.type.kind is not FieldKind.STRING:
            yield "bad_type", f"{t} IS NOT NULL AND {v} IS NULL"
        elif field.type.length:
            yield "too_long", f"length({t}) > {field.type.length}"
        if field.codes:
            yield "bad_code", f"{t} NOT IN ({', '.join(text(c) for c in field.codes)})"
        if field.pattern:
            yield "bad_pattern", f"NOT regexp_full_match({t}, {text(field.pattern)})"
        if field.check is Check.CITIZEN_ID:
            yield "bad_citizen_id", f"{t} IS NOT NULL AND NOT {citizen_id_holds(t)}"
        elif field.check is Check.USCC:
            yield "bad_uscc", f"{t} IS NOT NULL AND NOT {uscc_holds(t)}"

    def conditions(self) -> Iterator[tuple[str, str]]:
        """(``code:field``, condition) for every rule. Of a row marked deleted only its key is judged."""
        for i, field in enumerate(self.fields):
            for code, condition in self.faults(field, i):
                spared = self.marks_deletes and not field.key
                yield f"{code}:{field.name}", f"(NOT _deleted AND {condition})" if spared else f"({condition})"

    def holds(self) -> str:
        """Whether the row keeps every rule. A condition that is NULL found nothing wrong."""
        return f"coalesce(NOT ({' OR '.join(c for _, c in self.conditions()) or 'false'}), true)"

    def compile_patterns(self, con: duckdb.DuckDBPyConnection) -> None:
        """Try every pattern once.

        Raises:
            ContractInvalidError: one is no RE2 expression (it has no look-around and no back-references).
        """
        for field in self.fields:
            try:
                con.execute(f"SELECT regexp_full_match('', {text(field.pattern)})").fetchone()
            except duckdb.Error as error:
                detail = f"the pattern of field `{field.name}` is no RE2 expression: `{field.pattern}`"
                raise ContractInvalidError(resource=self.resource.code, detail=detail) from error
