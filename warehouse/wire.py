"""The one form in which values leave the warehouse, whichever way they were found: text, whole number, yes/no, nothing.

Dates and times are ISO 8601 text (local time, seconds), decimals text with all digits of their scale: nothing here
can round on its way through JSON. Masking what leaves is for `hub`.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from pyiceberg.types import BooleanType, DateType, DecimalType, LongType, StringType, TimestampType

from warehouse.normal import FALSE_WORDS, SPACE, TRUE_WORDS
from warehouse.sql import name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.types import IcebergType, NestedField

_INT64 = range(-(2**63), 2**63)


def wire_column(field: NestedField) -> str:
    """The DuckDB expression for the wire value of a column, under the column's name."""
    column = name(field.name)
    if isinstance(field.field_type, DateType | DecimalType):
        return f"CAST({column} AS VARCHAR) AS {column}"
    if isinstance(field.field_type, TimestampType):
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%S') AS {column}"
    return column


def wire_columns(fields: Iterable[NestedField]) -> str:
    """Select list of the wire values of *fields*."""
    return ", ".join(wire_column(f) for f in fields)


def wanted(type_: IcebergType, value: str) -> str | int | bool | None:
    """The wire value that a caller means by the text *value*, or None: then no record can have it.

    Taken are the wire form itself and what means the same in the type (``007`` is 7, ``1.5`` is ``1.50``).
    """
    if isinstance(type_, StringType):
        # What the contract takes off a text, and no other character.
        return value.strip(SPACE) or None
    value = value.strip()
    if isinstance(type_, LongType):
        return _integer(value)
    if isinstance(type_, BooleanType):
        return True if value.lower() in TRUE_WORDS else False if value.lower() in FALSE_WORDS else None
    if isinstance(type_, DecimalType):
        return _decimal(type_, value)
    if isinstance(type_, DateType | TimestampType):
        return _moment(type_, value)
    return None


def _integer(value: str) -> int | None:
    number = int(value) if re.fullmatch(r"[+-]?[0-9]{1,19}", value) else None
    return number if number is not None and number in _INT64 else None


def _moment(type_: DateType | TimestampType, value: str) -> str | None:
    try:
        if isinstance(type_, DateType):
            return date.fromisoformat(value).isoformat()
        return datetime.fromisoformat(value).replace(tzinfo=None, microsecond=0).isoformat()
    except ValueError:
        return None


def _decimal(type_: DecimalType, value: str) -> str | None:
    if not re.fullmatch(r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)", value):
        return None
    try:
        number = Decimal(value)
        # Scaling by the point alone neither rounds nor depends on the context's precision.
        scaled = number.scaleb(type_.scale) if number else Decimal(0)
        whole = int(scaled)
    except InvalidOperation:
        return None
    if scaled != whole or len(str(abs(whole))) > type_.precision:
        return None
    sign = "-" if whole < 0 else ""
    digits = str(abs(whole)).rjust(type_.scale + 1, "0")
    return f"{sign}{digits[: -type_.scale]}.{digits[-type_.scale :]}" if type_.scale else f"{sign}{digits}"
