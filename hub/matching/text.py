"""How texts are compared: width, case, spaces, separators and variant characters aside, never by mere likeness.

Which fields hold texts of which kind is `hub.matching.comparing`'s affair. The table of variants is made by
scripts/variants.py.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Verdict(StrEnum):
    """What a claim turns out to be. ``unknown``: there is no value, or the two cannot be compared with certainty."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"


HIDDEN: Final = "*"  # stands in texts of which a part was masked, by us or by who writes them

_BRACKETS = dict.fromkeys(map(ord, "[〔【〖﹝⟦"), "(") | dict.fromkeys(map(ord, "]〕】〗﹞⟧"), ")")
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−─﹣"), "-")
_QUOTES = dict.fromkeys(map(ord, "“”„‟″"), '"') | dict.fromkeys(map(ord, "‘’‚‛′"), "'")
_DOTS = dict.fromkeys(map(ord, "·•・‧∙⋅●‣⸱ㆍ"), "·")
_OTHERS = {ord("、"): ",", ord("〜"): "~", ord("○"): "〇", ord("◯"): "〇"}
# A dot is a name's (阿不都·热合曼, J. Smith) unless a digit is beside it.
_NAME_DOT = re.compile(r"(?<![0-9])[·.](?![0-9])")
_LETTERS = range(0x3100)  # beyond it no space or format character stands but those named below
_SELECTORS = (*range(0xFE00, 0xFE10), 0xFEFF, *range(0xE0000, 0xE01F0), 0x3164)
_SPACE_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


def _unseen() -> dict[int, None]:
    found = {c: None for c in _LETTERS if unicodedata.category(chr(c)) in _SPACE_CATEGORIES}
    return found | dict.fromkeys(_SELECTORS)


def _raised() -> dict[int, str]:
    """Characters whose compatibility form means something else: 5² is not 52, and ① is not 1."""
    found = {}
    for point in (*range(0xA0, 0x100), *range(0x2070, 0x20A0), *range(0x2150, 0x2190), *range(0x2460, 0x2500)):
        tag = unicodedata.decomposition(chr(point)).partition(" ")[0]
        if tag in ("<super>", "<sub>", "<fraction>", "<circle>"):
            found[point] = f"{tag}{unicodedata.normalize('NFKC', chr(point))}"
    return found


_RAISED: Final = _raised()
_SHOWN: Final = _unseen() | _BRACKETS | _DASHES | _QUOTES | _DOTS | _OTHERS


def plain(text: str) -> str:
    """*text* in half width and small letters, without spaces, with one sort of bracket, dash, quote and dot."""
    if not text.isascii() and not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text.translate(_RAISED))
    text = text.casefold().translate(_SHOWN)
    if not text.isascii():
        # Folding case, and taking marks away, may leave what has a shorter form.
        text = unicodedata.normalize("NFKC", text)
    return _NAME_DOT.sub("", text) if "." in text or "·" in text else text


@dataclass(frozen=True, slots=True)
class Variants:
    """The table: *fold* to the character compared as, pairs that are the *same*, pairs in *doubt* (both ways round)."""

    fold: Mapping[int, str]
    same: frozenset[str]
    doubt: frozenset[str]


@cache
def variants() -> Variants:
    """The table of variants, read once."""
    found: dict[str, list[str]] = {}
    pairs: list[str] = []
    for line in files("hub.matching").joinpath("variants.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            pairs = found.setdefault(line[1:-1], [])
        elif not line.startswith("#"):
            pairs.extend(line.split())
    both = {name: frozenset(words) | {w[::-1] for w in words} for name, words in found.items()}
    return Variants({ord(word[0]): word[1] for word in found["fold"]}, both["same"], both["doubt"])


def folded(text: str) -> str:
    """*text*, which is `plain`, with every variant character as the one it is compared as."""
    return text if text.isascii() else text.translate(variants().fold)


def alike(stored: str, claim: str) -> Verdict:
    """Whether two texts say the same. Symmetric.

    Two traditional characters of one simplified one, and characters that are at times two forms of one and at times
    two (乾 and 干, 喆 and 哲), leave it unknown.
    """
    return alike_plain(plain(stored), plain(claim))


def alike_plain(one: str, other: str) -> Verdict:
    """As `alike`, of texts that are `plain` already."""
    if not one or not other:
        return Verdict.UNKNOWN  # of marks and spaces alone nothing can be said
    if one == other:
        return Verdict.MATCH
    if HIDDEN in one or HIDDEN in other:
        return Verdict.UNKNOWN
    # Variants stand one for one, so that texts of different length differ.
    if len(one) != len(other) or (one.isascii() and other.isascii()):
        return Verdict.MISMATCH
    return _variant(one, other)


def _variant(one: str, other: str) -> Verdict:
    table = variants()
    verdict = Verdict.MATCH
    for a, b in zip(one, other, strict=True):
        if a == b:
            continue
        as_a, as_b = table.fold.get(ord(a), a), table.fold.get(ord(b), b)
        if as_a == as_b:
            if as_a not in (a, b) and a + b not in table.same:
                verdict = Verdict.UNKNOWN
        elif a + b in table.doubt or as_a + b in table.doubt or a + as_b in table.doubt:
            verdict = Verdict.UNKNOWN
        else:
            return Verdict.MISMATCH
    return verdict
