"""Canonical JSON by RFC 8785 (JCS): the one byte form of a value, fit to be hashed and signed.

Meaning of the values is left to callers; parsing JSON is left to the standard library.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from json.encoder import JSONEncoder, encode_basestring

from .errors import CanonicalError

# I-JSON (RFC 7493 §2.2): doubles hold every integer up to here; past it two integers share one form.
MAX_INTEGER = 2**53
# No record of ours nests deeper than a handful; the bound keeps hostile input from exhausting the stack.
MAX_DEPTH = 64

_LITERALS = {None: "null", True: "true", False: "false"}

# ECMAScript Number::toString (ECMA-262 §6.1.6.1.20) writes plain digits for 10^-7 < |x| < 10^21.
_PLAIN_BELOW = 21
_PLAIN_ABOVE = -6


# The standard library's writer in C gives the canonical form of nearly all values. Not of floats, and of integers that
# may be beyond the bound; and it sorts by code points, which is another order where a key has one past the surrogates.
_QUICK = JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
# A long or broken number after one of the characters a value follows, the colon behind a quote. Begun by a class of
# characters, which is found ten times as fast as alternatives; a text may hold the same, and costs time alone.
_NUMBER = re.compile('[:,[](?<![^"]:)-?(?:[0-9]{16}|[0-9]+[.e])')
_BEYOND = re.compile("[\ud800-\U0010ffff]")


def encode(value: object) -> bytes:
    """The canonical UTF-8 JSON of *value*: None, bool, int, float, str, list, tuple, mapping with text keys.

    Raises:
        CanonicalError: NaN or infinity, an integer beyond 2^53, a lone surrogate, a key that is no text,
            nesting beyond 64, or another type (a datetime, bytes, Decimal: turn it into text first).
    """
    text = _encode(value, "", 0)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise CanonicalError(where="/", problem="a lone surrogate is no Unicode text") from error


def encode_json(value: object) -> bytes:
    """As `encode` and several times as fast, for a *value* whose keys are known to be texts, as all of JSON's are.

    Raises: as `encode`, but for a key that is no text.
    """
    try:
        text = _QUICK.encode(value)
    except (TypeError, ValueError, RecursionError):
        return encode(value)
    doubtful = (
        _NUMBER.search(f"[{text}")
        or (not text.isascii() and _BEYOND.search(text))
        or text.count("{") + text.count("[") > MAX_DEPTH
    )
    return encode(value) if doubtful else text.encode()


def digest(value: object) -> str:
    """``sha256:`` + hex SHA-256 of the canonical form."""
    return "sha256:" + hashlib.sha256(encode(value)).hexdigest()


def format_number(value: float) -> str:
    """A finite double as ECMAScript writes it (RFC 8785 §3.2.2.3): shortest digits that read back the same.

    Raises:
        CanonicalError: NaN or infinity.
    """
    if not math.isfinite(value):
        raise CanonicalError(where="/", problem="NaN and infinity are no JSON numbers")
    if value == 0:
        return "0"
    # Python's repr gives the same shortest digits; only where the point and the exponent go differs.
    mantissa, _, exponent = float.__repr__(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # The value is 0.DIGITS times ten to the *point*.
    point = len(whole) + int(exponent or 0) if whole != "0" else len(digits) - len(fraction) + int(exponent or 0)
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= _PLAIN_BELOW:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= _PLAIN_BELOW:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _PLAIN_ABOVE < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if power > 0 else '-'}{abs(power)}"


def _encode(value: object, where: str, depth: int) -> str:
    if isinstance(value, str):
        # The standard library escapes exactly what RFC 8785 §3.2.2.2 asks for: quote, backslash, controls.
        return encode_basestring(value)
    if value is None or value is True or value is False:
        return _LITERALS[value]
    if isinstance(value, int | float):
        return _number(value, where)
    if depth >= MAX_DEPTH:
        raise CanonicalError(where=where or "/", problem=f"nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        return "{" + ",".join(_members(value, where, depth)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([_encode(v, f"{where}/{i}", depth + 1) for i, v in enumerate(value)]) + "]"
    raise CanonicalError(where=where or "/", problem=f"type {type(value).__name__} has no JSON form")


def _number(value: float, where: str) -> str:
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise CanonicalError(where=where or "/", problem="an integer beyond 2^53 is ambiguous; write it as text")
        return int.__repr__(value)
    if not math.isfinite(value):
        raise CanonicalError(where=where or "/", problem="NaN and infinity are no JSON numbers")
    return format_number(value)


def _members(value: Mapping[object, object], where: str, depth: int) -> list[str]:
    keys: list[str] = []
    for key in value:
        if not isinstance(key, str):
            raise CanonicalError(where=where or "/", problem="a key must be text")
        keys.append(key)
    # §3.2.3 sorts by UTF-16 code units; for ASCII keys, nearly all of ours, that is plain order.
    if all(key.isascii() for key in keys):
        keys.sort()
    else:
        keys.sort(key=_utf16)
    return [f"{encode_basestring(key)}:{_encode(value[key], f'{where}/{key}', depth + 1)}" for key in keys]


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")
