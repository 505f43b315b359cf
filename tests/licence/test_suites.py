"""Each suite of the closed list: both forms of its signatures, its certificates, and which key it works for."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from licence import authority, certificates, chain, der, jose, keys
from licence.errors import FormatError, KeyFileError, PassphraseWrongError, SignerError
from licence.sm2 import Sm2PublicKey, native
from licence.suites import ECDSA_P256_SHA256, ED25519, ML_DSA_65, SECOND_SUITES, SM2_SM3, SUITES, suite_of_key
from tests.licence import world as w
from tests.licence.tools import needs_openssl, openssl

PASSPHRASE = b"correct horse"
ALL = {**SUITES, **SECOND_SUITES}

pytestmark = pytest.mark.skipif(native.load() is None, reason="no libcrypto with SM2 on this machine")


def chain_of(top, middle, leaf):
    """A leaf under an issuing CA under a root, each with a key of the suite given."""
    root = authority.create_root(keys.generate_private_key(top), name="Root", starts=w.STARTS, ends=w.ENDS, serial=1)
    issuing = authority.certify_authority(
        root, keys.generate_private_key(middle), name="Issuing", starts=w.STARTS, ends=w.ENDS, serial=2
    )
    return authority.certify_leaf(
        issuing,
        keys.generate_private_key(leaf),
        role=authority.Role.LICENCES,
        name="市农业农村局",
        uscc=w.AGRICULTURE,
        uri="https://agriculture.city.example",
        starts=w.STARTS,
        ends=w.ENDS,
        serial=3,
    )


@pytest.fixture(scope="module")
def sm2():
    return chain_of(SM2_SM3, SM2_SM3, SM2_SM3)


def anchors(key):
    return frozenset({key.chain[-1].public_bytes(Encoding.DER)})


@pytest.mark.parametrize("name", ALL)
def test_both_forms_verify_and_nothing_altered_does(name):
    suite = ALL[name]
    key = suite.generate()
    assert suite.owns(key)
    assert suite.owns(key.public_key())
    public = key.public_key()
    for sign, verify in ((suite.sign, suite.verify), (suite.sign_der, suite.verify_der)):
        signature = sign(key, b"data")
        verify(public, signature, b"data")
        step = max(1, len(signature) // 100)
        changed = [
            signature[:i] + bytes([signature[i] ^ 1]) + signature[i + 1 :] for i in range(0, len(signature), step)
        ]
        for wrong in (*changed, b"", signature + b"\0", signature[:-1], b"\0" + signature):
            with pytest.raises(FormatError) as caught:
                verify(public, wrong, b"data")
            assert caught.value.sub_indication == "SIG_CRYPTO_FAILURE"
        with pytest.raises(FormatError):
            verify(public, signature, b"datum")
    assert (suite.sign(key, b"x") == suite.sign(key, b"x")) == suite.deterministic
    suite.verify(public, suite.jws_form(suite.sign_der(key, b"x")), b"x")


@pytest.mark.parametrize("name", ALL)
def test_a_suite_works_with_its_own_keys_only(name):
    suite = ALL[name]
    own = suite.generate()
    for other in (*(s.generate() for s in ALL.values() if s is not suite), ec.generate_private_key(ec.SECP384R1())):
        assert not suite.owns(other)
        with pytest.raises(TypeError):
            suite.sign_der(other, b"x")
        for verify, form in ((suite.verify, suite.sign), (suite.verify_der, suite.sign_der)):
            with pytest.raises(FormatError):
                verify(other.public_key(), form(own, b"x"), b"x")


def test_the_list_is_closed_and_a_second_suite_stands_for_nothing_alone(world):
    assert set(SUITES) == {ECDSA_P256_SHA256, SM2_SM3, ED25519}
    assert set(SECOND_SUITES) == {ML_DSA_65}
    assert suite_of_key(SECOND_SUITES[ML_DSA_65].generate()) is None
    with pytest.raises(KeyError):
        keys.generate_private_key(ML_DSA_65)
    second = replace(world.agriculture)
    token = jose.sign(second, "t", {})
    header = token.split(".")[0]
    forged = jose.b64url(jose.b64url_decode(header, "h").replace(b'"ES256"', b'"ML-DSA-65"'))
    with pytest.raises(FormatError) as caught:
        jose.parse_compact(token.replace(header, forged), typ="t", max_bytes=100_000, what="t")
    assert caught.value.code == "alg_not_allowed"


def test_the_message_does_not_choose_the_suite(sm2):
    token = jose.sign(sm2, "t", {"a": 1})
    parsed = jose.parse_compact(token, typ="t", max_bytes=100_000, what="t")
    assert parsed.alg == "urn:oid:1.2.156.10197.1.501"
    jose.verify(parsed, sm2.public_key, [SM2_SM3])
    for allowed in ([], [ECDSA_P256_SHA256], [ED25519]):
        with pytest.raises(FormatError):
            jose.verify(parsed, sm2.public_key, allowed)
    with pytest.raises(FormatError):
        jose.verify(replace(parsed, alg="ES256"), sm2.public_key, list(SUITES))


@pytest.mark.parametrize(
    "suites",
    [(SM2_SM3,) * 3, (ED25519,) * 3, (SM2_SM3, ECDSA_P256_SHA256, SM2_SM3), (ECDSA_P256_SHA256, SM2_SM3, ED25519)],
)
def test_chains_of_every_suite_and_mixed_ones_hold(suites, tmp_path):
    leaf = chain_of(*suites)
    path = chain.validate(leaf.chain_der, anchors(leaf), frozenset(suites))
    assert path.demonstration
    assert len(path.certificates) == 3
    assert chain.public_key(path.leaf) == leaf.public_key
    for without in set(suites[:2]):
        with pytest.raises(FormatError) as caught:
            chain.validate(leaf.chain_der, anchors(leaf), frozenset(SUITES) - {without})
        assert caught.value.code == "suite_not_allowed"
    keys.write_key(tmp_path / "k.pem", leaf, PASSPHRASE)
    again = keys.read_key(tmp_path / "k.pem", PASSPHRASE)
    SUITES[leaf.suite].verify(leaf.public_key, again.sign(b"x"), b"x")
    assert again.chain == leaf.chain
    with pytest.raises(PassphraseWrongError):
        keys.read_key(tmp_path / "k.pem", b"wrong horse")
    with pytest.raises(KeyFileError):
        keys.SigningKey(leaf.suite, keys.generate_private_key(leaf.suite), leaf.chain)


def test_every_byte_of_an_sm2_certificate_counts(sm2):
    der = sm2.chain_der[0]
    found = chain.load(der)
    assert found.signature_algorithm_oid == SUITES[SM2_SM3].certificate_oid
    for at in range(len(der)):
        changed = der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]
        with pytest.raises(FormatError):
            chain.validate((changed, *sm2.chain_der[1:]), anchors(sm2), frozenset({SM2_SM3}))


@pytest.mark.parametrize("name", [ECDSA_P256_SHA256, SM2_SM3])
def test_no_bit_of_a_signature_may_be_declared_unused(name):
    suite = SUITES[name]
    made = chain_of(name, name, name)
    parts = certificates.split(made.chain_der[0])
    # About every second signature ends in a zero bit, which could be left out without changing its value.
    while (signature := suite.sign_der(suite.generate(), b"x"))[-1] & 1:
        pass
    for unused, readable in ((b"\0", True), (b"\1", False)):
        changed = der.write(0x30, parts[0] + parts[1] + der.write(0x03, unused + signature))
        if readable:
            chain.load(changed)
            continue
        with pytest.raises(FormatError):
            chain.load(changed)


def test_null_parameters_count_as_none_with_sm2_when_they_are_signed_so(sm2):
    suite = SUITES[SM2_SM3]
    issuing = sm2.chain[1]
    # The root's key signs the issuing certificate again as some authorities write it.
    root = authority.create_root(keys.generate_private_key(SM2_SM3), name="R", starts=w.STARTS, ends=w.ENDS, serial=1)
    plain = der.write(0x30, bytes.fromhex("06082a811ccf55018375"))
    null = der.write(0x30, bytes.fromhex("06082a811ccf550183750500"))
    parts = certificates.split(issuing.tbs_certificate_bytes)
    assert parts[2] == plain

    def made(inner, outer):
        tbs = der.write(0x30, b"".join([*parts[:2], inner, *parts[3:]]))
        signature = der.write(0x03, b"\0" + root.sign_der(tbs))
        return x509.load_der_x509_certificate(der.write(0x30, tbs + outer + signature))

    for spelling in (plain, null):
        certificates.check_signature(made(spelling, spelling), root.public_key)
    for inner, outer in ((plain, null), (null, plain)):
        with pytest.raises(FormatError):
            certificates.check_signature(made(inner, outer), root.public_key)
    assert suite.certificate_oid == issuing.signature_algorithm_oid


def test_every_subject_of_sm2_says_demonstration(sm2):
    for certificate in sm2.chain:
        assert "DEMONSTRATION 演示" in certificate.subject.rfc4514_string()


def test_keys_are_found_in_certificates_of_both_worlds(sm2, world):
    assert isinstance(certificates.public_key_of(sm2.certificate), Sm2PublicKey)
    assert certificates.public_key_of(world.agriculture.certificate) == world.agriculture.public_key
    identifier = sm2.chain[1].extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    named = sm2.certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert identifier == named == certificates.key_identifier(sm2.chain and certificates.public_key_of(sm2.chain[1]))


@pytest.mark.parametrize(
    "junk", [b"", b"\x30", b"\x30\x80\x00\x00", b"\x30\x85\1\0\0\0\0", b"\x30\x03\x02\x05\x00", b"\x30\0\0"]
)
def test_lengths_that_do_not_add_up_are_refused(junk):
    with pytest.raises(FormatError):
        certificates.split(junk)


class Token:
    """Keeps a key to itself, as a token would; can be told to sign wrongly or not at all."""

    def __init__(self, key, suite):
        self._key, self._suite, self.fault = key, suite, ""

    def public_key(self):
        return self._key.public_key()

    def sign_der(self, data):
        if self.fault == "unplugged":
            raise SignerError("signer_wrong")
        return self._suite.sign_der(self._key, data + (b"!" if self.fault else b""))


@pytest.mark.parametrize("name", [ECDSA_P256_SHA256, SM2_SM3])
def test_a_key_kept_elsewhere_signs_and_certifies(name, tmp_path):
    suite = SUITES[name]
    token = Token(suite.generate(), suite)
    opened = keys.open_signer("test:1", "pin", {"test": lambda _uri, _secret: token})
    root = authority.create_root(opened, name="Root", starts=w.STARTS, ends=w.ENDS, serial=1)
    suite.verify(token.public_key(), root.sign(b"x"), b"x")
    certificates.check_signature(root.certificate, token.public_key())
    with pytest.raises(KeyFileError):
        keys.write_key(tmp_path / "k.pem", root, PASSPHRASE)
    for fault in ("wrong", "unplugged"):
        token.fault = fault
        with pytest.raises(SignerError):
            root.sign(b"x")


def test_an_unknown_keeper_is_said_so():
    with pytest.raises(KeyFileError) as caught:
        keys.open_signer("nobody:token=1", "1234")
    assert "nobody" in caught.value.text("zh")
    assert "1234" not in str(caught.value)


def write_pem(folder, name, certificate):
    (folder / name).write_bytes(certificate.public_bytes(Encoding.PEM))


@needs_openssl
@pytest.mark.parametrize("suites", [(SM2_SM3,) * 3, (ECDSA_P256_SHA256,) * 3, (SM2_SM3, SM2_SM3, ECDSA_P256_SHA256)])
def test_openssl_verifies_our_chains(suites, tmp_path):
    leaf = chain_of(*suites)
    for name, certificate in zip(("leaf", "issuing", "root"), leaf.chain, strict=True):
        write_pem(tmp_path, name, certificate)
    text = openssl(tmp_path, "x509", "-in", "leaf", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus")
    assert "演示" in text
    # openssl sets the user id for the first certificate only, so each link is verified by itself.
    distid = ["-vfyopt", "distid:1234567812345678"] if suites[0] == SM2_SM3 else []
    common = ["verify", *distid, "-ignore_critical", "-partial_chain", "-attime", str(int(w.AT.timestamp()))]
    for below, above in (("leaf", "issuing"), ("issuing", "root")):
        assert "OK" in openssl(tmp_path, *common, "-trusted", above, below)
    der = bytearray(leaf.chain[0].public_bytes(Encoding.DER))
    der[len(der) // 2] ^= 1
    (tmp_path / "bad").write_bytes(bytes(der))
    with pytest.raises(subprocess.CalledProcessError):
        openssl(tmp_path, *common, "-trusted", "issuing", "bad")


@needs_openssl
def test_a_certificate_of_openssl_is_read_and_verified(tmp_path):
    extension = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    openssl(
        tmp_path,
        *("req", "-x509", "-newkey", "SM2", "-nodes", "-keyout", "k", "-out", "c.der", "-outform", "DER", "-sm3"),
        *("-subj", "/CN=peer", "-days", "30", "-sigopt", "distid:1234567812345678", *extension),
    )
    peer = chain.load((tmp_path / "c.der").read_bytes())
    certificates.check_signature(peer, certificates.public_key_of(peer))
    assert peer.not_valid_after_utc - peer.not_valid_before_utc == timedelta(days=30)
