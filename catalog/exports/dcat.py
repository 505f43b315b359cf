"""The list as a catalogue in DCAT 3 (W3C Recommendation of 22 August 2024), written as JSON-LD with its context inline.

Offices are named by posts, never by people. Which records a department may see is no part of it: that is a grant.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from catalog.changes import word_of
from catalog.model import Cadence, ShareType, Theme

if TYPE_CHECKING:
    from datetime import datetime

    from catalog.model import Department, InformationResource, ResponsibilityList

MEDIA_TYPE: Final = "application/ld+json"

# Every prefix is spelled out here, so that no reader has to fetch a context from another host.
CONTEXT: Final[dict[str, Any]] = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_EU: Final = "http://publications.europa.eu/resource/authority"
# 更新周期 as the frequencies of the Publications Office of the EU, the code list that DCAT-AP asks for.
FREQUENCIES: Final = {
    Cadence.REALTIME: "UPDATE_CONT",
    Cadence.DAILY: "DAILY",
    Cadence.WEEKLY: "WEEKLY",
    Cadence.MONTHLY: "MONTHLY",
    Cadence.QUARTERLY: "QUARTERLY",
    Cadence.YEARLY: "ANNUAL",
}
# The theme libraries beside the nearest data theme of the same office.
THEMES: Final = {
    Theme.POPULATION: "SOCI",
    Theme.LEGAL_PERSON: "ECON",
    Theme.SPACE: "REGI",
    Theme.ECONOMY: "ECON",
    Theme.CREDIT: "ECON",
    Theme.LICENCE: "GOVE",
    Theme.SOCIAL_SECURITY: "SOCI",
    Theme.HEALTH: "HEAL",
    Theme.EDUCATION: "EDUC",
    Theme.TRANSPORT: "TRAN",
    Theme.HOUSING: "REGI",
    Theme.ENVIRONMENT: "ENVI",
    Theme.AGRICULTURE: "AGRI",
    Theme.SAFETY: "JUST",
    Theme.CULTURE: "EDUC",
    Theme.GOVERNANCE: "GOVE",
}
_LANGUAGES: Final = [{"@id": f"{_EU}/language/ZHO"}, {"@id": f"{_EU}/language/ENG"}]


def catalogue(
    list_: ResponsibilityList, *, server_url: str, previous: str = "", issued: datetime | None = None
) -> dict[str, Any]:
    """*list_* as a JSON-LD document: a ``dcat:Catalog`` with its datasets and the service that answers about them.

    *server_url* is where the hub is reached; addresses under it name the things. *previous* is the version that this
    one took the place of, *issued* the instant at which it came into force.
    """
    base = server_url.rstrip("/")
    service = {
        "@id": f"{base}/v1#service",
        "@type": "dcat:DataService",
        "dct:title": _both("数据调用服务", "Data-invocation service"),
        "dct:identifier": f"{list_.city}/zhengtong",
        "dcat:endpointURL": {"@id": f"{base}/v1"},
        "dcat:endpointDescription": {"@id": f"{base}/openapi.json"},
        "dcat:servesDataset": [
            {"@id": _dataset_id(base, r)} for r in list_.resources if r.share_type is not ShareType.NOT_SHARED
        ],
        "dct:accessRights": {"@id": f"{_EU}/access-right/RESTRICTED"},
    }
    document: dict[str, Any] = {
        "@context": CONTEXT,
        "@id": _version_id(base, list_.version),
        "@type": "dcat:Catalog",
        "dct:title": _both(list_.title, ""),
        "dct:description": _both(
            f"{list_.city}政务数据共享责任清单所列信息资源",
            f"Information resources of the data-sharing responsibility list of {list_.city}",
        ),
        "dct:identifier": list_.version,
        "dcat:version": f"{list_.year}.{list_.batch}",
        "dct:language": _LANGUAGES,
        "dct:spatial": _place(list_.city),
        "dcat:dataset": [_dataset(list_, resource, base) for resource in list_.resources],
        "dcat:service": [service],
    }
    office = list_.departments_by_code.get(list_.office)
    if office is not None:
        document["dct:publisher"] = _agent(base, office)
        document["dcat:contactPoint"] = _contacts(office)
    if previous:
        document["dcat:previousVersion"] = {"@id": _version_id(base, previous)}
    if issued is not None:
        document["dct:issued"] = {"@type": "xsd:dateTime", "@value": issued.isoformat(timespec="seconds")}
    return document


def to_jsonld(document: dict[str, Any]) -> bytes:
    """The bytes of a document, the same for the same one."""
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _dataset(list_: ResponsibilityList, resource: InformationResource, base: str) -> dict[str, Any]:
    address = _dataset_id(base, resource)
    found: dict[str, Any] = {
        "@id": address,
        "@type": "dcat:Dataset",
        "dct:identifier": resource.code,
        "dct:title": _both(resource.name, resource.name_en),
        "dct:description": _both(resource.abstract, ""),
        "dct:issued": {"@type": "xsd:date", "@value": resource.published_on.isoformat()},
        "dct:accrualPeriodicity": {"@id": f"{_EU}/frequency/{FREQUENCIES[resource.cadence]}"},
        "dct:accessRights": _access_rights(resource),
        "dct:spatial": _place(list_.city),
        "dct:language": _LANGUAGES[0],
        "dcat:keyword": _keywords(resource),
    }
    provider = list_.departments_by_code.get(resource.provider)
    if provider is not None:
        found["dct:publisher"] = _agent(base, provider)
        found["dcat:contactPoint"] = _contacts(provider)
    if resource.theme is not None:
        word = word_of(resource.theme)
        own = {
            "@id": f"{base}/v1/catalog#theme-{resource.theme}",
            "@type": "skos:Concept",
            "skos:prefLabel": _both(word.zh, word.en),
        }
        found["dcat:theme"] = [own, {"@id": f"{_EU}/data-theme/{THEMES[resource.theme]}"}]
    if resource.related:
        found["dct:relation"] = [
            {"@id": _dataset_id(base, list_.by_code[code])} for code in resource.related if code in list_.by_code
        ]
    if resource.share_type is not ShareType.NOT_SHARED:
        found["dcat:distribution"] = [
            {
                "@id": f"{address}#distribution",
                "@type": "dcat:Distribution",
                "dct:title": _both("按需查询与核验", "Look-up and verification"),
                "dcat:accessURL": {"@id": address},
                "dcat:accessService": {"@id": f"{base}/v1#service"},
                "dcat:mediaType": {"@id": "https://www.iana.org/assignments/media-types/application/json"},
                "dct:accessRights": found["dct:accessRights"],
            }
        ]
    return found


def _access_rights(resource: InformationResource) -> list[dict[str, Any]]:
    """Who may have it: the coded right, and beside it the list's own words with condition and ground."""
    shared = "PUBLIC" if resource.open else "RESTRICTED"
    code = "NON_PUBLIC" if resource.share_type is ShareType.NOT_SHARED else shared
    word = word_of(resource.share_type)
    why = "；".join(text for text in (resource.share_condition, resource.share_ground) if text)
    zh, en = (f"{word.zh}：{why}", f"{word.en}: {why}") if why else (word.zh, word.en)
    return [
        {"@id": f"{_EU}/access-right/{code}"},
        {"@type": "dct:RightsStatement", "rdfs:label": _both(zh, en)},
    ]


