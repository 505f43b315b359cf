"""What will go says so: in the header fields of its answers and in the OpenAPI document."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from hub.api import create_app
from hub.api.lifecycle import LIFECYCLE, NOTICE, Ending, Lifecycle
from hub.settings import Settings
from tests.hub.world import CODE, body

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
GOES = Ending(SINCE, SINCE + NOTICE, "/v2/catalog", "https://example.gov.cn/notes#catalog")
LATER = Ending(SINCE)
SAID = {
    "deprecation": "@1772323200",
    "sunset": "Mon, 01 Mar 2027 00:00:00 GMT",
    "link": '<https://example.gov.cn/notes#catalog>; rel="deprecation", </v2/catalog>; rel="successor-version"',
}


@pytest.fixture
def going(app, http, monkeypatch):
    def told(addresses=(), parameters=()):
        monkeypatch.setattr(app, "lifecycle", Lifecycle(dict(addresses), dict(parameters)), raising=False)
        return http

    return told


def said(got):
    return {name: got.headers[name] for name in SAID if name in got.headers}


def test_an_address_says_that_it_goes_and_others_do_not(going):
    http = going({("GET", "/v1/catalog"): GOES})
    assert said(http.get("/v1/catalog")) == SAID
    assert said(http.get("/v1/keys")) == {}
    # A problem of it, too: whoever only ever gets those learns it all the same.
    assert said(http.get("/v1/catalog?page=0")) == SAID


def test_one_whose_end_is_not_set_says_since_when(going):
    http = going({("GET", "/v1/resources/{code}"): LATER})
    assert said(http.get(f"/v1/resources/{CODE}")) == {"deprecation": SAID["deprecation"]}


@pytest.mark.parametrize("sandbox", ["", "sandbox/"])
def test_a_call_says_so_too(going, world, sandbox):
    http = going({("POST", f"/v1/{sandbox}resources/{{code}}:query"): GOES})
    fields = {"authorization": f"Bearer {world.key}", "content-type": "application/json"}

    def call(action, plain):
        path = f"/v1/{sandbox}resources/{CODE}:{action}"
        return http.post(path, content=json.dumps(plain).encode(), headers=fields)

    assert said(call("query", body())) == SAID
    assert said(call("verify", body(claims={"name": "x"}))) == {}


def test_a_parameter_says_so_to_who_uses_it_and_the_one_that_goes_first_counts(going):
    address = ("GET", "/v1/catalog")
    http = going(parameters={(*address, "page"): LATER, (*address, "size"): GOES})
    assert said(http.get("/v1/catalog")) == {}
    assert said(http.get("/v1/catalog?page=1")) == {"deprecation": SAID["deprecation"]}
    assert said(http.get("/v1/catalog?page=1&size=1")) == SAID
    assert said(http.get("/v1/catalog?" + "&".join(["x=1"] * 200))) == {}


def test_the_document_marks_what_goes():
    app = create_app(Settings.at("unused"))
    app.lifecycle = Lifecycle({("GET", "/v1/keys"): GOES}, {("GET", "/v1/catalog", "page"): GOES})
    paths = app.openapi()["paths"]
    assert paths["/v1/keys"]["get"]["deprecated"] is True
    assert {one["name"]: one.get("deprecated") for one in paths["/v1/catalog"]["get"]["parameters"]} == {
        "page": True,
        "size": None,
    }
    marked = [p for p, of in paths.items() for one in of.values() if one.get("deprecated")]
    assert marked == ["/v1/keys"]


@pytest.mark.parametrize(
    "wrong",
    [Lifecycle({("GET", "/v1/none"): GOES}, {}), Lifecycle({}, {("GET", "/v1/catalog", "none"): GOES})],
)
def test_a_table_of_what_there_is_not_does_not_pass(wrong):
    app = create_app(Settings.at("unused"))
    app.lifecycle = wrong
    with pytest.raises(KeyError):
        app.openapi()


def test_the_table_of_today_is_of_what_there_is():
    LIFECYCLE.mark(create_app(Settings.at("unused")).openapi())


def test_nothing_ends_before_the_notice_that_is_promised():
    with pytest.raises(ValueError, match="at least a year"):
        Ending(SINCE, SINCE + NOTICE - timedelta(seconds=1))


@pytest.mark.parametrize("link", ["/a>; rel=x", "/a\r\nset-cookie: a=b", "/目录"])
def test_a_link_does_not_end_its_field(link):
    with pytest.raises(ValueError, match="URI reference"):
        Ending(SINCE, None, link)
