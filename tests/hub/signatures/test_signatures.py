from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import http_message_signatures as peer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.signatures import (
    AnswerSigner,
    AnswerVerifier,
    Component,
    Request,
    Response,
    SignatureInvalidError,
    _base,
    check_digest,
    content_digest,
    verify,
)

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SEED = bytes(range(32))
COVERED = (
    Component("@status"),
    Component("content-digest"),
    Component("content-type"),
    Component("zhengtong-receipt"),
    Component("@method", req=True),
    Component("@path", req=True),
    Component("content-digest", req=True),
)
BODY = b'{"records":[]}'
ASKED = b'{"keys":{}}'


@pytest.fixture
def signer():
    return AnswerSigner.from_seed(SEED)


@pytest.fixture
def answer(signer):
    request = Request("POST", "/v1/resources/306%2F1:query", {"content-digest": content_digest(ASKED)})
    fields = {
        "content-digest": content_digest(BODY),
        "content-type": "application/json",
        "zhengtong-receipt": 'entry=7, log="city.example/log"',
    }
    response = Response(200, fields, request)
    return replace(response, fields={**fields, **signer.sign(response, COVERED, NOW)})


def check(answer, signer, *, required=COVERED, now=NOW, tolerance=timedelta(minutes=5)):
    return verify(answer, verifiers=[signer.verifier], required=required, now=now, tolerance=tolerance)


def test_a_signed_answer_verifies(answer, signer):
    assert check(answer, signer) == NOW


def test_the_peer_accepts_ours(answer, signer):
    class Keys(peer.HTTPSignatureKeyResolver):
        def resolve_public_key(self, key_id):
            assert key_id == signer.verifier.key_id
            return signer.verifier.key

    verifier = peer.HTTPMessageVerifier(signature_algorithm=peer.algorithms.ED25519, key_resolver=Keys())
    results = verifier.verify(_as_peer(answer), max_age=None)
    assert set(results[0].covered_components) == {*map(str, COVERED), '"@signature-params"'}
    forged = replace(answer, status=404)
    with pytest.raises(peer.InvalidSignature):
        verifier.verify(_as_peer(forged), max_age=None)


def test_we_accept_the_peers(answer, signer):
    message = _as_peer(answer)
    del message.headers["signature"], message.headers["signature-input"]

    class Keys(peer.HTTPSignatureKeyResolver):
        def resolve_private_key(self, key_id):
            return signer._key

    peer.HTTPMessageSigner(signature_algorithm=peer.algorithms.ED25519, key_resolver=Keys()).sign(
        message,
        key_id=signer.verifier.key_id,
        created=NOW,
        label="zt",
        tag="zhengtong-answer",
        use_existing_digest=True,
        covered_component_ids=[str(c) for c in COVERED],
    )
    theirs = {name.lower(): value for name, value in message.headers.items()}
    assert theirs["signature"] == answer.fields["signature"]  # Ed25519 is deterministic
    assert check(replace(answer, fields=theirs), signer) == NOW


def _as_peer(answer):
    request = SimpleNamespace(
        method=answer.request.method,
        url=f"http://127.0.0.1:8080{answer.request.path}",
        headers=dict(answer.request.fields),
    )
    return SimpleNamespace(status_code=answer.status, headers=dict(answer.fields), request=request)


