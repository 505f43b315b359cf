"""The list over HTTP: drafts by key and role, faults in both languages, bounded uploads, exports for anyone."""

import io

import httpx
import pytest
from openpyxl import load_workbook

from catalog.export import to_xlsx, to_yaml
from hub.actors import Role
from hub.api import create_app, lists
from hub.callers import issue_key
from hub.office import Office
from hub.publishing import publish_in
from hub.service import Service
from hub.settings import Settings
from tests.hub.api.conftest import serving
from tests.hub.lists.conftest import FIRST, NOW, SECOND, THIRD, insert_grant
from tests.hub.world import Clock

YAML = {"content-type": "application/yaml"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A deployment with the first list in force, a grant, and a key for each kind of caller."""
    settings = Settings.at(tmp_path_factory.mktemp("lists") / "var")
    with Office.open(settings, clock=Clock(NOW)) as office:
        publish_in(office, FIRST)
        insert_grant(office)
        found = {"settings": settings}
        for name, department, roles in (
            ("editor", "D1", (Role.OFFICE,)),
            ("reviewer", "D1", (Role.OFFICE, Role.REVIEW)),
            ("window", "D2", (Role.CALL, Role.APPLY)),
            ("consumer", "D2", (Role.REVIEW,)),
        ):
            issued = issue_key(
                office.control, office.evidence, FIRST, department=department, name=name, by="D1:x", roles=roles
            )
            found[name] = {"authorization": f"Bearer {issued.key}"}
    return found


@pytest.fixture(scope="module")
def http(keys):
    app = create_app(keys["settings"], open_service=lambda settings: Service.open(settings, clock=Clock(NOW)))
    if not any(getattr(route, "path", "") == "/v1/lists" for route in app.routes):
        lists.add_to(app)
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield client


def test_a_draft_goes_from_upload_over_review_into_force(http, keys):
    sent = http.post("/v1/lists", content=to_yaml(SECOND), headers={**keys["editor"], **YAML})
    assert sent.status_code == 201, sent.text
    draft = sent.json()
    assert (draft["state"], draft["version"], draft["predecessor"]) == ("submitted", SECOND.version, FIRST.version)
    assert sent.headers["etag"] == '"1"'
    assert "signature" in sent.headers
    path = f"/v1/lists/{draft['case']}"

    refused = http.post(f"{path}:approve", json={}, headers=keys["editor"])
    assert (refused.status_code, refused.json()["code"]) == (403, "same_hands")
    assert http.post(f"{path}:approve", json={}, headers=keys["window"]).json()["code"] == "role_missing"
    assert http.post(f"{path}:approve", json={}).status_code == 401
    assert http.post(f"{path}:approve", json={"x": 1}, headers=keys["reviewer"]).status_code == 422
    stale = http.post(f"{path}:approve", json={}, headers={**keys["reviewer"], "if-match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (409, "case_conflict")
    objected = http.post(f"{path}:object", json={"note": "办件需要"}, headers=keys["consumer"])
    assert objected.json()["objections"][0]["department"] == "D2"
    assert http.post(f"{path}:approve", json={}, headers=keys["reviewer"]).json()["problems"][0]["where"] == "note"
    approved = http.post(f"{path}:approve", json={"note": "已沟通"}, headers=keys["reviewer"])
    assert approved.json()["state"] == "approved"
    assert approved.headers["etag"] == '"3"'

    compared = http.get(f"/v1/lists/current/diff/{draft['case']}", headers=keys["reviewer"]).json()
    assert [change["code"] for change in compared["changes"]] == ["field_dropped"]

    done = http.post(f"{path}:publish", json={}, headers=keys["reviewer"])
    assert done.json()["already"] is False
    assert http.post(f"{path}:publish", json={}, headers=keys["reviewer"]).json()["already"] is True
    known = http.get("/v1/lists").json()
    assert [v["status"] for v in known["versions"]] == ["current", "superseded"]
    assert http.get("/v1/lists/current", headers=keys["reviewer"]).json()["version"] == SECOND.version


def test_drafts_and_whole_versions_are_for_members_only(http, keys):
    sent = http.post(
        "/v1/lists",
        content=to_xlsx(THIRD),
        headers={**keys["editor"], "content-type": next(m for m, s in lists.SUFFIXES.items() if s == ".xlsx")},
    )
    case = sent.json()["case"]
    assert http.get("/v1/lists").json()["drafts"] == []
    assert [d["case"] for d in http.get("/v1/lists", headers=keys["reviewer"]).json()["drafts"]] == [case]
    assert http.get("/v1/lists", headers=keys["window"]).status_code == 403
    for path in ("current", "previous", case, THIRD.version[7:20], f"current/diff/{case}"):
        assert http.get(f"/v1/lists/{path}").status_code == 401
        assert http.get(f"/v1/lists/{path}", headers=keys["window"]).status_code == 403
        assert http.get(f"/v1/lists/{path}", headers=keys["consumer"]).status_code == 200
    assert http.get("/v1/lists/ffffffff", headers=keys["reviewer"]).status_code == 404
    returned = http.post(f"/v1/lists/{case}:return", json={"note": "请补充"}, headers=keys["reviewer"])
    assert returned.json()["state"] == "returned"
    assert http.post(f"/v1/lists/{case}:withdraw", json={}, headers=keys["editor"]).json()["state"] == "withdrawn"


def test_a_faulty_list_is_answered_with_each_of_its_faults_in_the_readers_language(http, keys):
    text = to_yaml(FIRST).replace("provider: D1", "provider: D9").encode()
    headers = {**keys["editor"], **YAML}
    english = http.post("/v1/lists", content=text, headers={**headers, "accept-language": "en"})
    assert (english.status_code, english.json()["code"]) == (422, "case_invalid")
    faults = english.json()["problems"]
    assert len(faults) > 1
    assert all(fault["where"].startswith("list.yaml:") and "`D9`" in fault["text"] for fault in faults)
    chinese = http.post("/v1/lists", content=text, headers={**headers, "accept-language": "zh"}).json()["problems"]
    assert "部门表中没有" in chinese[0]["text"]
    unreadable = http.post("/v1/lists", content=b"\xff\xfe\x00", headers=headers)
    assert (unreadable.status_code, unreadable.json()["code"]) == (422, "case_invalid")


def test_an_upload_is_bounded_typed_and_only_for_the_office(http, keys, monkeypatch):
    monkeypatch.setattr(lists, "MAX_UPLOAD_MIB", 1)
    big = http.post("/v1/lists", content=b" " * ((1 << 20) + 1), headers={**keys["editor"], **YAML})
    assert big.status_code == 413
    assert "1 MiB" in big.json()["detail"]
    wrong = http.post("/v1/lists", content=b"{}", headers={**keys["editor"], "content-type": "application/json"})
    assert wrong.status_code == 415
    assert "yaml" in wrong.json()["detail"]
    assert http.post("/v1/lists", content=b"x", headers={**keys["window"], **YAML}).status_code == 403
    assert http.post("/v1/lists", content=b"x", headers=YAML).status_code == 401
    digest = {"content-digest": "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"}
    broken = http.post("/v1/lists", content=to_yaml(THIRD), headers={**keys["editor"], **YAML, **digest})
    assert (broken.status_code, broken.json()["code"]) == (400, "content_digest_mismatch")


def test_exports_are_for_anyone_and_name_no_source_system(http):
    document = http.get("/v1/exports/dcat.jsonld")
    assert document.headers["content-type"] == "application/ld+json"
    assert document.json()["@type"] == "dcat:Catalog"
    assert document.json()["@id"].startswith(str(http.base_url))
    table = http.get("/v1/exports/core-metadata.xlsx")
    assert load_workbook(io.BytesIO(table.content)).active["E4"].value == "市场主体登记信息R1"
    assert "attachment" in table.headers["content-disposition"]
    assert http.get("/v1/exports/core-metadata.xlsx").content == table.content
    system = FIRST.resources[0].source.object
    assert system not in document.text
    assert system.encode() not in table.content


def test_a_grants_document_is_for_its_holder_and_its_reviewer(http, keys):
    found = http.get("/v1/grants/G1/openapi.json", headers=keys["window"])
    assert found.status_code == 200
    assert set(found.json()["paths"]) == {"/v1/resources/R1:query", "/v1/resources/R1:verify"}
    assert http.get("/v1/grants/G1/openapi.json", headers=keys["reviewer"]).status_code == 200
    # A key of the right department without the role, one of another department, and none.
    assert http.get("/v1/grants/G1/openapi.json", headers=keys["consumer"]).status_code == 403
    assert http.get("/v1/grants/G1/openapi.json", headers=keys["editor"]).status_code == 403
    assert http.get("/v1/grants/G1/openapi.json").status_code == 401
    assert http.get("/v1/grants/G9/openapi.json", headers=keys["window"]).status_code == 404


def test_the_document_of_the_api_names_every_address(http):
    paths = http.get("/openapi.json").json()["paths"]
    for step in ("approve", "return", "object", "withdraw", "resubmit", "publish"):
        assert f"/v1/lists/{{case}}:{step}" in paths
    assert "/v1/exports/dcat.jsonld" in paths
