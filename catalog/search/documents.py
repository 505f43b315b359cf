"""What of a resource is searched: its columns, their weights, and the tokens of each.

A token is kept with its column's letter before it, so that one posting list answers "this word in that column".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from catalog.domains import THEME
from catalog.search import pinyin
from catalog.search.text import compact, core, indexed, normalise, squeeze

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog.model import Department, InformationResource, Matter, ResponsibilityList
    from catalog.search.thesaurus import Thesaurus

# Raised when the tokens of a document or what is kept with them change: indexes made before are made anew.
FORMAT: Final = 2
MIN_CODE_PREFIX: Final = 3


class Column(StrEnum):
    """The columns of a document; the value is the letter before its tokens."""

    TITLE = "t"
    ALIAS = "a"
    ENGLISH = "e"
    CODE = "c"
    THEME = "k"
    FIELD = "f"
    PROVIDER = "d"
    MATTER = "m"
    ABSTRACT = "b"
    SOUND = "q"  # pinyin of the whole title, of aliases and of known terms in them
    SOUND_PART = "p"  # pinyin of any few characters of the title
    SOUND_PROVIDER = "r"  # pinyin of department and theme names


WEIGHTS: Final[Mapping[Column, int]] = {
    Column.CODE: 110,
    Column.TITLE: 100,
    Column.ALIAS: 90,
    Column.ENGLISH: 85,
    Column.SOUND: 85,
    Column.THEME: 45,
    Column.SOUND_PART: 38,
    Column.FIELD: 35,
    Column.PROVIDER: 25,
    Column.SOUND_PROVIDER: 22,
    Column.MATTER: 20,
    Column.ABSTRACT: 12,
}
HAN_COLUMNS: Final = (
    Column.TITLE,
    Column.ALIAS,
    Column.THEME,
    Column.FIELD,
    Column.PROVIDER,
    Column.MATTER,
    Column.ABSTRACT,
)
# Single characters, and misspellings, are looked for where names are; elsewhere they say nothing.
SINGLE_COLUMNS: Final = (Column.TITLE, Column.ALIAS, Column.FIELD)
LATIN_COLUMNS: Final = (
    Column.CODE,
    Column.TITLE,
    Column.ALIAS,
    Column.ENGLISH,
    Column.FIELD,
    Column.SOUND,
    Column.SOUND_PART,
    Column.PROVIDER,
    Column.SOUND_PROVIDER,
    Column.THEME,
    Column.MATTER,
    Column.ABSTRACT,
)
NAME_COLUMNS: Final = (Column.CODE, Column.TITLE, Column.ALIAS, Column.ENGLISH, Column.SOUND)
SQUEEZED_COLUMNS: Final = (Column.CODE, Column.SOUND, Column.SOUND_PART, Column.SOUND_PROVIDER, Column.FIELD)
SPELLING_COLUMNS: Final = (Column.ENGLISH, Column.FIELD, Column.SOUND, Column.SOUND_PROVIDER)


@dataclass(frozen=True, slots=True)
class Document:
    """A resource as it is indexed; *ordinal* is its place by code, *words* those a misspelling is compared with."""

    ordinal: int
    tokens: frozenset[str]
    words: frozenset[str]
    sort_key: str


def ordered(list_: ResponsibilityList) -> tuple[InformationResource, ...]:
    """The resources in the order that gives them their ordinals."""
    return tuple(sorted(list_.resources, key=lambda resource: resource.code))


def documents(list_: ResponsibilityList, thesaurus: Thesaurus) -> Iterator[Document]:
    """A document for each resource, by ordinal."""
    providers = {department.code: _provider(department) for department in list_.departments}
    needed: dict[str, list[Matter]] = {}
    for need in list_.needs:
        if need.matter in list_.matters_by_code:
            needed.setdefault(need.resource, []).append(list_.matters_by_code[need.matter])
    for ordinal, resource in enumerate(ordered(list_)):
        found = _own(resource, thesaurus)
        for column, tokens in (
            *providers.get(resource.provider, {}).items(),
            *_matters(needed.get(resource.code, [])).items(),
        ):
            found[column] = found.get(column, frozenset()) | tokens
        kept: set[str] = set()
        for column, own in found.items():
            # Half a million enum look-ups a second would take as long as everything else.
            letter = column.value
            kept.update([letter + token for token in own])
        words = frozenset().union(*(found.get(column, frozenset()) for column in SPELLING_COLUMNS))
        yield Document(
            ordinal,
            frozenset(kept),
            frozenset(word for word in words if word.isascii()),
            pinyin.sort_key(resource.name),
        )


def _own(resource: InformationResource, thesaurus: Thesaurus) -> dict[Column, frozenset[str]]:
    names = (resource.name, *resource.aliases)
    theme = theme_texts(resource)
    field_texts = [text for field in resource.fields for text in (field.title, field.name, *field.aliases)]
    return {
        Column.TITLE: indexed(resource.name, single=True),
        Column.ALIAS: _joined(resource.aliases, single=True),
        Column.ENGLISH: indexed(resource.name_en, single=False),
        Column.CODE: _code(resource.code),
        Column.THEME: _joined((*resource.classification, *theme), single=False),
        Column.FIELD: _joined(field_texts, single=True),
        Column.ABSTRACT: indexed(resource.abstract, single=False),
        Column.SOUND: _sounds(names, thesaurus),
        Column.SOUND_PART: frozenset().union(*(pinyin.parts(name) for name in names)),
        Column.SOUND_PROVIDER: frozenset().union(*(pinyin.whole(text) for text in (*theme, *resource.classification))),
    }


def theme_texts(resource: InformationResource) -> tuple[str, ...]:
    """What the theme of *resource* is called: its words, each also as the name of a library (人口库), its code."""
    if resource.theme is None:
        return ()
    words = THEME.words[resource.theme]
    return (*words, *(word + "库" for word in words if not word.endswith("库")), resource.theme.value)


def _sounds(names: tuple[str, ...], thesaurus: Thesaurus) -> frozenset[str]:
    """How the names sound, as they are, without their generic end, and by every other word for a term in them."""
    texts: set[str] = set()
    for name in names:
        texts |= {compact(name), core(compact(name))}
        for term in thesaurus.within(compact(name)):
            texts |= {term, *(alias.text for alias in thesaurus.aliases(term) if not alias.narrower)}
    return frozenset().union(*(pinyin.whole(text) for text in texts))


def _provider(department: Department) -> dict[Column, frozenset[str]]:
    names = (department.name, *department.aliases)
    return {
        Column.PROVIDER: _joined((*names, department.name_en, department.code), single=False),
        Column.SOUND_PROVIDER: frozenset().union(*(pinyin.whole(name) | pinyin.parts(name) for name in names)),
    }


def _matters(matters: list[Matter]) -> dict[Column, frozenset[str]]:
    if not matters:
        return {}
    codes = (squeeze(normalise(matter.code)) for matter in matters)
    names = _joined([text for matter in matters for text in (matter.name, matter.name_en)], single=False)
    return {Column.MATTER: names | frozenset(codes)}


def _code(code: str) -> frozenset[str]:
    """A code and each of its beginnings, without separators."""
    whole = squeeze(normalise(code))
    return frozenset({whole, *(whole[:end] for end in range(MIN_CODE_PREFIX, len(whole)))})


def _joined(texts: tuple[str, ...] | list[str], *, single: bool) -> frozenset[str]:
    return frozenset().union(*(indexed(text, single=single) for text in texts))
