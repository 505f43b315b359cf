from __future__ import annotations

import json

import httpx
import pytest

from hub import client as clients
from hub.client import (
    CallDeniedError,
    CallInvalidError,
    CallKeyRefusedError,
    CallUnavailableError,
    Client,
    HubUnreachableError,
)
from hub.errors import AnswerRefusedError
from hub.signatures import AnswerSigner, SignatureInvalidError, content_digest
from tests.hub.world import CODE, EMPTY_CODE, IDS, MATTER, NOW


@pytest.fixture
def pinned(world):
    return (world.settings.public / "answers.key.pub").read_text()


@pytest.fixture(autouse=True)
def now(monkeypatch):
    class Frozen(clients.datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW

    monkeypatch.setattr(clients, "datetime", Frozen)


@pytest.fixture
def client(url, world, pinned):
    with Client(url, world.key, pinned, lang="en") as client:
        yield client


def test_a_query_returns_records_and_a_receipt_that_was_checked(client):
    called = client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER, fields=["birth"], case="BJ-1")
    assert called.records == [{"birth": "1990-01-01"}]
    assert called.receipt["log"] == "zhengtong.local/log"
    assert called.signed_at == NOW


def test_a_verification_returns_verdicts(client):
    called = client.verify(CODE, {"citizen_id": IDS[0]}, {"name": "张三"}, matter=MATTER)
    assert called.results == {"name": "yes"}


def test_the_catalogue_and_a_resource(client):
    assert [item["code"] for item in client.catalog()] == [CODE, EMPTY_CODE]
    assert client.resource(CODE)["fields"][0]["name"] == "citizen_id"


def test_errors_are_typed_by_what_to_do_next(client, url, world, pinned):
    with pytest.raises(CallDeniedError) as denied:
        client.query(CODE, {"citizen_id": IDS[0]}, matter="SX002")
    assert denied.value.reasons == ("purpose_not_granted",)
    assert denied.value.problem["receipt"]["entry"] >= 0
    with pytest.raises(CallInvalidError) as invalid:
        client.query("nothing", {"citizen_id": IDS[0]}, matter=MATTER)
    assert (invalid.value.status, invalid.value.problem_code) == (404, "resource_unknown")
    with Client(url, "zt_wrong", pinned) as stranger, pytest.raises(CallKeyRefusedError) as refused:
        stranger.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)
    assert refused.value.status == 401
    with Client("http://127.0.0.1:9", world.key, pinned) as nowhere, pytest.raises(HubUnreachableError):
        nowhere.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)


def test_an_unavailability_says_when_to_try_again(client, app, monkeypatch):
    def fail(entries):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(app.state.service.evidence.log, "append", fail)
    with pytest.raises(CallUnavailableError) as caught:
        client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)
    assert caught.value.retry_after_s == 60


def test_another_pinned_key_refuses_everything(url, world):
    other = AnswerSigner.from_seed(b"\7" * 32).verifier.to_text()
    with Client(url, world.key, other) as client, pytest.raises(AnswerRefusedError, match="not pinned"):
        client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)
    with pytest.raises(SignatureInvalidError):
        Client(url, world.key, "nonsense")


class Meddler(httpx.BaseTransport):
    """Someone on the wire who changes answers."""

    def __init__(self, change):
        self._inner = httpx.HTTPTransport()
        self._change = change

    def handle_request(self, request):
        got = self._inner.handle_request(request)
        body = got.read()
        headers = {n.lower(): v for n, v in got.headers.items()}
        status, headers, body = self._change(got.status_code, headers, body)
        got.close()
        return httpx.Response(status, headers=headers, content=body, request=request)

    def close(self):
        self._inner.close()


def _body(status, headers, body):
    return status, headers, body.replace(b"1990-01-01", b"1980-01-01")


def _body_and_digest(status, headers, body):
    status, headers, body = _body(status, headers, body)
    return status, {**headers, "content-digest": content_digest(body)}, body


def _receipt(status, headers, body):
    return status, {**headers, "zhengtong-receipt": 'entry=0, log="x"'}, body


def _no_receipt(status, headers, body):
    return status, {n: v for n, v in headers.items() if n != "zhengtong-receipt"}, body


def _unsigned(status, headers, body):
    return status, {n: v for n, v in headers.items() if not n.startswith("signature")}, body


def _denied(status, headers, body):
    return 403, headers, body


@pytest.mark.parametrize("change", [_body, _body_and_digest, _receipt, _no_receipt, _unsigned, _denied])
def test_a_tampered_answer_is_refused(url, world, pinned, change):
    http = httpx.Client(transport=Meddler(change))
    with Client(url, world.key, pinned, http=http) as client, pytest.raises(AnswerRefusedError):
        client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)


def test_a_true_answer_to_another_question_is_refused(url, world, pinned):
    kept = {}

    def replay(status, headers, body):
        if not kept:
            kept.update(status=status, headers=headers, body=body)
        return kept["status"], kept["headers"], kept["body"]

    http = httpx.Client(transport=Meddler(replay))
    with Client(url, world.key, pinned, http=http) as client:
        assert client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER).records
        with pytest.raises(AnswerRefusedError, match="does not fit"):
            client.query(CODE, {"citizen_id": IDS[1]}, matter=MATTER)


def test_a_receipt_about_another_answer_is_refused_even_when_signed(url, world, pinned, app):
    signer = app.state.service.signer

    def forge(status, headers, body):
        from hub.api.replies import COVERED, COVERED_RECEIPT
        from hub.signatures import Component, Request, Response

        plain = json.loads(body)
        plain["records"] = []
        body = json.dumps(plain).encode()
        headers = {n: v for n, v in headers.items() if n in ("content-type", "zhengtong-receipt")}
        headers["content-digest"] = content_digest(body)
        asked = Request("POST", sent["path"], {"content-digest": sent["digest"]})
        covered = [*COVERED, COVERED_RECEIPT, Component("content-digest", req=True)]
        return status, {**headers, **signer.sign(Response(status, headers, asked), covered, NOW)}, body

    sent = {}

    class Noting(Meddler):
        def handle_request(self, request):
            sent.update(path=request.url.raw_path.decode(), digest=request.headers["content-digest"])
            return super().handle_request(request)

    with (
        Client(url, world.key, pinned, http=httpx.Client(transport=Noting(forge))) as client,
        pytest.raises(AnswerRefusedError, match="another answer"),
    ):
        client.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER)
