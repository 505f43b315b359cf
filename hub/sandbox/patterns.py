"""Texts that match an RE2 expression, made without trying: the n-th of as many different ones as are wanted.

For sample rows alone. Matching is RE2's own affair; look-around and back-references, which it has not,
are refused here too.
"""

from __future__ import annotations

import math
import string
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# Beyond the least that a repetition asks for, at most so many more.
_MOST_MORE: Final = 12
_MOST_CHARACTERS: Final = 512
_HAN: Final = "样例测试示范参考编号甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥东西南北上中下"
_VISIBLE: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase + "-_./"
_PERL: Final = {"d": string.digits, "w": string.digits + string.ascii_letters + "_", "s": " "}
_POSIX: Final = {
    "digit": string.digits,
    "alpha": string.ascii_uppercase + string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "lower": string.ascii_lowercase,
    "alnum": string.digits + string.ascii_uppercase + string.ascii_lowercase,
    "xdigit": string.digits + "ABCDEFabcdef",
    "word": string.digits + string.ascii_uppercase + string.ascii_lowercase + "_",
    "punct": "-_./!#%&()",
    "space": " ",
    "blank": " ",
}
_UNICODE: Final = {
    "Han": _HAN,
    "L": string.ascii_uppercase + _HAN,
    "Lu": string.ascii_uppercase,
    "Ll": string.ascii_lowercase,
    "Lo": _HAN,
    "N": string.digits,
    "Nd": string.digits,
    "P": "-_./",
    "Latin": string.ascii_uppercase + string.ascii_lowercase,
}
_CONTROL: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


class PatternNotMadeError(ValueError):
    """No text can be made for this expression here; it says nothing against the expression."""


@dataclass(frozen=True, slots=True)
class _Repeat:
    """*node*, from *low* to *high* times."""

    node: _Node
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class _Either:
    """One of *nodes*."""

    nodes: tuple[_Node, ...]


# A text stands for any one of its characters, a tuple for its parts one after the other.
_Node = str | tuple["_Node", ...] | _Repeat | _Either


@lru_cache(maxsize=512)
def _parsed(pattern: str) -> _Node:
    return _Parser(pattern).whole()


def capacity(pattern: str, most_chars: int, wanted: int) -> int:
    """How many different texts of at most *most_chars* (0: of any length) `nth` can make, up to *wanted*.

    Raises:
        PatternNotMadeError: none can be made.
    """
    return min(wanted, math.prod(map(len, _places(pattern, most_chars, wanted))))


def nth(pattern: str, most_chars: int, wanted: int, n: int) -> str:
    """The *n*-th (from 0) of `capacity` different texts that match *pattern*. Raises: as `capacity`."""
    made = []
    for characters in reversed(_places(pattern, most_chars, wanted)):
        n, which = divmod(n, len(characters))
        made.append(characters[which])
    return "".join(reversed(made))


def some(pattern: str, most_chars: int, draw: Callable[[int], int], *, longest: bool = False) -> str:
    """A text that matches *pattern*; *draw* (n) chooses from 0 to n - 1. Raises: as `capacity`.

    Its first half are the first characters that may stand there: a number drawn at random could be somebody's.
    """
    node = _parsed(pattern)
    choices = [
        p for p in (_flat(node, more) for more in range(_MOST_MORE + 1)) if not most_chars or len(p) <= most_chars
    ]
    if not choices:
        raise PatternNotMadeError(pattern)
    places = choices[-1] if longest else choices[draw(min(3, len(choices)))]
    half = len(places) // 2
    return "".join(c[0] if i < half else c[draw(len(c))] for i, c in enumerate(places))


@lru_cache(maxsize=512)
def _places(pattern: str, most_chars: int, wanted: int) -> tuple[str, ...]:
    """The characters that may stand at each place of the shortest form that has *wanted* texts, else of the richest."""
    node, best = _parsed(pattern), None
    for more in range(_MOST_MORE + 1):
        places = _flat(node, more)
        if most_chars and len(places) > most_chars:
            break
        best = places
        if math.prod(map(len, places)) >= wanted:
            break
    if best is None:
        raise PatternNotMadeError(pattern)
    return best


def _flat(node: _Node, more: int) -> tuple[str, ...]:
    match node:
        case str():
            return (node,)
        case tuple():
            return tuple(place for part in node for place in _flat(part, more))
        case _Repeat(part, low, high):
            return _flat(part, more) * min(high, low + more)
        case _Either(nodes):
            return max((_flat(part, more) for part in nodes), key=lambda p: math.prod(map(len, p)))


