"""The words that mean the same to those who search (人社局 = 人力资源和社会保障局), and how a query is cut by them.

The words themselves are data (catalog/data/search-aliases.csv, search-fillers.txt); a list adds its own.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from catalog.search.text import compact, is_han, normalise, runs, squeeze

if TYPE_CHECKING:
    from collections.abc import Iterable

    from catalog.model import ResponsibilityList

SAME, NARROWER = "=", ">"
_DATA: Final = ("search-aliases.csv", "search-fillers.txt", "search-traditional.txt")
_FUZZY_MIN_CHARS = 3  # every two-character word is one character away from thousands of others
_CITY_ENDS: Final = ("自治州", "地区", "市", "盟")


@dataclass(frozen=True, slots=True)
class Alias:
    """Another word for a term; *narrower* when it is only one of the things that the term means."""

    text: str
    narrower: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a query that is matched as one: a Han or Latin run, or the part of one that is a known term.

    *optional* pieces (查询, 信息, the …) say how to rank and not what to find. *aliases* are other words for it.
    *words* are the separate chunks where several Latin runs were joined (``gong ji jin``).
    """

    text: str
    aliases: tuple[Alias, ...] = ()
    optional: bool = False
    words: tuple[str, ...] = ()


class Thesaurus:
    """Terms with their aliases, and the filler words. Immutable once made; safe for many threads."""

    def __init__(self, rows: Iterable[tuple[str, str, tuple[str, ...]]], fillers: Iterable[str]) -> None:
        self._aliases: dict[str, dict[str, Alias]] = {}
        self.fillers = frozenset(map(normalise, fillers))
        rows = [(relation, normalise(term), tuple(map(normalise, others))) for relation, term, others in rows]
        # What is a kind of a term is a kind of every other word for it: so those come when all words are known.
        for relation, term, others in sorted(rows, key=lambda row: row[0] == NARROWER):
            self._add(relation, term, others)
        known = set(self._aliases) | self.fillers
        self._longest = max(map(len, known), default=0)
        self._near: dict[str, list[str]] = {}
        for term in sorted(self._aliases):
            if len(term) >= _FUZZY_MIN_CHARS:
                for form in {term, *shortened(term)}:
                    self._near.setdefault(form, []).append(term)

    def _add(self, relation: str, term: str, others: tuple[str, ...]) -> None:
        if relation == NARROWER:
            kinds = {other: Alias(other, narrower=True) for other in others}
            for one in (term, *(alias.text for alias in self.aliases(term) if not alias.narrower)):
                self._aliases.setdefault(one, {}).update(
                    {other: kind for other, kind in kinds.items() if other not in self._aliases.get(one, {})}
                )
            return
        group = (term, *others)
        for one in group:
            own = self._aliases.setdefault(one, {})
            own.update({other: Alias(other) for other in group if other != one})

    def aliases(self, term: str) -> tuple[Alias, ...]:
        """The other words for a normalised *term*, those with the same meaning first; none for an unknown one."""
        return tuple(sorted(self._aliases.get(term, {}).values(), key=lambda alias: (alias.narrower, alias.text)))

    def near(self, text: str) -> tuple[str, ...]:
        """The terms one character away from *text*: one more, one less, or another in its place; sorted."""
        if len(text) < _FUZZY_MIN_CHARS - 1:
            return ()
        found = {term for form in (text, *shortened(text)) for term in self._near.get(form, ())}
        return tuple(sorted(term for term in found if term != text and _one_apart(text, term)))

    def within(self, text: str) -> list[str]:
        """The terms that stand in a normalised *text* (Han ones), longest first at each place."""
        return [
            text[start:end]
            for start in range(len(text))
            for end in range(min(len(text), start + self._longest), start + 1, -1)
            if text[start:end] in self._aliases
        ]

    def cut(self, query: str) -> tuple[Piece, ...]:
        """The pieces of a raw *query*, in order: known terms by longest match, fillers, and what is left between.

        Where all is filler, nothing is.
        """
        found: list[Piece] = []
        latin: list[str] = []
        for run in [*runs(normalise(query)), ""]:
            if run and not is_han(run):
                latin.append(run)
                continue
            found += self._cut_latin(latin)
            latin = []
            found += self._cut_han(run)
        if all(piece.optional for piece in found):
            return tuple(Piece(piece.text, piece.aliases) for piece in found)
        return tuple(found)

    def _cut_han(self, run: str) -> list[Piece]:
        found: list[Piece] = []
        start = left = 0
        while start < len(run):
            term = self._longest_at(run, start)
            if not term:
                start += 1
                continue
            if left < start:
                found.append(Piece(run[left:start]))
            found.append(Piece(term, self.aliases(term), optional=term in self.fillers))
            start = left = start + len(term)
        if left < len(run):
            found.append(Piece(run[left:]))
        return found

    def _longest_at(self, run: str, start: int) -> str:
        for end in range(min(len(run), start + self._longest), start, -1):
            text = run[start:end]
            if text in self._aliases or text in self.fillers:
                return text
        return ""

    def _cut_latin(self, chunks: list[str]) -> list[Piece]:
        together = " ".join(chunks)
        if len(chunks) > 1 and together in self._aliases:
            return [Piece(together, self.aliases(together), words=tuple(chunks))]
        pieces = [Piece(chunk, self.aliases(chunk), optional=chunk in self.fillers) for chunk in chunks]
        if len(chunks) > 1:
            # Whether these are syllables of one word (gong ji jin) only the index can tell.
            return [Piece(squeeze(together), words=tuple(chunks)), *pieces]
        return pieces


