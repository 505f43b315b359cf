"""One way to know who calls, at every door: whatever the OpenAPI document says wants a key is knocked at here."""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest

from audit.entry import Entry
from hub import clients
from hub.actors import Actor, Role
from hub.api import create_app, lists
from hub.api.limits import Buckets
from hub.authentication import AuthenticationSettingsError
from hub.credentials import SANDBOX
from hub.peers import Proxies
from hub.requests import MAX_BODY_BYTES
from hub.settings import Settings
from hub.signing import hmac_profile, keyfiles
from hub.signing.requests import TAG, message_to, sign
from tests.hub import world as worlds
from tests.hub.clients.conftest import certificate
from tests.hub.world import CODE, MATTER, NOW

BY = Actor("GA", "office")
SOON = NOW + timedelta(seconds=1)  # what was signed before the hub was set up, it refuses
ROLES = tuple(Role)
YAML = "application/yaml"


def keyed():
    """Every operation that wants a key: method and address."""
    document = create_app(Settings.at("unused")).openapi()
    return [
        (method.upper(), re.sub(r"\{(number|use)\}", "1", path).replace("{id_}", "X").replace("{code}", "X"))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "security" in operation
    ]


KEYED = [(method, re.sub(r"\{[a-z_]+\}", "X", path)) for method, path in keyed()]


@dataclass
class System:
    """A registered system, its key, and how it sends."""

    id: str
    key: object
    http: object

    def signed(self, method, path, body=b"", media="application/json", **more):
        url = str(self.http.base_url).rstrip("/") + path
        fields = [("content-type", media)] if body else []
        added = sign(message_to(method, url, fields, body), self.key, created=SOON, **more)
        return {**dict(fields), **added}

    def send(self, method, path, body=b"", **more):
        headers = self.signed(method, path, body, **more)
        return self.http.request(method, path, content=body or None, headers={"accept-language": "en", **headers})


@pytest.fixture(scope="module")
def system(http, app):
    def make(name, *, roles=ROLES, department="RS", **more):
        office = app.state.service.office
        made = clients.register(office, department=department, name=name, contact="officer", by=BY, roles=roles, **more)
        key, _ = keyfiles.generate("ed25519")
        clients.add_key(office, made.id, key.public, keyfiles.prove_possession(made.id, key), by=BY)
        return System(made.id, key, http)

    return make


@pytest.fixture(scope="module")
def everything(system):
    return system("everything")


@pytest.fixture(scope="module")
def tried(system):
    return system("tried", environment=SANDBOX)


def body_of(method, path):
    if method == "GET":
        return b"", "application/json"
    return (b"x: 1", YAML) if path == "/v1/lists" else (b"{}", "application/json")


def newest(app):
    log = app.state.service.evidence.log
    return Entry.decode(log.entry(log.size - 1))


@pytest.fixture(autouse=True)
def patient(app, url, monkeypatch):
    """Each test is a stranger anew; *url*, for the application must have begun to serve."""
    monkeypatch.setattr(app.state.fast, "strangers", Buckets(10_000, 1))


def test_there_are_doors():
    assert len(KEYED) > 50
    assert {("POST", "/v1/lists"), ("POST", "/v1/notices/1:read"), ("GET", "/v1/batches/X/parts/1")} <= set(KEYED)


@pytest.mark.parametrize(("method", "path"), KEYED)
class TestEveryDoor:
    def test_opens_for_a_signature_once(self, everything, http, method, path):
        body, media = body_of(method, path)
        headers = {"accept-language": "en", **everything.signed(method, path, body, media)}
        first = http.request(method, path, content=body or None, headers=headers)
        assert first.status_code not in {401, 403, 415, 500} or first.json()["code"] in {"denied", "not_yours"}
        again = http.request(method, path, content=body or None, headers=headers)
        assert (again.status_code, again.json()["code"]) == (401, "signature_replayed")

    def test_not_for_what_was_altered_after_signing(self, everything, http, method, path):
        body, media = body_of(method, path)
        headers = everything.signed(method, path, body, media)
        if body:
            altered = http.request(method, path, content=body + b" ", headers=headers)
            assert altered.status_code in {400, 401}
            assert altered.json()["code"] in {"content_digest_mismatch", "signature_wrong"}
        other = http.request(method, path + "?x=1", content=body or None, headers=headers)
        assert (other.status_code, other.json()["code"]) == (401, "signature_incomplete")

    def test_not_for_the_sandbox_or_nobody(self, tried, http, app, method, path):
        body, media = body_of(method, path)
        theirs = path.startswith("/v1/sandbox/")
        assert (tried.send(method, path, body, media=media).status_code == 401) != theirs
        strangers = [{"authorization": "Bearer zt_" + "x" * 43}, {}]
        if not theirs:
            strangers.append({"authorization": f"Bearer {_sandbox_key(app, tried)}"})
        for shown in strangers:
            got = http.request(method, path, content=body or None, headers={"content-type": media, **shown})
            assert (got.status_code, got.json()["code"]) == (401, "key_refused")


