"""Which papers (材料) of a matter nobody need bring to a window, and what replaces each: a licence scanned, or a call.

Which papers data may replace is the responsibility list's to say (事项用数, `Need.replaces`); of papers that it does
not name nothing is known here. A scan is `hub.licensing.codes`'s and `hub.licensing.window`'s.

1. A paper that is a licence or its copy is replaced by the licence itself: scanned by this clerk for this matter, in
   force, and with every field shown that the matter needs and the licence bears. By its name it is that licence's, and
   one of its needs is of the resource that the licence is issued from.
2. Such a paper is still to be scanned where the department may be shown those fields.
3. Any paper may be replaced by calls where the department may make all that its needs name. Whether they were made, and
   how well what they ask is kept, is not looked at.
4. Whatever is left is taken on paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from audit.entry import Entry
from audit.errors import EntryMissingError
from catalog.decide import AccessRequest
from hub.errors import DeniedError
from hub.licensing.codes import REDEEMED
from hub.licensing.copies import who_may
from hub.licensing.lookups import licence_row
from hub.licensing.window import CHECKED
from licence.lifecycle import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from catalog.model import Need
    from hub.actors import Actor
    from hub.licensing.office import Licensing
    from hub.standing import View
    from licence.model import LicenceKind

# One citizen at one window; a page that was left open longer is not that any more.
SITTING: Final = timedelta(minutes=30)
MAX_LOOKS: Final = 20
# What a licence's name is followed by where a paper is that licence.
_FORMS: Final = ("", "原件", "复印件", "原件及复印件", "原件和复印件")


class Means(StrEnum):
    """What becomes of a paper: see the rules above, by number."""

    OBTAINED = "obtained"
    SCAN = "scan"
    CALL = "call"
    PAPER = "paper"


@dataclass(frozen=True, slots=True)
class Counter:
    """Where *department* serves *matter* at the instant *at*; *kinds* are the licences that the city issues."""

    view: View
    kinds: tuple[LicenceKind, ...]
    department: str
    matter: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """A scan of a licence that holds: *entry* has it on record, *fields* of the kind's resource were shown.

    *owner* is the keyed hash of whose it is.
    """

    entry: int
    kind: LicenceKind
    fields: frozenset[str]
    owner: str


@dataclass(frozen=True, slots=True)
class Line:
    """A paper of a matter, and what becomes of it. *kind*: the licence that the paper is, if the city issues it.

    *resources* can be called in its place; of them the department may not call those *withheld*.
    """

    paper: str
    means: Means
    kind: LicenceKind | None
    resources: tuple[str, ...]
    withheld: tuple[str, ...]


def looks_of(office: Licensing, entries: Iterable[int], *, matter: str, by: Actor) -> tuple[Look, ...]:
    """The looks that *entries* have on record, oldest first.

    What a page sends proves nothing: passed over is what is no look of *by* for *matter* in this sitting, and what
    does not hold any more. At most `MAX_LOOKS`, the newest.
    """
    now = office.evidence.clock()
    found = []
    for number in sorted(set(entries))[-MAX_LOOKS:]:
        try:
            entry = Entry.decode(office.evidence.log.entry(number))
        except EntryMissingError:
            continue
        own = entry.kind in {REDEEMED, CHECKED} and entry.actor == str(by) and entry.purpose == matter
        if own and now - entry.at < SITTING:
            with office.control.reading() as connection:
                row = licence_row(connection, entry.facts["licence"])
            if row["state"] == State.VALID and (row["valid_until"] is None or now < row["valid_until"]):
                kind = office.kind(row["kind"])
                found.append(Look(number, kind, _shown(kind, entry.facts), row["owner_hash"]))
    return tuple(found)


def checklist(counter: Counter, looks: Sequence[Look] = ()) -> tuple[Line, ...]:
    """What becomes of each paper of the matter, in the list's order, after *looks* by the department."""
    papers: dict[str, list[Need]] = {}
    for need in counter.view.list.needs:
        if need.matter == counter.matter and need.replaces:
            papers.setdefault(need.replaces, []).append(need)
    return tuple(_line(counter, paper, needs, looks) for paper, needs in papers.items())


# --- inside ---------------------------------------------------------------------------------------------------------


def _line(counter: Counter, paper: str, needs: Sequence[Need], looks: Sequence[Look]) -> Line:
    resources = tuple(dict.fromkeys(need.resource for need in needs))
    withheld = tuple(dict.fromkeys(need.resource for need in needs if not _callable(counter, need)))
    kind = next((kind for kind in counter.kinds if kind.resource in resources and _is_copy(paper, kind)), None)
    means = Means.PAPER if withheld else Means.CALL
    if kind is not None:
        wanted = _wanted(kind, needs)
        if any(look.kind.code == kind.code and wanted <= look.fields for look in looks):
            means = Means.OBTAINED
        elif _may_see(counter, kind, wanted):
            means = Means.SCAN
    return Line(paper, means, kind, resources, withheld)


def _is_copy(paper: str, kind: LicenceKind) -> bool:
    """A part of the name will not do: 居住证明 (proof of residence) is no 居住证 (residence permit)."""
    return paper in {f"{kind.name}{form}" for form in _FORMS}


def _wanted(kind: LicenceKind, needs: Sequence[Need]) -> set[str]:
    """Of what *needs* name, what a licence of *kind* bears; not the holder's number, which the code itself stands for.

    What the licence does not bear its copy on paper would not have said either.
    """
    named = {name for need in needs if need.resource == kind.resource for name in need.fields}
    return (named & set(kind.source_fields)) - {kind.holder_field}


def _may_see(counter: Counter, kind: LicenceKind, wanted: set[str]) -> bool:
    try:
        basis = who_may(counter.view, kind, counter.department, counter.matter, counter.at)
    except DeniedError:
        return False
    return wanted <= set(basis.fields)


def _callable(counter: Counter, need: Need) -> bool:
    """Whether the department may make the calls that *need* names; of what it provides itself it need not ask."""
    resource = counter.view.list.by_code[need.resource]
    if resource.provider == counter.department:
        return True
    lookup = tuple(field.name for field in resource.lookup_fields)
    return all(
        counter.view.decide(
            AccessRequest(counter.department, need.resource, action, need.fields, lookup, need.matter), counter.at
        ).allowed
        for action in need.actions
    )


def _shown(kind: LicenceKind, facts: Any) -> frozenset[str]:  # noqa: ANN401 - JSON
    """The resource's fields that an entry says were shown: a redeemed code's by what the face calls them."""
    by_name = {field.name: field.field for field in kind.face}
    return frozenset(by_name.get(name, name) for name in facts["fields"])
