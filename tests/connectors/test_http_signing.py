from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from datetime import UTC, datetime

import httpx
import pytest

from connectors import signing
from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    SourceDeniedError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.http_json import HttpJsonConnector
from connectors.protocol import Column, ReadRequest
from connectors.retry import Waiting
from connectors.signing import Signed, has_sm3, sorted_query

KEY = "a-secret-that-must-not-show"
NOW = datetime(2024, 5, 8, 4, 0, 0, 123_000, tzinfo=UTC)
SIGNED = {"auth": "signed", "secret_key": "env:K", "key_id": "app-1"}
OAUTH = {
    "auth": "oauth2",
    "token_url": "https://sso.example/token",
    "client_id": "hub:1",
    "client_secret": "env:K",
    "scope": "rows.read",
}


class Service:
    """A token endpoint and a list of rows that takes the newest token alone."""

    def __init__(self):
        self.seen = []
        self.granted = 0
        self.lasts = 3600
        self.token_script = []
        self.row_script = []
        self.now = 0.0
        self.slept = []

    def __call__(self, sent):
        self.seen.append(sent)
        if sent.url.path == "/token":
            if self.token_script:
                return self.token_script.pop(0)
            self.granted += 1
            return httpx.Response(
                200, json={"access_token": f"t{self.granted}", "token_type": "bearer", "expires_in": self.lasts}
            )
        if self.row_script:
            return self.row_script.pop(0)
        if self.granted and sent.headers.get("Authorization") != f"Bearer t{self.granted}":
            return httpx.Response(401, json={})
        return httpx.Response(200, json={"items": [{"id": 1}], "total": 1})

    def connector(self, **settings):
        def secret(reference):
            return {"env:K": KEY, "env:BAD": "密钥\n"}[reference]

        return HttpJsonConnector(
            {"base_url": "https://dept.example/api", **settings},
            secret,
            waiting=Waiting(sleep=self.slept.append),
            transport=httpx.MockTransport(self),
            clock=lambda: self.now,
            now=lambda: NOW,
        )

    def rows(self):
        return [sent for sent in self.seen if sent.url.path != "/token"]

    def tokens(self):
        return [sent for sent in self.seen if sent.url.path == "/token"]


def read(connector, into, **options):
    return connector.read(ReadRequest("R", "rows", (Column("id"),), None, "", options), into)


def fails(service, into, error, problem, **settings):
    with pytest.raises(error) as caught:
        read(service.connector(**settings), into)
    assert caught.value.problem == problem
    for text in (caught.value.text("en"), caught.value.text("zh"), repr(caught.value.__dict__)):
        assert KEY not in text
        assert "密钥" not in text
    return caught.value


@pytest.fixture
def service():
    return Service()


# --- OAuth 2.0 -------------------------------------------------------------------------------------------------------


def test_one_token_serves_until_shortly_before_it_expires(service, into):
    connector = service.connector(**OAUTH)
    for _ in range(3):
        read(connector, into)
    assert (len(service.tokens()), len(service.rows())) == (1, 3)
    service.now = 3569.0
    read(connector, into)
    assert len(service.tokens()) == 1
    service.now = 3570.0
    read(connector, into)
    assert len(service.tokens()) == 2


def test_a_token_is_asked_for_as_the_rfc_says(service, into):
    read(service.connector(**OAUTH), into)
    sent = service.tokens()[0]
    assert dict(httpx.QueryParams(sent.content.decode())) == {"grant_type": "client_credentials", "scope": "rows.read"}
    # RFC 6749 section 2.3.1: both parts are form-encoded before they are joined.
    assert base64.b64decode(sent.headers["Authorization"].removeprefix("Basic ")).decode() == f"hub%3A1:{KEY}"
    assert KEY not in str(sent.url)


def test_client_and_secret_may_travel_in_the_body(service, into):
    read(service.connector(**OAUTH, client_auth="body"), into)
    sent = service.tokens()[0]
    assert "Authorization" not in sent.headers
    form = httpx.QueryParams(sent.content.decode())
    assert (form["client_id"], form["client_secret"]) == ("hub:1", KEY)


def test_a_withdrawn_token_is_renewed_once(service, into):
    service.row_script = [httpx.Response(401, json={})]
    read(service.connector(**OAUTH), into)
    assert (len(service.tokens()), len(service.rows()), service.slept) == (2, 2, [])


