"""Says when a look-up value or a claim means the same as a stored value, however it was typed.

What people and systems differ in when they write one value is taken for the same: width, case, spaces, separators,
traditional and variant characters, the forms of dates, numbers of the first generation of identity cards. Where it is
not certain the answer is unknown; a match is never a guess. How values are typed when they are loaded belongs to
`warehouse`; how many wrong claims a caller may make, to `hub.enumeration`.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from catalog.errors import IdentifierError
from catalog.identifiers import check_citizen_id, citizen_id_check_char
from catalog.model import Check, Field, FieldKind, Mask
from hub.matching.dates import same_moment
from hub.matching.first import agrees_first, answer, day, half
from hub.matching.places import same_address, same_phone
from hub.matching.text import HIDDEN, Verdict, alike, plain

if TYPE_CHECKING:
    from hub.requests import Scalar

MATCHING: Final = 2
"""The version of comparing that holds now. Evidence names it, so that a replay decides as it was decided then.

Whatever changes an answer, the table of variants included, makes a new version and keeps the old one.
"""
FIRST: Final = 1  # evidence that names no version

Wire = str | int | bool | None

_TRUE: Final = frozenset({"true", "1", "t", "y", "yes", "是", "有"})
_FALSE: Final = frozenset({"false", "0", "f", "n", "no", "否", "无"})
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_SEPARATORS = re.compile(r"[-_./·,]")
_OLD_ID = re.compile(r"[0-9]{15}")
# GB 11643-1989 kept these sequence numbers for people over a hundred, whose century the short form does not tell.
_FIRST_OF_THE_OLD = 996
_USCC_LENGTH = 18
_PHONE = re.compile(r"电话|手机|联系方式|移动号码")
_PHONE_NAME = re.compile(r"(?:^|_)(?:phone|mobile|tel|telephone)(?:_|$)")
_ADDRESS = re.compile(r"地址|住址|住所|坐落|地点|位置|所在地")


def lookup_value(field: Field, text: str) -> str:
    """The form under which *text* is looked up in *field*.

    Free text is only trimmed, because it is stored as it was delivered; a value with a type or a check digit is
    stored in half width, and its letters in upper case.
    """
    trimmed = text.strip()
    if field.check is not None:
        return half(trimmed).strip().upper()
    if field.type.kind is FieldKind.STRING:
        return trimmed
    if field.type.kind in (FieldKind.DATE, FieldKind.DATETIME):
        return day(half(trimmed).strip())
    if field.type.kind is FieldKind.BOOLEAN:
        return answer(half(trimmed).strip())
    return half(trimmed).strip()


def fits(stored: Wire, text: str) -> bool:
    """Whether *stored* is the look-up value *text* (see `lookup_value`)."""
    if stored is None:
        return False
    return (str(stored).lower() if isinstance(stored, bool) else str(stored)) == text


def agrees(field: Field, stored: Wire, claim: Scalar, *, version: int = FIRST) -> bool:
    """Whether *claim* says the same as *stored*, by the rules of *version*.

    The default is the version of evidence that names none; who answers now gives `MATCHING`.

    Raises:
        ValueError: this program does not know the version.
    """
    if version == FIRST:
        return agrees_first(field, stored, claim)
    if version != MATCHING:
        raise ValueError(f"matching has no version {version}")
    return comparison(field, stored, claim) is Verdict.MATCH


def comparison(field: Field, stored: Wire, claim: Scalar) -> Verdict:  # noqa: PLR0911 - one way out for each kind
    """What *claim* is beside the value *stored* in *field*, by the rules of `MATCHING`. Symmetric in the two."""
    if stored is None:
        return Verdict.UNKNOWN
    if type(stored) is type(claim) and stored == claim:
        return Verdict.MATCH
    one, other = str(stored), str(claim)
    if field.landing is not Mask.NONE:
        # What is stored was masked as it was read: only an equal mask could be told, and was above.
        return Verdict.UNKNOWN
    match field.type.kind:
        case FieldKind.INTEGER | FieldKind.DECIMAL:
            return _by_value(_number(one), _number(other))
        case FieldKind.DATE:
            return same_moment(one, other, day_only=True)
        case FieldKind.DATETIME:
            return same_moment(one, other, day_only=False)
        case FieldKind.BOOLEAN:
            return _by_value(_answer(one), _answer(other))
        case _:
            return _texts(field, one, other)


def together(verdicts: list[Verdict]) -> Verdict:
    """What a claim is beside several records: a match if one says so, unknown if none says anything."""
    if Verdict.MATCH in verdicts:
        return Verdict.MATCH
    return Verdict.MISMATCH if Verdict.MISMATCH in verdicts else Verdict.UNKNOWN


def _texts(field: Field, one: str, other: str) -> Verdict:
    if field.check is Check.CITIZEN_ID:
        return _by_citizen_id(one, other)
    if field.check is Check.USCC:
        return _by_uscc(one, other)
    if field.codes:
        # A word where a code belongs is not compared with it; what codes mean stands in their code list.
        known = {plain(code): code for code in field.codes}
        return _by_value(known.get(plain(one)), known.get(plain(other)))
    if _PHONE.search(field.title) or _PHONE_NAME.search(field.name):
        return same_phone(one, other)
    if _ADDRESS.search(field.title):
        return same_address(one, other)
    return alike(one, other)


def _by_value(one: object, other: object) -> Verdict:
    if one is None or other is None:
        return Verdict.UNKNOWN
    return Verdict.MATCH if one == other else Verdict.MISMATCH


def _number(text: str) -> Decimal | None:
    found = plain(text)
    if _GROUPED.fullmatch(found):
        found = found.replace(",", "")
    try:
        number = Decimal(found)
    except InvalidOperation:
        return None
    # NaN equals nothing, itself included, and must not pass for a number.
    return number if number.is_finite() else None


def _answer(text: str) -> bool | None:
    word = plain(text)
    return True if word in _TRUE else False if word in _FALSE else None


def _identifier(text: str) -> str:
    return _SEPARATORS.sub("", plain(text)).upper()


def _by_citizen_id(stored: str, claim: str) -> Verdict:
    one, other = (_of_18(_identifier(text)) for text in (stored, claim))
    if not one or not other or HIDDEN in one or HIDDEN in other:
        return Verdict.UNKNOWN
    if len(one) != len(other) and (_of_the_old(one) or _of_the_old(other)):
        return Verdict.UNKNOWN
    return Verdict.MATCH if one == other else Verdict.MISMATCH


def _of_18(number: str) -> str:
    """The number of 18 characters that a well-formed one of 15 became: born in 19xx, with its check character."""
    if _OLD_ID.fullmatch(number) is None:
        # The multiplication sign is what some keyboards give for the last X.
        return number[:-1] + "X" if number.endswith("×") else number
    if _of_the_old(number):
        return number
    body = f"{number[:6]}19{number[6:]}"
    try:
        return check_citizen_id(body + citizen_id_check_char(body))
    except IdentifierError:
        return number


def _of_the_old(number: str) -> bool:
    return _OLD_ID.fullmatch(number) is not None and int(number[-3:]) >= _FIRST_OF_THE_OLD


def _by_uscc(stored: str, claim: str) -> Verdict:
    one, other = _identifier(stored), _identifier(claim)
    # An organisation code or a registration number is a number of another sort, and a masked one is none.
    if len(one) != _USCC_LENGTH or len(other) != _USCC_LENGTH or HIDDEN in one or HIDDEN in other:
        return Verdict.MATCH if one == other and one else Verdict.UNKNOWN
    return Verdict.MATCH if one == other else Verdict.MISMATCH
