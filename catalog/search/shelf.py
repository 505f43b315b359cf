"""What of a list is kept in memory to count facets and to weigh hits: names, facet values, who holds the key.

Words and where they stand are in the postings, which are the storage's affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Final, TypeVar

from catalog.model import QualityKind
from catalog.search.documents import ordered
from catalog.search.masks import mask_of
from catalog.search.text import compact, core, squeeze
from catalog.search.text import normalise as normal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from catalog.model import InformationResource, ResponsibilityList

Value = TypeVar("Value")

# Grants in force for a resource, from which on it counts as often granted, and what that adds.
GRANT_LEVELS: Final = ((1, 3), (3, 6), (10, 10), (30, 14), (100, 18))


class Facet(StrEnum):
    """The dimensions by which results are narrowed."""

    DEPARTMENT = "department"
    SHARE_TYPE = "type"
    FORMAT = "format"
    THEME = "theme"
    CADENCE = "cadence"
    DOMAIN = "domain"
    OPEN = "open"


class Sort(StrEnum):
    """The orders of results; without words, relevance is the order of codes."""

    RELEVANCE = "relevance"
    CODE = "code"
    NAME = "name"
    UPDATED = "updated"


@dataclass(frozen=True, slots=True)
class Filters:
    """What results are narrowed to: for each facet its values, any of which will do; none: no narrowing.

    A department stands for itself and for those below it. ``open`` is ``true`` or ``false``.
    """

    values: tuple[tuple[Facet, tuple[str, ...]], ...] = ()

    @classmethod
    def of(cls, chosen: Mapping[Facet, Iterable[str]]) -> Filters:
        """Filters from facet to values; empty ones are left out."""
        pairs = ((facet, tuple(dict.fromkeys(values))) for facet, values in sorted(chosen.items()))
        return cls(tuple((facet, values) for facet, values in pairs if values))


class Shelf:
    """The resources of one list by ordinal, with the sets that facets and ranking need. Immutable."""

    def __init__(self, list_: ResponsibilityList) -> None:
        self.resources = ordered(list_)
        self.size = len(self.resources)
        self.every = (1 << self.size) - 1
        self.ordinals = {resource.code: ordinal for ordinal, resource in enumerate(self.resources)}
        self.titles = [compact(resource.name) for resource in self.resources]
        cores = [core(title) for title in self.titles]
        self.lengths = self._sets(lambda at, _: (len(cores[at]),))
        self.cores = self._sets(lambda at, _: (cores[at],))
        self.names = self._sets(lambda at, resource: (self.titles[at], compact(resource.name_en)))
        self.aliases = self._sets(lambda _, resource: map(compact, resource.aliases))
        self.codes = self._sets(lambda _, resource: (squeeze(normal(resource.code)),))
        self.share_types = self._sets(lambda _, resource: (resource.share_type,))
        self.authoritative = self._authoritative()
        self.facets = self._facets(list_)

    def _sets(self, values: Callable[[int, InformationResource], Iterable[Value]]) -> dict[Value, int]:
        members: dict[Value, list[int]] = {}
        for at, resource in enumerate(self.resources):
            for value in values(at, resource):
                members.setdefault(value, []).append(at)
        return {value: mask_of(found, self.size) for value, found in members.items()}

    def _authoritative(self) -> int:
        """The key holders: those that others relate to or check their references against."""
        named = {code for resource in self.resources for code in resource.related if code != resource.code}
        for resource in self.resources:
            rules = (rule for rule in resource.quality if rule.kind is QualityKind.REFERENCE)
            named |= {rule.target.rpartition(".")[0] for rule in rules}
        return mask_of((self.ordinals[code] for code in named if code in self.ordinals), self.size)

    def _facets(self, list_: ResponsibilityList) -> dict[Facet, dict[str, int]]:
        parents = {department.code: department.parent for department in list_.departments}
        above = {code: _chain(code, parents) for code in parents}
        lines = list_.responsibilities_by_resource
        values: dict[Facet, Callable[[int, InformationResource], Iterable[str]]] = {
            Facet.DEPARTMENT: lambda _, resource: above.get(resource.provider, (resource.provider,)),
            Facet.SHARE_TYPE: lambda _, resource: (resource.share_type.value,),
            Facet.FORMAT: lambda _, resource: (resource.format.value,),
            Facet.THEME: lambda _, resource: (resource.theme.value,) if resource.theme else (),
            Facet.CADENCE: lambda _, resource: (resource.cadence.value,),
            Facet.DOMAIN: lambda _, resource: {line.domain.value for line in lines.get(resource.code, ())},
            Facet.OPEN: lambda _, resource: ("true" if resource.open else "false",),
        }
        return {facet: self._sets(of) for facet, of in values.items()}

    def granted(self, counts: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
        """For each level of `GRANT_LEVELS` what it adds, and the resources that *counts* (by code) put on it."""
        levels: dict[int, list[int]] = {}
        for code, count in counts.items():
            points = max((points for least, points in GRANT_LEVELS if count >= least), default=0)
            if points and code in self.ordinals:
                levels.setdefault(points, []).append(self.ordinals[code])
        return tuple((points, mask_of(found, self.size)) for points, found in sorted(levels.items(), reverse=True))

    def narrowed(self, filters: Filters, *, without: Facet | None = None) -> int:
        """The resources that pass *filters*, leaving the facet *without* out of account."""
        chosen = (
            reduce(or_, (self.facets[facet].get(value, 0) for value in values), 0)
            for facet, values in filters.values
            if facet is not without
        )
        return reduce(and_, chosen, self.every)

    def counts(self, hits: int, filters: Filters) -> dict[Facet, tuple[tuple[str, int], ...]]:
        """For each facet its values with how many of *hits* have it while the other facets' filters hold.

        Hence a count is what choosing that value alone would leave. Most first; values chosen stand even at nought.
        """
        chosen = dict(filters.values)
        narrowed = hits & self.narrowed(filters)
        found = {}
        for facet, sets in self.facets.items():
            # Most requests narrow by few facets: the others share one base.
            base = hits & self.narrowed(filters, without=facet) if facet in chosen else narrowed
            pairs = ((value, (base & mask).bit_count()) for value, mask in sets.items())
            kept = {value: count for value, count in pairs if count}
            for value in chosen.get(facet, ()):
                kept.setdefault(value, 0)
            found[facet] = tuple(sorted(kept.items(), key=lambda pair: (-pair[1], pair[0])))
        return found

    def sorted_by(self, sort: Sort, by_name: Sequence[int]) -> Sequence[int]:
        """Every ordinal in the order of *sort*; *by_name* is that of names."""
        if sort is Sort.NAME:
            return by_name
        if sort is Sort.UPDATED:
            return sorted(range(self.size), key=lambda at: (-self.resources[at].published_on.toordinal(), at))
        return range(self.size)


def _chain(code: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """*code* and every department above it; a cycle ends where it closes."""
    found: dict[str, None] = {}
    while code and code not in found:
        found[code] = None
        code = parents.get(code, "")
    return tuple(found)