def _keywords(resource: InformationResource) -> list[dict[str, str]]:
    words = dict.fromkeys([*resource.aliases, *resource.classification, *(f.title for f in resource.fields)])
    return [{"@language": "zh", "@value": word} for word in words if word]


def _agent(base: str, department: Department) -> dict[str, Any]:
    return {
        "@id": f"{base}/v1/catalog#department-{quote(department.code, safe='')}",
        "@type": "foaf:Agent",
        "foaf:name": _both(department.name, department.name_en),
        "dct:identifier": department.uscc,
    }


def _contacts(department: Department) -> list[dict[str, Any]]:
    """The posts that answer for the department's data."""
    posts = [(post, word_of(duty)) for duty, post in department.contacts]
    found = [
        {
            "@type": "vcard:Organization",
            "vcard:fn": _both(f"{department.name} {post}", ""),
            "vcard:role": _both(word.zh, word.en),
        }
        for post, word in posts
    ]
    if department.contact_role or not found:
        name = f"{department.name} {department.contact_role}".strip()
        found.insert(0, {"@type": "vcard:Organization", "vcard:fn": _both(name, "")})
    return found


def _place(city: str) -> dict[str, Any]:
    return {"@type": "dct:Location", "rdfs:label": _both(city, "")}


def _both(zh: str, en: str) -> list[dict[str, str]]:
    """A text with its languages; the English is left out where there is none."""
    return [{"@language": tag, "@value": text} for tag, text in (("zh", zh), ("en", en)) if text]


def _dataset_id(base: str, resource: InformationResource) -> str:
    return f"{base}/v1/resources/{quote(resource.code)}"


def _version_id(base: str, version: str) -> str:
    return f"{base}/v1/lists/{version}"
