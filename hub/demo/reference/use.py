"""Grants and requests that fit a list, as many as wanted, for measuring what many of them cost.

Nothing here gives a right to anybody: that is `hub`'s workflow alone.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from catalog.decide import AccessRequest, Grant
from catalog.model import EVERYONE, ShareType
from hub.demo.reference.compose import draw, pick

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from catalog.model import InformationResource, ResponsibilityList

STARTS: Final = datetime(2020, 7, 1, tzinfo=UTC)
TERM: Final = timedelta(days=3650)
_ACTIONS: Final = (("query",), ("query", "verify"), ("verify",), ("query", "verify", "batch"))


def grants_for(list_: ResponsibilityList, n: int, seed: int) -> tuple[Grant, ...]:
    """*n* grants, each covered by a line of *list_*, in force from `STARTS` for `TERM`."""
    matters: dict[str, list[str]] = {}
    for matter in list_.matters:
        matters.setdefault(matter.department, []).append(matter.code)
    departments = tuple(matters)
    made: list[Grant] = []
    rng = draw(seed, "grants")
    while len(made) < n:
        line = pick(rng, list_.responsibilities)
        consumer = pick(rng, line.consumers)
        if consumer == EVERYONE:
            consumer = pick(rng, departments)
        own = matters.get(consumer, [])
        purposes = own if EVERYONE in line.purposes else [code for code in own if code in line.purposes]
        if consumer == line.provider or not purposes:
            continue
        made.append(
            Grant(
                id=f"G2020-{len(made) + 1:06d}",
                consumer=consumer,
                resource=line.resource,
                fields=_fields(rng, list_.by_code[line.resource]),
                masks=(),
                purposes=tuple(dict.fromkeys([pick(rng, purposes), pick(rng, purposes)])),
                actions=pick(rng, _ACTIONS),
                starts=STARTS,
                expires=STARTS + TERM,
                list_version=list_.version,
                ground=line.ground,
            )
        )
    return tuple(made)


def _fields(rng: Random, resource: InformationResource) -> tuple[str, ...]:
    """The keys and three to twelve further fields that are shared at all."""
    open_ = [f for f in resource.fields if f.share_type is not ShareType.NOT_SHARED]
    rest = [f.name for f in open_ if not f.key]
    wanted = {pick(rng, rest) for _ in range(3 + int(rng.random() * 10))} if rest else set()
    return tuple(f.name for f in open_ if f.key or f.lookup or f.name in wanted)


def requests_for(
    list_: ResponsibilityList, grants: Sequence[Grant], n: int, seed: int, *, allowed: float = 0.8
) -> tuple[AccessRequest, ...]:
    """*n* requests: a share of *allowed* covered by one of *grants*, the rest beyond it in one way each."""
    rng = draw(seed, "requests")
    made: list[AccessRequest] = []
    while len(made) < n:
        grant = pick(rng, grants)
        resource = list_.by_code[grant.resource]
        lookup = tuple(f.name for f in resource.lookup_fields[:1])
        consumer, purpose, fields = grant.consumer, pick(rng, grant.purposes), grant.fields[:6]
        if rng.random() >= allowed:
            beyond = int(rng.random() * 3)
            consumer = pick(rng, list_.departments).code if beyond == 0 else consumer
            purpose = pick(rng, list_.matters).code if beyond == 1 else purpose
            fields = tuple(f.name for f in resource.fields[:8]) if beyond == 2 else fields
        made.append(AccessRequest(consumer, grant.resource, pick(rng, grant.actions), fields, lookup, purpose))
    return tuple(made)
