"""Certificates and lists as no authority of ours writes them: each spelling, each algorithm, each missing part."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from licence import authority, certificates
from licence.errors import FormatError
from licence.sm2 import Sm2PublicKey, native
from licence.suites import ECDSA_P256_SHA256, ED25519, SM2_SM3, SUITES
from tests.licence import world as w

pytestmark = pytest.mark.skipif(native.load() is None, reason="no libcrypto with SM2 on this machine")

NULL = b"\x05\x00"
OIDS = {
    ECDSA_P256_SHA256: bytes.fromhex("06082a8648ce3d040302"),
    SM2_SM3: bytes.fromhex("06082a811ccf55018375"),
    ED25519: bytes.fromhex("06032b6570"),
}
ECDSA_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")


def sequence(*parts):
    return certificates.write_sequence(parts)


def plain(suite):
    return sequence(OIDS[suite])


def with_null(suite):
    return sequence(OIDS[suite], NULL)


@pytest.fixture(scope="module", params=[ECDSA_P256_SHA256, SM2_SM3, ED25519])
def root(request):
    key = SUITES[request.param].generate()
    return authority.create_root(key, name="Root", starts=w.STARTS, ends=w.ENDS, serial=1)


@pytest.fixture(scope="module")
def sm2_root():
    key = SUITES[SM2_SM3].generate()
    return authority.create_root(key, name="Root", starts=w.STARTS, ends=w.ENDS, serial=1)


def list_of(root):
    return x509.load_der_x509_crl(
        authority.revocation_list(root, [], number=1, this_update=w.STARTS, next_update=w.STARTS + timedelta(days=1))
    )


def code_of(work, *arguments):
    with pytest.raises(FormatError) as caught:
        work(*arguments)
    return caught.value.code, caught.value.sub_indication


WRONG = ("signature_wrong", "SIG_CRYPTO_FAILURE")


def judged(root, inner, outer):
    """What becomes of the certificate and of the list of *root* under these algorithms, signed again by its key."""
    certificate, crl = root.certificate, list_of(root)
    for tbs, position, load in (
        (certificate.tbs_certificate_bytes, 2, x509.load_der_x509_certificate),
        (crl.tbs_certlist_bytes, 1, x509.load_der_x509_crl),
    ):
        parts = certificates.split(tbs)
        assert parts[position] == plain(root.suite)
        parts[position] = inner
        changed = sequence(*parts)
        try:
            signed = load(sequence(changed, outer, certificates.write_bits(root.sign_der(changed))))
            certificates.check_signature(signed, root.public_key)
        except FormatError as fault:
            yield fault.code, fault.sub_indication
        except ValueError:
            # `cryptography` refuses some of these itself.
            yield WRONG
        else:
            yield "holds"


def test_a_signature_names_its_algorithm_twice_and_alike(root):
    own, strange = plain(root.suite), ECDSA_SHA384
    assert list(judged(root, own, own)) == ["holds"] * 2
    for inner, outer in ((own, strange), (strange, own), (strange, strange)):
        assert list(judged(root, inner, outer)) == [WRONG] * 2


def test_only_with_sm2_may_the_parameters_be_null_and_only_in_both_places(root):
    own, null = plain(root.suite), with_null(root.suite)
    for inner, outer in ((own, null), (null, own)):
        assert list(judged(root, inner, outer)) == [WRONG] * 2
    assert list(judged(root, null, null)) == ["holds" if root.suite == SM2_SM3 else WRONG] * 2


def test_what_we_write_has_no_parameters(root):
    for signed in (root.certificate, list_of(root)):
        assert certificates.split(signed.public_bytes(Encoding.DER))[1] == plain(root.suite)


def test_a_signature_is_that_of_what_is_signed_and_of_the_issuer(root):
    other = SUITES[root.suite].generate().public_key()
    for signed in (root.certificate, list_of(root)):
        certificates.check_signature(signed, root.public_key)
        for key in (other, ec.generate_private_key(ec.SECP384R1()).public_key(), "no key", None):
            assert code_of(certificates.check_signature, signed, key) == WRONG


def test_a_key_has_its_name_and_its_spelling_in_both_worlds(root):
    key = root.public_key
    spki = certificates.spki_of(key)
    assert spki in root.certificate.public_bytes(Encoding.DER)
    named = root.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert certificates.key_identifier(key) == named
    assert certificates.public_key_of(root.certificate) == key
    if not isinstance(key, Sm2PublicKey):
        assert spki == key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def version_1(root):
    """The certificate of *root* without version and extensions, as version 1 has it."""
    parts = certificates.split(root.certificate.tbs_certificate_bytes)[1:7]
    tbs = sequence(*parts)
    return x509.load_der_x509_certificate(sequence(tbs, plain(root.suite), certificates.write_bits(root.sign_der(tbs))))


def test_a_certificate_of_version_1_has_its_key_where_it_is_not_looked_for(sm2_root):
    assert code_of(certificates.public_key_of, version_1(sm2_root)) == ("certificate_unreadable", "FORMAT_FAILURE")


def test_a_key_of_an_unknown_curve_is_unreadable(sm2_root):
    parts = certificates.split(sm2_root.certificate.tbs_certificate_bytes)
    spki = parts[6].replace(bytes.fromhex("2a811ccf5501822d"), bytes.fromhex("2a811ccf5501822e"))
    assert spki != parts[6]
    tbs = sequence(*parts[:6], spki, *parts[7:])
    certificate = x509.load_der_x509_certificate(
        sequence(tbs, plain(SM2_SM3), certificates.write_bits(sm2_root.sign_der(tbs)))
    )
    with pytest.raises(FormatError) as caught:
        certificates.public_key_of(certificate)
    assert caught.value.code == "certificate_unreadable"


def test_parts_of_a_certificate_are_split_whole_and_a_fault_is_told_as_its():
    assert certificates.split(sequence(NULL, sequence(NULL))) == [NULL, sequence(NULL)]
    for data in (b"", NULL, NULL + NULL, sequence(NULL) + NULL, b"\x30\x01\x05"):
        with pytest.raises(FormatError) as caught:
            certificates.split(data)
        assert caught.value.finding_params["what"] == "certificate"


def test_no_low_bit_of_a_signature_may_be_declared_unused(sm2_root):
    certificate = sm2_root.certificate
    tbs = certificate.tbs_certificate_bytes
    while (signature := sm2_root.sign_der(tbs))[-1] & 1:
        pass
    for unused, whole in ((b"\0", True), (b"\1", False)):
        bits = certificates.split(sequence(bytes((3, len(signature) + 1)) + unused + signature))[0]
        assert certificates.is_canonical(x509.load_der_x509_certificate(sequence(tbs, plain(SM2_SM3), bits))) is whole


def test_only_sm2_has_two_spellings_and_the_one_without_parameters_is_written():
    for name, suite in SUITES.items():
        both = (plain(name), with_null(name))
        assert certificates._spellings(suite) == (both if name == SM2_SM3 else both[:1])
