"""Licences over HTTP: states, finding, downloads, verifying, codes; and who is refused."""

from __future__ import annotations

import json
import logging

import pytest
from fastapi.testclient import TestClient

pytest.importorskip("typst", reason="needs the extra `documents`")

from hub.actors import Role
from hub.api import create_app
from hub.authority.keeping import sm2_signs
from hub.callers import issue_key
from hub.cli import main
from hub.licensing.papers import Form
from tests.hub.licensing import papers_city as c
from tests.hub.world import IDS

ORDER = {"format": "pdf", "reason": "核对救助申请", "purpose": c.OTHER_MATTER, "days": 30}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    return c.found(tmp_path_factory.mktemp("papers_api") / "var")


@pytest.fixture(scope="module")
def identifier(settings):
    office = c.open_office(settings)
    found = c.licences(office)[0]
    c.close(office.licensing)
    return found


@pytest.fixture(scope="module")
def client(settings):
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def keys(client):
    service = client.app.state.service
    list_ = service.standing.now().list

    def made(department, *roles):
        given = issue_key(
            service.control, service.evidence, list_, department=department, name="w", by="office", roles=roles
        )
        return {"authorization": f"Bearer {given.key}"}

    return {
        "RS": made("RS", Role.CALL),
        "MZ": made("MZ", Role.CALL),
        "GA": made("GA", Role.CALL),
        "hall": made("GA", Role.PERSON),
        "audit": made("MZ", Role.AUDIT),
    }


def test_how_a_licence_stands_is_told_without_its_holder(client, keys, identifier):
    answer = client.get(f"/v1/licences/{identifier}", headers=keys["GA"])
    assert answer.status_code == 200
    assert answer.json()["state_name"] == "有效"
    assert "signature" in answer.headers
    assert not any(text in answer.text for text in (IDS[0], "张三", "hash"))
    assert client.get(f"/v1/licences/{identifier}").status_code == 401
    assert client.get("/v1/licences/1.2.3", headers=keys["GA"]).status_code == 404
    assert client.get(f"/v1/licences/{identifier}", headers=keys["hall"]).status_code == 403


def test_a_holder_s_licences_are_found_with_a_grant_alone(client, keys, identifier, caplog):
    caplog.set_level(logging.DEBUG)
    asked = {"holder": IDS[0], "purpose": c.OTHER_MATTER}
    found = client.post("/v1/licences:find", json=asked, headers=keys["MZ"])
    assert [item["identifier"] for item in found.json()["items"]] == [identifier]
    refused = client.post("/v1/licences:find", json=asked, headers=keys["GA"])
    assert (refused.status_code, refused.json()["code"]) == (403, "denied")
    assert client.post("/v1/licences:find", json={"holder": IDS[0]}, headers=keys["MZ"]).status_code == 422
    assert IDS[0] not in caplog.text


