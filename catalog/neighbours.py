"""Which resources of a list stand beside each other: one refers to another's fields, or names it as related.

Where a resource comes from and who uses it is not in the list's text alone: that is `hub`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.model import QualityKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.model import ResponsibilityList


@dataclass(frozen=True, slots=True)
class Link:
    """A neighbour by its *code*; *fields*: (field here, field there), none where it is only named as related."""

    code: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Of one resource: those whose values it refers to, those that refer to its own, those named as related."""

    refers_to: tuple[Link, ...] = ()
    referred_by: tuple[Link, ...] = ()
    related: tuple[Link, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(one.code for one in (*self.refers_to, *self.referred_by, *self.related)))


def neighbours(list_: ResponsibilityList) -> Mapping[str, Neighbours]:
    """The neighbours of every resource of *list_*, by code, in the order of the list; what is not on it is none."""
    known = list_.by_code
    to: dict[str, dict[str, list[tuple[str, str]]]] = {code: {} for code in known}
    back: dict[str, dict[str, list[tuple[str, str]]]] = {code: {} for code in known}
    near: dict[str, dict[str, None]] = {code: {} for code in known}
    for one in list_.resources:
        for rule in one.quality:
            there, _, field = rule.target.rpartition(".")
            if rule.kind is QualityKind.REFERENCE and there in known:
                to[one.code].setdefault(there, []).append((rule.field, field))
                back[there].setdefault(one.code, []).append((field, rule.field))
        for there in one.related:
            # Whoever names the other, both stand beside each other.
            if there in known and there != one.code:
                near[one.code][there] = None
                near[there][one.code] = None
    return {
        code: Neighbours(
            tuple(Link(other, tuple(fields)) for other, fields in to[code].items()),
            tuple(Link(other, tuple(fields)) for other, fields in back[code].items()),
            tuple(Link(other) for other in near[code] if other not in to[code] and other not in back[code]),
        )
        for code in known
    }
