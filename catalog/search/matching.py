"""Finds the documents that a query means, step by step, each looser than the one before.

1. Every piece of the query as it was typed.
2. Other words for the pieces (aliases), beside those typed.
3. Fewer than three hits, none of which is called so: one piece may be misspelt by one character.
4. No hit: half of what was typed is enough, and the answer says that conditions were relaxed.
5. Still none: the nearest few are named, which are no hits.

How the hits are put in order is `catalog.search.ranking`.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from enum import StrEnum
from functools import partial, reduce
from itertools import pairwise
from operator import and_, or_
from typing import TYPE_CHECKING, Final

from catalog.search.documents import (
    HAN_COLUMNS,
    LATIN_COLUMNS,
    NAME_COLUMNS,
    SINGLE_COLUMNS,
    SQUEEZED_COLUMNS,
    Column,
)
from catalog.search.text import bigrams, gapped, grams, is_gapped, is_han, runs, squeeze
from catalog.search.thesaurus import Alias, Piece, Thesaurus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MIN_HITS: Final = 3  # with fewer, the next looser step is tried
MAX_GRAMS: Final = 40  # of one query: a pasted paragraph costs no more than a long question
_PAIR: Final = 2
_MIN_SPELLING_CHARS: Final = 4  # a shorter Latin word is one letter away from too many others


class Step(StrEnum):
    """The steps of a search, by what was loosened."""

    WORDS = "words"
    ALIASES = "aliases"
    SPELLING = "spelling"
    RELAXED = "relaxed"
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a piece may be met: by *text* as typed, as an alias, or as a misspelling of it."""

    text: str
    step: Step
    narrower: bool = False


@dataclass(frozen=True, slots=True)
class Matched:
    """The documents found: *hits*, or else *nearest*. *ways* tell for each piece how it may be met, best first.

    *whole* are the hits of the first two steps, which hold everything that was asked for.
    """

    pieces: tuple[Piece, ...]
    ways: tuple[tuple[Way, ...], ...]
    whole: int
    hits: int
    nearest: int
    steps: tuple[tuple[Step, int], ...]  # each step taken, and how many hits there were after it

    @property
    def last(self) -> Step:
        """The loosest step that was needed."""
        return self.steps[-1][0]


class Postings:
    """The posting lists of one query: tokens to masks, fetched many at a time from *fetch*.

    *fetch* gives for each token the documents that hold it (no entry: none).
    """

    def __init__(self, fetch: Callable[[Sequence[str]], Mapping[str, int]]) -> None:
        self._fetch = fetch
        self._known: dict[str, int] = {}

    def prepare(self, tokens: Iterable[str]) -> None:
        """Fetch *tokens* that are not here yet, all at once."""
        wanted = sorted(set(tokens) - self._known.keys())
        if wanted:
            self._known.update(dict.fromkeys(wanted, 0))
            self._known.update(self._fetch(wanted))

    def gram(self, column: Column, gram: str) -> int:
        """The documents that hold *gram* in *column*."""
        token = column.value + gram
        if token not in self._known:
            self.prepare([token])
        return self._known[token]

    def anywhere(self, gram: str) -> int:
        """The documents that hold *gram* in any column."""
        return reduce(or_, (self.gram(column, gram) for column in columns_of(gram)))

    def column(self, column: Column, text: str) -> int:
        """The documents that hold all of the normalised *text* in *column*."""
        chunks = runs(text)
        latin = bool(chunks) and not any(is_han(chunk) for chunk in chunks)
        found = 0
        if latin and column in SQUEEZED_COLUMNS:
            found = self.gram(column, squeeze(text))
        needed = [gram for gram in grams(text) if column in columns_of(gram)]
        if needed and len(needed) == len(grams(text)):
            found |= reduce(and_, (self.gram(column, gram) for gram in needed))
        return found


def columns_of(gram: str) -> tuple[Column, ...]:
    """Where *gram* may stand."""
    if not is_han(gram):
        return LATIN_COLUMNS
    return SINGLE_COLUMNS if len(gram) == 1 or is_gapped(gram) else HAN_COLUMNS


