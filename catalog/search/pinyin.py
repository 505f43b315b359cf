"""How names sound: pinyin in full and by initials, as people type it (gongjijin, gjj).

Needs `pypinyin`, which is loaded when the first name is read: an index is made with it and searched without.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from catalog.search.text import compact, is_han, normalise, runs

MIN_SYLLABLES: Final = 2
MAX_SYLLABLES: Final = 6  # of the parts of a name; the whole is kept at any length


@lru_cache(maxsize=65536)
def syllables(run: str) -> tuple[str, ...]:
    """The syllables of a Han run without tones, one a character: 公积金 → gong, ji, jin (ü as v)."""
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 - its tables take half a second, and searching needs none

    found: list[str] = []
    for sound in lazy_pinyin(run, style=Style.NORMAL):
        # Characters that it does not know come back as they are, several in one.
        found += [sound] if sound.isascii() else sound
    return tuple(found)


@lru_cache(maxsize=65536)
def whole(text: str) -> frozenset[str]:
    """The full pinyin and the initials of a raw *text*, Latin parts kept; nothing where no Han character is."""
    full = first = ""
    for run in runs(normalise(text)):
        sounds = syllables(run) if is_han(run) else (run,)
        full += "".join(sounds)
        first += "".join(sound[:1] for sound in sounds) if is_han(run) else run
    full, first = compact(full), compact(first)
    return frozenset(word for word in (full, first) if len(word) >= MIN_SYLLABLES and word.isascii() and full != text)


@lru_cache(maxsize=65536)
def parts(text: str) -> frozenset[str]:
    """The full pinyin and the initials of every two to six characters in a row of a raw *text*."""
    found: set[str] = set()
    for run in runs(normalise(text)):
        if not is_han(run):
            continue
        sounds = syllables(run)
        for start in range(len(sounds) - 1):
            for end in range(start + MIN_SYLLABLES, min(start + MAX_SYLLABLES, len(sounds)) + 1):
                part = sounds[start:end]
                found.add("".join(part))
                found.add("".join(sound[:1] for sound in part))
    return frozenset(word for word in found if word.isascii())


@lru_cache(maxsize=65536)
def sort_key(text: str) -> str:
    """By what a *text* is put in the order of a Chinese dictionary of sounds."""
    return " ".join(" ".join(syllables(run)) if is_han(run) else run for run in runs(normalise(text)))
