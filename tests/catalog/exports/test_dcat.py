"""The DCAT export uses only terms of the vocabulary, where they belong, and fetches nothing from anywhere."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from catalog.exports.dcat import CONTEXT, FREQUENCIES, THEMES, catalogue, to_jsonld
from catalog.model import Cadence, Duty, ShareType, Theme
from tests.catalog.conftest import make_list, make_resource

URL = "https://hub.example"
# The properties of each class in the DCAT 3 recommendation (§6) and the vocabularies that it takes up, as far as used.
RESOURCE = {
    "dct:title",
    "dct:description",
    "dct:identifier",
    "dct:publisher",
    "dct:language",
    "dct:accessRights",
    "dct:issued",
    "dct:relation",
    "dcat:contactPoint",
    "dcat:keyword",
    "dcat:theme",
    "dcat:version",
    "dcat:previousVersion",
}
DATASET = RESOURCE | {"dct:accrualPeriodicity", "dct:spatial", "dcat:distribution"}
ALLOWED = {
    "dcat:Catalog": DATASET | {"dcat:dataset", "dcat:service"},
    "dcat:Dataset": DATASET,
    "dcat:DataService": RESOURCE | {"dcat:endpointURL", "dcat:endpointDescription", "dcat:servesDataset"},
    "dcat:Distribution": {"dct:title", "dct:accessRights", "dcat:accessURL", "dcat:accessService", "dcat:mediaType"},
    "foaf:Agent": {"foaf:name", "dct:identifier"},
    "vcard:Organization": {"vcard:fn", "vcard:role"},
    "dct:RightsStatement": {"rdfs:label"},
    "dct:Location": {"rdfs:label"},
    "skos:Concept": {"skos:prefLabel"},
}
# What has to be a thing of its own or an address, never a text (DCAT 3 §6, the ranges).
OBJECTS = {
    "dct:publisher",
    "dct:language",
    "dct:accessRights",
    "dct:accrualPeriodicity",
    "dct:spatial",
    "dct:relation",
    "dcat:contactPoint",
    "dcat:theme",
    "dcat:dataset",
    "dcat:service",
    "dcat:distribution",
    "dcat:accessURL",
    "dcat:accessService",
    "dcat:mediaType",
    "dcat:endpointURL",
    "dcat:endpointDescription",
    "dcat:servesDataset",
    "dcat:previousVersion",
}


def rich():
    base = make_list(office="D1")
    departments = (
        replace(base.departments[0], contact_role="数据专员", contacts=((Duty.TECHNICAL, "信息中心"),)),
        *base.departments[1:],
    )
    first = make_resource(
        code="306010/000001",
        name="市场主体登记信息R1",
        theme=Theme.CREDIT,
        classification=("3", "06"),
        related=("R2",),
        aliases=("企业",),
        open=True,
    )
    return replace(base, departments=departments, resources=(first, *base.resources[1:]), responsibilities=())


def nodes(value):
    if isinstance(value, dict):
        yield value
        for name, inner in value.items():
            if name != "@context":
                yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


@pytest.mark.parametrize("list_", [make_list(), rich()], ids=["plain", "rich"])
def test_every_node_uses_the_terms_of_its_class(list_):
    document = catalogue(list_, server_url=URL, previous="sha256:" + "0" * 64, issued=datetime(2026, 1, 1, tzinfo=UTC))
    assert json.loads(to_jsonld(document)) == document
    typed = 0
    for node in nodes(document):
        kind = node.get("@type")
        if "@value" in node:
            assert set(node) in ({"@language", "@value"}, {"@type", "@value"})
            assert node["@value"]
            continue
        if kind is None:
            assert set(node) == {"@id"}
            continue
        typed += 1
        for name, value in node.items():
            if name in ("@context", "@id", "@type"):
                continue
            assert name in ALLOWED[kind], (kind, name)
            assert name.partition(":")[0] in CONTEXT
            values = value if isinstance(value, list) else [value]
            assert values, (kind, name)
            for item in values:
                is_object = isinstance(item, dict) and "@value" not in item
                assert is_object == (name in OBJECTS), (kind, name)
    assert typed > 8
    # A context that is a name would have to be fetched from another host.
    assert all(isinstance(value, str) and value.endswith(("#", "/")) for value in document["@context"].values())


def test_what_a_catalogue_says():
    list_ = rich()
    document = catalogue(list_, server_url=URL + "/")
    first, second = document["dcat:dataset"]
    assert document["dct:identifier"] == list_.version
    assert "dcat:previousVersion" not in document
    assert first["@id"] == "https://hub.example/v1/resources/306010/000001"
    assert first["dct:identifier"] == "306010/000001"
    assert first["dct:accrualPeriodicity"]["@id"].endswith("/frequency/DAILY")
    assert first["dct:accessRights"][0]["@id"].endswith("/access-right/PUBLIC")
    assert first["dct:title"] == [
        {"@language": "zh", "@value": "市场主体登记信息R1"},
        {"@language": "en", "@value": "Registered market entities"},
    ]
    assert first["dcat:theme"][1]["@id"].endswith("/data-theme/ECON")
    assert first["dct:relation"] == [{"@id": second["@id"]}]
    assert [c["vcard:fn"][0]["@value"] for c in first["dcat:contactPoint"]] == [
        "市场监督管理局 数据专员",
        "市场监督管理局 信息中心",
    ]
    # What is not shared is listed, with its ground, and offered by no service.
    assert second["dct:accessRights"][0]["@id"].endswith("/access-right/NON_PUBLIC")
    assert "《某法》第八条" in second["dct:accessRights"][1]["rdfs:label"][0]["@value"]
    assert "dcat:distribution" not in second
    assert document["dcat:service"][0]["dcat:servesDataset"] == [{"@id": first["@id"]}]


def test_every_cadence_and_theme_has_its_code():
    assert set(FREQUENCIES) == set(Cadence)
    assert set(THEMES) == set(Theme)
    rights = {
        catalogue(replace(make_list(), resources=(make_resource(share_type=t),)), server_url=URL)["dcat:dataset"][0][
            "dct:accessRights"
        ][0]["@id"].rpartition("/")[2]
        for t in ShareType
    }
    assert rights == {"RESTRICTED", "NON_PUBLIC"}
