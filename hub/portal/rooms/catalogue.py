"""The catalogue: search with facets, and what each resource is to the one who looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from catalog import domains
from hub.freshness import LIGHTS, Light
from hub.people import Duty
from hub.portal import naming
from hub.portal.doors import EVERYONE, Room
from hub.portal.sheets import sheet
from hub.search.index import MAX_QUERY_CHARS, Facet, Sort, find_or_record, search_of
from hub.search.resources import Access, Standing, standings_of
from hub.search.words import FACETS, filters_of, label, plain_results
from hub.watching import lights_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from catalog.domains import CodeDomain
    from catalog.model import InformationResource
    from hub.portal.visits import Visit

ROOM = Room()
PAGE: Final = 20
# Values of a facet that are shown at once; the rest fold.
AT_ONCE: Final = 6
SORTS: Final = {
    Sort.RELEVANCE: ("相关度", "relevance"),
    Sort.UPDATED: ("更新时间", "last change"),
    Sort.NAME: ("名称", "name"),
    Sort.CODE: ("代码", "code"),
}
TONES: Final[Mapping[Light, str]] = {
    Light.FRESH: "good",
    Light.FAILING: "warn",
    Light.LATE: "bad",
    Light.NEVER: "calm",
    Light.WAITING: "warn",
    Light.PAUSED: "calm",
}


SHEET: Final = sheet(
    "items",
    ("code", "代码", "Code"),
    ("title", "资源", "Resource"),
    ("provider_name", "提供方", "Provider"),
    ("share_label", "共享类型", "Share type"),
    ("cadence_label", "更新周期", "Cadence"),
    ("fresh", "更新状态", "Freshness"),
    ("fields", "信息项数", "Fields"),
    ("stands", "本部门", "Your department"),
    ("abstract", "摘要", "Abstract"),
)


@ROOM.page("/catalogue", "catalogue.html", who=EVERYONE, csv=(SHEET,))
def catalogue(visit: Visit) -> dict[str, Any]:
    """Find resources; what is found says how fresh it is and where one's own department stands with it."""
    list_, query = visit.list_, visit.query("q", most=MAX_QUERY_CHARS).strip()
    chosen = {facet: visit.queries(facet.value) for facet in Facet}
    sort = next((one for one in Sort if one.value == visit.query("sort")), Sort.RELEVANCE)
    page = visit.number("page", 1, least=1, most=10_000)
    results = find_or_record(
        search_of(visit.service.settings, list_),
        visit.service.control,
        visit.now,
        query,
        filters=filters_of(list_, chosen),
        page=page,
        size=PAGE,
        explain=False,
        sort=sort,
    )
    plain = plain_results(results, list_)
    shown = [list_.by_code[item["code"]] for item in (*plain["items"], *plain["nearest"])]
    lights = {code: one.light for code, one in lights_of(visit.office, shown, at=visit.now).items()}
    standings = _standings(visit, shown)
    kept = [("q", query), ("sort", sort.value)]
    kept += [(facet.value, value) for facet, values in chosen.items() for value in values]
    return {
        "query": query,
        "total": results.total,
        "page": page,
        "size": PAGE,
        "sort": sort.value,
        "sorts": [{"value": one.value, "name": visit.say(*name)} for one, name in SORTS.items()],
        "narrowed": any(chosen.values()),
        "notes": [note.text(visit.lang) for note in results.notes if query],
        "facets": [_facet(visit, facet, results.facets.get(facet, ()), chosen[facet]) for facet in Facet],
        "items": [_card(visit, item, lights, standings) for item in plain["items"]],
        "nearest": [_card(visit, item, lights, standings) for item in plain["nearest"]],
        "address": f"/catalogue?{urlencode([(k, v) for k, v in kept if v])}&",
    }


def _facet(visit: Visit, facet: Facet, counts: Any, chosen: list[str]) -> dict[str, Any]:  # noqa: ANN401 - pairs
    values = [
        {
            "value": value,
            "label": label(visit.list_, facet, value, visit.lang),
            "count": count,
            "chosen": value in chosen,
        }
        for value, count in counts
    ]
    # What was chosen is never folded away.
    values.sort(key=lambda one: not one["chosen"])
    fold = max(AT_ONCE, sum(one["chosen"] for one in values))
    return {
        "key": facet.value,
        "name": visit.words(FACETS[facet]),
        "shown": values[:fold],
        "more": values[fold:],
    }


def _standings(visit: Visit, resources: Sequence[InformationResource]) -> Mapping[str, Standing]:
    """Where the department of whoever is signed in stands with each."""
    person, list_ = visit.known, visit.list_
    if person is None or person.department not in list_.departments_by_code:
        return {}
    return standings_of(visit.office, list_, resources, person.department, visit.now)


def _card(
    visit: Visit, item: Mapping[str, Any], lights: Mapping[str, Light], standings: Mapping[str, Standing]
) -> dict[str, Any]:
    light = lights.get(item["code"], Light.NEVER)
    names = (item["name"], item["name_en"]) if visit.lang == "zh" else (item["name_en"], item["name"])
    plain = {
        **item,
        "title": names[0] or names[1],
        "subtitle": names[1] if names[0] else "",
        "provider_name": naming.department(visit, item["provider"]),
        "tone": TONES[light],
        "fresh": visit.words(LIGHTS[light]),
        "share_label": word(domains.SHARE_TYPE, item["share_type"], visit.lang),
        "cadence_label": word(domains.CADENCE, item["cadence"], visit.lang),
        "act": None,
        "stands": "",
    }
    standing = standings.get(item["code"])
    if standing is not None and standing.access is Access.APPLY:
        plain["act"] = {"to": f"/apply/{item['code']}", "text": visit.say("申请", "Apply")}
    elif standing is not None and standing.access is Access.NOT_ON_LIST and visit.has(Duty.STAFF):
        to = f"/demands/new?{urlencode({'q': plain['title']})}"
        plain["act"] = {"to": to, "text": visit.say("登记数据需求", "Register a demand")}
    elif standing is not None and standing.access is Access.GRANTED:
        plain["act"] = {"to": f"/r/{item['code']}?tab=grants", "text": visit.say("已授权", "Granted")}
    elif standing is not None and standing.access is Access.WAITING:
        plain["stands"] = visit.say("申请办理中", "Application under way")
    elif standing is not None:
        plain["stands"] = standing.text(visit.lang)
    return plain


def word(domain: CodeDomain, value: str, lang: str) -> str:
    """What a coded value is called in *lang*."""
    member = domain.find(value)
    if member is None:
        return value
    return domain.word(member) if lang == "zh" else member.name.lower().replace("_", " ")
