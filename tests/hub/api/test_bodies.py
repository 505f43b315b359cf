"""What the OpenAPI document says of a body is what the door takes: no more members, and no fewer."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from hub.api import create_app
from hub.api.bodies import Body
from hub.api.bodyshapes import MEMBERS
from hub.errors import InvalidRequestError
from hub.settings import Settings


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    return create_app(Settings.at(tmp_path_factory.mktemp("home") / "var")).openapi()


def posts(document):
    return {path: found["post"] for path, found in document["paths"].items() if "post" in found}


def test_every_step_has_an_address_of_its_own_and_a_body(document):
    found = posts(document)
    assert not any("{step}" in path for path in document["paths"])
    assert {path.rpartition(":")[2] for path in found if path.startswith("/v1/applications/")} == {
        "ask", "supply", "approve", "refuse", "withdraw", "dispute", "settle",
    }  # fmt: skip
    without = [path for path, post in found.items() if "requestBody" not in post]
    # A nonce is asked for with an empty body (OpenID4VCI 1.0 §7.1).
    assert sorted(without) == ["/v1/batches/{id}:cancel", "/v1/notices/{number}:read", "/wallet/nonce"]
    identifiers = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(set(identifiers)) == len(identifiers)


def test_every_body_is_a_schema(document):
    for path, post in posts(document).items():
        for content in post.get("requestBody", {}).get("content", {}).values():
            if "$ref" not in content.get("schema", {}):
                Draft202012Validator.check_schema(content.get("schema", {}))
            assert path


def test_asking_for_the_document_twice_gives_the_same(tmp_path):
    app = create_app(Settings.at(tmp_path / "var"))
    assert app.openapi() == app.openapi()


def test_no_member_is_described_that_nobody_takes(document):
    taken = set()
    for post in posts(document).values():
        for content in post.get("requestBody", {}).get("content", {}).values():
            taken |= content.get("schema", {}).get("properties", {}).keys()
    assert MEMBERS.keys() <= taken


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("/v1/applications", {"resource", "purposes", "fields", "rows", "volume_per_day", "term_days"}),
        ("/v1/applications/{id_}:approve", {"fields", "masks", "rows", "quota_per_day", "note"}),
        ("/v1/grants/{id_}:shrink", {"reason", "fields", "rows"}),
        ("/v1/corrections/{id_}:settle", {"outcome", "verdict", "mend_by"}),
        ("/v1/demands/{id_}:answer", {"outcome", "resource", "planned_on"}),
        ("/v1/forms:check", {"fields", "matter"}),
    ],
)
def test_the_members_are_told(document, path, members):
    schema = posts(document)[path]["requestBody"]["content"]["application/json"]["schema"]
    assert members <= schema["properties"].keys()
    assert not schema["additionalProperties"]


def test_bytes_come_in_base64_and_in_nothing_like_it():
    assert Body({"document": "AP8="}).octets("document") == b"\x00\xff"
    assert Body({"document": ""}).octets("document") == b""
    for wrong in ("AP8", "AP8=\n", "AP8=AP8=", "\u4e00", 7, None, ["AP8="]):
        with pytest.raises(InvalidRequestError, match="document"):
            Body({"document": wrong}).octets("document")
    with pytest.raises(InvalidRequestError, match="content"):
        Body({}).octets("content")
