"""Search over the list in force: opens its index, finds, counts facets, and keeps what was asked for in vain.

What matches and how it ranks is `catalog.search`; where postings are kept, `hub.search.store` and
`hub.search.postgres`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from catalog.model import Cadence, Domain, ResourceFormat, ShareType, Theme
from catalog.search.masks import ordinals_of
from catalog.search.matching import Matched, Postings, Step, match
from catalog.search.ranking import Part, Ranking, rank
from catalog.search.shelf import Facet, Filters, Shelf, Sort
from catalog.search.text import grams, normalise
from catalog.search.thesaurus import thesaurus_of
from hub.errors import QueryInvalidError
from hub.search.store import IndexGoneError, SqliteStore, Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from enum import StrEnum
    from pathlib import Path

    from catalog.model import InformationResource, ResponsibilityList
    from hub.control import Control
    from hub.settings import Settings

__all__ = ["Facet", "Filters", "Hit", "Results", "Search", "Sort", "find_or_record", "search_of"]

MAX_QUERY_CHARS: Final = 200  # as long as a missed query is kept
MAX_PAGE_SIZE: Final = 500
NEAREST: Final = 5
GRANTS_FOR_S: Final = 300
_REMEMBERED_TOKENS: Final = 8192  # 1.25 KB each at 10,000 resources: 10 MB at most

# What is said about a search, by code: (English, Chinese).
NOTES: Final[dict[str, tuple[str, str]]] = {
    "words": ("Looked for the words as typed: {hits} found.", "按所输词语查找：{hits} 个。"),
    "aliases": ("Added other words for them: {hits} found.", "加入别称：{hits} 个。"),
    "spelling": (
        "Few were found, so one character may differ: {hits} found.",
        "结果较少，允许相差一字：{hits} 个。",
    ),
    "relaxed": (
        "Nothing holds all the words; half of them is enough here: {hits} found.",
        "没有同时符合的资源，已放宽条件（符合一半即可）：{hits} 个。",
    ),
    "nearest": ("Nothing fits; the nearest are shown.", "没有符合的资源，以下为最接近的资源。"),
    "nothing": ("Nothing fits.", "没有符合的资源。"),
    "register_demand": (
        "Register a demand for data that the list lacks: `zhengtong demand new`.",
        "如清单中确无所需数据，可登记数据需求：`zhengtong demand new`。",
    ),
    "filtered_out": (
        "{hits} found, none within the filters chosen.",
        "共找到 {hits} 个，但均不符合所选筛选条件。",
    ),
}


DOMAINS: Final[Mapping[Facet, type[StrEnum]]] = {
    Facet.SHARE_TYPE: ShareType,
    Facet.FORMAT: ResourceFormat,
    Facet.THEME: Theme,
    Facet.CADENCE: Cadence,
    Facet.DOMAIN: Domain,
}


@dataclass(frozen=True, slots=True)
class Note:
    """Something to be said about a search; *code* is a key of `NOTES`."""

    code: str
    hits: int = 0

    def text(self, lang: str) -> str:
        """The sentence in *lang* (``zh``, else English)."""
        return NOTES[self.code][1 if lang == "zh" else 0].format(hits=self.hits)


@dataclass(frozen=True, slots=True)
class Hit:
    """A resource that was found, its score, and (when asked to explain) the parts of it, most points first."""

    resource: InformationResource
    score: int
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """One page of what was found. *total* counts all hits within the filters; *facets* see `Shelf.counts`.

    *relaxed*: not everything asked for is met. *nearest* is given where *total* would be nought without filters.
    *steps* (when asked to explain) tell what was loosened and how many were found then; *tokens* what was looked for.
    """

    query: str
    total: int
    page: int
    size: int
    hits: tuple[Hit, ...]
    facets: Mapping[Facet, tuple[tuple[str, int], ...]]
    notes: tuple[Note, ...]
    relaxed: bool
    nearest: tuple[Hit, ...] = ()
    steps: tuple[Note, ...] = ()
    tokens: tuple[str, ...] = ()
    missed: bool = False


class Search:
    """Search over one list version. Safe for many threads; opened once, it answers in milliseconds."""

    def __init__(self, settings: Settings, list_: ResponsibilityList) -> None:
        """Open the index of *list_*, making it if need be: some seconds for a thousand resources.

        Raises:
            ControlUnavailableError: it is kept in PostgreSQL, which does not answer.
        """
        self.list_ = list_
        self.shelf = Shelf(list_)
        self._settings = settings
        self._thesaurus = thesaurus_of(list_)
        self._lock = threading.Lock()
        self._remembered: OrderedDict[str, int] = OrderedDict()
        self._granted: tuple[Mapping[str, int], tuple[tuple[int, int], ...]] = ({}, ())
        self._counted: tuple[tuple[int, int], Mapping[str, int]] = ((-1, 0), {})
        self._sorted: dict[Sort, Sequence[int]] = {}
        self._store = self._open()

    def find(
        self,
        query: str,
        *,
        filters: Filters = Filters(),  # noqa: B008 - immutable
        page: int = 1,
        size: int = 20,
        explain: bool = False,
        sort: Sort = Sort.RELEVANCE,
        granted: Mapping[str, int] | None = None,
    ) -> Results:
        """The resources that *query* means, narrowed by *filters*; an empty query browses all.

        *granted* counts the grants in force by resource: what is often granted ranks a little higher.

        Raises:
            QueryInvalidError: the query is too long, page or size out of bounds, or a filter's value unknown.
            ControlUnavailableError: as for opening.
        """
        self._check(query, filters, page, size)
        levels = self._levels(granted or {})

        def answer() -> Results:
            return self._find(query, filters, page=page, size=size, sort=sort, levels=levels, explain=explain)

        store = self._store
        try:
            return answer()
        except IndexGoneError:
            # Removed under our feet, or damaged: it is derived data and made again, by the first thread that met it.
            with self._lock:
                if self._store is store:
                    self._store = self._open()
                    store.close()
            return answer()

    def granted_at(self, control: Control, at: datetime) -> Mapping[str, int]:
        """`grants_in_force`, remembered until a grant changes and for five minutes at most: grants expire, too."""
        key = (control.generation(), int(at.timestamp()) // GRANTS_FOR_S)
        known, counts = self._counted
        if known != key:
            counts = grants_in_force(control, at)
            self._counted = (key, counts)
        return counts

    def close(self) -> None:
        """Let go of the index."""
        self._store.close()

    def _open(self) -> Store:
        if self._settings.control_url.startswith("postgresql"):
            from hub.search.postgres import PostgresStore  # noqa: PLC0415 - SQLAlchemy, needed in this case alone

            return PostgresStore.ensure(self._settings.control_url, self.list_, self._thesaurus)
        return SqliteStore.ensure(index_folder(self._settings), self.list_, self._thesaurus)

    def _check(self, query: str, filters: Filters, page: int, size: int) -> None:
        if len(query) > MAX_QUERY_CHARS:
            _refuse("q", f"at most {MAX_QUERY_CHARS} characters", f"最多 {MAX_QUERY_CHARS} 个字符")
        if page < 1:
            _refuse("page", "pages are counted from 1", "页码从 1 开始")
        if not 1 <= size <= MAX_PAGE_SIZE:
            _refuse("size", f"1 to {MAX_PAGE_SIZE}", f"应为 1 至 {MAX_PAGE_SIZE}")
        for facet, values in filters.values:
            known = self._values_of(facet)
            for value in values:
                if value not in known:
                    allowed = ", ".join(sorted(known)[:40])
                    _refuse(
                        facet.value,
                        f"no such value `{value[:40]}`; there are {allowed}",
                        f"没有取值 `{value[:40]}`；可用：{allowed}",
                    )

    def _values_of(self, facet: Facet) -> set[str]:
        known = set(self.shelf.facets[facet])
        if facet is Facet.DEPARTMENT:
            known |= self.list_.departments_by_code.keys()
        elif facet in DOMAINS:
            known |= {member.value for member in DOMAINS[facet]}
        elif facet is Facet.OPEN:
            known |= {"true", "false"}
        return known

    def _find(
        self,
        query: str,
        filters: Filters,
        *,
        page: int,
        size: int,
        sort: Sort,
        levels: tuple[tuple[int, int], ...],
        explain: bool,
    ) -> Results:
        matched: Matched | None = None
        ranking: Ranking | None = None
        found = self.shelf.every
        if grams(normalise(query)):
            postings = Postings(self._fetch)
            matched = match(query, self._thesaurus, postings, self.shelf.every, self._store.kept.spellings)
            found = matched.hits
        within = found & self.shelf.narrowed(filters)
        hits: tuple[Hit, ...] = ()
        nearest: tuple[Hit, ...] = ()
        if matched is not None:
            shown = replace(matched, hits=within)
            if within or not found:
                ranking = rank(query, shown, self.shelf, postings, levels)
            if ranking is not None and not found:
                nearest = self._hits(ranking.page(self.shelf, 0, NEAREST), ranking, explain=explain)
        start = (page - 1) * size
        if within and ranking is not None and sort is Sort.RELEVANCE:
            hits = self._hits(ranking.page(self.shelf, start, size), ranking, explain=explain)
        elif within:
            hits = self._browse(within, sort, start, size)
        notes, steps = _told(matched, found, within)
        return Results(
            query=query,
            total=within.bit_count(),
            page=page,
            size=size,
            hits=hits,
            facets=self.shelf.counts(found, filters),
            notes=notes,
            relaxed=matched is not None and matched.last in (Step.RELAXED, Step.NEAREST),
            nearest=nearest,
            steps=steps if explain else (),
            tokens=_tokens(matched) if explain and matched else (),
            missed=matched is not None and not found,
        )

    def _hits(self, page: Sequence[tuple[int, int]], ranking: Ranking, *, explain: bool) -> tuple[Hit, ...]:
        return tuple(
            Hit(self.shelf.resources[at], score, tuple(ranking.parts(at)) if explain else ()) for at, score in page
        )

    def _browse(self, within: int, sort: Sort, start: int, size: int) -> tuple[Hit, ...]:
        if sort in (Sort.CODE, Sort.RELEVANCE):
            ordered: Sequence[int] = ordinals_of(within)
        else:
            if sort not in self._sorted:
                self._sorted[sort] = self.shelf.sorted_by(sort, self._store.kept.by_name)
            members = set(ordinals_of(within)) if within != self.shelf.every else None
            ordered = [at for at in self._sorted[sort] if members is None or at in members]
        return tuple(Hit(self.shelf.resources[at], 0) for at in ordered[start : start + size])

    def _levels(self, granted: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
        known, levels = self._granted
        if granted != known:
            levels = self.shelf.granted(granted)
            self._granted = (dict(granted), levels)
        return levels

    def _fetch(self, tokens: Sequence[str]) -> Mapping[str, int]:
        """From memory what was asked before, the rest from the store: common tokens are in most queries."""
        with self._lock:
            found = {token: self._remembered[token] for token in tokens if token in self._remembered}
        missing = [token for token in tokens if token not in found]
        if missing:
            fetched = self._store.fetch(missing)
            with self._lock:
                for token in missing:
                    found[token] = self._remembered[token] = fetched.get(token, 0)
                while len(self._remembered) > _REMEMBERED_TOKENS:
                    self._remembered.popitem(last=False)
        return found


def index_folder(settings: Settings) -> Path:
    """Where SQLite indexes are kept."""
    return settings.home / "search"


def find_or_record(search: Search, control: Control, at: datetime, query: str, **options: Any) -> Results:  # noqa: ANN401 - as `Search.find` takes them
    """`Search.find`, ranked by the grants in force *at* that instant; what finds nothing becomes a recorded miss.

    The query alone is kept, never who asked.

    Raises:
        QueryInvalidError, ControlUnavailableError: as `Search.find`.
    """
    from hub.demands import record_miss  # noqa: PLC0415 - demands need more than searching does

    results = search.find(query, granted=search.granted_at(control, at), **options)
    if results.missed and results.page == 1:
        record_miss(control, query, at)
    return results


def grants_in_force(control: Control, at: datetime) -> dict[str, int]:
    """How many grants hold *at* that instant, by resource."""
    import sqlalchemy as sa  # noqa: PLC0415 - a search over SQLite needs no SQLAlchemy

    from hub.control import GrantRow  # noqa: PLC0415

    query = (
        sa.select(GrantRow.resource, sa.func.count())
        .where(
            GrantRow.starts <= at,
            GrantRow.expires > at,
            GrantRow.revoked_at.is_(None),
            GrantRow.suspended_at.is_(None),
        )
        .group_by(GrantRow.resource)
    )
    with control.reading() as connection:
        return {resource: int(count) for resource, count in connection.execute(query)}


_OPEN: OrderedDict[tuple[str, str, str], Search] = OrderedDict()
_OPENING = threading.Lock()
_MAX_OPEN = 2  # the list in force, and the one before while the last requests for it end


def search_of(settings: Settings, list_: ResponsibilityList) -> Search:
    """The `Search` of this process for *list_*, opened on first use. It stays open: do not close it.

    Raises:
        ControlUnavailableError: as for opening.
    """
    key = (str(settings.home), settings.control_url, list_.version)
    with _OPENING:
        found = _OPEN.pop(key, None) or Search(settings, list_)
        _OPEN[key] = found
        while len(_OPEN) > _MAX_OPEN:
            # Not closed: a request may still be searching it. It goes when nobody holds it any more.
            _OPEN.popitem(last=False)
    return found


def _told(matched: Matched | None, found: int, within: int) -> tuple[tuple[Note, ...], tuple[Note, ...]]:
    """What is always said, and the steps that are told to who wants an explanation."""
    if matched is None:
        return (), ()
    steps = tuple(Note(step.value, hits) for step, hits in matched.steps)
    last = steps[-1]
    notes = []
    if (matched.last is Step.SPELLING and last.hits > steps[-2].hits) or matched.last is Step.RELAXED:
        notes.append(last)
    elif matched.last is Step.NEAREST:
        notes.append(last if matched.nearest else Note("nothing"))
    if not found:
        notes.append(Note("register_demand"))
    elif not within:
        notes.append(Note("filtered_out", found.bit_count()))
    return tuple(notes), steps


def _tokens(matched: Matched) -> tuple[str, ...]:
    """What was looked for: every gram of every way in which a piece may be met."""
    return tuple(dict.fromkeys(gram for ways in matched.ways for way in ways for gram in grams(way.text)))


def _refuse(where: str, why: str, why_zh: str) -> None:
    raise QueryInvalidError(where=where, why=why, why_zh=why_zh)
