"""Signed requests: taken once when all is right, and never when anything is not."""

import base64
import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import sm2
from audit.errors import KeyTextError
from hub.signatures import content_digest
from hub.signing import algorithms, hmac_profile
from hub.signing.errors import (
    FieldMalformedError,
    NoncesForgottenError,
    NoncesFullError,
    SignatureIncompleteError,
    SignatureKeyError,
    SignatureMissingError,
    SignatureReplayedError,
    SignatureTimeError,
    SignatureWrongError,
    SigningError,
)
from hub.signing.nonces import LIFETIME_S, MemoryNonces
from hub.signing.requests import TAG, _combined, _ours, is_signed, message_to, sign, verify
from hub.signing.requests import _base as _base_of

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
BODY = b'{"keys": {"citizen_id": "11010519491231002X"}}'
TYPE = ("Content-Type", "application/json")
SIGNERS = {
    "ed25519": algorithms.ed25519_signer(Ed25519PrivateKey.from_private_bytes(bytes(32))),
    "p256": algorithms.p256_signer(ec.derive_private_key(7, ec.SECP256R1())),
}
if sm2.missing() is None:
    SIGNERS["sm2"] = algorithms.sm2_signer(sm2.Sm2PrivateKey.from_number(7))
EVERY = pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS)
ED = SIGNERS["ed25519"]
KEYS = {algorithms.key_id(signer.public): signer.public for signer in SIGNERS.values()}
NUMBERS = itertools.count()


def call(**changes):
    message = message_to("post", "https://Hub.example:443/v1/resources/R/1:query?x=1", [TYPE], BODY)
    return replace(message, **changes)


def signed(signer=ED, message=None, *, created=NOW, **more):
    message = message or call()
    fields = sign(message, signer, created=created, nonce=more.pop("nonce", f"nonce-{next(NUMBERS):012d}"), **more)
    return replace(message, fields=[*message.fields, *fields.items()])


def check(message, *, keys=KEYS.get, nonces=None, now=NOW):
    return verify(message, keys=keys, nonces=MemoryNonces(started=0) if nonces is None else nonces, now=now)


def _base(message, said, text):
    return _base_of(message, _combined(message.fields), said, text)


def with_field(message, name, value):
    others = [(key, old) for key, old in message.fields if key.lower() != name.lower()]
    return replace(message, fields=others if value is None else [*others, (name, value)])


def field(message, name):
    return next(value for key, value in message.fields if key.lower() == name.lower())


@EVERY
def test_what_a_client_signs_the_hub_takes(signer):
    message = signed(signer)
    found = check(message)
    assert found.key_id == algorithms.key_id(signer.public)
    assert found.created == NOW
    assert set(found.covered) >= {"@method", "@authority", "@path", "@query", "content-digest", "content-type"}
    assert is_signed(message)
    assert not is_signed(call())


@EVERY
def test_nothing_that_is_covered_can_be_changed(signer):
    message = signed(signer)
    changes = [
        {"method": "PUT"},
        {"authority": "other.example"},
        {"target": "/v1/resources/R/2:query?x=1"},
        {"target": "/v1/resources/R/1:query?x=2"},
        {"target": "/v1/resources/R/1:query?x=1&y"},
        {"target": "/v1/resources/R%2f1:query?x=1"},
        {"body": BODY + b" "},
        {"body": BODY.replace(b"X", b"x")},
    ]
    for change in changes:
        with pytest.raises((SignatureWrongError, SignatureIncompleteError)):
            check(replace(message, **change))
    for name, value in (("content-type", "text/plain"), ("content-digest", content_digest(b"other"))):
        with pytest.raises(SignatureWrongError):
            check(with_field(message, name, value))
    both = replace(with_field(message, "content-digest", content_digest(b"other")), body=b"other")
    with pytest.raises(SignatureWrongError):
        check(both)


@EVERY
def test_every_byte_of_both_fields_counts(signer):
    message = signed(signer)
    for name in ("signature", "signature-input"):
        value = field(message, name)
        for at in range(len(value)):
            for other in ("A", "0", " ", '"'):
                changed = value[:at] + other + value[at + 1 :]
                if changed == value:
                    continue
                with pytest.raises(SigningError):
                    check(with_field(message, name, changed))


@pytest.mark.parametrize("name", ["@method", "@authority", "@path", "@query", "content-digest", "content-type"])
def test_what_is_not_covered_is_asked_for(name):
    message = signed()
    kept = field(message, "signature-input").replace(f'"{name}"', "").replace("  ", " ")
    with pytest.raises(SignatureIncompleteError, match=name):
        check(with_field(message, "signature-input", kept))


@pytest.mark.parametrize("name", ["created", "nonce", "keyid"])
def test_what_is_not_stated_is_asked_for(name):
    import re

    message = signed()
    kept = re.sub(f';{name}=("[^"]*"|[0-9]+)', "", field(message, "signature-input"))
    with pytest.raises(SignatureIncompleteError, match=name):
        check(with_field(message, "signature-input", kept))


