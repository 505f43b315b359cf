"""Check characters of the identifiers that lists and records carry: USCC, organisation code, citizen id.

Whether an identifier was ever issued, and to whom, is for the authoritative resource to say.
"""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Final

from catalog.errors import IdentifierError

# GB 32100-2015 §4.2: digits and capitals without I, O, S, V, Z; the value of a character is its index.
USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUE: Final = {char: value for value, char in enumerate(USCC_ALPHABET)}
_USCC_WEIGHTS: Final = tuple(pow(3, i, 31) for i in range(17))
_USCC_BODY: Final = 17

# GB 11714-1997: digits and capitals, A = 10 … Z = 35.
_ORG_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORG_VALUE: Final = {char: value for value, char in enumerate(_ORG_ALPHABET)}
_ORG_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)

# GB 11643-1999: weight of position i (from 1) is 2^(18-i) mod 11; the check character is indexed by the sum mod 11.
_CITIZEN_WEIGHTS: Final = tuple(pow(2, 17 - i, 11) for i in range(17))
_CITIZEN_CHECK: Final = "10X98765432"
_CITIZEN_BODY: Final = 17
_MAX_SEQUENCE: Final = 999
_DIGITS: Final = frozenset("0123456789")


def _folded(text: str) -> str:
    """Full-width forms to half-width, surrounding space away, capitals."""
    return unicodedata.normalize("NFKC", text).strip().upper()


def _need(kind: str, text: str, length: int) -> None:
    if len(text) != length:
        raise IdentifierError(kind=kind, why="length", expected=length, found=len(text))


def org_code_check_char(body8: str) -> str:
    """The ninth character of an organisation code (GB 11714).

    It is 11 − (Σ weight·value mod 11), with 10 written ``X`` and 11 written ``0``.

    Raises:
        IdentifierError: not 8 characters, or one that is neither a digit nor a capital.
    """
    _need("org_code", body8, len(_ORG_WEIGHTS))
    total = 0
    for position, (weight, char) in enumerate(zip(_ORG_WEIGHTS, body8, strict=True), start=1):
        value = _ORG_VALUE.get(char)
        if value is None:
            raise IdentifierError(kind="org_code", why="alphabet", position=position)
        total += weight * value
    return "0123456789X0"[11 - total % 11]


def uscc_check_char(body17: str) -> str:
    """The eighteenth character of a unified social credit code: (31 − Σ value·3^i mod 31) mod 31 (GB 32100 §5).

    Raises:
        IdentifierError: not 17 characters, or one outside the alphabet.
    """
    _need("uscc", body17, _USCC_BODY)
    total = 0
    for position, (weight, char) in enumerate(zip(_USCC_WEIGHTS, body17, strict=True), start=1):
        value = _USCC_VALUE.get(char)
        if value is None:
            raise IdentifierError(kind="uscc", why="alphabet", position=position)
        total += weight * value
    return USCC_ALPHABET[-total % 31]


def check_uscc(text: str) -> str:
    """Return *text* as a normalised unified social credit code: half-width, trimmed, capitals.

    Checked are length, alphabet, six digits of the division, the organisation code inside and the check character.

    Raises:
        IdentifierError: the code cannot be right. The message does not hold the code.
    """
    code = _folded(text)
    _need("uscc", code, _USCC_BODY + 1)
    expected = make_uscc(code[:_USCC_BODY])
    if code != expected:
        why = "check_char" if code[-1] in _USCC_VALUE else "alphabet"
        raise IdentifierError(kind="uscc", why=why, position=_USCC_BODY + 1)
    return code


def make_uscc(body17: str) -> str:
    """Complete *body17* (already capitals) with its check character.

    Raises:
        IdentifierError: the body is malformed or the organisation code inside (positions 9 to 17) does not hold.
    """
    check = uscc_check_char(body17)
    for position in range(3, 9):
        if body17[position - 1] not in _DIGITS:
            raise IdentifierError(kind="uscc", why="alphabet", position=position)
    if org_code_check_char(body17[8:16]) != body17[16]:
        raise IdentifierError(kind="uscc", why="org_code")
    return body17 + check


def citizen_id_check_char(body17: str) -> str:
    """The eighteenth character of a citizen identity number (GB 11643-1999 §4.4, ISO 7064 MOD 11-2).

    Raises:
        IdentifierError: not 17 characters, or one that is no digit.
    """
    _need("citizen_id", body17, _CITIZEN_BODY)
    total = 0
    for position, (weight, char) in enumerate(zip(_CITIZEN_WEIGHTS, body17, strict=True), start=1):
        if char not in _DIGITS:
            raise IdentifierError(kind="citizen_id", why="alphabet", position=position)
        total += weight * int(char)
    return _CITIZEN_CHECK[total % 11]


def check_citizen_id(text: str) -> str:
    """Return *text* as a normalised 18-character citizen identity number.

    Checked are length, digits, the date of birth as a calendar date, and the check character; not whether the
    division ever existed, nor whether the date lies in the future.

    Raises:
        IdentifierError: the number cannot be right. The message does not hold the number.
    """
    number = _folded(text)
    _need("citizen_id", number, _CITIZEN_BODY + 1)
    check = citizen_id_check_char(number[:_CITIZEN_BODY])
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError as error:
        raise IdentifierError(kind="citizen_id", why="date") from error
    if number[-1] != check:
        why = "check_char" if number[-1] in _CITIZEN_CHECK else "alphabet"
        raise IdentifierError(kind="citizen_id", why=why, position=_CITIZEN_BODY + 1)
    return number


def make_citizen_id(division6: str, birth: date, sequence3: int) -> str:
    """Compose a citizen identity number; an odd *sequence3* is a man's, an even one a woman's.

    Raises:
        IdentifierError: the division is not six digits or the sequence not 0 to 999.
    """
    _need("citizen_id", division6, 6)
    if not 0 <= sequence3 <= _MAX_SEQUENCE:
        raise IdentifierError(kind="citizen_id", why="sequence")
    body = f"{division6}{birth:%Y%m%d}{sequence3:03d}"
    if birth.year < 1000:  # noqa: PLR2004 - %Y does not pad such years on every platform
        raise IdentifierError(kind="citizen_id", why="date")
    return body + citizen_id_check_char(body)
