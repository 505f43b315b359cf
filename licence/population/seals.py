"""From when until when each department had a seal in force, out of the published versions of the seal register.

Whether a version is authentic is `licence.seals.published`'s. Its versions tell more than its newest: a seal that was
disabled and is in use again was not in force in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from licence.seals.published import IN_USE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from licence.seals.published import PublishedSeal, Register


def in_force(registers: Iterable[Register]) -> Mapping[str, tuple[tuple[datetime, datetime], ...]]:
    """The (from, until) of every department's seals, by its code, sorted; the versions may come in any order.

    A state holds from its own beginning until the next one that a version tells of. A change and its reversal between
    two versions are in neither of them.
    """
    told: dict[str, dict[datetime, PublishedSeal]] = {}
    for register in sorted(registers, key=lambda one: one.version):
        for seal in register.seals.values():
            told.setdefault(seal.digest, {})[seal.since] = seal
    spans: dict[str, set[tuple[datetime, datetime]]] = {}
    for states in told.values():
        begins = sorted(states)
        for begin, end in zip(begins, [*begins[1:], None], strict=True):
            seal = states[begin]
            starts = max(begin, seal.valid_from)
            ends = seal.valid_until if end is None else min(end, seal.valid_until)
            found = spans.setdefault(seal.department, set())
            if seal.state == IN_USE and starts < ends:
                found.add((starts, ends))
    return {department: tuple(sorted(found)) for department, found in spans.items()}
