"""The syntax of PDF objects (ISO 32000-1 §7.3), parsed strictly and without recursion beyond a small depth.

Where objects stand in a file, and which of them count, is left to `licence.pdf.structure`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from licence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Deeper than a page tree or structure tree of any licence; keeps recursion far from the interpreter's limit.
MAX_DEPTH = 48
# Members of one array or dictionary.
MAX_MEMBERS = 200_000
MAX_NUMBER_LENGTH = 18
MAX_NAME_LENGTH = 512
WHAT = "PDF"
_SPACE = re.compile(rb"(?:[\0\t\n\f\r ]+|%[^\r\n]*)*")
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?![^\0\t\n\f\r ()<>\[\]{}/%])")
_REF = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+R(?![^\0\t\n\f\r ()<>\[\]{}/%])")
_NAME = re.compile(rb"/([^\0\t\n\f\r ()<>\[\]{}/%]*)")
_WORD = re.compile(rb"(?:true|false|null)(?![^\0\t\n\f\r ()<>\[\]{}/%])")
_HEX = re.compile(rb"<([0-9A-Fa-f\0\t\n\f\r ]*)>")
_HEX_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_TEXT = re.compile(rb"[^()\\\r]*")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"(": b"(", b")": b")", b"\\": b"\\"}
_OCTAL = re.compile(rb"[0-7]{1,3}")
_OBJECT = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]+(\d{1,5})[\0\t\n\f\r ]+obj")
_STREAM = re.compile(rb"stream(?:\r\n|\n)")
_END_STREAM = re.compile(rb"[\r\n]{0,2}endstream")
_END_OBJECT = re.compile(rb"endobj(?![^\0\t\n\f\r ()<>\[\]{}/%])")


class Name(str):
    """A name object, without its slash."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Ref:
    """An indirect reference."""

    number: int
    generation: int


@dataclass(frozen=True, slots=True)
class Text:
    """A string object; *start* and *end* bound it in the bytes it was parsed from, brackets included."""

    value: bytes
    start: int
    end: int

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, wherever they stand."""
        return isinstance(other, Text) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream object: its dictionary and its encoded bytes, which are not copied: streams may overlap."""

    entries: Mapping[str, Object]
    data: memoryview


Object: TypeAlias = "Name | Ref | Text | Stream | Mapping[str, Object] | Sequence[Object] | int | float | bool | None"


def parse(data: bytes, start: int, limit_bytes: int) -> tuple[Object, int]:
    """The object at *start* and where it ends; longer than *limit_bytes*, it is refused.

    Raises:
        FormatError: no object, nested too deep, or a dictionary with a key twice.
    """
    return _parse(data, skip_space(data, start), start + limit_bytes, MAX_DEPTH)


def skip_space(data: bytes, at: int) -> int:
    """Where white space and comments from *at* end."""
    match = _SPACE.match(data, at)
    return match.end() if match else at


def parse_indirect(
    data: bytes, start: int, number: int, generation: int, *, length_of: LengthOf, limit_bytes: int
) -> tuple[Object, int]:
    """The indirect object that stands at *start*, and where its ``endobj`` ends.

    *length_of* resolves the length of a stream, which may be an indirect object itself.

    Raises:
        FormatError: another object stands there, or it is damaged.
    """
    match = _OBJECT.match(data, start)
    if match is None or (int(match[1]), int(match[2])) != (number, generation):
        refuse("object")
    value, at = parse(data, match.end(), limit_bytes)
    at = skip_space(data, at)
    stream = _STREAM.match(data, at)
    if stream is not None:
        if not isinstance(value, dict):
            refuse("stream")
        length = length_of(value.get("Length"))
        end = stream.end() + length
        closing = _END_STREAM.match(data, end)
        if length < 0 or closing is None:
            refuse("stream")
        value, at = Stream(value, memoryview(data)[stream.end() : end]), skip_space(data, closing.end())
    closing = _END_OBJECT.match(data, at)
    if closing is None:
        refuse("object")
    return value, closing.end()


class LengthOf:
    """Resolves a stream's length; the base class takes direct integers only."""

    def __call__(self, value: Object) -> int:
        """The length in bytes.

        Raises:
            FormatError: not an integer.
        """
        if not isinstance(value, int) or isinstance(value, bool):
            refuse("stream")
        return value


