from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest

from audit.entry import Entry
from audit.notes import VerifierKey
from audit.proof import LogProof
from hub import errors, receipts
from hub.api import problems
from hub.api.replies import COVERED, COVERED_RECEIPT, COVERED_REQUEST_BODY
from hub.requests import MAX_BODY_BYTES
from hub.signatures import AnswerVerifier, Request, Response, check_digest, content_digest, verify
from tests.hub.world import CODE, EMPTY_CODE, IDS, NOW, body

QUERY = f"/v1/resources/{quote(CODE, safe='')}:query"
VERIFY = f"/v1/resources/{quote(CODE, safe='')}:verify"


def post(http, world, path=QUERY, content=None, **headers):
    raw = json.dumps(body()).encode() if content is None else content
    fields = {"authorization": f"Bearer {world.key}", "content-type": "application/json", "accept-signature": "zt"}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    return http.post(path, content=raw, headers={n: v for n, v in fields.items() if v is not None})


def service(http):
    return http.app.state.service


def check_signature(http, got, required=()):
    key = AnswerVerifier.from_text(http.get("/v1/keys").json()["answers"][0])
    request = Request(
        got.request.method,
        got.request.url.raw_path.split(b"?")[0].decode(),
        {n.lower(): v for n, v in got.request.headers.items()},
    )
    response = Response(got.status_code, {n.lower(): v for n, v in got.headers.items()}, request)
    verify(response, verifiers=[key], required=[*COVERED, *required], now=NOW, tolerance=timedelta(minutes=5))
    check_digest(got.headers["content-digest"], got.content)


def test_a_query_is_answered_and_signed_over_question_and_receipt(http, world):
    raw = json.dumps(body()).encode()
    got = post(http, world, content=raw, content_digest=content_digest(raw))
    assert got.status_code == 200
    assert got.json()["records"][0]["name"] == "张**"
    assert got.headers["cache-control"] == "no-store"
    assert got.headers["zhengtong-receipt"] == f'entry={got.json()["receipt"]["entry"]}, log="zhengtong.local/log"'
    check_signature(http, got, [COVERED_RECEIPT, COVERED_REQUEST_BODY])


def test_a_caller_without_digests_is_answered_too(http, world):
    got = post(http, world, path=f"/v1/resources/{CODE}:query")
    assert got.status_code == 200
    check_signature(http, got, [COVERED_RECEIPT])


def test_a_signature_over_the_answer_is_made_for_whoever_asks_and_the_receipt_for_everybody(http, world):
    got = post(http, world, accept_signature=None)
    assert "signature" not in got.headers
    plain = got.json()
    key = AnswerVerifier.from_text(http.get("/v1/keys").json()["answers"][0])
    receipt = receipts.read(plain.pop("receipt"))
    receipts.check(receipt, [key], answer=plain)
    assert service(http).evidence.log.entry(receipt.index) == receipt.leaf


def test_a_verification_shows_no_values(http, world):
    got = post(http, world, path=VERIFY, content=json.dumps(body(claims={"name": "张三", "income": "1"})).encode())
    assert got.json()["results"] == {"name": "match", "income": "mismatch"}
    check_signature(http, got, [COVERED_RECEIPT])


