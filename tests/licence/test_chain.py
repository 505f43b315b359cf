"""Certificates made by hand: chains that name the right issuer, or hold the right certificates, and are still wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from licence import authority, chain, jose
from licence.errors import FormatError
from licence.keys import SigningKey
from licence.profile import LICENCE_SIGNING
from licence.suites import ECDSA_P256_SHA256, SUITES
from licence.verify import verify
from tests.licence import world as w
from tests.licence.forging import both, rebuilt, resign

SUITE = frozenset({ECDSA_P256_SHA256})


def certify(parent, label, *extensions, digest=None):
    """A leaf under *parent* with exactly these (extension, critical) pairs."""
    key = w.private_key(label)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, label)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent.certificate.subject)
        .public_key(key.public_key())
        .not_valid_before(w.STARTS)
        .not_valid_after(w.ENDS)
        .serial_number(77)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(parent.private_key, digest or hashes.SHA256())
    return SigningKey(ECDSA_P256_SHA256, key, (made, *parent.chain))


LEAF = (x509.BasicConstraints(ca=False, path_length=None), True)
CA = (x509.BasicConstraints(ca=True, path_length=None), True)
SIGNS = (authority._usage(ca=False), True)
CERTIFIES = (authority._usage(ca=True), True)
PURPOSE = (x509.ExtendedKeyUsage([LICENCE_SIGNING]), True)


def code_of(world, key):
    with pytest.raises(FormatError) as caught:
        chain.validate(key.chain_der, world.trust.anchors_der, SUITE)
    return caught.value.code


def test_a_plain_leaf_is_accepted(world):
    key = certify(world.root, "plain", LEAF, SIGNS, PURPOSE)
    assert chain.validate(key.chain_der, world.trust.anchors_der, SUITE).purposes == {LICENCE_SIGNING}


@pytest.mark.parametrize(
    ("extensions", "code"),
    [
        ((CA, SIGNS, PURPOSE), "leaf_may_not_sign"),
        ((LEAF, PURPOSE), "leaf_may_not_sign"),
        ((LEAF, CERTIFIES, PURPOSE), "leaf_may_not_sign"),
        (
            (LEAF, SIGNS, (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True)),
            "extension_not_understood",
        ),
        (
            (LEAF, SIGNS, (x509.NameConstraints([x509.DNSName("a")], None), False)),
            "extension_not_understood",
        ),
    ],
)
def test_leaves_that_may_not_sign(world, extensions, code):
    assert code_of(world, certify(world.root, "odd", *extensions)) == code


@pytest.mark.parametrize("extensions", [(LEAF, CERTIFIES), (CA, SIGNS), (CERTIFIES,), (CA,)])
def test_what_is_no_authority_may_not_certify(world, extensions):
    between = certify(world.root, "between", *extensions)
    assert code_of(world, certify(between, "below", LEAF, SIGNS, PURPOSE)) == "not_an_authority"


def test_path_length_is_kept(world):
    # The city's issuing CA has path length 0: no authority below it may count.
    issuing = SigningKey(ECDSA_P256_SHA256, w.private_key("issuing"), world.agriculture.chain[1:])
    below = certify(issuing, "sub", CA, CERTIFIES)
    assert code_of(world, certify(below, "leaf", LEAF, SIGNS, PURPOSE)) == "path_too_long"


def test_another_signature_algorithm_is_not_allowed(world):
    key = certify(world.root, "sha512", LEAF, SIGNS, PURPOSE, digest=hashes.SHA512())
    assert code_of(world, key) == "suite_not_allowed"


def test_a_strangers_leaf_beside_the_real_authority_is_no_chain(world, sealed, token):
    stranger = w.make_root("stranger")
    fake = authority.certify_authority(
        stranger, w.private_key("fake"), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
    )
    leaf = w.make_leaf(fake, "agriculture", w.AGRICULTURE)
    # x5c holds the forged leaf and then the genuine issuing certificate of the same name.
    mixed = replace(leaf, chain=(leaf.certificate, *world.agriculture.chain[1:]))
    assert mixed.certificate.issuer == world.agriculture.chain[1].subject
    assert code_of(world, mixed) == "chain_broken"
    cred = resign(mixed, sealed.credential)
    assert both(rebuilt(world, sealed, cred, token), world.trust, w.AT).exit_code == 11


def test_a_status_list_under_a_borrowed_chain_is_ignored(world, bundle):
    borrowed = w.status_token(world.status_key, value=0, issued_at=w.ISSUED + timedelta(hours=6))
    head, body, signature = borrowed.split(".")
    revoked = w.status_token(world.status_key, value=1, issued_at=w.ISSUED + timedelta(hours=6))
    for forged in (f"{head}.{revoked.split('.')[1]}.{signature}", f"{head}.{body}.{'A' * 86}"):
        at = w.ISSUED + timedelta(hours=7)
        report = both(bundle, world.trust, at, [forged])
        assert report.exit_code == 0
        assert dict(report.steps[6].notes[0].params)["why"] == "signature_wrong"
        assert (
            both(
                replace(bundle, status_token=None, status_entry=None, status_proof=None), world.trust, at, [forged]
            ).exit_code
            == 11
        )


def test_bundle_label_must_be_the_signed_identifier(world, bundle):
    report = both(replace(bundle, identifier=bundle.identifier + "0"), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (10, "bundle_identifier_differs")


def test_status_publication_must_be_proven_and_of_this_list(world, sealed, bundle, token):
    report = both(replace(bundle, status_proof=bundle.proof), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (13, "log_proof_invalid")
    entry = w.status_entry(token, uri="https://licences.city.example/status/2")
    entries = [w.issued_entry(sealed), entry]
    moved = replace(
        bundle,
        proof=w.prove(entries, 0, world.log_key),
        status_entry=entry,
        status_proof=w.prove(entries, 1, world.log_key),
    )
    report = both(moved, world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (13, "status_entry_differs")


def test_valid_from_before_issue_does_not_reach_back(world, token):
    sealed = w.seal(world.agriculture, valid_from=w.ISSUED - timedelta(days=10))
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key, issued_at=w.ISSUED - timedelta(hours=2)))
    report = both(bundle, world.trust, w.ISSUED - timedelta(hours=1))
    assert report.sub_indication == "NOT_YET_VALID"


def test_a_signature_has_64_bytes(world):
    public = world.agriculture.certificate.public_key()
    good = world.agriculture.sign(b"x")
    SUITES[ECDSA_P256_SHA256].verify(public, good, b"x")
    # The second has the same r and s, spelt with one zero more.
    for other in (b"", good[:32] + b"\0" + good[32:], good[:63]):
        with pytest.raises(FormatError):
            SUITES[ECDSA_P256_SHA256].verify(public, other, b"x")


def test_base64_has_one_spelling():
    assert jose.b64url_decode("AQ", "x") == b"\1"
    for other in ("AR", "AQ=", "AQ==", "A", "A+", "AA\n", "AAF"):
        with pytest.raises(FormatError):
            jose.b64url_decode(other, "x")


def test_short_salts_are_refused(world, sealed, token):
    from licence.credential import Disclosure

    short = Disclosure.make("KZ_X", "1", b"short")
    cred = resign(world.agriculture, sealed.credential, payload={"_sd": [short.digest]}, disclosures=[short.encoded])
    report = verify(rebuilt(world, sealed, cred, token), world.trust, w.AT)
    assert (report.exit_code, report.deciding.code) == (10, "bad_disclosure")


def test_garbage_is_no_certificate(world):
    der = world.agriculture.certificate.public_bytes(Encoding.DER)
    for damaged in (b"", b"\x30\x00", der[:-1], der + b"\0"):
        with pytest.raises(FormatError):
            chain.load(damaged)
