from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import canonical
from licence import trustlist
from licence.errors import FormatError
from licence.trustlist import Root, Targets, TrustedIssuer, add_signatures, pin, sign, verify_update
from licence.verify import verify
from tests.licence import world as w

NOW = w.AT
DAY = timedelta(days=1)
KEYS = [Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([n])).digest()) for n in range(8)]
OLD, NEW, SIGNERS = KEYS[0:3], KEYS[3:6], KEYS[6:8]


def public(keys):
    return tuple(k.public_key().public_bytes_raw() for k in keys)


def root(version=1, keys=OLD, **changes):
    base = {
        "version": version,
        "expires": NOW + 365 * DAY,
        "keys": public(keys),
        "root_threshold": 2,
        "targets_keys": public(SIGNERS),
        "targets_threshold": 2,
    }
    return Root(**(base | changes))


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def issuer(world):
    return TrustedIssuer(
        name="乙市农业农村局",
        uscc=w.AGRICULTURE,
        starts=w.STARTS,
        ends=None,
        authorities=(world.root.certificate.public_bytes(Encoding.DER),),
        log_keys=(world.log_key.verifier.to_text(),),
        suites=("ecdsa-p256-sha256",),
    )


@pytest.fixture(scope="module")
def targets(issuer):
    return Targets(version=5, root=1, expires=NOW + 7 * DAY, issuers=(issuer,))


@pytest.fixture(scope="module")
def pinned(targets):
    text = sign(root(), OLD[:2])
    return pin(text, sign(targets, SIGNERS), root_digest=digest(text), now=NOW)


def code_of(action, *arguments, **named):
    with pytest.raises(FormatError) as caught:
        action(*arguments, **named)
    return caught.value.code


def update_code(pinned, roots, targets_text, now=NOW):
    return code_of(verify_update, pinned, roots, targets_text, now)


def test_a_licence_of_another_city_verifies_here(world, bundle, pinned):
    report = verify(bundle, pinned.trust_store_at(w.AGRICULTURE, w.AT), w.AT)
    assert report.exit_code == 0, report.text("en")
    assert code_of(pinned.trust_store_at, w.FORESTRY, w.AT) == "trustlist_no_issuer"


def test_trust_has_dates(world, targets, issuer):
    ends = w.AT + DAY
    later = replace(issuer, starts=w.AT, signers=("0" * 64,), name="新")
    both = replace(targets, issuers=(replace(issuer, ends=ends, signers=("1" * 64,)), later))
    text = sign(root(), OLD)
    found = pin(text, sign(both, SIGNERS), root_digest=digest(text), now=NOW)
    assert found.trust_store_at(w.AGRICULTURE, w.AT - DAY).licence_signers == {"1" * 64}
    # While keys overlap, both are trusted; the end is excluded.
    assert found.trust_store_at(w.AGRICULTURE, w.AT).licence_signers == {"0" * 64, "1" * 64}
    assert found.trust_store_at(w.AGRICULTURE, ends).licence_signers == {"0" * 64}
    assert code_of(found.trust_store_at, w.AGRICULTURE, w.STARTS - DAY) == "trustlist_no_issuer"


def test_an_entry_without_signers_is_not_narrowed_by_another(targets, issuer):
    both = replace(targets, issuers=(issuer, replace(issuer, signers=("0" * 64,))))
    text = sign(root(), OLD)
    found = pin(text, sign(both, SIGNERS), root_digest=digest(text), now=NOW)
    assert found.trust_store_at(w.AGRICULTURE, w.AT).licence_signers == frozenset()


def test_an_update_goes_forward(pinned, targets, issuer):
    newer = replace(targets, version=6, issuers=())
    found = verify_update(pinned, [], sign(newer, SIGNERS), NOW)
    assert found.targets == newer
    assert found.issuers_at(NOW) == ()
    # The same again is no update and no fault.
    assert verify_update(found, [], found.targets_text, NOW) == found


def test_a_root_is_replaced_by_old_and_new(pinned, targets):
    second, third = root(2, NEW), root(3, KEYS[1:4])
    texts = [sign(second, [*OLD[:2], *NEW[:2]]), sign(third, [*NEW[:2], *KEYS[1:3]])]
    newer = sign(replace(targets, root=3, version=6), SIGNERS)
    assert verify_update(pinned, texts, newer, NOW).root == third


@pytest.mark.parametrize(
    ("signers", "expected"),
    [
        (NEW, "trustlist_threshold"),
        (OLD, "trustlist_threshold"),
        ([OLD[0], *NEW], "trustlist_threshold"),
        ([*OLD, NEW[0]], "trustlist_threshold"),
    ],
)
def test_a_root_that_one_side_did_not_sign_is_refused(pinned, targets, signers, expected):
    newer = sign(replace(targets, root=2, version=6), SIGNERS)
    assert update_code(pinned, [sign(root(2, NEW), signers)], newer) == expected


def test_rollback_is_refused(pinned, targets):
    assert update_code(pinned, [], sign(replace(targets, version=4), SIGNERS)) == "trustlist_rollback"
    assert update_code(pinned, [sign(root(1), OLD)], sign(targets, SIGNERS)) == "trustlist_rollback"
    both = [*OLD, *NEW]
    assert update_code(pinned, [sign(root(3, NEW), both)], sign(targets, SIGNERS)) == "trustlist_root_skipped"


def test_two_contents_of_one_version_are_refused(pinned, targets):
    other = sign(replace(targets, issuers=()), SIGNERS)
    assert update_code(pinned, [], other) == "trustlist_same_version"