def test_another_order_another_label_and_more_are_as_good():
    message = call(fields=[TYPE, ("X-Case", "1"), ("x-case", " 2 ")])
    fields = sign(message, ED, created=NOW, nonce="n" * 16, also=("x-case",))
    renamed = {name: value.replace("call=", "sig-1=") for name, value in fields.items()}
    whole = replace(message, fields=[*renamed.items(), *message.fields])
    assert "x-case" in check(whole).covered
    with pytest.raises(SignatureWrongError):
        check(replace(whole, fields=[(n, v.replace("1", "3") if n == "X-Case" else v) for n, v in whole.fields]))


def test_the_whole_target_serves_for_its_parts():
    message = replace(call(), target="/v1/x?y=1")
    from hub.signing.fields import InnerList, Item, write, write_dictionary

    message = with_field(message, "content-digest", content_digest(BODY))
    names = ("@target-uri", "@method", "content-digest", "content-type")
    parameters = {"tag": TAG, "nonce": "n" * 16, "created": int(NOW.timestamp()), "keyid": algorithms.key_id(ED.public)}
    said = InnerList(tuple(map(Item, names)), parameters)
    value = ED.sign(_base(message, said, write(said)))
    message = with_field(message, "signature-input", write_dictionary({"s": said}))
    message = with_field(message, "signature", write_dictionary({"s": Item(value)}))
    check(message)
    for change in ({"scheme": "http"}, {"target": "/v1/x?y=2"}, {"target": "/v1/x"}, {"authority": "o.example"}):
        with pytest.raises(SignatureWrongError):
            check(replace(message, **change))


def test_a_signature_for_others_is_none_for_us():
    message = signed()
    with pytest.raises(SignatureMissingError):
        check(call())
    elsewhere = field(message, "signature-input").replace(TAG, "other")
    with pytest.raises(SignatureMissingError):
        check(with_field(message, "signature-input", elsewhere))
    with pytest.raises(SignatureMissingError):
        check(with_field(message, "signature", None))
    with pytest.raises(SignatureMissingError):
        check(with_field(message, "signature", "call=1"))
    twice = field(message, "signature-input")
    with pytest.raises(FieldMalformedError):
        check(with_field(message, "signature-input", f"{twice}, b={twice.removeprefix('call=')}"))
    beside = f"{elsewhere.replace('call=', 'b=')}, {twice}"
    check(with_field(message, "signature-input", beside))


@pytest.mark.parametrize(
    "change",
    [
        ('"@method"', '"@method";req'),
        ('"@method"', '"@method" "@method"'),
        ('"@method"', "method"),
        (";tag=", ";unknown=1;tag="),
        ('"@method"', '"@unknown" "@method"'),
        ('"@method"', '"x-absent" "@method"'),
    ],
)
def test_what_we_cannot_read_we_do_not_take(change):
    message = signed()
    with pytest.raises((FieldMalformedError, SignatureIncompleteError)):
        check(with_field(message, "signature-input", field(message, "signature-input").replace(*change)))


def test_a_key_has_one_algorithm():
    for name, other in itertools.permutations(SIGNERS, 2):
        message = signed(SIGNERS[name])
        text = field(message, "signature-input")
        swapped = text.replace(f'alg="{SIGNERS[name].public.algorithm}"', f'alg="{SIGNERS[other].public.algorithm}"')
        with pytest.raises(SignatureKeyError):
            check(with_field(message, "signature-input", swapped))
        # Under another's id the key is another, and so is what its signature means.
        with pytest.raises((SignatureWrongError, SignatureKeyError)):
            check(message, keys=lambda _, other=other: SIGNERS[other].public)
    with pytest.raises(SignatureKeyError):
        check(signed(), keys=lambda _: None)


@pytest.mark.parametrize(
    ("late_s", "taken"),
    [(0, True), (299, True), (300, False), (3600, False), (-30, True), (-31, False), (-86400, False)],
)
def test_its_time(late_s, taken):
    message = signed()
    now = NOW + timedelta(seconds=late_s)
    if taken:
        check(message, now=now)
    else:
        with pytest.raises(SignatureTimeError) as caught:
            check(message, now=now)
        assert now.isoformat(timespec="seconds") in caught.value.text("en")


def test_its_own_end_is_kept():
    message = signed()
    from hub.signing.fields import parse_dictionary, write, write_dictionary

    said = parse_dictionary(field(message, "signature-input"))["call"]
    said = replace(said, parameters={**said.parameters, "expires": int(NOW.timestamp()) + 10})
    from hub.signing.fields import Item

    value = ED.sign(_base(message, said, write(said)))
    message = with_field(message, "signature-input", write_dictionary({"call": said}))
    message = with_field(message, "signature", write_dictionary({"call": Item(value)}))
    check(message, now=NOW + timedelta(seconds=9))
    with pytest.raises(SignatureTimeError):
        check(message, now=NOW + timedelta(seconds=10))


