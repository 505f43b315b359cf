"""The words of the field: what each means, in both languages, and whence it comes; as `docs/glossary.md` has them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Term:
    """One word: *section* is "English · 中文"; *source* is a standard, a practice, or where our code defines it."""

    section: str
    english: str
    chinese: str
    meaning: str
    meaning_zh: str
    source: str
    source_zh: str


@cache
def terms() -> tuple[Term, ...]:
    """All of them, by section, in the order of the paper."""
    text = (resources.files("hub.portal") / "glossary.tsv").read_text(encoding="utf-8")
    lines = csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    next(lines)
    return tuple(Term(*line) for line in lines)


def found(words: str) -> tuple[Term, ...]:
    """Those that hold *words*, in either language, wherever in them; all of them for none."""
    wanted = words.casefold().split()
    return tuple(
        one
        for one in terms()
        if all(word in f"{one.english} {one.chinese} {one.meaning} {one.meaning_zh}".casefold() for word in wanted)
    )