def shortened(text: str) -> list[str]:
    """*text* with each one character left out."""
    return [text[:at] + text[at + 1 :] for at in range(len(text))]


def _one_apart(one: str, other: str) -> bool:
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) == 1
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return len(longer) - len(shorter) == 1 and shorter in shortened(longer)


def read_rows(text: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """The rows of an alias file: relation (``=`` or ``>``), term, other words separated by ``|``; # comments.

    Raises:
        ValueError: a row of another form; the message names its line.
    """
    found = []
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        if not row or row[0].startswith("#"):
            continue
        if len(row) != len(("relation", "term", "others")) or row[0] not in (SAME, NARROWER) or not all(row):
            raise ValueError(f"line {number}: not `=` or `>`, a term, and other words")
        found.append((row[0], row[1], tuple(row[2].split("|"))))
    return found


@cache
def packaged() -> tuple[tuple[tuple[str, str, tuple[str, ...]], ...], tuple[str, ...]]:
    """The rows and fillers that come with the program."""
    fillers = [line for line in _read(_DATA[1]).splitlines() if line and not line.startswith("#")]
    return tuple(read_rows(_read(_DATA[0]))), tuple(word for line in fillers for word in line.split())


@cache
def fingerprint() -> str:
    """A digest of the word data: an index made with other data is made anew."""
    return hashlib.sha256("\0".join(map(_read, _DATA)).encode()).hexdigest()[:16]


def _read(name: str) -> str:
    return files("catalog").joinpath("data", name).read_text("utf-8")


def thesaurus_of(list_: ResponsibilityList) -> Thesaurus:
    """The packaged thesaurus with what *list_* itself says: departments by their names, aliases and codes."""
    rows, fillers = packaged()
    return Thesaurus((*rows, *_departments(list_)), fillers)


def _departments(list_: ResponsibilityList) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    for department in list_.departments:
        full, bare = compact(department.name), strip_city(compact(department.name), list_.city)
        others = {compact(alias) for alias in department.aliases}
        others |= {strip_city(other, list_.city) for other in others} | {full, bare}
        # A name of one character (市) would swallow half the queries.
        names = sorted(name for name in others if len(name) > 1)
        if len(names) > 1:
            yield SAME, bare, tuple(name for name in names if name != bare)
        elif names:
            yield SAME, bare, (full,)


def strip_city(name: str, city: str) -> str:
    """A compact department name without the city before it: 阜阳市公安局 and 市公安局 → 公安局."""
    stem = compact(city)
    for end in _CITY_ENDS:
        stem = stem.removesuffix(end) or stem
    for start in (*(stem + end for end in _CITY_ENDS), stem, "市"):
        if name.startswith(start) and len(name) > len(start) + 1:
            return name.removeprefix(start)
    return name