class _Parser:
    """Recursive descent over the syntax of RE2 as registers use it."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def whole(self) -> _Node:
        node = self._either()
        if self._at != len(self._pattern):
            raise PatternNotMadeError(self._pattern)
        return node

    def _peek(self, text: str) -> bool:
        return self._pattern.startswith(text, self._at)

    def _take(self, text: str) -> bool:
        if not self._peek(text):
            return False
        self._at += len(text)
        return True

    def _next(self) -> str:
        if self._at >= len(self._pattern):
            raise PatternNotMadeError(self._pattern)
        self._at += 1
        return self._pattern[self._at - 1]

    def _until(self, end: str) -> str:
        stop = self._pattern.find(end, self._at)
        if stop < 0:
            raise PatternNotMadeError(self._pattern)
        found, self._at = self._pattern[self._at : stop], stop + len(end)
        return found

    def _either(self) -> _Node:
        nodes = [self._sequence()]
        while self._take("|"):
            nodes.append(self._sequence())
        return nodes[0] if len(nodes) == 1 else _Either(tuple(nodes))

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._at < len(self._pattern) and not self._peek("|") and not self._peek(")"):
            node = self._one()
            if node is not None:
                parts.append(self._repeated(node))
        return tuple(parts)

    def _repeated(self, node: _Node) -> _Node:
        low, high = 1, 1
        if self._take("*"):
            low, high = 0, _MOST_MORE
        elif self._take("+"):
            low, high = 1, 1 + _MOST_MORE
        elif self._take("?"):
            low, high = 0, 1
        elif self._take("{"):
            first, comma, last = self._until("}").partition(",")
            low = int(first)
            high = int(last) if last else low + _MOST_MORE if comma else low
        else:
            return node
        self._take("?")  # a lazy repetition matches the same texts
        return _Repeat(node, low, high)

    def _one(self) -> _Node | None:
        if self._take("("):
            return self._group()
        if self._take("["):
            return self._class()
        if self._take("\\"):
            return self._escape()
        character = self._next()
        if character in "^$":
            return None
        return _VISIBLE if character == "." else character

    def _group(self) -> _Node | None:
        if self._take("?"):
            if self._take("P<") or (self._peek("<") and self._take("<")):
                if self._peek("=") or self._peek("!"):
                    raise PatternNotMadeError(self._pattern)
                self._until(">")
            else:
                flags = ""
                while not self._peek(":") and not self._peek(")"):
                    flags += self._next()
                if set(flags) - set("imsU-"):
                    raise PatternNotMadeError(self._pattern)
                if self._take(")"):
                    return None
                self._take(":")
        node = self._either()
        if not self._take(")"):
            raise PatternNotMadeError(self._pattern)
        return node

    def _escape(self) -> _Node | None:
        character = self._next()
        if character in "bAzB":
            return None
        if character == "Q":
            return tuple(self._until("\\E"))
        return self._set(character)

    def _set(self, character: str) -> str:
        """The characters that an escape stands for."""
        if character in _CONTROL:
            return _CONTROL[character]
        if character.lower() in _PERL:
            known = _PERL[character.lower()]
            return known if character.islower() else _others(known)
        if character in "pP":
            name = self._until("}") if self._take("{") else self._next()
            known = _UNICODE.get(name.removeprefix("^"), "")
            if not known:
                raise PatternNotMadeError(self._pattern)
            return _others(known) if (character == "P") != name.startswith("^") else known
        if character == "x":
            return chr(int(self._until("}") if self._take("{") else self._next() + self._next(), 16))
        if character.isalnum():
            raise PatternNotMadeError(self._pattern)
        return character

    def _class(self) -> str:
        negated = self._take("^")
        found = ""
        first = True
        while first or not self._peek("]"):
            first = False
            if self._take("[:"):
                name = self._until(":]")
                if name.removeprefix("^") not in _POSIX:
                    raise PatternNotMadeError(self._pattern)
                known = _POSIX[name.removeprefix("^")]
                found += _others(known) if name.startswith("^") else known
                continue
            low = self._member()
            if len(low) == 1 and self._peek("-") and not self._peek("-]"):
                self._take("-")
                high = self._member()
                low = "".join(map(chr, range(ord(low), min(ord(high), ord(low) + _MOST_CHARACTERS) + 1)))
            found += low
        self._take("]")
        chosen = _others(found) if negated else "".join(dict.fromkeys(found))
        if not chosen:
            raise PatternNotMadeError(self._pattern)
        return chosen

    def _member(self) -> str:
        character = self._next()
        return self._set(self._next()) if character == "\\" else character


def _others(characters: str) -> str:
    return "".join(c for c in _VISIBLE + _HAN if c not in characters)
