"""Puts hits in order: what each piece of the query is worth where it stands, and what the resource adds by itself.

A score is a sum of parts, of each group of parts the best one; every part can be told in words (`PARTS`). Equal scores
are in the order of titles' length, then of codes. What is found at all is `catalog.search.matching`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial, reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Final

from catalog.model import ShareType
from catalog.search.documents import HAN_COLUMNS, LATIN_COLUMNS, SINGLE_COLUMNS, SPELLING_COLUMNS, WEIGHTS, Column
from catalog.search.masks import holds, mask_of, ordinals_of
from catalog.search.matching import Step, misspelt
from catalog.search.text import compact, core, grams, is_han, squeeze

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from catalog.search.matching import Matched, Postings, Way
    from catalog.search.shelf import Shelf

# Why a hit has the points it has, by code: (English, Chinese).
PARTS: Final[dict[str, tuple[str, str]]] = {
    "in_column": ("{column} holds `{text}`", "{column_zh}含“{text}”"),
    "alias_in_column": (
        "{column} holds `{text}`, another word for `{piece}`",
        "{column_zh}含“{text}”（“{piece}”的别称）",
    ),
    "narrower_in_column": (
        "{column} holds `{text}`, a kind of `{piece}`",
        "{column_zh}含“{text}”（属于“{piece}”）",
    ),
    "near_in_column": (
        "{column} holds `{text}`, one character from `{piece}`",
        "{column_zh}含“{text}”（与“{piece}”相差一字）",
    ),
    "nearly_in_column": ("{column} holds `{piece}` but for one character", "{column_zh}含“{piece}”（相差一字）"),
    "scattered": ("`{piece}` in several places", "“{piece}”分散在多处"),
    "whole": ("everything asked for is there", "所查词语齐全"),
    "gram_in_column": ("{column} holds `{text}`", "{column_zh}含“{text}”"),
    "exact_code": ("it is the code asked for", "代码相同"),
    "exact_title": ("the title is what was asked for", "名称相同"),
    "exact_alias": ("an alias is what was asked for", "别名相同"),
    "exact_core": ("the title is what was asked for, but for general words", "名称相同（不计“信息”等通用词）"),
    "exact_meant": ("the title is another word for what was asked for", "名称即所查词语的别称"),
    "title_begins": ("the title begins with it", "名称以此开头"),
    "title_contains": ("the title holds it in one piece", "名称中连续出现"),
    "coverage": ("how much of the title it is", "占名称的比例"),
    "unconditional": ("shared unconditionally", "无条件共享"),
    "conditional": ("shared conditionally", "有条件共享"),
    "authoritative": ("holds the key that others refer to", "权威来源（其他资源以其为准）"),
    "granted": ("often granted", "授权较多"),
}
COLUMNS: Final[dict[Column, tuple[str, str]]] = {
    Column.CODE: ("code", "代码"),
    Column.TITLE: ("title", "名称"),
    Column.ALIAS: ("aliases", "别名"),
    Column.ENGLISH: ("English name", "英文名称"),
    Column.THEME: ("classification or theme", "分类或主题"),
    Column.FIELD: ("fields", "信息项"),
    Column.PROVIDER: ("provider", "提供方"),
    Column.MATTER: ("matters that need it", "用数事项"),
    Column.ABSTRACT: ("abstract", "摘要"),
    Column.SOUND: ("pinyin of the title or an alias", "名称或别名的拼音"),
    Column.SOUND_PART: ("pinyin of part of the title", "名称一部分的拼音"),
    Column.SOUND_PROVIDER: ("pinyin of the provider or theme", "提供方或主题的拼音"),
}

EXACT_CODE, EXACT_TITLE, EXACT_ALIAS, EXACT_CORE, EXACT_MEANT = 400, 300, 260, 200, 150
BEGINS, CONTAINS, COVERAGE, COVERAGE_STEP = 40, 25, 60, 5
UNCONDITIONAL, CONDITIONAL, AUTHORITATIVE = 6, 4, 8
SCATTERED = 8
WHOLE = 120  # more than a misspelling in a title is worth
OPTIONAL_IN_TITLE = 10
# Hundredths of a column's weight, by how a piece was met.
AS_TYPED, AS_ALIAS, AS_NARROWER, AS_MISSPELT, AS_NEARLY, AS_GRAM = 100, 88, 70, 60, 45, 20


@dataclass(frozen=True, slots=True)
class Part:
    """Points for every document in *mask*; *code* is a key of `PARTS`."""

    points: int
    mask: int
    code: str
    piece: str = ""
    text: str = ""
    column: Column | None = None

    def words(self, lang: str) -> str:
        """Why, in *lang* (``zh``, else English)."""
        column, column_zh = COLUMNS[self.column] if self.column else ("", "")
        template = PARTS[self.code][1 if lang == "zh" else 0]
        return template.format(piece=self.piece, text=self.text, column=column, column_zh=column_zh)


class Ranking:
    """Hits by score: groups of parts over a set of documents."""

    def __init__(self, among: int) -> None:
        self._classes = {0: among} if among else {}
        self._groups: list[tuple[Part, ...]] = []

    def add(self, parts: Iterable[Part]) -> None:
        """Add a group: of its parts, the best that a document is in counts."""
        group = tuple(sorted(parts, key=lambda part: -part.points))
        self._groups.append(group)
        classes: Counter[int] = Counter()
        for score, members in self._classes.items():
            rest = members
            for part in group:
                found = rest & part.mask
                if found:
                    classes[score + part.points] |= found
                    rest ^= found
                    if not rest:
                        break
            if rest:
                classes[score] |= rest
        self._classes = dict(classes)

    def page(self, shelf: Shelf, start: int, count: int) -> list[tuple[int, int]]:
        """The hits from place *start* on, at most *count*, as (ordinal, score)."""
        found: list[tuple[int, int]] = []
        for score in sorted(self._classes, reverse=True):
            members = self._classes[score]
            size = members.bit_count()
            if start >= size:
                start -= size
                continue
            ordered = sorted(ordinals_of(members), key=lambda at: (len(shelf.titles[at]), at))
            taken = ordered[start : start + count - len(found)]
            found += [(at, score) for at in taken]
            start = 0
            if len(found) >= count:
                break
        return found

    def parts(self, ordinal: int) -> list[Part]:
        """The parts of the score of *ordinal*, most points first."""
        best = (next((part for part in group if holds(part.mask, ordinal)), None) for group in self._groups)
        return sorted((part for part in best if part and part.points), key=lambda part: -part.points)


def rank(query: str, matched: Matched, shelf: Shelf, postings: Postings, granted: Sequence[tuple[int, int]]) -> Ranking:
    """Weigh the hits of *matched* (or what was nearest, where there are none)."""
    among = matched.hits or matched.nearest
    ranking = Ranking(among)
    relaxed = matched.last in (Step.RELAXED, Step.NEAREST)
    for piece, ways in zip(matched.pieces, matched.ways, strict=True):
        parts = [part for way in ways for part in _by_way(piece.text, way, postings)]
        if piece.optional:
            # Optional words only tell apart what is otherwise alike.
            title = [part.mask for part in parts if part.column is Column.TITLE]
            ranking.add(
                [Part(OPTIONAL_IN_TITLE, reduce(or_, title, 0), "in_column", piece.text, piece.text, Column.TITLE)]
            )
            continue
        if Step.SPELLING in dict(matched.steps) and is_han(piece.text):
            parts += _nearly(piece.text, postings)
        if not relaxed:
            parts.append(Part(SCATTERED, among, "scattered", piece.text))
        ranking.add(parts)
        if relaxed:
            for gram in dict.fromkeys(grams(piece.text)):
                ranking.add(_in_columns(gram, postings))
    if matched.whole & among != among:
        ranking.add([Part(WHOLE, matched.whole, "whole")])
    for group in (*_by_name(query, matched, among, shelf, postings), *_by_itself(shelf, granted)):
        ranking.add(group)
    return ranking


def _by_way(piece: str, way: Way, postings: Postings) -> list[Part]:
    """What it is worth that a piece is met by *way*, in each column."""
    code, share = {
        Step.WORDS: ("in_column", AS_TYPED),
        Step.ALIASES: ("alias_in_column", AS_ALIAS),
        Step.SPELLING: ("near_in_column", AS_MISSPELT),
    }[way.step]
    if way.narrower and way.step is Step.ALIASES:
        code, share = "narrower_in_column", AS_NARROWER
    found = []
    for column in LATIN_COLUMNS if way.text.isascii() else HAN_COLUMNS:
        mask = postings.column(column, way.text)
        if mask:
            found.append(Part(WEIGHTS[column] * share // 100, mask, code, piece, way.text, column))
    return found


def _nearly(piece: str, postings: Postings) -> list[Part]:
    found = []
    for column in SINGLE_COLUMNS:
        mask = misspelt(piece, partial(postings.gram, column))
        if mask:
            found.append(Part(WEIGHTS[column] * AS_NEARLY // 100, mask, "nearly_in_column", piece, piece, column))
    return found


def _in_columns(gram: str, postings: Postings) -> list[Part]:
    columns = HAN_COLUMNS if is_han(gram) else SPELLING_COLUMNS
    return [
        Part(WEIGHTS[column] * AS_GRAM // 100, mask, "gram_in_column", gram, gram, column)
        for column in columns
        if (mask := postings.gram(column, gram))
    ]


def _by_name(query: str, matched: Matched, among: int, shelf: Shelf, postings: Postings) -> list[list[Part]]:
    """What it adds that a name is what was asked for, or nearly."""
    asked = compact(query)
    required = [(piece, ways) for piece, ways in zip(matched.pieces, matched.ways, strict=True) if not piece.optional]
    exact = [
        Part(EXACT_CODE, shelf.codes.get(squeeze(asked) if asked.isascii() else "", 0), "exact_code"),
        Part(EXACT_TITLE, shelf.names.get(asked, 0), "exact_title"),
        Part(EXACT_ALIAS, shelf.aliases.get(asked, 0), "exact_alias"),
        Part(EXACT_CORE, shelf.cores.get(core(asked), 0), "exact_core"),
    ]
    if len(required) == 1:
        others = (way.text for way in required[0][1] if way.step is not Step.WORDS and not way.narrower)
        meant = reduce(or_, (shelf.cores.get(core(compact(text)), 0) for text in others), 0)
        exact.append(Part(EXACT_MEANT, meant, "exact_meant"))
    begins, contains = _standing(core(asked), among, shelf, postings)
    in_title = [reduce(or_, (postings.column(Column.TITLE, way.text) for way in ways), 0) for _, ways in required]
    length = sum(len(piece.text) for piece, _ in required)
    everything = reduce(and_, in_title) if in_title else 0
    coverage = [
        Part(points, mask & everything, "coverage")
        for size, mask in shelf.lengths.items()
        if mask & everything and (points := _coverage(length, size))
    ]
    return [
        exact,
        [Part(BEGINS, begins, "title_begins"), Part(CONTAINS, contains, "title_contains")],
        _merged(coverage),
    ]


def _by_itself(shelf: Shelf, granted: Sequence[tuple[int, int]]) -> list[list[Part]]:
    """What a resource adds whatever was asked."""
    return [
        [
            Part(UNCONDITIONAL, shelf.share_types.get(ShareType.UNCONDITIONAL, 0), "unconditional"),
            Part(CONDITIONAL, shelf.share_types.get(ShareType.CONDITIONAL, 0), "conditional"),
        ],
        [Part(AUTHORITATIVE, shelf.authoritative, "authoritative")],
        [Part(points, mask, "granted") for points, mask in granted],
    ]


def _standing(asked: str, among: int, shelf: Shelf, postings: Postings) -> tuple[int, int]:
    """Those of *among* whose title begins with, and those whose title contains, what was asked in one piece."""
    starting, containing = [], []
    if asked:
        # Only titles that hold every bigram of it need be read.
        for at in ordinals_of(among & postings.column(Column.TITLE, asked)):
            title = shelf.titles[at]
            if asked in title:
                containing.append(at)
                if title.startswith(asked):
                    starting.append(at)
    return mask_of(starting, shelf.size), mask_of(containing, shelf.size)


def _coverage(length: int, size: int) -> int:
    """Points for a query of *length* characters in a title of *size*, in few steps, so that there are few classes."""
    return min(COVERAGE, COVERAGE * length // max(size, 1)) // COVERAGE_STEP * COVERAGE_STEP


def _merged(parts: list[Part]) -> list[Part]:
    merged: dict[int, int] = {}
    for part in parts:
        merged[part.points] = merged.get(part.points, 0) | part.mask
    return [Part(points, mask, "coverage") for points, mask in merged.items()]
