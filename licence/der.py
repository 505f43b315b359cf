"""DER (ITU-T X.690): a writer, and a reader that knows one spelling of everything.

What the structures mean is left to `licence.certificates`, `licence.pdf.cms` and `licence.timestamps`; the liberties
that real seals take, to `licence.seals.der`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from licence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
GENERALIZED_TIME, SEQUENCE, SET = 0x18, 0x30, 0x31
# The parts of one structure; a SignedData with a long chain and revocation values stays far below.
MAX_CHILDREN = 4096
# Four length bytes state up to 4 GiB: more than any file that is read here.
_MAX_LENGTH_BYTES = 4
_LONG_TAG = 0x1F
# The first length octet: below it the length itself, above it how many octets hold the length.
_LONG_FORM = 0x80
# RFC 3161 §2.4.2: seconds always, a fraction without trailing zeros, Zulu.
_TIME = re.compile(rb"(\d{14})(?:\.(\d{0,11}[1-9]))?Z")


@dataclass(frozen=True, slots=True)
class Node:
    """One element: its tag byte, its content, and itself as it stands in the input (*raw*)."""

    tag: int
    content: bytes
    raw: bytes

    def children(self, what: str) -> tuple[Node, ...]:
        """The elements of a constructed element.

        Raises:
            FormatError: primitive, or its content is not a row of DER elements.
        """
        if not self.tag & 0x20:
            _refuse(what)
        found: list[Node] = []
        at = 0
        while at < len(self.content):
            node, at = _read(self.content, at, what)
            found.append(node)
            if len(found) > MAX_CHILDREN:
                _refuse(what)
        return tuple(found)

    def expect(self, tag: int, what: str) -> Node:
        """This element, if it has that *tag*.

        Raises:
            FormatError: it has another.
        """
        if self.tag != tag:
            _refuse(what)
        return self


def read(data: bytes, what: str) -> Node:
    """The one element *data* consists of.

    Raises:
        FormatError: not DER (indefinite or padded length, long tag), cut short, or bytes follow.
    """
    node, end = _read(data, 0, what)
    if end != len(data):
        raise FormatError("der_trailing_bytes", what=what)
    return node


def read_first(data: bytes, what: str) -> tuple[Node, int]:
    """The element at the beginning of *data* and where it ends; the caller judges what follows.

    Raises:
        FormatError: not DER.
    """
    return _read(data, 0, what)


def span(data: bytes, start: int, limit: int) -> tuple[int, int] | None:
    """Where the content of the element at *start* begins and ends; None where no DER element lies before *limit*."""
    at = start + 2
    if at > limit or data[start] & _LONG_TAG == _LONG_TAG:
        return None
    length = data[start + 1]
    if length >= _LONG_FORM:
        count = length - _LONG_FORM
        # Zero octets would be the indefinite form; a leading zero or a short length in long form is not DER.
        if not 0 < count <= _MAX_LENGTH_BYTES or at + count > limit or data[at] == 0:
            return None
        length = int.from_bytes(data[at : at + count], "big")
        if length < _LONG_FORM:
            return None
        at += count
    return (at, at + length) if at + length <= limit else None


def _read(data: bytes, start: int, what: str) -> tuple[Node, int]:
    found = span(data, start, len(data))
    if found is None:
        _refuse(what)
    at, end = found
    return Node(data[start], data[at:end], data[start:end]), end


def read_integer(node: Node, what: str) -> int:
    """The value of an INTEGER.

    Raises:
        FormatError: another type, empty or padded.
    """
    content = node.expect(INTEGER, what).content
    padded = len(content) > 1 and (content[0], content[1] >> 7) in {(0x00, 0), (0xFF, 1)}
    if not content or padded:
        _refuse(what)
    return int.from_bytes(content, "big", signed=True)


def read_time(node: Node, what: str) -> datetime:
    """The instant of a GeneralizedTime, to the microsecond.

    Raises:
        FormatError: another type, not in Zulu time, or no such day.
    """
    match = _TIME.fullmatch(node.expect(GENERALIZED_TIME, what).content)
    if match is None:
        _refuse(what)
    try:
        whole = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        _refuse(what)
    return whole.replace(microsecond=int((match[2] or b"0").ljust(6, b"0")[:6]))


def write(tag: int, *parts: bytes) -> bytes:
    """One element whose content is *parts*, one after another."""
    content = b"".join(parts)
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(length))) + length + content


def write_sequence(parts: Iterable[bytes]) -> bytes:
    """A SEQUENCE of elements already written."""
    return write(SEQUENCE, *parts)


def write_bits(content: bytes) -> bytes:
    """A BIT STRING of whole octets."""
    return write(BIT_STRING, b"\0", content)


def write_set(*members: bytes) -> bytes:
    """A SET OF, its members in the order DER prescribes (X.690 §11.6)."""
    return write(SET, *sorted(members))


def write_integer(value: int) -> bytes:
    """An INTEGER."""
    # Two's complement: -128 has one octet as 127 has, 128 has two.
    bits = (~value if value < 0 else value).bit_length() + 1
    return write(INTEGER, value.to_bytes((bits + 7) // 8, "big", signed=True))


def write_oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = b""
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        content += bytes(reversed(groups))
    return write(OID, content)


def write_time(instant: datetime) -> bytes:
    """A GeneralizedTime in Zulu time, a fraction only where there is one (RFC 3161 §2.4.2)."""
    utc = instant.astimezone(UTC)
    fraction = f".{utc.microsecond:06}".rstrip("0") if utc.microsecond else ""
    # Written out: strftime does not fill years before 1000 up.
    text = f"{utc.year:04}{utc.month:02}{utc.day:02}{utc.hour:02}{utc.minute:02}{utc.second:02}{fraction}Z"
    return write(GENERALIZED_TIME, text.encode())


def _refuse(what: str) -> NoReturn:
    raise FormatError("der_invalid", what=what)
