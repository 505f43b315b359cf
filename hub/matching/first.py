"""The first version of comparing claims, kept as it was: by it old evidence is decided again, and nothing new.

Width, case and spaces aside, numbers by value, dates by day. What holds now is `hub.matching.comparing`.
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


def agrees_first(field: Field, stored: Scalar | None, claim: Scalar) -> bool:
    """Whether *claim* says the same as *stored*, as version 1 had it."""
    if stored is None:
        return False
    return _meaning(field, stored) == _meaning(field, claim)


def half(text: str) -> str:
    """*text* in half width."""
    return unicodedata.normalize("NFKC", text)


def day(text: str) -> str:
    """A date as ISO 8601 has it, if it is written in one of the usual forms; else *text*."""
    match = _DATE.fullmatch(text)
    if match is None:
        return text
    found = f"{match[1]}-{match[2]:0>2}-{match[3]:0>2}"
    return f"{found}T{match[4]}" if match[4] else found


def answer(text: str) -> str:
    """``true`` or ``false`` for the words that mean it; else *text*."""
    word = "".join(text.split()).casefold()
    # What is no such word stays as it is: joined anew, its combining marks would make it another text.
    return "true" if word in _TRUE else "false" if word in _FALSE else text


def _meaning(field: Field, value: Scalar) -> object:
    text = half(str(value))
    match field.type.kind:
        case FieldKind.INTEGER | FieldKind.DECIMAL:
            try:
                number = Decimal("".join(text.split()))
            except InvalidOperation:
                return ("not a number", text)
            # NaN equals nothing, itself included, and must not pass for a number.
            return number if number.is_finite() else ("not a number", text)
        case FieldKind.DATE | FieldKind.DATETIME:
            return day(text.strip())
        case FieldKind.BOOLEAN:
            return answer(text)
        case _:
            return "".join(text.split()).casefold()
