"""DER (ITU-T X.690) for the few ASN.1 structures of CMS and RFC 3161: a writer, and a reader with one spelling of all.

What the structures mean is left to `licence.pdf.cms` and `licence.timestamps`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from licence.errors import FormatError

BOOLEAN, INTEGER, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x04, 0x05, 0x06
GENERALIZED_TIME, SEQUENCE, SET = 0x18, 0x30, 0x31
# The parts of one structure; a SignedData with a long chain and revocation values stays far below.
MAX_CHILDREN = 4096
# Four length bytes state up to 4 GiB: more than any file that is read here.
_MAX_LENGTH_BYTES = 4
_LONG_TAG = 0x1F
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


def _read(data: bytes, start: int, what: str) -> tuple[Node, int]:
    at = start + 2
    if at > len(data) or data[start] & _LONG_TAG == _LONG_TAG:
        _refuse(what)
    length = data[start + 1]
    if length >= 0x80:  # noqa: PLR2004 - the bit that says a long form follows
        count = length & 0x7F
        if not 0 < count <= _MAX_LENGTH_BYTES or at + count > len(data):
            _refuse(what)
        length = int.from_bytes(data[at : at + count], "big")
        at += count
        # DER: the shortest form only.
        if length < 0x80 or length >> 8 * (count - 1) == 0:  # noqa: PLR2004 - as above
            _refuse(what)
    end = at + length
    if end > len(data):
        _refuse(what)
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
    if size < 0x80:  # noqa: PLR2004 - up to here the length is one byte
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def write_set(*members: bytes) -> bytes:
    """A SET OF, its members in the order DER prescribes (X.690 §11.6)."""
    return write(SET, *sorted(members))


def write_integer(value: int) -> bytes:
    """An INTEGER."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


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
    text = instant.astimezone(UTC).strftime("%Y%m%d%H%M%S")
    if instant.microsecond:
        text += f".{instant.microsecond:06d}".rstrip("0")
    return write(GENERALIZED_TIME, f"{text}Z".encode())


def _refuse(what: str) -> NoReturn:
    raise FormatError("der_invalid", what=what)
