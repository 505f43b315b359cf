"""Says when a look-up value or a claim means the same as a stored value, however it was typed.

Width, case and spaces are how people and systems differ in writing one value; anything more is another value.
How values are typed when they are loaded belongs to `warehouse`.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from catalog.model import Field, FieldKind

if TYPE_CHECKING:
    from hub.requests import Scalar

_DATE = re.compile(r"([0-9]{4})[-/年]?([0-9]{1,2})[-/月]?([0-9]{1,2})日?(?:[T ](.*))?")
_TRUE, _FALSE = frozenset({"true", "1", "是", "y", "yes"}), frozenset({"false", "0", "否", "n", "no"})

Wire = str | int | bool | None


def lookup_value(field: Field, text: str) -> str:
    """The form under which *text* is looked up in *field*.

    Free text is only trimmed, because it is stored as it was delivered; a value with a type or a check digit is
    stored in half width, and its letters in upper case.
    """
    trimmed = text.strip()
    if field.check is not None:
        return _half(trimmed).strip().upper()
    if field.type.kind is FieldKind.STRING:
        return trimmed
    if field.type.kind in (FieldKind.DATE, FieldKind.DATETIME):
        return _date(_half(trimmed).strip())
    if field.type.kind is FieldKind.BOOLEAN:
        return _boolean(_half(trimmed).strip())
    return _half(trimmed).strip()


def fits(stored: Wire, text: str) -> bool:
    """Whether *stored* is the look-up value *text* (see `lookup_value`)."""
    if stored is None:
        return False
    return (str(stored).lower() if isinstance(stored, bool) else str(stored)) == text


def agrees(field: Field, stored: Wire, claim: Scalar) -> bool:
    """Whether *claim* says the same as *stored*: width, case and spaces aside, numbers by value, dates by day."""
    if stored is None:
        return False
    return _meaning(field, stored) == _meaning(field, claim)


def _meaning(field: Field, value: Scalar) -> object:
    text = _half(str(value))
    match field.type.kind:
        case FieldKind.INTEGER | FieldKind.DECIMAL:
            try:
                number = Decimal("".join(text.split()))
            except InvalidOperation:
                return ("not a number", text)
            # NaN equals nothing, itself included, and must not pass for a number.
            return number if number.is_finite() else ("not a number", text)
        case FieldKind.DATE | FieldKind.DATETIME:
            return _date(text.strip())
        case FieldKind.BOOLEAN:
            return _boolean(text)
        case _:
            return "".join(text.split()).casefold()


def _half(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _date(text: str) -> str:
    match = _DATE.fullmatch(text)
    if match is None:
        return text
    day = f"{match[1]}-{match[2]:0>2}-{match[3]:0>2}"
    return f"{day}T{match[4]}" if match[4] else day


def _boolean(text: str) -> str:
    word = "".join(text.split()).casefold()
    # What is no such word stays as it is: joined anew, its combining marks would make it another text.
    return "true" if word in _TRUE else "false" if word in _FALSE else text
