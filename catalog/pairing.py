"""Finds what belongs together in two versions of a list where no code says so.

Every pairing is the same whichever of the two is the older one, so that a comparison can be read backwards. What the
differences are is `catalog.diff`.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from catalog.model import Department, InformationResource, to_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

T = TypeVar("T", bound="Hashable")
Record = TypeVar("Record", Department, InformationResource)


def left_over(old: Sequence[T], new: Sequence[T]) -> tuple[list[T], list[T]]:
    """What stands in one of the two only, counting how often it does."""
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    return list(gone.elements()), list(come.elements())


def unique_pairs(old: Iterable[T], new: Iterable[T], key: Callable[[T], object]) -> list[tuple[T, T]]:
    """Those of *old* and *new* that share a key with nobody else on their side."""
    before, after = _alone(old, key), _alone(new, key)
    return [(item, after[name]) for name, item in before.items() if name in after]


def _alone(items: Iterable[T], key: Callable[[T], object]) -> dict[object, T]:
    found: dict[object, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return {name: group[0] for name, group in found.items() if len(group) == 1 and name}


def recoded(old: Sequence[Record], new: Sequence[Record], *keys: Callable[[Record], object]) -> dict[str, str]:
    """The old code → the new one of records that are the same by one of *keys*, the surest first."""
    codes_before, codes_after = {item.code for item in old}, {item.code for item in new}
    gone = [item for item in old if item.code not in codes_after]
    come = [item for item in new if item.code not in codes_before]
    found: dict[str, str] = {}
    for key in keys:
        pairs = unique_pairs(
            [item for item in gone if item.code not in found],
            [item for item in come if item.code not in found.values()],
            key,
        )
        found.update({a.code: b.code for a, b in pairs})
    return found


def paired(gone: list[T], come: list[T], likeness: Callable[[T, T], int]) -> list[tuple[T, T]]:
    """Pairs of what was changed, the likest first, taken out of *gone* and *come*; a likeness of 0 makes no pair.

    Which pairs are made does not depend on which list is the older one.
    """
    before, after = _by_group(gone), _by_group(come)
    candidates = [
        (-score, tuple(sorted((_text(a), _text(b)))), a, b)
        for group, items in before.items()
        for a in items
        for b in after.get(group, ())
        if (score := likeness(a, b))
    ]
    pairs = []
    left, right = Counter(gone), Counter(come)
    for _, _, a, b in sorted(candidates, key=lambda candidate: candidate[:2]):
        if left[a] and right[b]:
            left[a] -= 1
            right[b] -= 1
            pairs.append((a, b))
    gone[:], come[:] = left.elements(), right.elements()
    return pairs


def _by_group(items: Iterable[T]) -> dict[object, list[T]]:
    """By resource: only what is about the same one is ever paired."""
    found: dict[object, list[T]] = {}
    for item in items:
        found.setdefault(getattr(item, "resource"), []).append(item)  # noqa: B009 - a bound that a type cannot say
    return found


def _text(item: object) -> str:
    return json.dumps(to_plain(item), ensure_ascii=False, sort_keys=True)
