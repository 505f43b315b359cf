"""Parse JSON so that every scalar keeps the text its source wrote: 1.10 stays ``1.10``.

Leaves where the JSON comes from to ``ndjson`` and ``http-json``.
"""

from __future__ import annotations

import json
from typing import NoReturn


class Literal(str):
    """A JSON number as written."""

    __slots__ = ()


class JsonDuplicateError(ValueError):
    """An object names a member twice; which of the two counts, parsers disagree on."""


def parse(text: str | bytes) -> object:
    """The value of a JSON *text* (RFC 8259; NaN and Infinity are not JSON), numbers as `Literal`.

    Raises:
        json.JSONDecodeError, JsonDuplicateError, RecursionError: mend the source. Their messages may quote the text.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    elif text.startswith("\ufeff"):
        raise json.JSONDecodeError("a mark of byte order", "", 0)
    return _DECODER.decode(text)


def _not_json(constant: str) -> NoReturn:
    raise json.JSONDecodeError(constant, "", 0)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonDuplicateError
    return members


# One for all lines of all files: to make one takes longer than a record does.
_DECODER = json.JSONDecoder(parse_float=Literal, parse_int=Literal, parse_constant=_not_json, object_pairs_hook=_unique)


def as_text(value: object) -> str | None:
    """The landed text of a member: null is NULL, text itself, numbers as written, true/false, nested compact JSON."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, Literal):
        return str(value)
    return compact(value)


def compact(value: object) -> str:
    """JSON without insignificant white space, members in the source's order, numbers as written."""
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{compact(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(compact, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def record(value: dict[str, object]) -> dict[str, str | None]:
    """An object's members as landed texts."""
    return {name: member if type(member) is str else as_text(member) for name, member in value.items()}