def test_freezing_is_seen(pinned, targets):
    newer = sign(replace(targets, version=6), SIGNERS)
    assert verify_update(pinned, [], newer, NOW + 7 * DAY - timedelta(seconds=1))
    assert update_code(pinned, [], newer, NOW + 7 * DAY) == "trustlist_expired"
    longer = sign(replace(targets, version=6, expires=NOW + 1000 * DAY), SIGNERS)
    assert update_code(pinned, [], longer, NOW + 365 * DAY) == "trustlist_expired"
    # An old list that ran out still tells who may go on.
    fresh = sign(replace(targets, version=6, expires=NOW + 30 * DAY), SIGNERS)
    assert verify_update(pinned, [], fresh, NOW + 8 * DAY)


def test_parts_of_different_lists_do_not_mix(pinned, targets):
    newer = replace(targets, root=2, version=6)
    assert update_code(pinned, [], sign(newer, SIGNERS)) == "trustlist_other_root"
    second = sign(root(2, NEW), [*OLD, *NEW])
    assert update_code(pinned, [second], sign(replace(targets, version=6), SIGNERS)) == "trustlist_other_root"
    # A root is no list of targets, though its keys be the same.
    both = sign(root(2, OLD, targets_keys=public(OLD)), OLD)
    assert update_code(pinned, [both], both) == "trustlist_malformed"


def resigned(text, signatures):
    return canonical.encode({"signed": json.loads(text)["signed"], "signatures": signatures}).decode() + "\n"


def test_one_key_twice_is_one(pinned, targets):
    text = sign(replace(targets, version=6), SIGNERS[:1])
    assert update_code(pinned, [], text) == "trustlist_threshold"
    (one,) = json.loads(text)["signatures"]
    assert update_code(pinned, [], resigned(text, [one, one])) == "trustlist_threshold"
    twice = root(2, keys=[OLD[0], OLD[0]])
    assert update_code(pinned, [sign(twice, OLD)], sign(targets, SIGNERS)) == "trustlist_malformed"


def test_strangers_count_for_nothing(pinned, targets):
    assert update_code(pinned, [], sign(replace(targets, version=6), [SIGNERS[0], *OLD])) == "trustlist_threshold"


def test_officers_sign_apart(pinned, targets):
    newer = replace(targets, version=6)
    one, two = sign(newer, SIGNERS[:1]), sign(newer, SIGNERS[1:])
    together = add_signatures(one, [two])
    assert together == sign(newer, SIGNERS)
    assert verify_update(pinned, [], together, NOW).targets == newer
    assert code_of(add_signatures, one, [sign(targets, SIGNERS)]) == "trustlist_malformed"


def test_the_first_root_is_the_one_that_was_pinned(targets):
    text, listed = sign(root(), OLD), sign(targets, SIGNERS)
    assert code_of(pin, text, listed, root_digest=digest(sign(root(), OLD[:2])), now=NOW) == "trustlist_malformed"
    weak = sign(root(), OLD[:1])
    assert code_of(pin, weak, listed, root_digest=digest(weak), now=NOW) == "trustlist_threshold"


def test_each_byte_counts(pinned, targets):
    text = sign(replace(targets, version=6), SIGNERS)
    for at in range(0, len(text), 3):
        flipped = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        with pytest.raises(FormatError):
            verify_update(pinned, [], flipped, NOW)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.decode("latin-1")))
def test_other_texts_are_refused(pinned, text):
    with pytest.raises(FormatError):
        verify_update(pinned, [], text, NOW)
    with pytest.raises(FormatError):
        verify_update(pinned, [text], pinned.targets_text, NOW)


def test_a_text_has_one_spelling_and_a_size(pinned, targets):
    text = pinned.targets_text
    for other in (text + " ", " " + text, text.replace(":", ": ", 1), text[:-1], "[" * 100_000):
        with pytest.raises(FormatError):
            verify_update(pinned, [], other, NOW)
    assert update_code(pinned, [], "x" * (trustlist.MAX_TEXT_BYTES + 1)) == "too_large"


class Spoiled:
    """Targets whose plain form is another, signed as it stands."""

    def __init__(self, plain):
        self._plain = plain

    def plain(self):
        return self._plain


LEAF = base64.b64encode(w.make_world().agriculture.chain_der[0]).decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"uscc": "11110000000000000I"},
        {"uscc": 5},
        {"name": ""},
        {"from": "2025-01-01"},
        {"from": "2025-13-01T00:00:00Z"},
        {"until": "2024-01-01T00:00:00Z"},
        {"authorities": []},
        {"authorities": ["AAAA"]},
        {"authorities": [LEAF]},
        {"authorities": "x"},
        {"log_keys": []},
        {"log_keys": ["log+1+x"]},
        {"log_keys": [5]},
        {"suites": []},
        {"suites": ["rsa"]},
        {"signers": ["0"]},
        {"signers": ["0" * 64] * 65},
        {"more": 1},
    ],
)
def test_an_issuer_of_another_form_is_refused(pinned, targets, changes):
    plain = replace(targets, version=6).plain()
    plain["issuers"][0] |= changes
    with pytest.raises(FormatError):
        verify_update(pinned, [], sign(Spoiled(plain), SIGNERS), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"version": True},
        {"version": 2**40},
        {"root_threshold": 0},
        {"root_threshold": 4},
        {"targets_threshold": 0},
        {"keys": []},
        {"keys": ["AAAA"]},
        {"expires": None},
        {"format": "x"},
        {"more": 1},
    ],
)
def test_a_root_of_another_form_is_refused(pinned, targets, changes):
    plain = root(2, NEW).plain() | changes
    newer = sign(replace(targets, version=6, root=2), SIGNERS)
    assert update_code(pinned, [sign(Spoiled(plain), [*OLD, *NEW])], newer) == "trustlist_malformed"


def test_times_of_the_list_are_aware(pinned):
    assert all(isinstance(t, datetime) and t.tzinfo for t in (pinned.root.expires, pinned.targets.expires))