def refuse(detail: str) -> NoReturn:
    """Raise the error of a damaged file."""
    raise FormatError("pdf_invalid", detail=detail)


def _parse(data: bytes, at: int, stop: int, depth: int) -> tuple[Object, int]:  # noqa: PLR0911 - a case per type
    if depth == 0 or at > stop:
        refuse("nesting")
    head = data[at : at + 2]
    first = head[:1]
    if head == b"<<":
        return _dictionary(data, at + 2, stop, depth)
    if first == b"[":
        return _array(data, at + 1, stop, depth)
    if first == b"/":
        return _name(data, at)
    if first == b"(":
        return _literal(data, at, stop)
    if first == b"<":
        match = _HEX.match(data, at)
        if match is None:
            refuse("string")
        digits = match[1].translate(None, b"\0\t\n\f\r ")
        return Text(bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode()), at, match.end()), match.end()
    ref = _REF.match(data, at)
    if ref is not None:
        return Ref(int(ref[1]), int(ref[2])), ref.end()
    number = _NUMBER.match(data, at)
    if number is not None:
        text = number[0]
        if len(text) > MAX_NUMBER_LENGTH:
            refuse("number")
        return (float(text) if b"." in text else int(text)), number.end()
    word = _WORD.match(data, at)
    if word is None:
        refuse("object")
    return {b"true": True, b"false": False, b"null": None}[word[0]], word.end()


def _dictionary(data: bytes, at: int, stop: int, depth: int) -> tuple[Object, int]:
    entries: dict[str, Object] = {}
    while True:
        at = skip_space(data, at)
        if data[at : at + 2] == b">>":
            return entries, at + 2
        if data[at : at + 1] != b"/":
            refuse("dictionary")
        key, at = _name(data, at)
        if key in entries:
            raise FormatError("pdf_duplicate_key", key=key[:40] if key.isprintable() else "?")
        entries[key], at = _parse(data, skip_space(data, at), stop, depth - 1)
        if len(entries) > MAX_MEMBERS:
            refuse("dictionary")


def _array(data: bytes, at: int, stop: int, depth: int) -> tuple[Object, int]:
    members: list[Object] = []
    while True:
        at = skip_space(data, at)
        if data[at : at + 1] == b"]":
            return members, at + 1
        member, at = _parse(data, at, stop, depth - 1)
        members.append(member)
        if len(members) > MAX_MEMBERS:
            refuse("array")


def _name(data: bytes, at: int) -> tuple[Name, int]:
    match = _NAME.match(data, at)
    if match is None or len(match[1]) > MAX_NAME_LENGTH:
        refuse("name")
    raw = _HEX_ESCAPE.sub(lambda m: bytes.fromhex(m[1].decode()), match[1]) if b"#" in match[1] else match[1]
    return Name(raw.decode("latin-1")), match.end()


def _literal(data: bytes, start: int, stop: int) -> tuple[Text, int]:
    parts: list[bytes] = []
    at, open_brackets = start + 1, 1
    while at <= stop:
        match = _TEXT.match(data, at)
        if match is not None:
            parts.append(match[0])
            at = match.end()
        byte = data[at : at + 1]
        at += 1
        if byte == b"(":
            open_brackets += 1
            parts.append(byte)
        elif byte == b")":
            open_brackets -= 1
            if not open_brackets:
                return Text(b"".join(parts), start, at), at
            parts.append(byte)
        elif byte == b"\\":
            part, at = _escape(data, at)
            parts.append(part)
        elif byte == b"\r":
            # §7.3.4.2: every end of line reads as one line feed.
            at += data[at : at + 1] == b"\n"
            parts.append(b"\n")
        else:
            refuse("string")
    refuse("string")


def _escape(data: bytes, at: int) -> tuple[bytes, int]:
    octal = _OCTAL.match(data, at)
    if octal is not None:
        return bytes((int(octal[0], 8) & 0xFF,)), octal.end()
    byte = data[at : at + 1]
    if byte == b"\r":
        return b"", at + 1 + (data[at + 1 : at + 2] == b"\n")
    return (b"" if byte == b"\n" else _ESCAPES.get(byte, byte)), at + 1