def test_rfc_9421_b_2_6():
    # RFC 9421 appendix B.1.4 (test-key-ed25519) and B.2.6.
    public = base64.b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
    message = Request(
        "POST",
        "/foo",
        {
            "date": "Tue, 20 Apr 2021 02:07:55 GMT",
            "content-type": "application/json",
            "content-length": "18",
        },
    )
    covered = [Component(n) for n in ("date", "@method", "@path", "content-type", "content-length")]
    parameters = (
        '("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"'
    )
    lines = _base(message, covered, parameters).decode().split("\n")
    lines.insert(3, '"@authority": example.com')  # a component that our subset leaves out
    signature = base64.b64decode(
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    assert Ed25519PublicKey.from_public_bytes(public).verify(signature, "\n".join(lines).encode()) is None


def test_the_key_id_is_the_thumbprint_of_rfc_8037():
    # RFC 8037 appendix A.2 and A.3.
    verifier = AnswerVerifier.from_text("ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert verifier.key_id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert verifier.jwk()["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


TAMPERED = {
    "status": lambda a: replace(a, status=201),
    "content type": lambda a: _field(a, "content-type", "text/html"),
    "digest": lambda a: _field(a, "content-digest", content_digest(b"other")),
    "receipt": lambda a: _field(a, "zhengtong-receipt", 'entry=8, log="city.example/log"'),
    "receipt gone": lambda a: _field(a, "zhengtong-receipt", None),
    "method of the request": lambda a: replace(a, request=replace(a.request, method="GET")),
    "path of the request": lambda a: replace(a, request=replace(a.request, path="/v1/resources/2:query")),
    "body of the request": lambda a: replace(
        a, request=replace(a.request, fields={"content-digest": content_digest(b"x")})
    ),
    "no signature": lambda a: _field(a, "signature", None),
    "no input": lambda a: _field(a, "signature-input", None),
    "created": lambda a: _field(a, "signature-input", a.fields["signature-input"].replace("created=1", "created=2")),
    "other algorithm": lambda a: _field(
        a, "signature-input", a.fields["signature-input"].replace('alg="ed25519"', 'alg="hmac-sha256"')
    ),
    "second label": lambda a: _field(a, "signature-input", a.fields["signature-input"] + ', x=("@status")'),
    "a component twice": lambda a: _field(
        a, "signature-input", a.fields["signature-input"].replace('("@status"', '("@status" "@status"')
    ),
}


def _field(answer, name, value):
    fields = {n: v for n, v in answer.fields.items() if n != name}
    return replace(answer, fields=fields if value is None else {**fields, name: value})


@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_answer_is_refused(answer, signer, what):
    with pytest.raises(SignatureInvalidError):
        check(TAMPERED[what](answer), signer)


def test_a_signature_that_covers_too_little_is_refused(answer, signer):
    bare = {n: v for n, v in answer.fields.items() if not n.startswith("signature")}
    thin = replace(answer, fields={**bare, **signer.sign(answer, [Component("@status")], NOW)})
    assert check(thin, signer, required=[Component("@status")]) == NOW
    with pytest.raises(SignatureInvalidError, match="does not cover"):
        check(thin, signer)


def test_another_key_is_refused(answer):
    with pytest.raises(SignatureInvalidError, match="not pinned"):
        check(answer, AnswerSigner.from_seed(b"\1" * 32))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_answer_out_of_time_is_refused(answer, signer, seconds):
    assert check(answer, signer, now=NOW + timedelta(seconds=seconds // 2)) == NOW
    with pytest.raises(SignatureInvalidError, match="clocks"):
        check(answer, signer, now=NOW + timedelta(seconds=seconds))


def test_no_keys_and_no_requirements_are_failures(answer, signer):
    for verifiers, required in (([], COVERED), ([signer.verifier], [])):
        with pytest.raises(SignatureInvalidError, match="nothing could be verified"):
            verify(answer, verifiers=verifiers, required=required, now=NOW, tolerance=timedelta(1))


def test_a_line_break_in_a_field_cannot_pose_as_a_component(signer):
    message = Request("POST", "/", {"content-type": 'a\n"@status": 200'})
    with pytest.raises(SignatureInvalidError, match="line break"):
        signer.sign(message, [Component("content-type")], NOW)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_digest_fits_its_body_alone(body, other):
    check_digest(content_digest(body), body)
    if body != other:
        with pytest.raises(SignatureInvalidError):
            check_digest(content_digest(body), other)


@pytest.mark.parametrize("field", ["", "sha-512=:AAAA:", "sha-256=:AAAA:", content_digest(b"") + ", sha-512=:AA==:"])
def test_a_digest_of_another_form_is_refused(field):
    with pytest.raises(SignatureInvalidError):
        check_digest(field, b"")


@given(st.text(max_size=60))
def test_hostile_header_text_is_refused_not_crashed_on(text):
    request = Request("POST", "/", {})
    hostile = Response(200, {"signature": text, "signature-input": text}, request)
    with pytest.raises(SignatureInvalidError):
        check(hostile, AnswerSigner.from_seed(SEED))


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:AAAA", "rsa:" + "A" * 43])
def test_a_malformed_verifier_key_is_refused(text):
    with pytest.raises(SignatureInvalidError):
        AnswerVerifier.from_text(text)