class TestNonces:
    def test_a_request_is_taken_once(self):
        nonces = MemoryNonces(started=0)
        message = signed()
        check(message, nonces=nonces)
        for late in (0, 100, 299):
            with pytest.raises(SignatureReplayedError):
                check(message, nonces=nonces, now=NOW + timedelta(seconds=late))

    def test_only_what_is_authentic_is_remembered(self):
        nonces = MemoryNonces(started=0)
        message = signed()
        with pytest.raises(SignatureWrongError):
            check(replace(message, method="PUT"), nonces=nonces)
        assert nonces.held == 0
        check(message, nonces=nonces)
        assert nonces.held == 1

    def test_two_keys_may_use_one_nonce(self):
        nonces = MemoryNonces(started=0)
        for signer in SIGNERS.values():
            check(signed(signer, nonce="the-same-nonce-x"), nonces=nonces)

    def test_what_can_no_longer_be_taken_is_forgotten_and_not_taken_either(self):
        nonces = MemoryNonces(started=0)
        message = signed()
        check(message, nonces=nonces)
        later = NOW + timedelta(seconds=LIFETIME_S + 40)
        check(signed(created=later), nonces=nonces, now=later)
        assert nonces.held == 1
        # A clock that is set back makes the old request look new again.
        with pytest.raises(NoncesForgottenError):
            check(message, nonces=nonces, now=NOW)

    def test_what_an_earlier_process_may_have_taken_is_refused(self):
        nonces = MemoryNonces(started=NOW.timestamp())
        for late_s in (-1, 0, 30):
            with pytest.raises(NoncesForgottenError):
                check(signed(created=NOW + timedelta(seconds=late_s)), nonces=nonces)
        later = NOW + timedelta(seconds=31)
        check(signed(created=later), nonces=nonces, now=later)

    def test_memory_has_an_end_and_nothing_is_taken_unremembered(self):
        nonces = MemoryNonces(started=0, most=3)
        for _ in range(3):
            check(signed(), nonces=nonces)
        message = signed()
        with pytest.raises(NoncesFullError) as caught:
            check(message, nonces=nonces)
        assert caught.value.retry_after_s > 0
        later = NOW + timedelta(seconds=LIFETIME_S + 40)
        check(signed(created=later), nonces=nonces, now=later)

    def test_of_many_at_once_one_is_taken(self):
        nonces = MemoryNonces(started=0)
        message = signed()

        def attempt(_):
            try:
                check(message, nonces=nonces)
            except SignatureReplayedError:
                return 0
            return 1

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, range(64))) == 1

    @given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 900), st.integers(-40, 400)), max_size=60))
    @settings(max_examples=200, deadline=None)
    def test_whatever_the_clock_does_nothing_is_taken_twice(self, tries):
        nonces = MemoryNonces(started=-10_000)
        taken = set()
        for name, created, late in tries:
            now = created + late
            if not now - LIFETIME_S < created <= now + 30:
                continue
            try:
                nonces.take("k", f"{name}-{created}", until=created + LIFETIME_S, now=now)
            except (SignatureReplayedError, NoncesForgottenError):
                continue
            assert (name, created) not in taken
            taken.add((name, created))


class TestKeys:
    @EVERY
    def test_text_and_back(self, signer):
        text = algorithms.public_text(signer.public)
        assert algorithms.public_text(algorithms.public_key(text)) == text
        assert algorithms.key_id(algorithms.public_key(f" {text}\n")) == algorithms.key_id(signer.public)

    @EVERY
    def test_no_other_text_is_a_key(self, signer):
        algorithm, _, raw = algorithms.public_text(signer.public).partition(":")
        for text in (
            "",
            raw,
            f"rsa:{raw}",
            f"{algorithm}:",
            f"{algorithm}:{raw[:-2]}",
            f"{algorithm}:{raw}==",
            f"{algorithm}:é",
        ):
            with pytest.raises(KeyTextError):
                algorithms.public_key(text)
        with pytest.raises(KeyTextError):
            algorithms.p256_signer(ec.generate_private_key(ec.SECP384R1()))

    def test_points_have_one_spelling(self):
        public = SIGNERS["p256"].public.key
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        compressed = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        with pytest.raises(KeyTextError):
            algorithms.public_key(f"ecdsa-p256-sha256:{base64.urlsafe_b64encode(compressed).rstrip(b'=').decode()}")

    @EVERY
    def test_signatures_of_another_length_are_wrong(self, signer):
        value = signer.sign(b"data")
        signer.public.verify(value, b"data")
        for other in (b"", value[:-1], value + b"\0", bytes(64), b"\xff" * 64):
            with pytest.raises(SignatureWrongError):
                signer.public.verify(other, b"data")