_sandbox_keys = {}


def _sandbox_key(app, tried):
    if tried.id not in _sandbox_keys:
        _sandbox_keys[tried.id] = clients.add_bearer(app.state.service.office, tried.id, by=BY).key
    return _sandbox_keys[tried.id]


class TestRoles:
    def test_they_hold_for_a_signature_as_for_a_key(self, system):
        caller, applicant = system("only-calls", roles=(Role.CALL,)), system("only-applies", roles=(Role.APPLY,))
        refused = caller.send("GET", "/v1/inbox")
        assert (refused.status_code, refused.json()["code"]) == (403, "role_missing")
        assert applicant.send("GET", "/v1/inbox").json()["department"] == "RS"
        body = json.dumps({"purpose": {"matter": MATTER}}).encode()
        assert applicant.send("POST", f"/v1/resources/{CODE.replace('/', '%2F')}:changes", body).status_code == 403

    def test_who_sees_all_sees_all_by_a_signature(self, system):
        path = "/v1/grants/G1"
        assert system("auditor", roles=(Role.AUDIT,), department="MZ").send("GET", path).status_code == 200
        assert system("neighbour", roles=(Role.APPLY,), department="MZ").send("GET", path).status_code == 403

    def test_versions_are_anyones_and_drafts_are_not(self, http, system):
        assert http.get("/v1/lists").status_code == 200
        assert system("reviewer", roles=(Role.REVIEW,)).send("GET", "/v1/lists").status_code == 200
        assert system("caller", roles=(Role.CALL,)).send("GET", "/v1/lists").status_code == 403
        assert http.get("/v1/lists", headers={"signature-input": "x"}).status_code == 401
        assert http.get("/v1/lists", headers={"gjgxjhpt_rid": "x"}).status_code == 401


class TestOtherWays:
    def test_a_certificate_that_a_trusted_proxy_tells(self, http, app, everything, monkeypatch):
        pem, of = certificate()
        clients.add_certificate(app.state.service.office, everything.id, pem, by=BY)
        shown = {"x-certificate": of}
        assert http.get("/v1/grants", headers=shown).status_code == 401
        monkeypatch.setattr(app.state.fast, "proxies", Proxies.parse("X-Certificate", "127.0.0.1"))
        assert http.get("/v1/grants", headers=shown).status_code == 200
        assert http.get("/v1/grants", headers={"x-certificate": "0" * 64}).json()["code"] == "certificate_refused"
        assert http.get("/v1/lists", headers={"x-certificate": "0" * 64}).status_code == 401

    def test_a_gateways_fields_once(self, http, app, everything):
        shared = clients.add_shared_key(app.state.service.office, everything.id, by=BY)
        fields = hmac_profile.sign(shared.rid, "service-1", shared.key, at=SOON)
        assert http.get("/v1/grants", headers=fields).status_code == 200
        assert http.get("/v1/grants", headers=fields).status_code == 401

    def test_two_ways_are_none(self, http, world, everything):
        headers = {**everything.signed("GET", "/v1/grants"), "authorization": f"Bearer {world.key}"}
        assert http.get("/v1/grants", headers=headers).json()["code"] == "proof_ambiguous"


class TestBodies:
    def test_one_that_is_too_large_is_told_as_such(self, everything):
        for path in ("/v1/hooks", f"/v1/resources/{CODE.replace('/', '%2F')}:batch", "/v1/notices/1:read"):
            got = everything.send("POST", path, b" " * (MAX_BODY_BYTES + 1))
            assert (got.status_code, got.json()["code"]) == (413, "request_too_large")

    def test_one_of_another_type_is_told_as_such(self, everything):
        got = everything.send("POST", "/v1/hooks", b"x", media="text/plain")
        assert (got.status_code, got.json()["code"]) == (415, "media_type_unsupported")

    def test_where_none_is_wanted_one_may_be_signed(self, everything):
        assert everything.send("POST", "/v1/notices/9:read", b"{}").json()["code"] == "not_found"
        assert everything.send("POST", "/v1/notices/9:read").json()["code"] == "not_found"

    def test_a_get_has_none(self, everything):
        got = everything.send("GET", "/v1/grants", b"{}")
        assert (got.status_code, got.json()["code"]) == (401, "signature_wrong")

    def test_strangers_hold_few_large_ones_at_once(self, http, app, everything):
        address = (http.base_url.host, http.base_url.port)
        lines = (
            "POST /v1/lists HTTP/1.1",
            "host: x",
            f"content-type: {YAML}",
            "signature-input: x",
            "content-length: 9",
        )
        with ExitStack() as stack:
            held = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(lists.SIGNED_AT_ONCE)]
            for one in held:
                one.sendall("\r\n".join((*lines, "", "")).encode())
            until(lambda: app.state.signed_lists.taken == lists.SIGNED_AT_ONCE)
            busy = everything.send("POST", "/v1/lists", b"x: 1", media=YAML)
            assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
            for one in held:
                one.sendall(b"x: 1 234 ")
                assert one.recv(12) == b"HTTP/1.1 401"
        until(lambda: app.state.signed_lists.taken == 0)
        assert everything.send("POST", "/v1/lists", b"x: 1", media=YAML).status_code == 422


