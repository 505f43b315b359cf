"""A grant's OpenAPI document says exactly what the grant allows; its example passes; its schemas are real ones.

No validator of OpenAPI itself is at hand, so that the document's frame is checked by hand and each schema in it by a
validator of JSON Schema 2020-12, the dialect of OpenAPI 3.1.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from catalog import masks
from catalog.decide import AccessRequest, Grant, decide
from catalog.exports.openapi import grant_openapi
from catalog.model import Mask, Prohibition, ShareType
from catalog.rows import parse_rule
from tests.catalog.conftest import make_list, make_resource

LIST = make_list()
T0 = datetime(2026, 1, 1, tzinfo=UTC)
GRANT = Grant(
    id="G1",
    consumer="D2",
    resource="R1",
    fields=("name", "phone", "secret", "capital", "ghost"),
    masks=(("name", Mask.SURNAME),),
    purposes=("M1", "M2"),
    actions=("query", "verify"),
    starts=T0,
    expires=T0 + timedelta(days=365),
    list_version=LIST.version,
    ground="《某条例》第五条",
)


def document(list_=LIST, **changes):
    return grant_openapi(replace(GRANT, **changes), list_, "https://hub.example/")


def resolve(document_, schema):
    """The schema with the document's components beside it, so that its references hold."""
    if isinstance(schema, dict) and "$ref" in schema:
        _, _, _, name = schema["$ref"].split("/")
        return resolve(document_, document_["components"]["schemas"][name])
    if isinstance(schema, dict):
        return {name: resolve(document_, value) for name, value in schema.items()}
    if isinstance(schema, list):
        return [resolve(document_, value) for value in schema]
    return schema


def operation(document_, action):
    return document_["paths"][f"/v1/resources/R1:{action}"]["post"]


def request_schema(document_, action):
    return resolve(document_, operation(document_, action)["requestBody"]["content"]["application/json"]["schema"])


def answer_schema(document_, action):
    return resolve(document_, operation(document_, action)["responses"]["200"]["content"]["application/json"]["schema"])


def test_the_frame_is_that_of_openapi_3_1():
    found = document()
    assert json.loads(json.dumps(found)) == found
    assert found["openapi"] == "3.1.0"
    assert {"title", "version"} <= set(found["info"])
    assert found["servers"] == [{"url": "https://hub.example"}]
    assert set(found) - {"x-zhengtong-grant"} == {"openapi", "info", "servers", "security", "paths", "components"}
    assert found["components"]["securitySchemes"]["callerKey"]["scheme"] == "bearer"
    operations = [op for path in found["paths"].values() for op in path.values()]
    assert len({op["operationId"] for op in operations}) == len(operations) == 2
    for op in operations:
        assert op["requestBody"]["content"]
        for status, response in op["responses"].items():
            assert status.isdigit()
            assert response["description"]
            for content in response["content"].values():
                Draft202012Validator.check_schema(resolve(found, content["schema"]))
    for schema in found["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("action", ["query", "verify"])
def test_the_example_passes_its_own_schema_and_strangers_do_not(action):
    found = document()
    schema = request_schema(found, action)
    Draft202012Validator.check_schema(schema)
    check = Draft202012Validator(schema)
    example = operation(found, action)["requestBody"]["content"]["application/json"]["example"]
    check.validate(example)
    part = "fields" if action == "query" else "claims"
    for wrong in (
        {**example, "purpose": {"matter": "M2"}},
        {**example, "purpose": {}},
        {**example, "keys": {}},
        {**example, "keys": {"phone": "1"}},
        {**example, part: ["secret"] if action == "query" else {"secret": "x"}},
        {**example, "grant": "G2"},
        {**example, "more": 1},
    ):
        with pytest.raises(ValidationError):
            check.validate(wrong)


def test_paths_and_fields_are_exactly_those_that_decide_allows():
    found = document()
    enum = request_schema(found, "query")["properties"]["fields"]["items"]["enum"]
    allowed = [
        field.name
        for field in LIST.resources[0].fields
        if decide(AccessRequest("D2", "R1", "query", (field.name,), ("id",), "M1"), LIST, [GRANT], T0).allowed
    ]
    assert enum == allowed == ["name", "phone", "capital"]
    # M2 is granted, but no line of the list speaks for it.
    assert found["components"]["schemas"]["Purpose"]["properties"]["matter"]["enum"] == ["M1"]
    assert set(document(actions=("verify", "batch"))["paths"]) == {"/v1/resources/R1:verify"}
    forbidden = replace(LIST, prohibitions=(Prohibition("R1", ("D2",), ("*",), "《某法》", ("phone",)),))
    assert request_schema(document(forbidden), "query")["properties"]["fields"]["items"]["enum"] == ["name", "capital"]
    for gone in (
        replace(LIST, responsibilities=()),
        replace(LIST, resources=(make_resource(share_type=ShareType.NOT_SHARED), LIST.resources[1])),
        replace(LIST, resources=(LIST.resources[1],), responsibilities=()),
    ):
        assert document(gone)["paths"] == {}


@pytest.mark.parametrize("mask", list(Mask))
@pytest.mark.parametrize(
    "value", ["欧阳某某", "11010519491231002X", "2020-06-30", "安徽省阜阳市颍州区某路 1 号", "x", None]
)
def test_what_a_mask_leaves_fits_its_schema(mask, value):
    record = answer_schema(document(masks=(("name", mask),)), "query")["properties"]["records"]["items"]
    shown = masks.apply(mask, value, key=b"k" * 32)
    Draft202012Validator(record).validate({"name": shown})
    if mask not in (Mask.NONE, Mask.NULL) and value == "x":
        with pytest.raises(ValidationError):
            Draft202012Validator(record).validate({"name": "明文内容未脱敏"})


def test_limits_are_told_in_both_languages():
    found = document(quota_per_day=200, rows=(parse_rule("capital >= 100"),))
    text = found["info"]["description"]
    for part in ("每日 200 次", "200 calls a day", "2027-01-01", "capital >= 100", "《某条例》第五条"):
        assert part in text
    assert found["x-zhengtong-grant"]["quota_per_day"] == 200
    assert found["x-zhengtong-grant"]["rows"] == ["capital >= 100"]


def test_a_code_with_a_slash_keeps_it_in_the_address():
    resource = make_resource(code="306010/000001")
    line = replace(LIST.responsibilities[0], resource="306010/000001")
    list_ = replace(LIST, resources=(resource,), responsibilities=(line,))
    assert "/v1/resources/306010/000001:query" in document(list_, resource="306010/000001")["paths"]