def test_the_standards_own_example():
    # RFC 9421, appendix B.2.6, with the key of B.1.4.
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="))
    said = (
        'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"'
    )
    value = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    fields = [
        ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("Content-Type", "application/json"),
        ("Content-Length", "18"),
    ]
    message = message_to("POST", "https://example.com/foo?param=Value&Pet=dog", fields)
    from hub.signing.fields import parse_dictionary

    read = parse_dictionary(said)["sig-b26"]
    key.verify(base64.b64decode(value), _base(message, read, read.text))
    with pytest.raises(SignatureMissingError):
        _ours({"signature-input": said, "signature": f"sig-b26=:{value}:"})


def test_digests_of_both_kinds_are_compared():
    import hashlib

    longer = f"sha-512=:{base64.b64encode(hashlib.sha512(BODY).digest()).decode()}:"
    message = call(fields=[TYPE, ("Content-Digest", f"{content_digest(BODY)}, {longer}")])
    check(signed(message=message))
    for value, error in (
        (f"{content_digest(b'x')}, {longer}", SignatureWrongError),
        (f"{content_digest(BODY)}, {content_digest(b'x').replace('256', '512')}", SignatureWrongError),
        ("md5=:YQ==:", SignatureIncompleteError),
        ("sha-256=1", FieldMalformedError),
        ("sha-256=:YQ==", FieldMalformedError),
    ):
        with pytest.raises(error):
            check(signed(message=call(fields=[TYPE, ("Content-Digest", value)])))


def test_a_request_without_a_body_needs_no_digest():
    message = message_to("GET", "https://hub.example/v1/loads", [])
    check(signed(message=message))
    with pytest.raises(SignatureIncompleteError):
        check(replace(signed(message=message), body=b"x"))


@pytest.mark.parametrize("value", ["a\nb", "é"])
def test_what_cannot_be_signed_is_not(value):
    with pytest.raises(FieldMalformedError):
        sign(call(fields=[TYPE, ("x", value)]), ED, created=NOW, also=("x",))
    with pytest.raises(SignatureIncompleteError):
        sign(call(), ED, created=NOW, also=("x-absent",))


def test_errors_tell_nothing_of_the_request():
    message = signed()
    for broken in (
        replace(message, body=b"secret"),
        with_field(message, "signature-input", "secret"),
        with_field(message, "content-type", "secret"),
    ):
        with pytest.raises(SigningError) as caught:
            check(broken)
        for lang in ("en", "zh"):
            assert "secret" not in caught.value.text(lang)
            assert caught.value.text(lang)


class TestHmac:
    KEY = b"k" * 32

    def check(self, fields, *, now=NOW, nonces=None):
        known = {"rid-1": [b"o" * 32, self.KEY]}
        return hmac_profile.verify(
            fields,
            keys=lambda rid: known.get(rid, ()),
            nonces=MemoryNonces(started=0) if nonces is None else nonces,
            now=now,
        )

    def test_is_taken_once(self):
        nonces = MemoryNonces(started=0)
        fields = hmac_profile.sign("rid-1", "sid-9", self.KEY, at=NOW)
        told = self.check(fields, nonces=nonces)
        assert (told.rid, told.sid, told.at, told.which) == ("rid-1", "sid-9", NOW, 1)
        with pytest.raises(SignatureReplayedError):
            self.check(fields, nonces=nonces)

    def test_its_form_is_the_gateways(self):
        fields = hmac_profile.sign("r", "s", b"key", at=datetime(2026, 1, 1, tzinfo=UTC))
        import hashlib
        import hmac

        assert fields["gjgxjhpt_rtime"] == "1767225600000"
        mac = hmac.new(b"key", b"sr1767225600000", hashlib.sha256).digest()
        assert fields["gjgxjhpt_sign"] == base64.b64encode(mac).decode()

    @pytest.mark.parametrize("name", hmac_profile.FIELDS)
    def test_every_field_counts(self, name):
        fields = hmac_profile.sign("rid-1", "sid-9", self.KEY, at=NOW)
        for value in ("", "x" * 200, "é", fields[name][:-1] + ("1" if fields[name][-1] != "1" else "2")):
            with pytest.raises(SigningError):
                self.check({**fields, name: value})
        with pytest.raises(SignatureIncompleteError, match=name):
            self.check({key: value for key, value in fields.items() if key != name})

    @pytest.mark.parametrize("late_s", [-31, 300, 99999])
    def test_its_time(self, late_s):
        fields = hmac_profile.sign("rid-1", "sid-9", self.KEY, at=NOW)
        with pytest.raises(SignatureTimeError):
            self.check(fields, now=NOW + timedelta(seconds=late_s))
