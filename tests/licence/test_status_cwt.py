"""Status lists as CWTs: the same version in half the bytes; read by strangers, and the draft's own example by us."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import status
from licence.authority import Role, certify_authority
from licence.errors import FormatError, IssueRefusedError
from licence.qr import cbor
from licence.report import Verdict
from licence.status import StatusList, cwt, parse_status_token, sign_status_list, to_cwt
from licence.status.authentic import authentic_token
from licence.verify import verify
from licence.verifying import judge
from tests.licence import status_reader
from tests.licence import world as w

WORLD = w.make_world()
# draft-ietf-oauth-status-list-20 §5.2: the example in hex, and the statuses of §4.1 that its list holds.
DRAFT = bytes.fromhex(
    "d2845820a2012610781a6170706c69636174696f6e2f7374617475736c6973742b637774a1044231325850a502782168747470733a2f2f6578"
    "616d706c652e636f6d2f7374617475736c697374732f31061a648c5bea041a8898dfea19fffe19a8c019fffda2646269747301636c73744a78"
    "dadbb918000217015d584093fa4d01032b18c35e2fe1101b77fd6cc9440022caa4694450c4e4e9feab4e99d1fa6d9772ce2bf3a12e0323ded7"
    "c982c5e101a5e67f0cbc1e2b6f57ce99c279"
)
DRAFT_STATUSES = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
# What is left for a list of 2^20 when 20 million licences may take 300 KB.
MAX_BYTES = 300_000 * 2**20 // 20_000_000


@pytest.fixture(scope="module")
def text(world):
    return w.status_token(world.status_key, 1)


@pytest.fixture(scope="module")
def compact(world, text):
    return to_cwt(text, key=world.status_key)


def refused(call, *arguments):
    with pytest.raises(FormatError) as caught:
        call(*arguments)
    assert caught.value.text("zh")
    return caught.value.code


def resealed(key, **changes):
    """A token of ours with other claims, signed as ours are."""
    found = {"sub": w.STATUS_URI, "iat": 1, "exp": 2, "status_list": {"bits": 2, "lst": b"x"}} | changes
    return cwt.sign(key, {name: value for name, value in found.items() if value is not None})


def test_the_drafts_example_is_read():
    found = parse_status_token(DRAFT)
    assert (found.uri, found.issued_at) == ("https://example.com/statuslists/1", 1686920170)
    assert (found.expires_at, found.ttl, found.chain) == (2291720170, 43200, ())
    assert [found.states().value(idx) for idx in range(16)] == DRAFT_STATUSES
    assert [status_reader.read_cwt(DRAFT, idx, signed=False)[0] for idx in range(16)] == DRAFT_STATUSES


def test_nobody_signed_the_drafts_example_for_us(world):
    assert refused(authentic_token, DRAFT, world.trust) == "no_signing_certificate"


def test_both_forms_say_the_same(text, compact, world):
    one, other = parse_status_token(text), authentic_token(compact, world.trust)
    assert (one.uri, one.issued_at, one.expires_at, one.ttl) == (
        other.uri,
        other.issued_at,
        other.expires_at,
        other.ttl,
    )
    assert one.states() == other.states()


def test_a_foreign_reader_reads_both(text, compact, world):
    for idx in range(64):
        ours = parse_status_token(text).states().value(idx)
        assert status_reader.read_jwt(text, idx)[0] == status_reader.read_cwt(compact, idx)[0] == ours
    assert status_reader.read_cwt(compact, 0)[1][2] == w.STATUS_URI


def test_verify_takes_either(world, sealed):
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key))
    assert verify(bundle, world.trust, w.AT).verdict is Verdict.PASSED
    for value, verdict in ((0, Verdict.PASSED), (1, Verdict.FAILED), (2, Verdict.FAILED)):
        newer = w.status_token(world.status_key, value, w.ISSUED + timedelta(minutes=5))
        found = verify(bundle, world.trust, w.AT, [to_cwt(newer, key=world.status_key)])
        assert found.verdict is verdict


def test_verify_finds_the_signer_of_a_bare_one_at_hand(world, sealed):
    revoked = to_cwt(w.status_token(world.status_key, 1), key=world.status_key)
    bare, text = cwt.with_chain(revoked, ()), sealed.credential
    assert verify(text, world.trust, w.AT, [bare]).verdict is Verdict.INDETERMINATE
    known = verify(text, world.trust, w.AT, [bare], certificates=world.status_key.chain_der)
    assert known.verdict is Verdict.FAILED


def test_no_byte_can_change(world, compact):
    trusted = world.trust
    for place in range(len(compact)):
        forged = compact[:place] + bytes([compact[place] ^ 1]) + compact[place + 1 :]
        refused(authentic_token, forged, trusted)


def test_the_chain_may_travel_apart(world, compact):
    bare = cwt.with_chain(compact, ())
    assert len(bare) < len(compact) - 400
    assert cwt.with_chain(bare, world.status_key.chain_der) == compact
    refused(authentic_token, cwt.with_chain(bare, world.agriculture.chain_der), world.trust)


def apart(world, *, certificates=()):
    return replace(world.trust, certificates=tuple(certificates))


def test_the_signers_certificate_is_found_among_what_is_at_hand(world, text, compact):
    bare, (leaf, *above) = cwt.with_chain(compact, ()), world.status_key.chain_der
    known, ours = apart(world, certificates=(*world.agriculture.chain_der, leaf)), parse_status_token(text)
    for found in (
        authentic_token(bare, known),
        authentic_token(bare, apart(world), [leaf]),
        authentic_token(bare, apart(world), [*above, leaf]),
    ):
        assert (found.states(), found.uri, found.chain[0]) == (ours.states(), ours.uri, leaf)
    for idx in range(64):
        told = status_reader.read_cwt(bare, idx, certificates=known.certificates)[0]
        assert told == ours.states().value(idx)


def test_its_chain_is_found_too(world, text):
    issuing = certify_authority(
        world.root, w.private_key("issuing"), name="Issuing CA", starts=w.STARTS, ends=w.ENDS, serial=7
    )
    leaf, above, *_ = w.make_leaf(issuing, "status", w.STATUS_OFFICE, role=Role.STATUS).chain_der
    bare = cwt.with_chain(to_cwt(text, key=w.make_leaf(issuing, "status", w.STATUS_OFFICE, role=Role.STATUS)), ())
    assert refused(authentic_token, bare, apart(world), [leaf]) == "no_pinned_anchor"
    assert authentic_token(bare, apart(world, certificates=[above]), [leaf]).chain[-1] in world.trust.anchors_der


def test_a_signer_that_is_not_at_hand(world, compact):
    bare = cwt.with_chain(compact, ())
    for known in ((), world.agriculture.chain_der):
        with pytest.raises(FormatError) as caught:
            authentic_token(bare, apart(world, certificates=known))
        assert caught.value.code == "status_signer_unknown"
        assert "?chain=true" in caught.value.text("en")
        assert "certificates.pem" in caught.value.text("zh")


def test_no_byte_can_change_without_the_chain(world, compact):
    bare, known = cwt.with_chain(compact, ()), apart(world, certificates=world.status_key.chain_der)
    assert authentic_token(bare, known)
    for place in range(len(bare)):
        refused(authentic_token, bare[:place] + bytes([bare[place] ^ 1]) + bare[place + 1 :], known)


def test_a_certificate_at_hand_is_not_trusted_for_that(world, text):
    forged = cwt.with_chain(to_cwt(text, key=world.agriculture), ())
    known = apart(world, certificates=world.agriculture.chain_der)
    assert refused(authentic_token, forged, known) == "status_signer_purpose"


def test_verify_asks_for_the_signer_or_finds_it(world, sealed):
    bundle = replace_token(w.bundle_of(world, sealed, w.status_token(world.status_key)), None)
    bare = cwt.with_chain(to_cwt(w.status_token(world.status_key), key=world.status_key), ())
    leaf, at = world.status_key.chain_der[0], w.AT
    asked = verify(bundle, apart(world), at, [bare])
    assert (asked.verdict, asked.sub_indication) == (Verdict.INDETERMINATE, "NO_SIGNING_CERTIFICATE_FOUND")
    assert asked.deciding.code == "status_signer_unknown"
    assert verify(bundle, apart(world), at, [bare], certificates=[leaf]).verdict is Verdict.PASSED
    assert verify(bundle, apart(world, certificates=[leaf]), at, [bare]).verdict is Verdict.PASSED
    # A JWT of another list, by the same signer.
    other = sign_status_list(
        StatusList.build(8, {}), key=world.status_key, uri="https://x.example/9", issued_at=w.ISSUED,
        expires_at=w.ENDS, ttl_s=60,
    )  # fmt: skip
    for tokens in ([bare, other], [other, bare]):
        assert verify(bundle, apart(world), at, tokens).verdict is Verdict.PASSED
    judged = judge(bundle.to_json().encode(), apart(world), at, status_tokens=[bare], certificates=[leaf])
    assert judged.verdict is Verdict.PASSED


def test_one_that_is_not_at_hand_does_not_hide_another(world, sealed):
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key))
    bare = cwt.with_chain(to_cwt(w.status_token(world.agriculture), key=world.agriculture), ())
    assert verify(bundle, apart(world), w.AT, [bare]).verdict is Verdict.PASSED


def replace_token(bundle, token):
    return replace(bundle, status_token=token, status_entry=None, status_proof=None)


def test_another_certificate_of_the_same_key_is_not_the_one_signed(world, compact):
    other = w.make_leaf(world.root, "status", w.STATUS_OFFICE, role=Role.STATUS, ends=w.ENDS - timedelta(days=1))
    assert other.public_key == world.status_key.public_key
    refused(authentic_token, cwt.with_chain(compact, other.chain_der), world.trust)


def test_licence_keys_sign_no_lists(world, text):
    forged = to_cwt(text, key=world.agriculture)
    assert refused(authentic_token, forged, world.trust) == "status_signer_purpose"


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": None},
        {"sub": 5},
        {"sub": b"x"},
        {"exp": None},
        {"iat": -1},
        {"iat": b"x"},
        {"exp": 2**60},
        {"ttl": "x"},
        {"status_list": None},
        {"status_list": b"x"},
        {"iss": ""},
    ],
)
def test_claims_that_are_not_of_the_form(world, changes):
    refused(parse_status_token, resealed(world.status_key, **changes))


@pytest.mark.parametrize(
    "listed", [{"bits": 3, "lst": b""}, {"bits": 2}, {"bits": 2, "lst": 5}, {1: 2}, {"bits": 2, "lst": b"x"}]
)
def test_lists_that_are_none(world, listed):
    refused(parse_status_token(resealed(world.status_key, status_list=listed)).states)


def message(protected, unprotected, payload=b"\xa0", signature=b"s" * 64):
    return b"\xd2" + cbor.encode([cbor.encode(protected), unprotected, payload, signature])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xd2",
        b"\xd2\x84",
        b"\xd3" + DRAFT[1:],
        DRAFT[1:],
        DRAFT + b"\x00",
        b"\xd2" + cbor.encode([b"", {}, b""]),
        b"\xd2" + cbor.encode([b"", [], b"", b""]),
        message({1: -7}, {}),
        message({1: -7, 16: "application/statuslist+jwt"}, {}),
        message({1: -7, 16: 19}, {}),
        message({1: -16, 16: cwt.TYP}, {}),
        message({1: "ES256", 16: cwt.TYP}, {}),
        message({1: -7, 16: cwt.TYP, 2: [16]}, {}),
        message({1: -7, 16: cwt.TYP, 34: b"x"}, {}),
        message({1: -7, 16: cwt.TYP, 34: [-16, b"x"]}, {}),
        message({1: -7, 16: cwt.TYP}, {33: [b"x"]}),
        message({1: -7, 16: cwt.TYP}, {33: [b"x"] * 9}),
        message({1: -7, 16: cwt.TYP}, {33: b""}),
        message({1: -7, 16: cwt.TYP}, {33: b"x", 4: b"k"}),
        message({1: -7, 16: cwt.TYP}, {99: b"x"}),
        message({1: -7, 16: cwt.TYP}, {4: "k"}),
        message({1: -7, 16: cwt.TYP}, {}, b"\xa1\x18\x63\x00"),
        message({1: -7, 16: cwt.TYP}, {}, b"\xa2\x02\x61a\x02\x61b"),
        message({1: -7, 16: cwt.TYP}, {}, b"\x80"),
        message({1: -7, 16: cwt.TYP}, {}, b"\xbf\xff"),
        b"\xd2" + b"\x81" * 10_000,
        b"\xd2\x9b" + b"\xff" * 8,
    ],
)
def test_hostile_tokens_are_refused(data):
    refused(parse_status_token, data)


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(data):
    for token in (data, b"\xd2" + data):
        try:
            status.parse_status_token(token)
        except FormatError:
            continue


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.integers(0, 255), st.integers(0, 3), max_size=20))
def test_what_was_signed_reads_back(states):
    key = WORLD.status_key
    token = sign_status_list(
        StatusList.build(256, states), key=key, uri=w.STATUS_URI, issued_at=w.ISSUED, expires_at=w.AT, ttl_s=60
    )
    found = parse_status_token(to_cwt(token, key=key)).states()
    assert {i: found.value(i) for i in range(256) if found.value(i)} == {i: v for i, v in states.items() if v}


def test_a_suite_without_a_number_is_not_used(world, text):
    class Sm2:
        suite = "sm2-sm3"
        issuer_uri = "x"

    with pytest.raises(IssueRefusedError):
        to_cwt(text, key=Sm2())


def test_twenty_million_fit_in_300_kilobytes(world):
    draw = random.Random(20)
    states = dict.fromkeys(draw.sample(range(2**20), 2**20 // 100), 1)
    token = sign_status_list(
        StatusList.build(2**20, states),
        key=world.status_key,
        uri=w.STATUS_URI,
        issued_at=w.ISSUED,
        expires_at=w.AT,
        ttl_s=60,
    )
    bare = cwt.with_chain(to_cwt(token, key=world.status_key), ())
    assert len(bare) <= MAX_BYTES
