"""Base45 (RFC 9285): bytes as the characters of a QR code's alphanumeric mode, one text for each byte string.

What the bytes mean is left to the caller.
"""

from __future__ import annotations

from licence.errors import FormatError

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_BASE = len(ALPHABET)
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
_TRIPLE, _PAIR = 3, 2
_MAX_WORD, _MAX_BYTE = 0xFFFF, 0xFF


def encode(data: bytes) -> str:
    """Three characters for two bytes, two for a last one, least significant first (RFC 9285 §3)."""
    parts: list[str] = []
    for at in range(0, len(data), 2):
        word = data[at : at + 2]
        number = int.from_bytes(word, "big")
        for _ in range(len(word) + 1):
            number, value = divmod(number, _BASE)
            parts.append(ALPHABET[value])
    return "".join(parts)


def decode(text: str, *, max_bytes: int) -> bytes:
    """The inverse of `encode`, accepting its output and nothing else.

    Raises:
        FormatError: another character, a length that no bytes give, a group beyond its bytes, more than *max_bytes*.
    """
    if len(text) > max_bytes * _TRIPLE // 2 + _TRIPLE:
        raise FormatError("too_large", what="QR code", limit=max_bytes)
    if len(text) % _TRIPLE == 1:
        raise FormatError("base45_invalid")
    found = bytearray()
    for at in range(0, len(text), _TRIPLE):
        group = text[at : at + _TRIPLE]
        number = 0
        for character in reversed(group):
            value = _VALUES.get(character)
            if value is None:
                raise FormatError("base45_invalid")
            number = number * _BASE + value
        if number > (_MAX_BYTE if len(group) == _PAIR else _MAX_WORD):
            raise FormatError("base45_invalid")
        found += number.to_bytes(len(group) - 1, "big")
    if len(found) > max_bytes:
        raise FormatError("too_large", what="QR code", limit=max_bytes)
    return bytes(found)
