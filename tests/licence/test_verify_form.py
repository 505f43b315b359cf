"""Whatever was altered, added, repeated or malformed never passes, and hostile input is always a verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import credential, jose
from licence.keys import pem_bundle
from licence.report import Verdict
from licence.verify import verify
from tests.licence import independent
from tests.licence import world as w
from tests.licence.forging import FORGERIES, both, rebuilt, resign


def flips(text):
    data = text.encode()
    for i in range(len(data)):
        for mask in (0x01, 0x20) if i % 4 == 0 else (0x01,):
            flipped = data[:i] + bytes([data[i] ^ mask]) + data[i + 1 :]
            yield i, flipped


@pytest.mark.parametrize("what", ["credential", "bundle"])
def test_no_flipped_byte_passes(world, bundle, what):
    log_keys = [independent.read_log_key(v.to_text()) for v in world.trust.log_verifiers]
    anchors = pem_bundle(world.trust.anchors)
    text = bundle.to_json()
    good = json.loads(text)
    start = text.index(bundle.credential)
    span = range(start, start + len(bundle.credential))
    examined = accepted = 0
    for i, flipped in flips(text):
        if (i in span) != (what == "credential"):
            continue
        examined += 1
        report = verify(flipped, world.trust, w.AT)
        if report.verdict is Verdict.PASSED:
            accepted += 1
            assert json.loads(flipped) == good, i
        if examined % 23 == 0:
            try:
                other = independent.verify(flipped.decode(), anchors, log_keys, int(w.AT.timestamp()))
            except UnicodeDecodeError:
                continue
            assert (other == 0) == (report.verdict is Verdict.PASSED), i
    assert examined > 4000
    if what == "credential":
        assert accepted == 0


def test_a_tampered_claim_is_named_a_hash_failure(world, bundle):
    parsed = credential.parse(bundle.credential)
    forged = credential.Disclosure.make("KZ_ZJCX", "G", b"0" * 16).encoded
    cred = "~".join([parsed.jws.token, *(d.encoded for d in parsed.disclosures[:-2]), forged, ""])
    report = both(replace(bundle, credential=cred), world.trust, w.AT)
    assert (report.exit_code, report.sub_indication) == (10, "HASH_FAILURE")
    assert report.licence == {}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_form_is_rejected_even_if_the_issuer_signed_it(world, sealed, token, name):
    forge, sub = FORGERIES[name]
    cred = forge(world.agriculture, sealed.credential)
    bundle = rebuilt(world, sealed, cred, token)
    if name == "broken identifier":
        bundle = replace(bundle, identifier="1.2.156.3005.2.X")
    report = both(bundle, world.trust, w.AT)
    assert (report.exit_code, report.verdict, report.sub_indication) == (10, Verdict.FAILED, sub)


def test_resigning_without_change_passes(world, sealed, token):
    # Shows that the forgeries above fail for their fault and not for being signed again.
    cred = resign(world.agriculture, sealed.credential)
    assert both(rebuilt(world, sealed, cred, token), world.trust, w.AT).verdict is Verdict.PASSED


def test_a_wrong_signature_is_a_crypto_failure(world, sealed, token):
    other = w.seal(world.agriculture, status_ref=w.StatusRef(w.STATUS_URI, w.IDX + 1))
    head, body, _ = sealed.credential.partition("~")[0].split(".")
    spliced = sealed.credential.replace(f"{head}.{body}.", f"{head}.{other.credential.split('.')[1]}.")
    report = both(rebuilt(world, sealed, spliced, token), world.trust, w.AT)
    assert (report.exit_code, report.sub_indication) == (10, "SIG_CRYPTO_FAILURE")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "{",
        "~",
        "a.b.c~",
        "{" * 100_000,
        "[" * 100_000,
        '{"format":1e999}',
        '{"format":' + "9" * 5000 + "}",
        '{"a":1,"a":1}',
        '{"format":"\\ud800"}',
        '{"format":NaN}',
        "\x00",
        "🐉~",
        "..~",
        "x" * 300_000 + "~",
    ],
)
def test_hostile_text_is_a_verdict(world, text):
    report = both(text, world.trust, w.AT)
    assert (report.exit_code, report.sub_indication) == (10, "FORMAT_FAILURE")
    assert verify(text.encode() + b"\xff", world.trust, w.AT).exit_code == 10


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_json_in_place_of_any_member_is_a_verdict(data, world, bundle):
    document = json.loads(bundle.to_json())
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda s: st.lists(s, max_size=3) | st.dictionaries(st.text(max_size=4), s, max_size=3),
        max_leaves=5,
    )
    target = data.draw(st.sampled_from(["identifier", "credential", "chain", "log", "status", "entry", "proof"]))
    value = data.draw(values)
    if target in {"entry", "proof"}:
        document["log"][target] = value
    else:
        document[target] = value
    assert verify(json.dumps(document), world.trust, w.AT).verdict is not Verdict.PASSED


@settings(max_examples=150, deadline=None)
@given(
    payload=st.dictionaries(
        st.sampled_from(["iss", "jti", "iat", "nbf", "exp", "vct", "status", "_sd", "_sd_alg"]),
        st.none() | st.integers() | st.text(max_size=6) | st.lists(st.integers(), max_size=2),
        min_size=1,
    )
)
def test_any_claims_signed_by_the_issuer_are_a_verdict(payload, world, sealed, token):
    cred = resign(world.agriculture, sealed.credential, payload=payload)
    assert verify(cred, world.trust, w.AT, [token]).verdict is not Verdict.PASSED


def test_naive_time_is_a_fault_of_the_program(world, bundle):
    with pytest.raises(ValueError, match="time zone"):
        verify(bundle, world.trust, w.AT.replace(tzinfo=None))


def test_strict_json_is_strict():
    for text in ('{"a":-0}', "1.0", '"\\ud800"', "[" * 20 + "]" * 20, "123456789012345678901"):
        with pytest.raises(jose.FormatError):
            jose.strict_json(text, "x")
