"""DER (X.690) by hand, as far as seals need it: one element at a time, never recursive, the exact bytes kept.

Which elements follow each other is `licence.seals.structure`. A reader driven by a fixed structure has no depth a
stranger could choose, and never re-encodes what was signed; hence no general decoder.

Raises throughout: `licence.errors.FormatError`, with code ``seal_not_der`` unless said otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, NoReturn

from licence.der import span
from licence.errors import FormatError

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
UTF8_STRING: Final = 0x0C
PRINTABLE_STRING: Final = 0x13
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
CONTEXT_0: Final = 0xA0
CONTEXT_0_PRIMITIVE: Final = 0x80
TIMES: Final = frozenset({UTC_TIME, GENERALIZED_TIME})

# Versions, millimetres, types: eight octets are already absurd.
MAX_INTEGER_BYTES = 8
MAX_OID_BYTES = 64
_LONG_FORM = 0x80
_TRUE = b"\xff"
_FALSE = b"\x00"
_UTC_TIME = re.compile(rb"(\d\d)(\d{10})()(Z|[+-]\d{4})")
_GENERALIZED_TIME = re.compile(rb"(\d{4})(\d{10})(?:\.(\d{1,6}))?(Z|[+-]\d{4})")
# RFC 5280 §4.1.2.5.1: the years of UTCTime are 1950 to 2049.
_UTC_TIME_PIVOT = 50


@dataclass(frozen=True, slots=True)
class Element:
    """One element of *data*: its tag octet, and where its header, its content and it itself begin and end."""

    data: bytes
    tag: int
    start: int
    body: int
    end: int

    @property
    def raw(self) -> bytes:
        """Header and content, the exact bytes."""
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        """The content alone."""
        return self.data[self.body : self.end]


def fail(what: str) -> NoReturn:
    """Refuse: *what* (a name of the standard) is not as prescribed."""
    raise FormatError("seal_not_der", what=what)


def whole(data: bytes, what: str) -> Element:
    """The one element that *data* consists of; anything behind it is refused."""
    element = _at(data, 0, len(data), what)
    if element.end != len(data):
        fail(what)
    return element


def children(element: Element, tag: int, what: str, most: int) -> tuple[Element, ...]:
    """The elements inside a constructed *element* that must have *tag*; at most *most* of them."""
    if element.tag != tag:
        fail(what)
    found: list[Element] = []
    position = element.body
    while position < element.end:
        if len(found) == most:
            fail(what)
        found.append(_at(element.data, position, element.end, what))
        position = found[-1].end
    return tuple(found)


def _at(data: bytes, start: int, limit: int, what: str) -> Element:
    found = span(data, start, limit)
    if found is None:
        fail(what)
    return Element(data, data[start], start, *found)


def integer(element: Element, what: str) -> int:
    """A non-negative INTEGER of at most eight octets."""
    content = element.content
    if element.tag != INTEGER or not 1 <= len(content) <= MAX_INTEGER_BYTES or content[0] >= _LONG_FORM:
        fail(what)
    if len(content) > 1 and content[0] == 0 and content[1] < _LONG_FORM:
        fail(what)
    return int.from_bytes(content, "big")


def boolean(element: Element, what: str) -> bool:
    """A BOOLEAN; FALSE written out although it is the default is accepted: real seals do so."""
    if element.tag != BOOLEAN or element.content not in {_TRUE, _FALSE}:
        fail(what)
    return element.content == _TRUE


def octets(element: Element, what: str) -> bytes:
    """An OCTET STRING."""
    if element.tag != OCTET_STRING:
        fail(what)
    return element.content


def bits(element: Element, what: str) -> bytes:
    """A BIT STRING of whole octets."""
    content = element.content
    if element.tag != BIT_STRING or not content or content[0] != 0:
        fail(what)
    return content[1:]


def text(element: Element, tags: frozenset[int], what: str, most: int) -> str:
    """A character string with one of *tags*, at most *most* octets; IA5String and PrintableString hold ASCII only."""
    if element.tag not in tags or element.end - element.body > most:
        fail(what)
    try:
        return element.content.decode("utf-8" if element.tag == UTF8_STRING else "ascii")
    except UnicodeDecodeError:
        fail(what)


def oid(element: Element, what: str) -> str:
    """An OBJECT IDENTIFIER in dotted form."""
    content = element.content
    if element.tag != OBJECT_IDENTIFIER or not 1 <= len(content) <= MAX_OID_BYTES or content[-1] >= _LONG_FORM:
        fail(what)
    arcs: list[int] = []
    value = 0
    fresh = True
    for octet in content:
        if fresh and octet == _LONG_FORM:
            fail(what)
        value = value << 7 | octet & 0x7F
        fresh = octet < _LONG_FORM
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def time(element: Element, what: str) -> datetime:
    """A UTCTime or GeneralizedTime with seconds and zone, in UTC.

    Versions and vendors differ in which of the two they write; an offset and a fraction are accepted, a time without
    zone is not.
    """
    if element.tag not in TIMES:
        fail(what)
    return time_text(element.content, element.tag, what)


def time_text(content: bytes, tag: int, what: str) -> datetime:
    """The content octets of a time type (see `time`)."""
    match = (_UTC_TIME if tag == UTC_TIME else _GENERALIZED_TIME).fullmatch(content)
    if match is None:
        fail(what)
    head, rest, fraction, zone = match.groups()
    year = int(head)
    if tag == UTC_TIME:
        year += 2000 if year < _UTC_TIME_PIVOT else 1900
    month, day, hour, minute, second = (int(rest[i : i + 2]) for i in range(0, 10, 2))
    microsecond = int((fraction or b"0").ljust(6, b"0"))
    offset = timedelta()
    if zone != b"Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])) * (-1 if zone[:1] == b"-" else 1)
    try:
        local = datetime(year, month, day, hour, minute, second, microsecond, timezone(offset))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        fail(what)