REFUSALS = {
    "malformed": (400, "request_malformed", {"content": b"{"}),
    "twice": (400, "request_malformed", {"content": b'{"keys":{"a":"1","a":"2"}}'}),
    "digest": (400, "content_digest_mismatch", {"content_digest": content_digest(b"other")}),
    "wrong key": (401, "key_refused", {"authorization": "Bearer zt_" + "A" * 43}),
    "no key": (401, "key_refused", {"authorization": None}),
    "basic": (401, "key_refused", {"authorization": "Basic AAAA"}),
    "purpose": (403, "denied", {"content": json.dumps(body(purpose=None)).encode()}),
    "field": (403, "denied", {"content": json.dumps(body(fields=["address"])).encode()}),
    "resource": (404, "resource_unknown", {"path": "/v1/resources/nothing:query"}),
    "large": (413, "request_too_large", {"content": b" " * (MAX_BODY_BYTES + 1)}),
    "media": (415, "media_type_unsupported", {"content_type": "text/plain"}),
    "compressed": (415, "media_type_unsupported", {"content_encoding": "gzip"}),
    "members": (422, "request_invalid", {"content": json.dumps(body(x=1)).encode()}),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_is_a_signed_problem_with_a_receipt(http, world, name):
    status, code, how = REFUSALS[name]
    size = service(http).evidence.log.size
    got = post(http, world, **how)
    plain = got.json()
    assert (got.status_code, plain["status"], plain["code"]) == (status, status, code)
    assert got.headers["content-type"] == "application/problem+json"
    assert plain["type"] == f"/v1/problems/{code}"
    assert http.get(plain["type"]).json()["status"] == status
    assert plain["receipt"]["entry"] == size
    entry = Entry.decode(service(http).evidence.log.entry(size))
    assert entry.kind == "invocation.denied"
    assert got.headers["content-language"] == "zh-CN"
    check_signature(http, got, [COVERED_RECEIPT])
    for personal in (IDS[0], world.key, "AAAA"):
        assert personal not in got.text
    english = post(http, world, **how, accept_language="en-GB,zh;q=0.5").json()
    assert english["detail"] != plain["detail"]
    assert english["detail"].isascii()


def test_an_unauthenticated_caller_is_told_how(http, world):
    got = post(http, world, authorization=None)
    assert got.headers["www-authenticate"].startswith("Bearer ")


def test_a_denial_carries_its_reasons(http, world):
    plain = post(http, world, content=json.dumps(body(fields=["address"])).encode()).json()
    assert [reason["code"] for reason in plain["reasons"]] == ["field_not_granted"]
    assert "address" in plain["reasons"][0]["text"]


def test_a_full_log_disk_is_503_and_no_answer(http, world, monkeypatch):
    def fail(entries):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(service(http).evidence.log, "append", fail)
    got = post(http, world)
    assert got.status_code == 503
    assert got.json()["code"] == "storage_full"
    assert got.headers["retry-after"] == "60"
    assert "records" not in got.text
    assert "receipt" not in got.json()
    check_signature(http, got)


def test_a_missing_index_is_503(http, world):
    from tests.hub.world import give, make_grant

    parts = service(http)
    give(world.settings, parts.control, parts.evidence, make_grant(world.list, id="G2", resource=EMPTY_CODE))
    got = post(http, world, path=f"/v1/resources/{EMPTY_CODE}:query")
    assert (got.status_code, got.json()["code"], got.headers["retry-after"]) == (503, "index_unavailable", "30")


def test_an_internal_fault_says_nothing_of_its_inside(http, world, monkeypatch):
    def fail(*args):
        raise RuntimeError(IDS[0])

    monkeypatch.setattr("hub.standing.View.rights", fail)
    got = post(http, world)
    assert got.status_code == 500
    assert got.json()["code"] == "internal"
    assert IDS[0] not in got.text


def test_without_a_published_list_the_service_says_so(tmp_path):
    from hub.api import create_app
    from hub.settings import Settings
    from tests.hub.api.conftest import serving

    with serving(create_app(Settings.at(tmp_path / "var"))) as url:
        got = httpx.get(f"{url}/readyz", trust_env=False)
    assert (got.status_code, got.json()["code"]) == (503, "list_missing")
    assert "retry-after" in got.headers


def test_health(http):
    assert http.get("/healthz").json()["status"] == "ok"


def test_the_catalogue_is_paged_with_a_true_total(http, world):
    first = http.get("/v1/catalog?size=1").json()
    second = http.get("/v1/catalog?size=1&page=2").json()
    beyond = http.get("/v1/catalog?size=1&page=3").json()
    assert [p["total"] for p in (first, second, beyond)] == [2, 2, 2]
    assert [i["code"] for p in (first, second, beyond) for i in p["items"]] == [CODE, EMPTY_CODE]
    assert first["items"][0]["provider_name"] == "公安局"


@pytest.mark.parametrize("query", ["page=0", "size=0", "size=501", "page=x", "page=" + "9" * 30])
def test_a_bad_page_is_422(http, query):
    got = http.get(f"/v1/catalog?{query}")
    assert (got.status_code, got.json()["code"]) == (422, "request_invalid")


def test_metadata_shows_fields_and_hides_where_it_is_read(http):
    for path in (f"/v1/resources/{CODE}", f"/v1/resources/{quote(CODE, safe='')}", "/v1/catalog"):
        got = http.get(path)
        assert got.status_code == 200
        assert "ga-secret-system" not in got.text
        assert "people.csv" not in got.text
    assert http.get(f"/v1/resources/{CODE}").json()["lookup_fields"] == ["citizen_id", "birth", "household"]
    assert http.get("/v1/resources/none").json()["code"] == "resource_unknown"


def test_the_log_is_served_and_its_proofs_verify_from_the_answers_alone(http, world):
    receipt = post(http, world).json()["receipt"]
    proof = LogProof.from_text(http.get(f"/v1/log/proof/{receipt['entry']}").text)
    keys = http.get("/v1/keys").json()
    leaf = service(http).evidence.log.entry(receipt["entry"])
    checkpoint = proof.verify(leaf, [VerifierKey.from_text(keys["log"])])
    assert checkpoint.origin == receipt["log"]
    assert http.get("/v1/log/checkpoint").text.startswith(receipt["log"])
    tile = http.get(f"/v1/log/tile/0/000.p/{checkpoint.size}")
    assert tile.content[-32:] == hashlib.sha256(b"\0" + leaf).digest()
    assert leaf in http.get(f"/v1/log/tile/entries/000.p/{checkpoint.size}").content


@pytest.mark.parametrize(
    "path",
    [
        "journal",
        "journal.lock",
        "../control.sqlite",
        "..%2fkeys%2flog.key",
        "tile/../journal",
        "tile/0/%2e%2e/journal",
        "tile/0/999",
        "tile/64/000",
        "tile/0/000.p/256",
        "proof/999999",
        "",
    ],
)
def test_nothing_else_of_the_log_folder_is_served(http, path):
    assert http.get(f"/v1/log/{path}").status_code == 404


def test_status_lists_are_served_by_name(http, world):
    folder = world.settings.public / "status"
    folder.mkdir()
    (folder / "2026-1.jwt").write_text("a.b.c")
    got = http.get("/v1/status/2026-1")
    assert (got.text, got.headers["content-type"]) == ("a.b.c", "application/statuslist+jwt")
    for name in ("2026-2", "..", "..%2flog.vkey", "2026-1.jwt%00"):
        assert http.get(f"/v1/status/{name}").status_code == 404


def test_other_addresses_and_methods_are_problems(http):
    assert http.get("/nothing").json()["code"] == "not_found"
    assert http.delete("/v1/catalog").json()["code"] == "method_not_allowed"
    assert http.get("/v1/problems/nothing").status_code == 404


def test_openapi_documents_the_doors(http):
    document = http.get("/openapi.json").json()
    paths = document["paths"]
    query = paths["/v1/resources/{code}:query"]["post"]
    assert {"200", "400", "401", "403", "404", "413", "415", "422", "503"} <= set(query["responses"])
    assert "requestBody" in query
    assert query["security"] == [{"callerKey": []}]
    assert {"/healthz", "/v1/catalog", "/v1/resources/{code}", "/v1/resources/{code}:verify", "/v1/keys"} <= set(paths)
    assert document["components"]["securitySchemes"]["callerKey"]["scheme"] == "bearer"
    text = json.dumps(document)
    assert "$defs" not in text
    for name in set(re.findall(r'"#/components/schemas/(\w+)"', text)):
        assert name in document["components"]["schemas"]


def test_every_error_has_both_languages_and_a_status():
    for code, known in problems.known_problems().items():
        assert known["en"] != known["zh"], code
        assert known["status"] in problems.TITLES
    assert issubclass(errors.StorageFullHubError, errors.TryAgainError)


@pytest.mark.parametrize(
    ("accept", "lang"),
    [
        (None, "zh"),
        ("", "zh"),
        ("en", "en"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("zh-CN,en;q=0.9", "zh"),
        ("fr", "zh"),
        ("en;q=0", "zh"),
        ("en;q=bad", "zh"),
        ("en;q=0.3,zh;q=0.2", "en"),
        (",;=" * 500, "zh"),
    ],
)
def test_the_language_is_the_readers(accept, lang):
    assert problems.language(accept) == lang