def test_a_second_refusal_is_final(service, into):
    service.row_script = [httpx.Response(401, json={}) for _ in range(9)]
    fails(service, into, SourceDeniedError, "unauthorised", **OAUTH)
    assert (len(service.tokens()), len(service.rows())) == (2, 2)


def test_a_plain_token_is_not_tried_twice(service, into):
    service.row_script = [httpx.Response(401, json={}) for _ in range(9)]
    fails(service, into, SourceDeniedError, "unauthorised", token="env:K")
    assert len(service.rows()) == 1


def test_a_token_without_an_end_holds_until_it_is_refused(service, into):
    service.lasts = "soon"
    connector = service.connector(**OAUTH)
    read(connector, into)
    service.now = 1e9
    read(connector, into)
    assert len(service.tokens()) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [({"error": "invalid_client"}, "invalid_client"), ({"error": KEY}, "—"), ([1], "—"), ({"error": ["x"]}, "—")],
)
def test_a_refused_client_is_denied_with_the_reason_the_rfc_knows(service, into, body, reason):
    service.token_script = [httpx.Response(401, json=body)]
    error = fails(service, into, SourceDeniedError, "token_refused", **OAUTH)
    assert (error.params["status"], error.params["reason"], len(service.seen)) == (401, reason, 1)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a\r\nX-Other: b"},
        {"access_token": "令牌"},
        {"access_token": "x", "token_type": "mac"},
    ],
)
def test_an_answer_that_grants_nothing_is_no_token(service, into, body):
    service.token_script = [httpx.Response(200, json=body)]
    fails(service, into, SourceShapeError, "token_answer", **OAUTH)


def test_a_token_endpoint_that_is_down_is_tried_again_in_measure(service, into):
    service.token_script = [httpx.Response(503, json={})]
    read(service.connector(**OAUTH), into)
    assert service.slept == [0.375]
    service = Service()
    service.token_script = [httpx.Response(503, json={}) for _ in range(99)]
    fails(service, into, SourceUnavailableError, "server_error", **OAUTH)
    assert len(service.seen) == 5


def test_a_token_answer_is_bounded(service, into):
    service.token_script = [httpx.Response(200, json={"access_token": "x" * 100_000})]
    fails(service, into, SourceShapeError, "page_too_large", **OAUTH)


def test_many_threads_ask_for_one_token(service, tmp_path):
    connector = service.connector(**OAUTH)
    threads = [threading.Thread(target=read, args=(connector, tmp_path / f"{n}.parquet")) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(service.tokens()), len(service.rows())) == (1, 6)


# --- basic -----------------------------------------------------------------------------------------------------------