def match(query: str, thesaurus: Thesaurus, postings: Postings, every: int, spellings: frozenset[str]) -> Matched:
    """Find what the raw *query* means. *every* is the set of all documents, *spellings* the Latin words indexed."""
    pieces = _within_bounds(thesaurus.cut(query))
    texts = [text for piece in pieces for text in (piece.text, *(alias.text for alias in piece.aliases))]
    postings.prepare(column.value + gram for text in texts for gram in _all_grams(text) for column in columns_of(gram))
    pieces = _syllables_joined(pieces, postings)
    required = [piece for piece in pieces if not piece.optional]
    if not required:
        return Matched((), (), every, every, 0, ((Step.WORDS, every.bit_count()),))
    steps: list[tuple[Step, int]] = []
    typed = [_typed(piece.text, postings) for piece in required]
    hits = reduce(and_, typed)
    steps.append((Step.WORDS, hits.bit_count()))
    meant = typed
    if any(piece.aliases for piece in required):
        meant = [
            mask | reduce(or_, (_typed(alias.text, postings) for alias in piece.aliases), 0)
            for piece, mask in zip(required, typed, strict=True)
        ]
        hits = reduce(and_, meant)
        steps.append((Step.ALIASES, hits.bit_count()))
    whole = hits
    near: dict[Piece, tuple[Way, ...]] = {}
    if hits.bit_count() < MIN_HITS and not hits & _named(required, postings):
        near = {piece: _near_ways(piece, thesaurus, spellings) for piece in required}
        # A word of two characters is one away from everything that holds either: that is for when there is no hit.
        least = MIN_HITS if hits else 1
        hits |= _misspelt(required, meant, near, postings, every, least=least)
        steps.append((Step.SPELLING, hits.bit_count()))
    nearest = 0
    if not hits:
        shares = _shares(required, meant, postings)
        hits = _at_least(shares, (len(shares) + 1) // 2) if len(shares) > 1 else 0
        steps.append((Step.RELAXED, hits.bit_count()))
        if not hits:
            nearest = reduce(or_, shares, 0)
            steps.append((Step.NEAREST, 0))
    ways = tuple((*_ways(piece), *near.get(piece, ())) for piece in pieces)
    return Matched(pieces, ways, whole, hits, nearest, tuple(steps))


def _within_bounds(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    kept: list[Piece] = []
    count = 0
    for piece in pieces:
        count += len(_all_grams(piece.text))
        if kept and count > MAX_GRAMS:
            break
        kept.append(piece)
    return tuple(kept)


def _all_grams(text: str) -> tuple[str, ...]:
    squeezed = squeeze(text) if text.isascii() else ""
    return (*grams(text)[:MAX_GRAMS], squeezed) if squeezed else grams(text)[:MAX_GRAMS]


def _syllables_joined(pieces: tuple[Piece, ...], postings: Postings) -> tuple[Piece, ...]:
    """Several Latin runs are one piece where together they are a code or a sound that is known, else each is its own.

    The thesaurus gives the joined form first and the runs after it.
    """
    kept: list[Piece] = []
    rest = list(pieces)
    while rest:
        piece = rest.pop(0)
        if piece.words and not piece.aliases:
            if any(postings.gram(column, piece.text) for column in SQUEEZED_COLUMNS):
                del rest[: len(piece.words)]
                kept.append(piece)
            continue
        kept.append(piece)
    return tuple(kept)


def _ways(piece: Piece) -> tuple[Way, ...]:
    return (
        Way(piece.text, Step.WORDS),
        *(Way(alias.text, Step.ALIASES, narrower=alias.narrower) for alias in piece.aliases),
    )


def _typed(text: str, postings: Postings) -> int:
    """The documents that hold *text*, each gram in whatever column."""
    known = [(gram, postings.anywhere(gram)) for gram in grams(text)[:MAX_GRAMS]]
    if text.isascii():
        whole = reduce(or_, (postings.gram(column, squeeze(text)) for column in SQUEEZED_COLUMNS), 0)
        return whole | (reduce(and_, (mask for _, mask in known)) if known else 0)
    # A bigram that is nowhere joins two words (车辆|年检); the words themselves must still be there.
    held = [mask for at, (_, mask) in enumerate(known) if mask or not _joins(known, at)]
    return reduce(and_, held) if held else 0


def _joins(known: list[tuple[str, int]], at: int) -> bool:
    """Whether both characters of the bigram at *at* stand in a neighbour that is known."""
    before = at > 0 and known[at - 1][1] and known[at - 1][0][-1] == known[at][0][0]
    after = at + 1 < len(known) and known[at + 1][1] and known[at + 1][0][0] == known[at][0][-1]
    return bool(before and after)


def _named(required: list[Piece], postings: Postings) -> int:
    """The documents in whose names every piece stands, as typed or by an alias."""
    return reduce(
        and_,
        (
            reduce(or_, (postings.column(column, way.text) for way in _ways(piece) for column in NAME_COLUMNS))
            for piece in required
        ),
    )


def _near_ways(piece: Piece, thesaurus: Thesaurus, spellings: frozenset[str]) -> tuple[Way, ...]:
    """What a piece may have been meant to be: known terms and their aliases, Latin words one letter away."""
    if piece.text.isascii():
        text = squeeze(piece.text)
        if len(text) < _MIN_SPELLING_CHARS:
            return ()
        words = sorted(edits(text) & spellings)
        return tuple(Way(word, Step.SPELLING) for word in words)
    terms = thesaurus.near(piece.text)
    found = dict.fromkeys(other for term in terms for other in (Alias(term), *thesaurus.aliases(term)))
    return tuple(Way(alias.text, Step.SPELLING, narrower=alias.narrower) for alias in found)


def edits(word: str) -> set[str]:
    """Every word one letter away from *word*: left out, put in, another, or two changed about."""
    letters = string.ascii_lowercase + (string.digits if any(letter.isdigit() for letter in word) else "")
    halves = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    found = {left + right[1:] for left, right in halves if right}
    found |= {left + right[1] + right[0] + right[2:] for left, right in halves if len(right) > 1}
    found |= {left + letter + right[1:] for left, right in halves if right for letter in letters}
    found |= {left + letter + right for left, right in halves for letter in letters}
    return found - {word}


def _misspelt(
    required: list[Piece],
    meant: list[int],
    near: Mapping[Piece, tuple[Way, ...]],
    postings: Postings,
    every: int,
    *,
    least: int,
) -> int:
    """The documents that hold all pieces but one as meant, and that one, of *least* characters, with one wrong."""
    ways = [way for piece in required for way in near[piece]]
    postings.prepare(column.value + gram for way in ways for gram in grams(way.text) for column in columns_of(gram))
    found = 0
    for at, piece in enumerate(required):
        if len(piece.text) < least:
            continue
        wrong = _in_one_column(piece.text, postings) if is_han(piece.text) else 0
        wrong |= reduce(or_, (_typed(way.text, postings) for way in near[piece]), 0)
        if len(piece.text) == 1 and len(required) > 1:
            wrong = every  # a stray character beside other words
        found |= reduce(and_, (mask for other, mask in enumerate(meant) if other != at), wrong)
    return found


def _in_one_column(run: str, postings: Postings) -> int:
    near = [*pairwise(run), *zip(run, run[2:], strict=False)]
    tokens = {*run, *(gram for before, after in near for gram in (before + after, gapped(before, after)))}
    postings.prepare(column.value + token for token in tokens for column in SINGLE_COLUMNS)
    found = 0
    for column in SINGLE_COLUMNS:
        found |= misspelt(run, partial(postings.gram, column))
    return found


def misspelt(run: str, held: Callable[[str], int]) -> int:
    """The documents that hold a Han *run* but for one character: another in its place, one too many, or one missing.

    Of a run of two the other character is all there is to go by.
    """
    size = len(run)
    if size < _PAIR:
        return 0
    if size == _PAIR:
        return held(run[0]) | held(run[1])
    found = 0
    for at in range(size):
        left, right = run[:at], run[at + 1 :]
        # Where a wrong character stands there is another in the text, or none.
        joined = held(gapped(left[-1], right[0])) | held(left[-1] + right[0]) if left and right else -1
        found |= joined & _whole(left, held) & _whole(right, held)
        if at:
            left, right = run[:at], run[at:]
            found |= held(gapped(left[-1], right[0])) & _whole(left, held) & _whole(right, held)
    return found


def _whole(run: str, held: Callable[[str], int]) -> int:
    """The documents that hold every bigram of *run*; all, where it has none."""
    return reduce(and_, map(held, bigrams(run)), -1) if len(run) >= _PAIR else -1


def _shares(required: list[Piece], meant: list[int], postings: Postings) -> list[int]:
    """For every gram of the query the documents that hold it, or an alias of the piece in which it stands."""
    found = []
    for piece, mask in zip(required, meant, strict=True):
        found += [postings.anywhere(gram) | mask for gram in grams(piece.text)[:MAX_GRAMS]]
    return found


def _at_least(masks: Sequence[int], count: int) -> int:
    """The documents that are in at least *count* of *masks*."""
    levels = [0] * (count + 1)
    levels[0] = -1
    for mask in masks:
        for level in range(count, 0, -1):
            levels[level] |= levels[level - 1] & mask
    return levels[count]