@pytest.mark.parametrize("form", list(Form))
def test_a_download_is_a_file_of_its_type_and_not_cached(client, keys, identifier, form):
    url = f"/v1/licences/{identifier}:download"
    answer = client.post(url, json={**ORDER, "format": form.value}, headers=keys["MZ"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == form.media_type
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"].startswith('attachment; filename="K')
    assert answer.headers["content-digest"]


def test_forced_browsing_by_another_department_yields_nothing(client, keys, identifier):
    url = f"/v1/licences/{identifier}:download"
    for who in ("GA", "hall", "audit"):
        answer = client.post(url, json=ORDER, headers=keys[who])
        assert answer.status_code == 403
        assert b"%PDF" not in answer.content
    assert client.post(url, json=ORDER).status_code == 401
    assert client.post(url, json={**ORDER, "purpose": c.MATTER}, headers=keys["MZ"]).status_code == 403


@pytest.mark.parametrize(
    "change", [{"format": "exe"}, {"reason": ""}, {"purpose": " "}, {"days": 0}, {"days": "1"}, {"days": 999}, {"x": 1}]
)
def test_what_is_missing_is_said(client, keys, identifier, change):
    answer = client.post(f"/v1/licences/{identifier}:download", json={**ORDER, **change}, headers=keys["MZ"])
    assert answer.status_code == 422


def test_an_uploaded_copy_is_judged_and_not_kept(client, keys, settings, identifier):
    data = client.post(f"/v1/licences/{identifier}:download", json=ORDER, headers=keys["MZ"]).content
    answer = client.post("/v1/licences:verify", content=data, headers=keys["GA"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["copy"]["state"] == "valid"
    for rubbish in (b"", b"x" * 50, b"%PDF-1.7\n" + b"\0" * 99, b"PK\x03\x04" + b"\xff" * 99):
        said = client.post("/v1/licences:verify", content=rubbish, headers=keys["GA"])
        assert said.status_code == 200
        assert said.json()["verdict"] != "TOTAL-PASSED"
        assert said.json()["copy"] is None
    assert client.post("/v1/licences:verify", content=b"\0" * (8 * 2**20 + 1), headers=keys["GA"]).status_code == 413
    assert client.post("/v1/licences:verify", content=data).status_code == 401


def test_a_code_goes_from_holder_to_reader_once(client, keys, identifier):
    made = client.post("/v1/codes", json={"licence": identifier, "holder": IDS[0]}, headers=keys["hall"])
    assert made.status_code == 201
    redeem = {"code": made.json()["code"], "purpose": c.OTHER_MATTER}
    shown = client.post("/v1/codes:redeem", json=redeem, headers=keys["MZ"])
    assert {f["name"]: f["value"] for f in shown.json()["face"]}["KZ_XM"] == "张三"
    again = client.post("/v1/codes:redeem", json=redeem, headers=keys["MZ"])
    assert (again.status_code, again.json()["code"]) == (422, "licence_document_refused")
    wrong = client.post("/v1/codes", json={"licence": identifier, "holder": IDS[1]}, headers=keys["hall"])
    assert wrong.status_code == 403
    assert IDS[1] not in wrong.text


def test_the_addresses_and_their_bodies_are_documented(client):
    paths = client.get("/openapi.json").json()["paths"]
    download = paths["/v1/licences/{identifier}:download"]["post"]
    schema = download["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["format", "reason", "purpose", "days"]
    assert {
        "/v1/licences/{identifier}",
        "/v1/licences:find",
        "/v1/licences:verify",
        "/v1/codes",
        "/v1/codes:redeem",
    } <= set(paths)


def test_the_command_line_hands_out_lists_withdraws_and_redeems(settings, identifier, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))

    def run(*arguments):
        code = main(["licence", *arguments])
        return code, capsys.readouterr().out

    order = ("--reason", "核对救助申请", "--purpose", c.OTHER_MATTER, "--days", "3", "--by", "MZ:window-2")
    out = tmp_path / "a.ofd"
    code, said = run("download", identifier, "--format", "ofd", *order, "--out", str(out), "--json")
    assert code == 0
    number = json.loads(said)["copy"]
    assert out.read_bytes()[:2] == b"PK"
    assert out.stat().st_mode & 0o077 == 0
    assert run("copy-withdraw", number, "--by", "GA:window-3", "--reason", "x")[0] != 0
    assert run("copy-withdraw", number, "--by", "MZ:window-2", "--reason", "办结")[0] == 0
    rows = json.loads(run("copies", "--licence", identifier, "--json")[1])["copies"]
    assert {row["id"]: row["state"] for row in rows}[number] == "withdrawn"
    (tmp_path / "code").write_text(run("code", "mint", identifier, "--by", "RS:window-1")[1])
    redeem = (
        "code",
        "redeem",
        "--purpose",
        c.OTHER_MATTER,
        "--by",
        "MZ:window-2",
        "--code-file",
        str(tmp_path / "code"),
    )
    code, said = run(*redeem, "--json")
    assert (code, json.loads(said)["face"]["KZ_XM"]) == (0, "张三")
    assert run(*redeem)[0] != 0
    assert run("download", identifier, *order[:-1], "GA:window-3", "--out", str(tmp_path / "b"))[0] != 0
    assert not (tmp_path / "b").exists()
