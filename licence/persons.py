"""Check characters of the codes that licences carry for their holders and issuers: USCC, organisation code, citizen id.

Strict, unlike a form's reader: what is signed is judged as it stands, with no folding of case or width. Whether a code
was ever given, and to whom, is for the authoritative resource to say.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from licence.errors import PersonCodeError

# GB 32100-2015 §4.2: digits and capitals without I, O, S, V, Z; the value of a character is its index.
USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUES: Final = {c: i for i, c in enumerate(USCC_ALPHABET)}
_USCC_WEIGHTS: Final = tuple(pow(3, i, 31) for i in range(17))
_DIVISION: Final = range(2, 8)
# GB 11714-1997: A = 10 … Z = 35.
_ORGANISATION_VALUES: Final = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
# GB 11643-1999 §4: weights 2^(17-i) mod 11, the check character indexed by the sum mod 11.
_CITIZEN_WEIGHTS: Final = tuple(pow(2, 17 - i, 11) for i in range(17))
_CITIZEN_CHECKS: Final = "10X98765432"
_CITIZEN: Final = re.compile(r"[0-9]{17}[0-9X]")
_LENGTH: Final = 18
_ORGANISATION_LENGTH: Final = 9


def check_organisation_code(text: str) -> str:
    """*text*, where it is an organisation code of nine characters without a hyphen (GB 11714).

    Raises:
        PersonCodeError: it is not.
    """
    _need_length(text, _ORGANISATION_LENGTH)
    total = 0
    for i, (weight, c) in enumerate(zip(_ORGANISATION_WEIGHTS, text, strict=False)):
        if c not in _ORGANISATION_VALUES:
            raise PersonCodeError("person_code_characters", position=i + 1)
        total += weight * _ORGANISATION_VALUES[c]
    # 11 − Σ mod 11, where 10 is written X and 11 is written 0.
    if text[-1] != "0123456789X0"[11 - total % 11]:
        raise PersonCodeError("person_code_check")
    return text


def check_uscc(text: str) -> str:
    """*text*, where it is a unified social credit code (GB 32100-2015 §5), the organisation code inside included.

    Raises:
        PersonCodeError: it is not; the message does not hold the code.
    """
    _need_length(text, _LENGTH)
    for i, c in enumerate(text):
        if c not in _USCC_VALUES or (i in _DIVISION and not c.isdigit()):
            raise PersonCodeError("person_code_characters", position=i + 1)
    total = sum(w * _USCC_VALUES[c] for w, c in zip(_USCC_WEIGHTS, text, strict=False))
    if text[-1] != USCC_ALPHABET[-total % 31]:
        raise PersonCodeError("person_code_check")
    try:
        check_organisation_code(text[8:17])
    except PersonCodeError:
        raise PersonCodeError("person_code_organisation") from None
    return text


def check_citizen_id(text: str) -> str:
    """*text*, where it is a citizen identity number of 18 characters (GB 11643-1999).

    Its date of birth must be in the calendar; it may lie in the future, and the division need not exist.

    Raises:
        PersonCodeError: it is not; the message does not hold the number.
    """
    _need_length(text, _LENGTH)
    if not _CITIZEN.fullmatch(text):
        position = next(i for i, c in enumerate(text) if c not in ("0123456789" if i < _LENGTH - 1 else "0123456789X"))
        raise PersonCodeError("person_code_characters", position=position + 1)
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        raise PersonCodeError("person_code_date") from None
    total = sum(w * int(c) for w, c in zip(_CITIZEN_WEIGHTS, text, strict=False))
    if text[-1] != _CITIZEN_CHECKS[total % 11]:
        raise PersonCodeError("person_code_check")
    return text


def check_holder_code(code_type: str, text: str) -> str:
    """*text*, judged as its CZZTDMLXDM *code_type* prescribes; types without a check character pass as they are.

    Raises:
        PersonCodeError: it is no such code.
    """
    if code_type == "001":
        return check_uscc(text)
    if code_type == "111":
        return check_citizen_id(text)
    return text


def _need_length(text: str, expected: int) -> None:
    if len(text) != expected:
        raise PersonCodeError("person_code_length", expected=expected, found=len(text))
