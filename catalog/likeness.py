"""Which names of a list are so alike that they may mean the same thing.

It compares texts; which of them are told to whom is left to `catalog.validate`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# Words that reviewers find added to or left out of the name of one and the same resource.
_FILLERS = re.compile("信息|数据|基本|基础|情况|资源|记录|明细|登记|目录|清单|台账|汇总|相关|有关|一览|[的表库]")
# Names that differ by one of these mean different things: 乡级 and 村级, 机动车 and 非机动车, 2023年 and 2024年.
_TELLING: Final = frozenset(
    "非未无不否新旧男女老幼出入进退正副前后上下大中小高低内外本省市地州区县旗乡镇街村组国军民公私父母子女"
    "一二三四五六七八九十零年季月日0123456789abcdefghijklmnopqrstuvwxyz"
)
_ALIKE: Final = 0.8
_SHORTEST: Final = 6
# A pair of characters found in more names than these tells none of them apart. Bounds the work to
# `_RAREST` × `_COMMON` comparisons for each name, whatever the names are.
_COMMON: Final = 50
_RAREST: Final = 3


def bare(name: str) -> str:
    """A name without punctuation, symbols and space, half-width and without capitals."""
    return "".join(
        char for char in unicodedata.normalize("NFKC", name).casefold() if unicodedata.category(char)[0] not in "PSZC"
    )


def alike(names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of indices (later, earlier) of bare *names* that may mean the same; at most one for each later name.

    Names mean the same when nothing but fillers tells them apart, or when their bigrams are nearly the same (Dice's
    coefficient) and no telling character is in one only. Names that are equal are left to the caller. Takes time in
    proportion to the number of names; in exchange a pair is found only by one of its rarest bigrams.
    """
    pairs: dict[int, int] = {}
    cores = [_FILLERS.sub("", name) for name in names]
    first: dict[str, int] = {}
    for index, core in enumerate(cores):
        if not core:
            continue
        other = first.setdefault(core, index)
        if other != index and names[other] != names[index]:
            pairs[index] = other
    bigrams = [
        {core[at : at + 2] for at in range(len(core) - 1)} if len(core) >= _SHORTEST else set() for core in cores
    ]
    counts = Counter(bigram for found in bigrams for bigram in found)
    seen: dict[str, list[int]] = {}
    for index, found in enumerate(bigrams):
        rarest = sorted((b for b in found if counts[b] <= _COMMON), key=lambda b: (counts[b], b))[:_RAREST]
        candidates = sorted({other for bigram in rarest for other in seen.get(bigram, ())})
        for other in candidates:
            if index not in pairs and cores[other] != cores[index] and _close(index, other, cores, bigrams):
                pairs[index] = other
        for bigram in found:
            if counts[bigram] <= _COMMON:
                seen.setdefault(bigram, []).append(index)
    return sorted(pairs.items())


def _close(one: int, other: int, cores: list[str], bigrams: list[set[str]]) -> bool:
    shared = len(bigrams[one] & bigrams[other])
    if 2 * shared < _ALIKE * (len(bigrams[one]) + len(bigrams[other])):
        return False
    left, right = Counter(cores[one]), Counter(cores[other])
    return not ((left - right) + (right - left)).keys() & _TELLING
