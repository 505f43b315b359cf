"""Structured fields (RFC 9651) as far as signatures need them: dictionaries of byte sequences and of inner lists.

What a member means is `hub.signing.requests`'. Stricter than the standard where readers could differ: a member or a
parameter named twice is refused instead of the last one winning, and so is what no signature has use for (decimals,
dates, display strings). Every text that is read can be written again; what is written is the canonical form.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from hub.signing.errors import FieldMalformedError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CHARS = 8_192
MAX_MEMBERS = 16
MAX_ITEMS = 64

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]{0,63}")
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\]){0,4096})"')
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]{0,255}")
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):")
_SPACE = re.compile(r"[ \t]*")

# What nearly every signature looks like: one member, component names without parameters, parameters that are strings
# without escapes or integers. The last of the 86 characters of 64 bytes has four bits that are not of the bytes.
_NAME = r'"[@a-z][a-z0-9-]{0,63}"'
_PARAMETER = r';([a-z]{1,16})=(?:"([ !#-\[\]-~]{0,256})"|([0-9]{1,15}))'
_UNNAMED = _PARAMETER.replace("([a-z]", "(?:[a-z]").replace("([ ", "(?:[ ").replace("([0", "(?:[0")
_ONE_LIST = re.compile(rf"([a-z][a-z0-9_-]{{0,63}})=((\((?:{_NAME}(?: {_NAME})*)?\))((?:{_UNNAMED}){{0,16}}))")
_PARAMETERS = re.compile(_PARAMETER)
_NAMES = re.compile(r'"([^"]*)"')
_ONE_SIGNATURE = re.compile(r"([a-z][a-z0-9_-]{0,63})=:([A-Za-z0-9+/]{85}[AQgw]==):")
_LISTS_REMEMBERED = 256


class Token(str):
    """A token (RFC 9651 §3.3.4); a plain str is a string (§3.3.3)."""

    __slots__ = ()


Bare = int | str | Token | bytes | bool


@dataclass(frozen=True, slots=True)
class Item:
    """A value with its parameters."""

    value: Bare
    parameters: Mapping[str, Bare] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InnerList:
    """Several items with the parameters of all of them. *text* is how it was written, where it was read."""

    items: tuple[Item, ...]
    parameters: Mapping[str, Bare] = field(default_factory=dict)
    text: str = field(default="", compare=False)


def parse_dictionary(text: str) -> dict[str, Item | InnerList]:
    """The members of the dictionary *text* (§4.2.2), which is the combined value of a field.

    Raises:
        FieldMalformedError: it is none, or is larger than any that is needed.
    """
    if len(text) > MAX_CHARS or not text.isascii():
        raise FieldMalformedError
    reader = _Reader(text)
    reader.spaces()
    members: dict[str, Item | InnerList] = {}
    while not reader.ended():
        key = reader.match(_KEY)[0]
        if key in members or len(members) == MAX_MEMBERS:
            raise FieldMalformedError
        if reader.take("="):
            members[key] = reader.inner_list() if reader.sees("(") else reader.item()
        else:
            members[key] = Item(True, reader.parameters())
        reader.spaces()
        if reader.ended():
            break
        reader.need(",")
        reader.spaces()
        if reader.ended():
            raise FieldMalformedError  # a comma with nothing after it
    return members


def parse_inner_lists(text: str) -> Mapping[str, Item | InnerList]:
    """`parse_dictionary`, quicker for the one inner list that a Signature-Input field mostly is. Raises: as it does."""
    found = _ONE_LIST.fullmatch(text) if len(text) <= MAX_CHARS else None
    if found is not None:
        label, written, names, said = found.groups()
        given = _PARAMETERS.findall(said)
        parameters: dict[str, Bare] = {name: int(number) if number else string for name, string, number in given}
        items = _items(names)
        if len(parameters) == len(given) and len(items) <= MAX_ITEMS:
            return {label: InnerList(items, parameters, written)}
    return parse_dictionary(text)


def parse_signatures(text: str) -> Mapping[str, Item | InnerList]:
    """`parse_dictionary`, quicker for the one signature of 64 bytes that a Signature field mostly is."""
    found = _ONE_SIGNATURE.fullmatch(text)
    return parse_dictionary(text) if found is None else {found[1]: Item(binascii.a2b_base64(found[2]))}


@lru_cache(maxsize=_LISTS_REMEMBERED)
def _items(names: str) -> tuple[Item, ...]:
    """The items of a list of plain names: a client writes the same ones every time."""
    return tuple(Item(name) for name in _NAMES.findall(names))


def write_dictionary(members: Mapping[str, Item | InnerList]) -> str:
    """The canonical text of *members* (§4.1.2). Raises: FieldMalformedError: a value has none."""
    written = []
    for key, member in members.items():
        if isinstance(member, Item) and member.value is True:
            written.append(_key(key) + _parameters(member.parameters))
        else:
            written.append(f"{_key(key)}={write(member)}")
    return ", ".join(written)


def write(member: Item | InnerList) -> str:
    """The canonical text of one member. Raises: FieldMalformedError: a value has none."""
    if isinstance(member, InnerList):
        return f"({' '.join(map(write, member.items))}){_parameters(member.parameters)}"
    return _bare(member.value) + _parameters(member.parameters)


def _parameters(parameters: Mapping[str, Bare]) -> str:
    return "".join(
        f";{_key(key)}" if value is True else f";{_key(key)}={_bare(value)}" for key, value in parameters.items()
    )


def _key(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise FieldMalformedError
    return key


def _bare(value: Bare) -> str:
    match value:
        case bool():
            return "?1" if value else "?0"
        case int():
            text, form = str(value), _INTEGER
        case bytes():
            return f":{base64.b64encode(value).decode()}:"
        case Token():
            text, form = str(value), _TOKEN
        case str():
            text, form = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"', _STRING
    if form.fullmatch(text) is None:
        raise FieldMalformedError
    return text


class _Reader:
    """Reads from left to right; whatever does not fit raises."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def ended(self) -> bool:
        return self._at == len(self._text)

    def spaces(self) -> None:
        self.match(_SPACE)

    def sees(self, character: str) -> bool:
        return self._text.startswith(character, self._at)

    def take(self, character: str) -> bool:
        found = self.sees(character)
        self._at += found
        return found

    def need(self, character: str) -> None:
        if not self.take(character):
            raise FieldMalformedError

    def match(self, form: re.Pattern[str]) -> re.Match[str]:
        found = form.match(self._text, self._at)
        if found is None:
            raise FieldMalformedError
        self._at = found.end()
        return found

    def item(self) -> Item:
        return Item(self.bare(), self.parameters())

    def inner_list(self) -> InnerList:
        begin = self._at
        self.need("(")
        items: list[Item] = []
        while True:
            while self.take(" "):
                pass
            if self.take(")"):
                break
            # Between two items is a space; the loop above took it, if it was there.
            if items and self._text[self._at - 1] != " ":
                raise FieldMalformedError
            items.append(self.item())
            if len(items) > MAX_ITEMS:
                raise FieldMalformedError
        parameters = self.parameters()
        return InnerList(tuple(items), parameters, self._text[begin : self._at])

    def parameters(self) -> dict[str, Bare]:
        found: dict[str, Bare] = {}
        while self.take(";"):
            while self.take(" "):
                pass
            key = self.match(_KEY)[0]
            if key in found or len(found) == MAX_MEMBERS:
                raise FieldMalformedError
            found[key] = self.bare() if self.take("=") else True
        return found

    def bare(self) -> Bare:
        first = self._text[self._at : self._at + 1]
        if first == '"':
            return re.sub(r"\\(.)", r"\1", self.match(_STRING)[1])
        if first == ":":
            return self._bytes()
        if first == "?":
            self._at += 1
            if self.take("1"):
                return True
            self.need("0")
            return False
        if first == "-" or first.isdigit():
            return int(self.match(_INTEGER)[0])
        return Token(self.match(_TOKEN)[0])

    def _bytes(self) -> bytes:
        text = self.match(_BYTES)[1]
        try:
            found = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise FieldMalformedError from error
        if base64.b64encode(found).decode() != text:
            raise FieldMalformedError  # bits that are not of the bytes: a second spelling of the same
        return found