def test_a_user_and_a_password(service, into):
    read(service.connector(auth="basic", user="局", password="env:K"), into)
    sent = service.seen[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == f"局:{KEY}"


# --- signed ----------------------------------------------------------------------------------------------------------


def expected(text, algorithm="sha256", key=None):
    return hmac.digest(key or KEY.encode(), text.encode(), algorithm)


def test_the_generic_signature_covers_method_path_query_time_nonce_and_body(service, into):
    options = {"method": "post", "body": "json"}
    read(service.connector(**SIGNED), into, **options)
    sent = service.seen[0]
    digest = hashlib.sha256(sent.content).hexdigest()
    text = f"POST\n/api/rows\n\n1715140800\n{sent.headers['X-Nonce']}\n{digest}"
    assert sent.headers["X-Signature"] == expected(text).hex()
    assert (sent.headers["X-Timestamp"], sent.headers["X-Key-Id"]) == ("1715140800", "app-1")
    assert len(sent.headers["X-Nonce"]) == 32


def test_the_query_is_signed_sorted_and_encoded(service, into):
    read(service.connector(**SIGNED, sign_template="{query}|{timestamp}"), into, query="z=1&名=a b&a=%2F&a=1")
    text = "%E5%90%8D=a%20b&a=1&page=1&page_size=500&z=1|1715140800"
    # Of two parameters of one name the last is sent; the signature is over what is sent.
    assert service.seen[0].headers["X-Signature"] == expected(text).hex()
    assert sorted_query("b=2&a=2&a=1&c") == "a=1&a=2&b=2&c="


def test_each_try_is_signed_anew(service, into):
    service.row_script = [httpx.Response(503, json={})]
    read(service.connector(**SIGNED), into)
    nonces = [sent.headers["X-Nonce"] for sent in service.seen]
    assert len(set(nonces)) == 2


def test_the_national_profile_signs_as_its_implementations_do(service, into):
    read(service.connector(**SIGNED, sign_profile="national", service_id="sid-9"), into)
    sent = service.seen[0].headers
    assert (sent["gjgxjhpt_rid"], sent["gjgxjhpt_sid"], sent["gjgxjhpt_rtime"]) == ("app-1", "sid-9", "1715140800123")
    assert sent["gjgxjhpt_sign"] == base64.b64encode(expected("sid-9app-11715140800123")).decode()
    assert not any(name.lower().startswith("x-") for name in sent)


@pytest.mark.skipif(not has_sm3(), reason="this OpenSSL has no SM3")
def test_sm3_where_openssl_has_it(service, into):
    # GB/T 32905-2016, A.1: the digest of "abc".
    assert hashlib.new("sm3", b"abc").hexdigest() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    read(service.connector(**SIGNED, sign_algorithm="hmac-sm3"), into)
    sent = service.seen[0].headers
    text = f"GET\n/api/rows\npage=1&page_size=500\n1715140800\n{sent['X-Nonce']}\n{hashlib.new('sm3', b'').hexdigest()}"
    assert sent["X-Signature"] == expected(text, "sm3").hex()


def test_sm3_is_refused_where_openssl_has_none(service, monkeypatch):
    monkeypatch.setattr(signing, "has_sm3", lambda: False)
    with pytest.raises(ConnectorSettingsError) as caught:
        service.connector(**SIGNED, sign_algorithm="hmac-sm3")
    assert caught.value.problem == "no_sm3"


@pytest.mark.parametrize(("encoding", "secret", "key"), [("hex", "00ff", b"\x00\xff"), ("base64", "AP8=", b"\x00\xff")])
def test_a_key_may_be_written_in_another_way(encoding, secret, key):
    settings = {**SIGNED, "key_encoding": encoding, "sign_template": "{timestamp}", "timestamp_format": "iso"}
    made = Signed(settings, lambda _: secret, "x", now=lambda: NOW)
    request = httpx.Request("GET", "https://a.example/")
    made.apply(request, None)
    assert request.headers["X-Signature"] == expected("2024-05-08T04:00:00Z", key=key).hex()
    wrong = Signed(settings, lambda _: KEY, "x", now=lambda: NOW)
    with pytest.raises(ConnectorSettingsError) as caught:
        wrong.apply(request, None)
    assert (caught.value.problem, KEY in str(caught.value)) == ("secret_unusable", False)


@pytest.mark.parametrize(
    "settings",
    [
        {"sign_template": "{method}{password}{timestamp}"},
        {"sign_template": "{method}"},
        {"sign_template": "{timestamp"},
        {"sign_template": "{timestamp} {0}"},
        {"sign_template": "{timestamp!r}"},
        {"sign_template": "{nonce}{timestamp}", "nonce_header": "none"},
        {"sign_header": "none"},
        {"timestamp_header": "none"},
        {"key_id": ""},
        {"key_id": "a\nb"},
        {"sign_profile": "national"},
        {"sign_algorithm": "md5"},
        {"sign_encoding": "base32"},
        {"secret_key": ""},
        {"sign_profile": "provincial"},
    ],
)
def test_a_signature_that_cannot_be_meant_is_refused_before_anything_is_sent(service, settings):
    with pytest.raises(ConnectorSettingsError):
        service.connector(**{**SIGNED, **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {"auth": "magic"},
        {"auth": "token"},
        {"auth": "basic", "user": "u"},
        {"auth": "basic", "user": "u:v", "password": "env:K"},
        {"auth": "oauth2"},
        {**OAUTH, "token_url": "http://sso.example/token"},
        {**OAUTH, "token_url": "sso.example"},
        {"auth": "basic", "user": "u", "password": "env:K", "base_url": "http://dept.example/"},
    ],
)
def test_credentials_that_cannot_be_meant_are_refused(service, settings):
    with pytest.raises(ConnectorSettingsError):
        service.connector(**settings)


def test_a_secret_that_no_header_can_hold_is_named_by_its_setting(service, into):
    fails(service, into, ConnectorSettingsError, "secret_unusable", token="env:BAD")
    assert service.seen == []


def test_no_url_holds_a_secret(service, into):
    for settings in (OAUTH, SIGNED, {"auth": "basic", "user": "u", "password": "env:K"}, {"token": "env:K"}):
        with pytest.raises(ConnectorError):
            read(service.connector(**settings), into, rows="elsewhere")
    assert service.seen
    assert not any(KEY in str(sent.url) for sent in service.seen)