def until(true):
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


class TestWhatIsTold:
    def test_which_ways_there_are_the_one_that_failed_first(self, http, everything):
        nobody = http.get("/v1/grants")
        bearer, signature = 'Bearer realm="zhengtong"', f'Signature realm="zhengtong", tag="{TAG}"'
        assert nobody.headers["www-authenticate"] == f'{bearer}, error="invalid_token", {signature}'
        headers = everything.signed("GET", "/v1/grants")
        http.get("/v1/grants", headers=headers)
        again = http.get("/v1/grants", headers=headers)
        assert again.headers["www-authenticate"] == f'{signature}, error="signature_replayed", {bearer}'

    def test_a_stranger_to_a_feed_is_recorded_a_few_times_and_told_what_is_wrong(
        self, http, app, everything, monkeypatch
    ):
        monkeypatch.setattr(app.state.fast, "strangers", Buckets(2, 0.001))
        path = f"/v1/resources/{CODE.replace('/', '%2F')}:changes"
        body = json.dumps({"purpose": {"matter": MATTER}}).encode()
        headers = everything.signed("POST", path, body)
        http.post(path, content=body, headers=headers)
        for _ in range(2):
            again = http.post(path, content=body, headers=headers)
            assert (again.status_code, again.json()["code"]) == (401, "signature_replayed")
            assert newest(app).facts["reasons"] == ["signature_replayed"]
        size = app.state.service.evidence.log.size
        assert http.post(path, content=body, headers=headers).status_code == 429
        assert app.state.service.evidence.log.size == size
        assert everything.send("POST", path, body).status_code != 429

    def test_the_log_says_by_which_credential_a_call_came(self, http, app, world, everything):
        path, body = f"/v1/resources/{CODE.replace('/', '%2F')}:query", json.dumps(worlds.body()).encode()
        assert everything.send("POST", path, body).status_code == 200
        facts = newest(app).facts
        (credential,) = [one for one in _credentials(app, everything.id) if one.kind == "key"]
        assert (facts["caller"], facts["proof"], facts["credential"]) == (everything.id, "signature", credential.id)
        http.post(
            path, content=body, headers={"content-type": "application/json", "authorization": f"Bearer {world.key}"}
        )
        facts = newest(app).facts
        assert (facts["proof"], facts["credential"]) == ("bearer", facts["caller"])


def _credentials(app, client):
    from hub import client_records

    return client_records.credentials(app.state.service.office.control, client)


class TestBehindAProxy:
    def test_the_scheme_that_clients_call_by_is_what_they_sign(self, http, app, everything, monkeypatch):
        url = str(http.base_url).rstrip("/").replace("http://", "https://") + "/v1/grants"

        def signed():
            return sign(message_to("GET", url, []), everything.key, created=SOON, also=("@target-uri", "@scheme"))

        assert http.get("/v1/grants", headers=signed()).json()["code"] == "signature_wrong"
        monkeypatch.setattr(app, "api_scheme", "https")
        assert http.get("/v1/grants", headers=signed()).status_code == 200
        assert http.get("/v1/exports/dcat.jsonld").text.count("https://127.0.0.1") > 0

    def test_a_scheme_that_is_none_is_refused_at_once(self, tmp_path):
        import asyncio

        settings = Settings.from_environment({"ZHENGTONG_HOME": str(tmp_path), "ZHENGTONG_API_SCHEME": "ftp"})
        app = create_app(settings)

        async def start():
            async with app.router.lifespan_context(app):
                raise AssertionError

        with pytest.raises(AuthenticationSettingsError, match="ZHENGTONG_API_SCHEME"):
            asyncio.run(start())

    def test_metrics_are_not_told_through_one(self, http):
        assert http.get("/metrics").status_code == 200
        for name in ("x-forwarded-for", "forwarded", "via"):
            assert http.get("/metrics", headers={name: "for=10.0.0.1"}).status_code == 404
