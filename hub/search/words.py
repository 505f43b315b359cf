"""Search in the words of its doors: filters from what people type, and results as JSON with both languages.

Finding is `hub.search.index`'s affair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from catalog import domains
from catalog.search.shelf import Facet, Filters
from catalog.search.text import compact
from catalog.search.thesaurus import strip_city

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from catalog.domains import CodeDomain
    from catalog.model import ResponsibilityList
    from catalog.search.ranking import Part
    from hub.search.index import Hit, Note, Results

WORDS: Final[Mapping[Facet, CodeDomain]] = {
    Facet.SHARE_TYPE: domains.SHARE_TYPE,
    Facet.FORMAT: domains.FORMAT,
    Facet.THEME: domains.THEME,
    Facet.CADENCE: domains.CADENCE,
    Facet.DOMAIN: domains.DATA_DOMAIN,
}
FACETS: Final[Mapping[Facet, tuple[str, str]]] = {
    Facet.DEPARTMENT: ("Department", "部门"),
    Facet.SHARE_TYPE: ("Share type", "共享类型"),
    Facet.FORMAT: ("Format", "格式"),
    Facet.THEME: ("Theme", "主题"),
    Facet.CADENCE: ("Cadence", "更新周期"),
    Facet.DOMAIN: ("Domain", "数据领域"),
    Facet.OPEN: ("Open", "开放属性"),
}
_OPEN: Final = {"true": ("open", "开放"), "false": ("not open", "不开放")}
_YES: Final = frozenset({"true", "yes", "1", "是", "开放"})
_NO: Final = frozenset({"false", "no", "0", "否", "不开放"})


def filters_of(list_: ResponsibilityList, chosen: Mapping[Facet, Iterable[str]]) -> Filters:
    """Filters from codes, words (无条件, unconditional) or names of departments; unknown ones stay, to be refused."""
    return Filters.of({facet: [_code(list_, facet, value) for value in values] for facet, values in chosen.items()})


def _code(list_: ResponsibilityList, facet: Facet, value: str) -> str:
    if facet is Facet.DEPARTMENT:
        return department_of(list_, value) or value
    if facet is Facet.OPEN:
        lower = value.strip().lower()
        return "true" if lower in _YES else "false" if lower in _NO else value
    member = WORDS[facet].find(value)
    return member.value if member else value


def department_of(list_: ResponsibilityList, text: str) -> str | None:
    """The code of the department that *text* is the code, a name or an alias of, with the city before it or not."""
    if text in list_.departments_by_code:
        return text
    asked = strip_city(compact(text), list_.city)
    for department in list_.departments:
        names = (department.code, department.name, department.name_en, *department.aliases)
        if asked in {strip_city(compact(name), list_.city) for name in names}:
            return department.code
    return None


def label(list_: ResponsibilityList, facet: Facet, value: str, lang: str) -> str:
    """What a facet's value is called in *lang* (``zh``, else English)."""
    if facet is Facet.DEPARTMENT:
        department = list_.departments_by_code.get(value)
        return value if department is None else department.name if lang == "zh" else department.name_en
    if facet is Facet.OPEN:
        return _OPEN[value][lang == "zh"]
    domain = WORDS[facet]
    member = domain.find(value)
    if member is None:
        return value
    return domain.word(member) if lang == "zh" else member.name.lower().replace("_", " ")


def plain_results(results: Results, list_: ResponsibilityList) -> dict[str, Any]:
    """A page of results as JSON; what is said is said in both languages."""
    plain: dict[str, Any] = {
        "list_version": list_.version,
        "query": results.query,
        "total": results.total,
        "page": results.page,
        "size": results.size,
        "relaxed": results.relaxed,
        "notes": [_note(note) for note in results.notes],
        "items": [_hit(hit, list_) for hit in results.hits],
        "nearest": [_hit(hit, list_) for hit in results.nearest],
        "facets": {
            facet.value: [
                {
                    "value": value,
                    "label": label(list_, facet, value, "en"),
                    "label_zh": label(list_, facet, value, "zh"),
                    "count": count,
                }
                for value, count in counts
            ]
            for facet, counts in results.facets.items()
        },
    }
    if results.steps or results.tokens:
        plain["explained"] = {
            "tokens": list(results.tokens),
            "steps": [{**_note(step), "hits": step.hits} for step in results.steps],
        }
    return plain


def _note(note: Note) -> dict[str, str]:
    return {"code": note.code, "en": note.text("en"), "zh": note.text("zh")}


def _hit(hit: Hit, list_: ResponsibilityList) -> dict[str, Any]:
    resource = hit.resource
    provider = list_.departments_by_code.get(resource.provider)
    plain: dict[str, Any] = {
        "code": resource.code,
        "name": resource.name,
        "name_en": resource.name_en,
        "provider": resource.provider,
        "provider_name": provider.name if provider else "",
        "abstract": resource.abstract,
        "share_type": resource.share_type.value,
        "format": resource.format.value,
        "cadence": resource.cadence.value,
        "theme": resource.theme.value if resource.theme else "",
        "open": resource.open,
        "fields": len(resource.fields),
        "published_on": resource.published_on.isoformat(),
        "score": hit.score,
    }
    if hit.parts:
        plain["parts"] = [_part(part) for part in hit.parts]
    return plain


def _part(part: Part) -> dict[str, Any]:
    return {"code": part.code, "points": part.points, "en": part.words("en"), "zh": part.words("zh")}
