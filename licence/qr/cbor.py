"""The part of CBOR (RFC 8949) that our codes use, in its deterministic form (§4.2.1): one byte string for each value.

Integers, byte and text strings, arrays and maps; no tags, floats, simple values or indefinite lengths. What the values
mean is left to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from licence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Deeper than any code of ours; keeps recursion far from the interpreter's limit.
MAX_DEPTH = 8
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP = range(6)
_DIRECT, _LONGEST = 24, 27
_LIMIT = 1 << 64
Value = int | bytes | str | tuple["Value", ...] | dict[int | str | bytes, "Value"]


def encode(value: int | bytes | str | Sequence[Any] | Mapping[Any, Any]) -> bytes:
    """The deterministic encoding: shortest heads, map keys in the byte order of their encodings.

    Raises:
        ValueError: a value of no such type or beyond 64 bits: an error of the calling program.
    """
    return _encode(value, MAX_DEPTH)


def _encode(value: Any, depth: int) -> bytes:  # noqa: ANN401 - told apart here
    if isinstance(value, bool) or depth == 0:
        raise ValueError(f"no CBOR of ours for {type(value).__name__}")
    if isinstance(value, int):
        return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
    if isinstance(value, bytes):
        return _head(_BYTES, len(value)) + value
    if isinstance(value, str):
        data = value.encode()
        return _head(_TEXT, len(data)) + data
    if isinstance(value, list | tuple):
        return _head(_ARRAY, len(value)) + b"".join(_encode(v, depth - 1) for v in value)
    if isinstance(value, dict):
        members = sorted((_encode(k, 1), _encode(v, depth - 1)) for k, v in value.items())
        return _head(_MAP, len(members)) + b"".join(k + v for k, v in members)
    raise ValueError(f"no CBOR of ours for {type(value).__name__}")


def _head(major: int, argument: int) -> bytes:
    if argument >= _LIMIT:
        raise ValueError("an integer beyond 64 bits")
    if argument < _DIRECT:
        return bytes([major << 5 | argument])
    for power in range(4):
        if argument < 1 << (8 << power):
            break
    return bytes([major << 5 | _DIRECT + power]) + argument.to_bytes(1 << power, "big")


def decode(data: bytes, *, max_bytes: int, ordered: bool = True) -> Value:
    """The value whose `encode` is *data*; arrays come back as tuples. Not *ordered*: members of maps in any order.

    Raises:
        FormatError: more than *max_bytes*, or not such an encoding: another type, a longer head than needed, keys out
            of order or repeated, nested beyond `MAX_DEPTH`, ended within a value or going on after it.
    """
    if len(data) > max_bytes:
        raise FormatError("too_large", what="CBOR", limit=max_bytes)
    reader = _Reader(data, ordered)
    value = reader.value(MAX_DEPTH)
    if reader.at != len(data):
        raise FormatError("cbor_invalid", problem="trailing bytes")
    return value


@dataclass(slots=True)
class _Reader:
    data: bytes
    ordered: bool
    at: int = 0

    def value(self, depth: int) -> Value:
        if depth == 0:
            raise FormatError("cbor_invalid", problem="nesting")
        major, argument = self._head()
        if major == _UNSIGNED:
            return argument
        if major == _NEGATIVE:
            return -1 - argument
        if major == _BYTES:
            return self.take(argument)
        if major == _TEXT:
            try:
                return self.take(argument).decode()
            except UnicodeDecodeError:
                raise FormatError("cbor_invalid", problem="text is not UTF-8") from None
        # Each element takes a byte at least: a length beyond what is left is refused before anything is made.
        if argument * (1 if major == _ARRAY else 2) > len(self.data) - self.at:
            raise FormatError("cbor_invalid", problem="length")
        if major == _ARRAY:
            return tuple(self.value(depth - 1) for _ in range(argument))
        if major == _MAP:
            return self._map(argument, depth)
        raise FormatError("cbor_invalid", problem="type")

    def _map(self, count: int, depth: int) -> Value:
        found: dict[int | str | bytes, Value] = {}
        before = b""
        for _ in range(count):
            start = self.at
            key = self.value(1)
            encoded = self.data[start : self.at]
            if not isinstance(key, int | str | bytes) or (encoded <= before if self.ordered else key in found):
                raise FormatError("cbor_invalid", problem="map keys")
            before = encoded
            found[key] = self.value(depth - 1)
        return found

    def _head(self) -> tuple[int, int]:
        first = self.take(1)[0]
        major, short = first >> 5, first & 0x1F
        if short < _DIRECT:
            return major, short
        if short > _LONGEST:
            raise FormatError("cbor_invalid", problem="indefinite or reserved length")
        power = short - _DIRECT
        argument = int.from_bytes(self.take(1 << power), "big")
        if argument < (_DIRECT if power == 0 else 1 << (8 << (power - 1))):
            raise FormatError("cbor_invalid", problem="longer than needed")
        return major, argument

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise FormatError("cbor_invalid", problem="ends early")
        self.at += count
        return self.data[self.at - count : self.at]
