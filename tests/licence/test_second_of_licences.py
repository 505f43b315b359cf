"""A second signature in a bundle: judged by pinned keys alone, told where it is not, refused where it is wrong."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import second, trustlist_folder
from licence.bundle import FORMAT, FORMAT_2, LicenceBundle
from licence.errors import FormatError, TrustEmptyError, TrustUnreadableError
from licence.report import Outcome
from licence.second import PREFIX, SecondKey, SecondSignature, read_keys, write_keys
from licence.trust import POLICY_FILE, SECOND_KEYS_FILE, TrustStore
from licence.verify import verify
from licence.verifying import diagnostic, judge, replay
from tests.licence import world as w
from tests.licence.forging import both

KEY = MLDSA65PrivateKey.from_seed_bytes(b"a" * 32)
OTHER = MLDSA65PrivateKey.from_seed_bytes(b"f" * 32)
PIN = SecondKey.of(w.AGRICULTURE, KEY.public_key())


def jwt_of(bundle):
    return bundle.credential.partition("~")[0]


@pytest.fixture(scope="module")
def doubled(bundle):
    return replace(bundle, second=second.sign(KEY, jwt_of(bundle)))


@pytest.fixture(scope="module")
def pinned(world):
    return replace(world.trust, second_keys=frozenset({PIN, SecondKey.of(w.FORESTRY, OTHER.public_key())}))


@pytest.fixture(scope="module")
def demanding(pinned):
    return replace(pinned, require_second=True)


def step(report):
    found = report.steps[2]
    assert found.text("zh")
    assert found.text("en")
    return found.outcome, found.code, [note.code for note in found.notes]


def test_it_holds_and_the_report_says_so(doubled, pinned, demanding):
    for trust in (pinned, demanding):
        report = both(doubled, trust, w.AT)
        assert (report.exit_code, *step(report)) == (0, Outcome.PASSED, "signature_ok", ["second_ok"])
        assert "second signature by ml-dsa-65 holds" in report.text("en")
        assert "第二签名（ml-dsa-65）有效" in report.text("zh")


def test_what_is_withheld_does_not_matter(doubled, demanding):
    jwt, *disclosures = doubled.credential.split("~")
    fewer = replace(doubled, credential="~".join([jwt, *disclosures[1:]]))
    assert both(fewer, demanding, w.AT).exit_code == 0


def test_who_pins_nothing_is_told_that_it_was_not_judged(doubled, world):
    for one in (doubled, replace(doubled, second=replace(doubled.second, signature=b"x"))):
        report = both(one, world.trust, w.AT)
        assert (report.exit_code, *step(report)) == (0, Outcome.PASSED, "signature_ok", ["second_not_judged"])


def test_absent_and_not_required(bundle, pinned):
    report = both(bundle, pinned, w.AT)
    assert (report.exit_code, *step(report)) == (0, Outcome.PASSED, "signature_ok", [])


def test_absent_and_required(bundle, demanding):
    for one in (bundle, bundle.to_json(), bundle.credential):
        report = verify(one, demanding, w.AT)
        assert (report.exit_code, *step(report)) == (11, Outcome.INDETERMINATE, "second_missing", [])
        assert report.sub_indication == "SIG_CONSTRAINTS_FAILURE"
        assert report.licence == {}


def test_absent_and_required_hides_no_definite_answer(world, sealed, demanding):
    revoked = w.bundle_of(world, sealed, w.status_token(world.status_key, 1))
    assert verify(revoked, demanding, w.AT).exit_code == 12
    other_log = replace(revoked, proof=revoked.proof.replace("index 5", "index 4"))
    assert verify(other_log, demanding, w.AT).exit_code == 13


def refused(one, trust):
    report = verify(one, trust, w.AT)
    assert report.licence == {}
    assert report.exit_code == 10
    return step(report)[1]


def test_a_key_that_is_not_the_one_named(doubled, pinned, demanding):
    forged = replace(second.sign(OTHER, jwt_of(doubled)), key=PIN.fingerprint)
    for trust in (pinned, demanding):
        assert refused(replace(doubled, second=forged), trust) == "second_wrong"


def test_a_key_of_another_organisation(doubled, pinned, demanding):
    other = replace(doubled, second=second.sign(OTHER, jwt_of(doubled)))
    for trust in (pinned, demanding):
        assert refused(other, trust) == "second_of_other"


def test_a_key_that_both_share_is_its_own(doubled, pinned):
    shared = pinned.second_keys | {SecondKey.of(w.FORESTRY, KEY.public_key())}
    assert verify(doubled, replace(pinned, second_keys=shared), w.AT).exit_code == 0


def test_a_key_that_nobody_pinned_stays_open(doubled, pinned, demanding):
    stranger = MLDSA65PrivateKey.from_seed_bytes(b"s" * 32)
    one = replace(doubled, second=second.sign(stranger, jwt_of(doubled)))
    of_others = replace(demanding, second_keys=frozenset({SecondKey.of(w.FORESTRY, OTHER.public_key())}))
    for trust in (pinned, demanding, of_others):
        report = verify(one, trust, w.AT)
        assert (report.exit_code, *step(report)) == (11, Outcome.INDETERMINATE, "second_key_unknown", [])
    # Whoever pins keys of others only, and requires none, deals with this issuer as with any.
    assert verify(one, replace(of_others, require_second=False), w.AT).exit_code == 0


def test_of_another_licence(world, doubled, pinned):
    another = w.seal(world.agriculture, salts=w.salts("another"))
    bundle = w.bundle_of(world, another, w.status_token(world.status_key))
    assert refused(replace(bundle, second=doubled.second), pinned) == "second_wrong"


def test_a_wrong_first_signature_is_not_mended(doubled, pinned):
    jwt = jwt_of(doubled)
    last = "A" if jwt[-1] != "A" else "Q"
    broken = jwt[:-1] + last
    text = broken + doubled.credential[len(jwt) :]
    one = replace(doubled, credential=text, second=second.sign(KEY, broken))
    assert refused(one, pinned) == "signature_wrong"


def test_each_byte_flipped_is_refused(doubled):
    jwt, good = jwt_of(doubled), doubled.second
    second.check(good, jwt, w.AGRICULTURE, [PIN])
    for at in range(len(good.signature)):
        altered = bytearray(good.signature)
        altered[at] ^= 1 << at % 8
        with pytest.raises(FormatError, match="does not match"):
            second.check(replace(good, signature=bytes(altered)), jwt, w.AGRICULTURE, [PIN])
    for altered in (b"", good.signature[:-1], good.signature + b"\0"):
        with pytest.raises(FormatError, match="does not match"):
            second.check(replace(good, signature=altered), jwt, w.AGRICULTURE, [PIN])


@pytest.mark.parametrize("at", range(0, 3000, 37))
def test_each_place_of_what_is_signed_counts(doubled, at):
    jwt = jwt_of(doubled)
    at %= len(jwt)
    other = jwt[:at] + ("A" if jwt[at] != "A" else "B") + jwt[at + 1 :]
    with pytest.raises(FormatError, match="does not match"):
        second.check(doubled.second, other, w.AGRICULTURE, [PIN])


@pytest.mark.parametrize("at", range(len(PREFIX)))
def test_each_byte_of_the_prefix_counts(doubled, monkeypatch, at):
    altered = bytearray(PREFIX)
    altered[at] ^= 1
    monkeypatch.setattr(second, "PREFIX", bytes(altered))
    with pytest.raises(FormatError, match="does not match"):
        second.check(doubled.second, jwt_of(doubled), w.AGRICULTURE, [PIN])


def test_what_the_key_signed_without_the_prefix_is_no_second_signature(doubled, pinned):
    jwt = jwt_of(doubled).encode()
    for data in (jwt, PREFIX[:-1] + jwt, PREFIX + jwt + b"\n"):
        one = SecondSignature("ml-dsa-65", PIN.fingerprint, KEY.sign(data))
        assert refused(replace(doubled, second=one), pinned) == "second_wrong"
    # It is plain ML-DSA over these bytes: anybody's program can check it.
    KEY.public_key().verify(doubled.second.signature, PREFIX + jwt)


def test_a_bundle_reads_back_and_one_without_stays_of_the_first_format(bundle, doubled):
    text = doubled.to_json()
    assert LicenceBundle.from_json(text) == doubled
    assert LicenceBundle.from_json(text).to_json() == text
    assert json.loads(text)["format"] == FORMAT_2
    assert json.loads(bundle.to_json())["format"] == FORMAT
    assert "second" not in json.loads(bundle.to_json())
    with pytest.raises(FormatError):
        LicenceBundle.from_json(text.replace(FORMAT_2, FORMAT))


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=4000), st.binary(min_size=32, max_size=32))
def test_the_member_reads_back(signature, digest):
    one = SecondSignature("ml-dsa-65", digest.hex(), signature)
    assert second.read(json.loads(json.dumps(one.plain()))) == one


DAMAGE = {
    "no object": lambda m: [m],
    "a member less": lambda m: {k: v for k, v in m.items() if k != "key"},
    "a member more": lambda m: m | {"alg": "none"},
    "a suite that stands alone": lambda m: m | {"suite": "ed25519"},
    "no suite": lambda m: m | {"suite": "none"},
    "a suite of no text": lambda m: m | {"suite": {}},
    "a short fingerprint": lambda m: m | {"key": m["key"][:-1]},
    "a fingerprint in capitals": lambda m: m | {"key": "A" * 64},
    "a fingerprint of no text": lambda m: m | {"key": 5},
    "a line break": lambda m: m | {"key": m["key"] + "\n"},
    "no base64": lambda m: m | {"signature": "?" + m["signature"][1:]},
    "base64 without padding": lambda m: m | {"signature": "AAA"},
    "no text": lambda m: m | {"signature": None},
    "too long": lambda m: m | {"signature": "A" * 12000},
    "nothing": lambda m: None,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_both_refuse_a_malformed_member(doubled, world, name):
    document = json.loads(doubled.to_json())
    document["second"] = DAMAGE[name](document["second"])
    report = both(json.dumps(document, ensure_ascii=False), world.trust, w.AT)
    assert (report.exit_code, report.deciding.number) == (10, 1)


def test_pins_are_kept_in_the_trust_folder(tmp_path, world, pinned, demanding):
    demanding.save(tmp_path)
    assert TrustStore.load(tmp_path) == demanding
    assert json.loads((tmp_path / POLICY_FILE).read_text())["require_second"] is True
    pinned.save(tmp_path)
    assert TrustStore.load(tmp_path) == pinned
    assert "require_second" not in json.loads((tmp_path / POLICY_FILE).read_text())
    world.trust.save(tmp_path)
    assert not (tmp_path / SECOND_KEYS_FILE).exists()
    assert TrustStore.load(tmp_path) == world.trust


def test_who_requires_pins_somebody(tmp_path, world, demanding):
    with pytest.raises(TrustEmptyError, match="second"):
        replace(world.trust, require_second=True)
    demanding.save(tmp_path)
    (tmp_path / SECOND_KEYS_FILE).unlink()
    with pytest.raises(TrustEmptyError):
        TrustStore.load(tmp_path)


@pytest.mark.parametrize("value", ["1", '"true"', "null", "[]"])
def test_what_is_required_is_true_or_false(tmp_path, demanding, value):
    demanding.save(tmp_path)
    path = tmp_path / POLICY_FILE
    path.write_text(path.read_text().replace('"require_second": true', f'"require_second": {value}'))
    with pytest.raises(TrustUnreadableError):
        TrustStore.load(tmp_path)


def of_ed25519():
    public = Ed25519PrivateKey.from_private_bytes(b"e" * 32).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


BROKEN_KEYS = {
    "format": lambda d: d | {"format": "x"},
    "member": lambda d: d | {"more": 1},
    "no list": lambda d: d | {"keys": {}},
    "twice": lambda d: d | {"keys": d["keys"] * 2},
    "no object": lambda d: d | {"keys": [1]},
    "organisation": lambda d: d | {"keys": [d["keys"][0] | {"organisation": "NOBODY"}]},
    "organisation of no text": lambda d: d | {"keys": [d["keys"][0] | {"organisation": 1}]},
    "suite": lambda d: d | {"keys": [d["keys"][0] | {"suite": "ed25519"}]},
    "key of another suite": lambda d: (
        d | {"keys": [d["keys"][0] | {"suite": "ed25519", "key": base64.b64encode(of_ed25519()).decode()}]}
    ),
    "cut": lambda d: d | {"keys": [d["keys"][0] | {"key": d["keys"][0]["key"][:-4]}]},
    "no key": lambda d: d | {"keys": [d["keys"][0] | {"key": "AAAA"}]},
}


@pytest.mark.parametrize("name", BROKEN_KEYS)
def test_damaged_pins_are_an_error(tmp_path, pinned, name):
    pinned.save(tmp_path)
    path = tmp_path / SECOND_KEYS_FILE
    path.write_text(json.dumps(BROKEN_KEYS[name](json.loads(path.read_text()))))
    with pytest.raises(TrustUnreadableError):
        TrustStore.load(tmp_path)


def test_the_text_of_pins_is_one(pinned):
    text = write_keys(pinned.second_keys)
    assert read_keys(text) == pinned.second_keys
    assert write_keys(sorted(pinned.second_keys, reverse=True)) == text


def test_only_a_second_suite_signs_second(bundle):
    with pytest.raises(FormatError):
        second.sign(Ed25519PrivateKey.from_private_bytes(b"e" * 32), jwt_of(bundle))


def test_a_diagnostic_is_judged_again_by_the_same_pins(bundle, doubled, demanding):
    for one, code in ((doubled, 0), (bundle, 11)):
        data = one.to_json().encode()
        report = judge(data, demanding, w.AT)
        text = diagnostic(report, data, demanding, w.AT)
        assert report.exit_code == code
        assert replay(text).to_json() == report.to_json()
    for change in ({"second_keys": 5}, {"second_keys": "{}"}, {"require_second": "yes"}):
        document = json.loads(text)
        document["inputs"]["trust"] |= change
        with pytest.raises(FormatError):
            replay(json.dumps(document))


@pytest.mark.parametrize("listed", [True, False])
def test_what_is_required_holds_for_issuers_of_a_list_too(monkeypatch, world, doubled, demanding, listed):
    class Listed:
        def trust_store_at(self, uscc, _at):
            assert uscc == w.AGRICULTURE
            return world.trust

    monkeypatch.setattr(trustlist_folder, "names", lambda _folder: ["city"] if listed else [])
    monkeypatch.setattr(trustlist_folder, "installed", lambda *_arguments, **_named: Listed())
    own = replace(demanding, anchors=(w.make_root("own").certificate,))

    def judged(one):
        data = one.to_json().encode()
        report, chosen = trustlist_folder.judge_with_lists(Path(), data, own, w.AT, now=w.AT)
        assert chosen.name == ("city" if listed else "")
        return report.exit_code

    assert judged(replace(doubled, second=None)) == 11
    assert judged(doubled) == (0 if listed else 11)
