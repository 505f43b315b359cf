"""Cuts text into what is indexed and searched: Han unigrams and bigrams, Latin words, numbers.

What words mean the same is `catalog.search.thesaurus`, how they sound `catalog.search.pinyin`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Final

# CJK unified ideographs with extensions A to H, and 〇, which is a letter number.
_HAN: Final = "\u3007\u3400-\u9fff\U00020000-\U0003ffff"
_RUN = re.compile(rf"[{_HAN}]+|[a-z0-9]+(?:[/_.\-][a-z0-9]+)*")
_WORD = re.compile(r"[a-z0-9]+")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
# What nearly every resource is called at the end and hence says nothing about which one it is.
_GENERIC_END = re.compile(
    r"(?:基本|基础|相关|详细|登记)?(?:信息|数据|资料|情况|名单|目录|清单|名录|记录|台账|库|表|结果)$"
)
_GAP: Final = "0"  # in a Han token: one character that is not looked at
_PLURAL_MIN_CHARS = 4  # "gas" and "bus" keep their s


@cache
def _simplified() -> dict[int, str]:
    """Traditional characters and the simplified ones they are searched as (catalog/data/search-traditional.txt)."""
    text = files("catalog").joinpath("data/search-traditional.txt").read_text("utf-8")
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {ord(pair[0]): pair[1] for line in lines for pair in line}


@lru_cache(maxsize=65536)
def normalise(text: str) -> str:
    """*text* as it is compared: full-width and compatibility forms folded (NFKC), lower case, simplified characters."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_simplified())


def runs(text: str) -> list[str]:
    """The runs of Han characters and of Latin letters and digits (joined by ``/_.-``) of a normalised *text*."""
    return _RUN.findall(text)


def is_han(run: str) -> bool:
    """Whether a run of `runs` is one of Han characters."""
    return run[:1] > "\u3000"


def squeeze(text: str) -> str:
    """A normalised Latin run without its separators: the form in which codes and pinyin are compared."""
    return _SEPARATORS.sub("", text)


def words(run: str) -> list[str]:
    """The words of a normalised Latin run, plurals as singulars: ``driving_licences`` → driving, licence."""
    return [_singular(word) for word in _WORD.findall(run)]


def _singular(word: str) -> str:
    plural = len(word) >= _PLURAL_MIN_CHARS and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    if not plural or not word.isalpha():
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]


def bigrams(run: str) -> list[str]:
    """The bigrams of a Han run in order; of a single character, itself."""
    return [a + b for a, b in pairwise(run)] or [run]


def gapped(before: str, after: str) -> str:
    """The token for two Han characters with one between them."""
    return before + _GAP + after


def is_gapped(gram: str) -> bool:
    """Whether a Han token is one of `gapped`."""
    return _GAP in gram


@lru_cache(maxsize=65536)
def grams(text: str) -> tuple[str, ...]:
    """What a document must hold to hold the normalised *text*: bigrams of its Han runs, words of its Latin ones."""
    found: dict[str, None] = {}
    for run in runs(text):
        found.update(dict.fromkeys(bigrams(run) if is_han(run) else words(run)))
    return tuple(found)


@lru_cache(maxsize=65536)
def indexed(text: str, *, single: bool) -> frozenset[str]:
    """The tokens under which the raw *text* is kept; *single*: Han characters by themselves, and with a gap, too."""
    found: set[str] = set()
    for run in runs(normalise(text)):
        if is_han(run):
            found.update(bigrams(run))
            if single:
                found.update(run)
                found.update(map(gapped, run, run[2:]))
        else:
            found.update(words(run))
            found.add(squeeze(run))
    return frozenset(found)


def compact(text: str) -> str:
    """The normalised *text* without spaces and punctuation: what equality of names is judged by."""
    return "".join(run if is_han(run) else squeeze(run) for run in runs(normalise(text)))


def core(name: str) -> str:
    """A compact name without the generic words at its end: 机动车驾驶证信息 → 机动车驾驶证."""
    shorter = name
    while (match := _GENERIC_END.search(shorter)) and match.start():
        shorter = shorter[: match.start()]
    return shorter
