"""SignedData written by hand, part by part: each part that may be there, must be there, or must say something.

Numbers and limits are written out here: a test that took them from the module would move with them.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from licence import der
from licence.errors import FormatError, IssueRefusedError
from licence.pdf import cms
from tests.licence import world as w

WORLD = w.make_world()
KEY = WORLD.agriculture
LEAF, ISSUING = KEY.chain_der
OTHER = WORLD.status_key.chain_der[0]
ROOT = WORLD.root.certificate.public_bytes(Encoding.DER)
SUITES = ["ecdsa-p256-sha256"]
DATA, INFO = "1.2.840.113549.1.7.1", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
CERTIFICATE, STAMP = "1.2.840.113549.1.9.16.2.47", "1.2.840.113549.1.9.16.2.14"
SHA256, SHA384 = "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2"
SHA512, SM3 = "2.16.840.1.101.3.4.2.3", "1.2.156.10197.1.401"
HASHED = hashlib.sha256(b"content").digest()
NULL = b"\x05\x00"


def oid(dotted):
    return der.write_oid(dotted)


def seq(*parts):
    return der.write(0x30, *parts)


def octets(content):
    return der.write(0x04, content)


def attribute(name, *values):
    return seq(oid(name), der.write(0x31, *values))


def algorithm(name, *parameters):
    return seq(oid(name), *parameters)


def named(leaf=LEAF):
    identity = cms.certificate_identity(leaf)
    return seq(identity.issuer, identity.serial)


def general(leaf=LEAF, tag=0xA4):
    identity = cms.certificate_identity(leaf)
    return seq(seq(der.write(tag, identity.issuer)), identity.serial)


def certificate_id(*parts):
    return seq(seq(seq(*(parts or (octets(hashlib.sha256(LEAF).digest()), general())))))


def attributes(**changes):
    made = {
        "kind": attribute(CONTENT_TYPE, oid(DATA)),
        "digest": attribute(DIGEST, octets(HASHED)),
        "certificate": attribute(CERTIFICATE, certificate_id()),
    } | changes
    return sorted(a for a in made.values() if a is not None)


def in_der(signature):
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return encode_dss_signature(r, s)


def signer_info(
    signed=None,
    *,
    key=KEY,
    version=1,
    identifier=None,
    hashing=None,
    signing="1.2.840.10045.4.3.2",
    signing_parameters=(),
    signature=None,
    more=(),
    tag=0xA0,
):
    signed = attributes() if signed is None else signed
    value = in_der(key.sign(der.write(0x31, *signed))) if signature is None else signature
    return seq(
        der.write_integer(version),
        named() if identifier is None else identifier,
        hashing or algorithm(SHA256),
        der.write(tag, *signed),
        algorithm(signing, *signing_parameters),
        octets(value),
        *more,
    )


def parts(
    info=None,
    *,
    version=1,
    hashings=None,
    encapsulated=None,
    certificates=(LEAF, ISSUING),
    revocation=(),
    infos=None,
    more=(),
):
    return (
        der.write_integer(version),
        der.write(0x31, *(hashings or [algorithm(SHA256)])),
        encapsulated or seq(oid(DATA)),
        *(() if certificates is None else (der.write(0xA0, *certificates),)),
        *revocation,
        der.write(0x31, *([info or signer_info()] if infos is None else infos)),
        *more,
    )


def wrapped(*inner):
    return seq(oid("1.2.840.113549.1.7.2"), der.write(0xA0, seq(*inner)))


def made(info=None, **changes):
    return wrapped(*parts(info, **changes))


def checked(data, content_digest=HASHED, suites=SUITES):
    return cms.check(cms.parse(data, "x"), content_digest, suites, "x")


def fault(data, **more):
    with pytest.raises(FormatError) as caught:
        checked(data, **more)
    return caught.value.code


def with_attributes(**changes):
    return made(signer_info(attributes(**changes)))


def with_id(*inner):
    return with_attributes(certificate=attribute(CERTIFICATE, certificate_id(*inner)))


def test_what_is_written_by_hand_is_read_and_checked():
    read = cms.parse(made(), "x")
    assert (read.content_type, read.content, read.certificates) == (oid(DATA), None, (LEAF, ISSUING))
    assert (read.info.digest_oid, read.info.signature_oid) == (oid(SHA256), oid("1.2.840.10045.4.3.2"))
    assert (read.info.attributes_der, read.info.unsigned) == (der.write(0x31, *attributes()), {})
    assert read.info.identifier.raw == named()
    found = checked(made())
    assert found == cms.Checked((LEAF, ISSUING), SUITES[0], read.info.signature, {})


# What is written.


def test_the_numbers_of_each_suite_are_those_of_the_standards():
    said = {n: (f.digest.name, f.digest_oid, f.signature_oid, f.halves) for n, f in cms.FORMS.items()}
    assert said == {
        "ecdsa-p256-sha256": ("sha256", SHA256, "1.2.840.10045.4.3.2", True),
        "sm2-sm3": ("sm3", SM3, "1.2.156.10197.1.501", True),
        "ed25519": ("sha512", SHA512, "1.3.101.112", False),
    }
    digests = {k: v.name for k, v in cms.DIGESTS.items()}
    assert digests == {oid(SHA256): "sha256", oid(SHA384): "sha384", oid(SHA512): "sha512", oid(SM3): "sm3"}
    assert (cms.SIGNATURE_TIME_STAMP, cms.SIGNING_CERTIFICATE_V2) == (STAMP, CERTIFICATE)
    assert cms.digest(cms.FORMS["ecdsa-p256-sha256"].digest, b"con", b"tent") == HASHED


def test_what_is_written_is_what_the_standard_spells():
    signature = KEY.sign(der.write(0x31, *attributes()))
    key = SimpleNamespace(suite=SUITES[0], chain_der=KEY.chain_der, sign=lambda _: signature)
    expected = made(signer_info(signature=in_der(signature)), certificates=sorted(KEY.chain_der))
    assert cms.sign(key, content_digest=HASHED) == expected
    bare = made(signer_info(signature=in_der(signature)), certificates=None)
    assert cms.sign(key, content_digest=HASHED, with_certificates=False) == bare


def test_content_that_is_no_plain_data_is_written_under_version_3():
    found = cms.parse(cms.sign(KEY, content_digest=HASHED, content_type=INFO, content=b"content"), "x")
    assert (found.content_type, found.content) == (oid(INFO), b"content")
    assert cms.check(found, None, SUITES, "x").chain == (LEAF, ISSUING)
    empty = cms.sign(KEY, content_digest=hashlib.sha256(b"").digest(), content=b"")
    assert cms.parse(empty, "x").content == b""
    assert cms.check(cms.parse(empty, "x"), None, SUITES, "x").suite == SUITES[0]


def ed25519_key():
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "e")])
    built = x509.CertificateBuilder(name, name, private.public_key(), 7, w.STARTS, w.ENDS)
    leaf = built.sign(private, None).public_bytes(Encoding.DER)
    return SimpleNamespace(suite="ed25519", chain_der=(leaf,), sign=private.sign)


def test_a_suite_with_its_own_digest_names_it_and_keeps_its_signature_whole():
    key, content = ed25519_key(), hashlib.sha512(b"content").digest()
    data = cms.sign(key, content_digest=content)
    read = cms.parse(data, "x")
    assert len(read.info.signature) == 64
    assert cms.digest_of(read, ["ecdsa-p256-sha256", "ed25519"], "x").name == "sha512"
    found = cms.check(read, content, ["ed25519"], "x")
    # A certificate that names itself as its issuer is not led on from.
    assert (found.chain, found.suite) == (key.chain_der, "ed25519")
    (value,) = read.info.attributes[oid(CERTIFICATE)]
    expected = seq(algorithm(SHA512), octets(hashlib.sha512(key.chain_der[0]).digest()), general(key.chain_der[0]))
    assert value.raw == seq(seq(expected))


def test_a_suite_without_a_form_signs_nothing():
    with pytest.raises(IssueRefusedError) as caught:
        cms.sign(SimpleNamespace(suite="ml-dsa-65"), content_digest=HASHED)
    assert caught.value.code == "cms_suite_without_form"


def test_room_is_kept_for_the_largest_signature():
    issuer = cms.certificate_identity(LEAF).issuer
    assert cms.max_size_bytes(KEY) == len(LEAF) + len(ISSUING) + 2 * len(issuer) + 640
    assert len(made()) <= cms.max_size_bytes(KEY)


# What is read.


def test_a_message_beyond_its_limit_is_not_read():
    assert fault(bytes(1024 * 1024)) == "der_trailing_bytes"
    assert fault(bytes(1024 * 1024 + 1)) == "too_large"


INNER = seq(*parts())


@pytest.mark.parametrize(
    "data",
    [
        der.write(0x31, oid("1.2.840.113549.1.7.2"), der.write(0xA0, INNER)),
        seq(oid("1.2.840.113549.1.7.2"), der.write(0xA0, INNER), NULL),
        seq(oid("1.2.840.113549.1.7.2")),
        seq(oid(DATA), der.write(0xA0, INNER)),
        seq(oid("1.2.840.113549.1.7.2"), der.write(0xA1, INNER)),
        seq(oid("1.2.840.113549.1.7.2"), der.write(0xA0, INNER, INNER)),
        seq(oid("1.2.840.113549.1.7.2"), der.write(0xA0)),
        seq(oid("1.2.840.113549.1.7.2"), der.write(0xA0, der.write(0x31, *parts()))),
        wrapped(*parts()[:3]),
        wrapped(*parts()[:4]),
        wrapped(*parts(certificates=None)[:3]),
        made(more=(NULL,)),
        made(revocation=(der.write(0xA1),), more=(NULL,)),
        made(revocation=(der.write(0xA1), der.write(0xA1))),
        made(revocation=(der.write(0xA2),)),
        wrapped(*parts()[:4], der.write(0xA1)),
        wrapped(*parts()[:-1], seq(signer_info())),
        made(version=3),
        made(version=0),
        made(hashings=[algorithm(SHA384)]),
        made(hashings=[algorithm(SHA256), algorithm(SHA384)]),
        wrapped(parts()[0], seq(algorithm(SHA256)), *parts()[2:]),
        made(encapsulated=seq()),
        made(encapsulated=seq(octets(b""))),
        made(encapsulated=seq(octets(b"")), version=3),
        made(encapsulated=der.write(0x31, oid(DATA))),
        made(encapsulated=seq(oid(DATA), der.write(0xA0, octets(b"c")), NULL)),
        made(encapsulated=seq(oid(DATA), der.write(0xA1, octets(b"c")))),
        made(encapsulated=seq(oid(DATA), der.write(0xA0))),
        made(encapsulated=seq(oid(DATA), der.write(0xA0, octets(b"c"), octets(b"c")))),
        made(encapsulated=seq(oid(DATA), der.write(0xA0, NULL))),
        made(certificates=[LEAF, ISSUING, der.write(0xA1, b"")]),
        made(signer_info(version=3)),
        made(signer_info(version=2)),
        made(signer_info(more=(der.write(0xA1), NULL))),
        made(signer_info(more=(der.write(0xA0),))),
        made(signer_info(tag=0xA1)),
        made(infos=[der.write(0x31, *der.read(signer_info(), "x").content[:0:1])]),
        made(infos=[seq(*(c.raw for c in der.read(signer_info(), "x").children("x")[:5]))]),
        made(signer_info(hashing=seq())),
        made(signer_info(hashing=seq(NULL))),
        made(signer_info(hashing=der.write(0x31, oid(SHA256)))),
        made(signer_info(hashing=algorithm(SHA256, NULL, NULL))),
        made(signer_info(more=(der.write(0xA1, seq(oid(STAMP))),))),
        made(signer_info(more=(der.write(0xA1, seq(oid(STAMP), der.write(0x31), NULL)),))),
        made(signer_info(more=(der.write(0xA1, seq(octets(b""), der.write(0x31))),))),
        made(signer_info(more=(der.write(0xA1, seq(oid(STAMP), seq())),))),
        made(signer_info(more=(der.write(0xA1, der.write(0x31, oid(STAMP), der.write(0x31))),))),
    ],
)
def test_another_form_is_refused(data):
    with pytest.raises(FormatError) as caught:
        cms.parse(data, "x")
    assert caught.value.code == "der_invalid"


def test_a_signature_must_be_an_octet_string():
    fields = [c.raw for c in der.read(signer_info(), "x").children("x")]
    with pytest.raises(FormatError):
        cms.parse(made(infos=[seq(*fields[:5], der.write(0x03, b"\0"))]), "x")
    with pytest.raises(FormatError):
        cms.parse(made(infos=[der.write(0x31, *fields)]), "x")


@pytest.mark.parametrize("count", [0, 2])
def test_there_is_one_signer(count):
    assert fault(made(infos=[signer_info()] * count)) == "cms_signers"


def test_revocation_values_that_nobody_signed_are_passed_over():
    assert checked(made(revocation=(der.write(0xA1, seq()),))).suite == SUITES[0]
    assert cms.parse(made(certificates=None, revocation=(der.write(0xA1),)), "x").certificates == ()
    assert cms.parse(made(certificates=None), "x").certificates == ()


def test_sixteen_certificates_are_read_and_no_more():
    assert len(cms.parse(made(certificates=[LEAF] * 16), "x").certificates) == 16
    assert fault(made(certificates=[LEAF] * 17)) == "der_invalid"


def test_null_parameters_say_nothing_and_others_make_an_algorithm_unknown():
    null = algorithm(SHA256, NULL)
    assert checked(made(signer_info(hashing=null))).suite == SUITES[0]
    assert checked(made(signer_info(signing_parameters=(NULL,)), hashings=[null])).suite == SUITES[0]
    assert fault(made(signer_info(signing_parameters=(octets(b""),)))) == "cms_suite_not_allowed"
    other = algorithm(SHA256, octets(b""))
    assert fault(made(signer_info(hashing=other), hashings=[other])) == "cms_suite_not_allowed"
    assert fault(made(signer_info(hashing=other))) == "der_invalid"


def test_unsigned_attributes_are_handed_on_in_any_order():
    later, sooner = attribute(STAMP, octets(b"a"), octets(b"b")), attribute("1.2.3", NULL)
    found = checked(made(signer_info(more=(der.write(0xA1, later, sooner),)))).unsigned
    assert {k: [n.raw for n in v] for k, v in found.items()} == {
        oid(STAMP): [octets(b"a"), octets(b"b")],
        oid("1.2.3"): [NULL],
    }
    assert fault(made(signer_info(more=(der.write(0xA1, later, later),)))) == "cms_attribute_twice"


def test_signed_attributes_stand_in_the_order_of_der():
    assert fault(made(signer_info(attributes()[::-1]))) == "cms_attribute_order"


def test_a_signer_may_be_named_by_its_key():
    identifier = x509.load_der_x509_certificate(LEAF).extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    by_key = der.write(0x80, identifier.value.digest)
    assert checked(made(signer_info(version=3, identifier=by_key), version=3)).chain == (LEAF, ISSUING)
    assert fault(made(signer_info(version=3, identifier=by_key), version=1)) == "der_invalid"
    assert fault(made(signer_info(version=1, identifier=by_key), version=3)) == "der_invalid"
    wrong = der.write(0x80, bytes(20))
    assert fault(made(signer_info(version=3, identifier=wrong), version=3)) == "cms_signer_not_found"
    for tag in (0x81, 0x04, 0x7F):
        other = der.write(tag, identifier.value.digest) if tag != 0x7F else octets(identifier.value.digest)
        assert fault(made(signer_info(version=3, identifier=other), version=3)) == "der_invalid"


def test_a_certificate_without_a_key_identifier_is_not_named_by_one():
    key = ed25519_key()
    content = hashlib.sha512(b"content").digest()
    signed = attributes(
        digest=attribute(DIGEST, octets(content)),
        certificate=attribute(CERTIFICATE, certificate_id(octets(hashlib.sha256(key.chain_der[0]).digest()))),
    )
    hashing = algorithm(SHA512)
    for identifier, version, code in [
        (named(key.chain_der[0]), 1, None),
        (der.write(0x80, bytes(20)), 3, "cms_signer_not_found"),
    ]:
        info = signer_info(
            signed,
            version=version,
            identifier=identifier,
            hashing=hashing,
            signing="1.3.101.112",
            signature=key.sign(der.write(0x31, *signed)),
        )
        data = made(info, version=version, hashings=[hashing], certificates=key.chain_der)
        if code is None:
            assert cms.check(cms.parse(data, "x"), content, ["ed25519"], "x").suite == "ed25519"
        else:
            assert fault(data, content_digest=content, suites=["ed25519"]) == code


# What is checked.


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kind": None}, "cms_attribute"),
        ({"kind": attribute(CONTENT_TYPE)}, "cms_attribute"),
        ({"kind": attribute(CONTENT_TYPE, oid(DATA), oid(DATA))}, "cms_attribute"),
        ({"kind": attribute(CONTENT_TYPE, oid(INFO))}, "cms_attribute"),
        ({"digest": None}, "cms_attribute"),
        ({"digest": attribute(DIGEST, octets(HASHED), octets(HASHED))}, "cms_attribute"),
        ({"digest": attribute(DIGEST, octets(bytes(32)))}, "cms_digest_differs"),
        ({"digest": attribute(DIGEST, der.write(0x0C, HASHED))}, "der_invalid"),
        ({"certificate": None}, "cms_no_signing_certificate"),
        ({"certificate": attribute(CERTIFICATE)}, "cms_no_signing_certificate"),
        ({"certificate": attribute(CERTIFICATE, certificate_id(), certificate_id())}, "cms_no_signing_certificate"),
        ({"certificate": attribute(CERTIFICATE, der.write(0x31))}, "der_invalid"),
        ({"certificate": attribute(CERTIFICATE, seq())}, "der_invalid"),
        ({"certificate": attribute(CERTIFICATE, seq(der.write(0x31)))}, "der_invalid"),
        ({"certificate": attribute(CERTIFICATE, seq(seq()))}, "der_invalid"),
        ({"certificate": attribute(CERTIFICATE, seq(seq(der.write(0x31))))}, "der_invalid"),
        ({"certificate": attribute(CERTIFICATE, seq(seq(seq())))}, "der_invalid"),
    ],
)
def test_signed_attributes_say_what_they_must(changes, code):
    assert fault(with_attributes(**changes)) == code


GOOD = octets(hashlib.sha256(LEAF).digest())


def test_the_signing_certificate_may_be_named_in_several_ways():
    for inner in [
        (GOOD,),
        (algorithm(SHA256), GOOD, general()),
        (algorithm(SHA384, NULL), octets(hashlib.sha384(LEAF).digest())),
        (algorithm(SHA512), octets(hashlib.sha512(LEAF).digest()), general()),
        (algorithm(SM3), octets(cms.digest(hashes.SM3(), LEAF))),
    ]:
        assert checked(with_id(*inner)).chain == (LEAF, ISSUING)
    # Others of the chain and policies may follow, in the lists.
    inner = seq(GOOD, general())
    several = attribute(CERTIFICATE, seq(seq(inner, inner), seq()))
    assert checked(with_attributes(certificate=several)).chain == (LEAF, ISSUING)


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ((octets(bytes(32)),), "cms_signer_not_found"),
        ((octets(hashlib.sha256(ISSUING).digest()),), "cms_signer_not_found"),
        ((GOOD, general(ISSUING)), "cms_signer_not_found"),
        ((GOOD, general(tag=0xA5)), "cms_signer_not_found"),
        ((GOOD, seq(general(), b"\x02\x01\x01")), "cms_signer_not_found"),
        (
            (GOOD, seq(seq(der.write(0xA4, cms.certificate_identity(LEAF).issuer)), b"\x02\x01\x00")),
            "cms_signer_not_found",
        ),
        ((GOOD, seq(seq(der.write(0xA4, cms.certificate_identity(LEAF).issuer)))), "der_invalid"),
        ((GOOD, seq(*(c.raw for c in der.read(general(), "x").children("x")), NULL)), "der_invalid"),
        ((GOOD, der.write(0x31, b"")), "der_invalid"),
        ((GOOD, general(), NULL), "der_invalid"),
        ((algorithm(SHA256),), "der_invalid"),
        ((der.write(0x0C, b""),), "der_invalid"),
        ((algorithm("1.3.14.3.2.26"), GOOD), "cms_suite_not_allowed"),
        ((algorithm(SHA256, octets(b"")), GOOD), "cms_suite_not_allowed"),
    ],
)
def test_a_signing_certificate_named_otherwise_is_not_found(inner, code):
    assert fault(with_id(*inner)) == code


def test_both_names_must_mean_the_same_certificate():
    assert fault(made(signer_info(identifier=named(ISSUING)))) == "cms_signer_not_found"
    identity, other = cms.certificate_identity(LEAF), cms.certificate_identity(OTHER)
    for identifier in (seq(identity.issuer, other.serial), seq(other.issuer, identity.serial)):
        assert fault(made(signer_info(identifier=identifier))) == "cms_signer_not_found"
    assert fault(made(signer_info(identifier=seq(identity.issuer)))) == "der_invalid"
    assert fault(made(signer_info(identifier=seq(identity.issuer, identity.serial, NULL)))) == "der_invalid"


def test_faults_say_what_kind_they_are():
    for data, more, indication in [
        (with_attributes(certificate=None), {}, "NO_SIGNING_CERTIFICATE_FOUND"),
        (with_id(octets(bytes(32))), {}, "NO_SIGNING_CERTIFICATE_FOUND"),
        (with_id(GOOD, general(ISSUING)), {}, "NO_SIGNING_CERTIFICATE_FOUND"),
        (with_id(algorithm("1.2.3"), GOOD), {}, "CRYPTO_CONSTRAINTS_FAILURE"),
        (made(), {"suites": []}, "CRYPTO_CONSTRAINTS_FAILURE"),
        (made(), {"content_digest": bytes(32)}, "HASH_FAILURE"),
        (made(signer_info(signature=in_der(bytes(31) + b"\1" + bytes(31) + b"\1"))), {}, "SIG_CRYPTO_FAILURE"),
    ]:
        with pytest.raises(FormatError) as caught:
            checked(data, **more)
        assert caught.value.sub_indication == indication


def test_a_suite_counts_if_it_is_allowed_and_the_key_and_digest_are_of_it():
    assert checked(made(), suites=["other", "ed25519", *SUITES]).suite == SUITES[0]
    assert fault(made(), suites=["ed25519", "sm2-sm3"]) == "cms_suite_not_allowed"
    assert fault(made(signer_info(signing="1.3.101.112")), suites=["ed25519"]) == "cms_suite_not_allowed"
    hashing = algorithm(SHA384)
    assert fault(made(signer_info(hashing=hashing), hashings=[hashing])) == "cms_suite_not_allowed"
    # The form is right for the suite, and the key is another suite's.
    hashing = algorithm(SHA512)
    other = made(signer_info(hashing=hashing, signing="1.3.101.112"), hashings=[hashing])
    assert fault(other, suites=["ed25519", *SUITES]) == "cms_suite_not_allowed"
    with pytest.raises(FormatError) as caught:
        cms.digest_of(cms.parse(other, "x"), SUITES, "x")
    assert caught.value.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"
    assert cms.digest_of(cms.parse(made(), "x"), SUITES, "x").name == "sha256"


def test_a_form_counts_only_for_a_suite_that_is_known(monkeypatch):
    monkeypatch.setattr(cms, "SUITES", {})
    assert fault(made()) == "cms_suite_not_allowed"


def test_a_suite_counts_only_if_it_has_a_form(monkeypatch):
    monkeypatch.setattr(cms, "FORMS", {})
    assert fault(made()) == "cms_suite_not_allowed"


def test_no_content_is_hashed_as_empty_content():
    assert fault(made(), content_digest=None) == "cms_digest_differs"
    empty = attribute(DIGEST, octets(hashlib.sha256(b"").digest()))
    assert checked(with_attributes(digest=empty), content_digest=None).suite == SUITES[0]


def test_a_signature_has_one_spelling():
    good = KEY.sign(der.write(0x31, *attributes()))
    r, s = int.from_bytes(good[:32], "big"), int.from_bytes(good[32:], "big")
    assert checked(made(signer_info(signature=in_der(good)))).signature == in_der(good)
    numbers = der.write_integer(r), der.write_integer(s)
    for signature in [
        good,
        b"",
        NULL,
        in_der(good) + b"\0",
        # A length of two octets where one does, which some readers take.
        b"\x30\x81" + in_der(good)[1:],
        seq(numbers[0], der.write(0x02, b"\0" + s.to_bytes(33, "big"))),
        seq(numbers[0], der.write_integer(s + (1 << 256))),
        seq(der.write_integer(-r), numbers[1]),
        seq(*numbers[::-1]),
    ]:
        assert fault(made(signer_info(signature=signature))) == "signature_wrong"


# The chain.


def test_certificates_are_led_on_from_by_name_however_they_stand():
    for certificates in ([LEAF], [ISSUING, LEAF], [ISSUING, ROOT, LEAF], [LEAF, LEAF, ISSUING, ISSUING]):
        expected = [c for c in (LEAF, ISSUING, ROOT) if c in certificates]
        assert checked(made(certificates=certificates)).chain == tuple(expected)
    assert fault(made(certificates=[])) == "cms_signer_not_found"
    # The root without what leads to it, and a stranger.
    assert fault(made(certificates=[LEAF, ROOT])) == "cms_stray_certificate"
    assert fault(made(certificates=[LEAF, ISSUING, OTHER])) == "cms_stray_certificate"


def certificate(subject, issuer, serial=1, *, head=(), bits=b"\0", more=(), body=None):
    def name(text):
        return seq(der.write(0x0C, text.encode()))

    fields = (*head, der.write_integer(serial), seq(), name(issuer), seq(), name(subject), seq())
    return seq(seq(*(fields if body is None else body)), seq(), der.write(0x03, bits), *more)


def test_a_chain_has_eight_certificates_at_most():
    chain = [certificate(f"c{n}", f"c{n + 1}") for n in range(9)]
    assert cms._ordered(chain[0], chain[:8], "x") == tuple(chain[:8])
    with pytest.raises(FormatError) as caught:
        cms._ordered(chain[0], chain, "x")
    assert caught.value.code == "cms_stray_certificate"
    # Of two with the same name the first counts, and the other leads nowhere.
    twice = [*chain[:2], certificate("c1", "other")]
    with pytest.raises(FormatError):
        cms._ordered(chain[0], twice, "x")
    # Two that name each other end.
    circle = [certificate("a", "b"), certificate("b", "a")]
    assert cms._ordered(circle[0], circle, "x") == tuple(circle)


def test_a_certificate_is_named_by_issuer_serial_and_subject():
    found = cms.certificate_identity(certificate("s", "i", 9))
    expected = cms.Identity(seq(der.write(0x0C, b"i")), der.write_integer(9), seq(der.write(0x0C, b"s")))
    assert found == expected
    assert cms.certificate_identity(certificate("s", "i", 9, head=(der.write(0xA0, b""),))) == expected


NAME = seq()
NUMBER = der.write_integer(1)


@pytest.mark.parametrize(
    "data",
    [
        der.write(0x31, *(c.raw for c in der.read(certificate("s", "i"), "x").children("x"))),
        certificate("s", "i", more=(NULL,)),
        seq(*(c.raw for c in der.read(certificate("s", "i"), "x").children("x")[:2])),
        certificate("s", "i", bits=b"\1"),
        certificate("s", "i", bits=b""),
        seq(seq(NUMBER, NAME, NAME, NAME, NAME, NAME), seq(), der.write(0x04, b"\0")),
        certificate("s", "i", body=(NUMBER, NAME, NAME, NAME, NAME)),
        certificate("s", "i", body=(der.write(0xA0), NUMBER, NAME, NAME, NAME, NAME)),
        certificate("s", "i", body=()),
        certificate("s", "i", head=(der.write(0xA1),)),
        certificate("s", "i", body=(NAME, NAME, NAME, NAME, NAME, NAME)),
        certificate("s", "i", body=(NUMBER, NAME, NUMBER, NAME, NAME, NAME)),
        certificate("s", "i", body=(NUMBER, NAME, NAME, NAME, NUMBER, NAME)),
    ],
)
def test_what_is_no_certificate_names_nobody(data):
    with pytest.raises(FormatError) as caught:
        cms.certificate_identity(data)
    assert caught.value.code == "der_invalid"
    assert "certificate" in str(caught.value)


def test_the_checked_signature_is_over_the_attributes_that_were_read():
    parsed = cms.parse(made(), "x")
    other = replace(parsed, info=replace(parsed.info, attributes_der=der.write(0x31, *attributes()[:2])))
    with pytest.raises(FormatError) as caught:
        cms.check(other, HASHED, SUITES, "x")
    assert caught.value.sub_indication == "SIG_CRYPTO_FAILURE"
