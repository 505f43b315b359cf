from __future__ import annotations

import stat
from datetime import timedelta

import pytest
from cryptography import x509

from licence import authority, keys
from licence.authority import Role
from licence.errors import CertificationRefusedError, KeyFileError, PassphraseWrongError
from licence.keys import SigningKey, pem_bundle, read_key, write_key
from licence.profile import LICENCE_SIGNING, STATUS_SIGNING
from licence.suites import ECDSA_P256_SHA256, SUITES
from tests.licence import world as w

PASSPHRASE = b"correct horse"


def test_key_file_reads_back_and_is_private(tmp_path, world):
    path = tmp_path / "agriculture.pem"
    write_key(path, world.agriculture, PASSPHRASE)
    again = read_key(path, PASSPHRASE)
    assert again.chain == world.agriculture.chain
    assert again.sign(b"x") == world.agriculture.sign(b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["agriculture.pem"]


def test_wrong_passphrase_says_so(tmp_path, world):
    path = tmp_path / "k.pem"
    write_key(path, world.agriculture, PASSPHRASE)
    with pytest.raises(PassphraseWrongError) as caught:
        read_key(path, b"wrong horse")
    assert str(path) in caught.value.text("zh")
    assert "horse" not in str(caught.value)


# The key 7 of P-256 under `PASSPHRASE`. "wrong horse 906" opens it to bytes that end as padding does.
LUCKY = (
    b"MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBBQeagxuFUPO3Cy5AqePlIdAgIIADAMBggqhkiG9w0CCQUAMB0G"
    b"CWCGSAFlAwQBKgQQ7DdWOoDoqJCIXp5QtR7baQSBkP9sb7NEyfA97vAtrjoP6+ObCU7nWr+wc17dRpPkBfic4QravU9AICNF"
    b"gAY5o0dlZw2tyQLSGFUHMCnPWyv4EOvV+KsyOeeAIAvRok48+ySKLHR5X7x1IdKtLSNqAwwpgtrieyHVSB0gv1GVW/KZWkcb"
    b"1j4vnD3BUvVyqGXjAR1lwE8nsTIC1PHGyVliQrXptA=="
)


def test_a_wrong_passphrase_is_never_called_damage(tmp_path, world):
    path = tmp_path / "k.pem"
    label = b"ENCRYPTED PRIVATE KEY-----"
    chain = pem_bundle(world.agriculture.chain)

    def written(body):
        path.write_bytes(b"-----BEGIN %s\n%s\n-----END %s\n%s" % (label, body, label, chain))
        path.chmod(0o600)

    written(LUCKY)
    with pytest.raises(PassphraseWrongError):
        read_key(path, b"wrong horse 906")
    for damaged in (LUCKY[:-8], b"AA" + LUCKY, LUCKY[:40], b""):
        written(damaged)
        with pytest.raises(KeyFileError) as caught:
            read_key(path, PASSPHRASE)
        assert caught.value.code == "key_file_unreadable"


def test_key_file_that_others_may_read_is_refused(tmp_path, world):
    path = tmp_path / "k.pem"
    write_key(path, world.agriculture, PASSPHRASE)
    path.chmod(0o640)
    with pytest.raises(KeyFileError) as caught:
        read_key(path, PASSPHRASE)
    assert caught.value.code == "key_file_exposed"


@pytest.mark.parametrize("damage", [b"", b"junk", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"])
def test_damaged_key_file(tmp_path, damage):
    path = tmp_path / "k.pem"
    path.write_bytes(damage)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        read_key(path, PASSPHRASE)
    with pytest.raises(KeyFileError):
        read_key(tmp_path / "none.pem", PASSPHRASE)


def test_key_file_without_its_certificate(tmp_path, world):
    path = tmp_path / "k.pem"
    write_key(path, world.agriculture, PASSPHRASE)
    path.write_bytes(path.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0])
    with pytest.raises((KeyFileError, PassphraseWrongError)) as caught:
        read_key(path, PASSPHRASE)
    assert isinstance(caught.value, KeyFileError)


def test_short_passphrase_and_foreign_certificate_are_refused(tmp_path, world):
    with pytest.raises(KeyFileError):
        write_key(tmp_path / "k.pem", world.agriculture, b"short")
    with pytest.raises(KeyFileError):
        SigningKey(ECDSA_P256_SHA256, w.private_key("other"), world.agriculture.chain)


def test_failed_write_leaves_the_old_file(tmp_path, world, monkeypatch):
    path = tmp_path / "k.pem"
    write_key(path, world.agriculture, PASSPHRASE)
    before = path.read_bytes()

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keys.os, "fsync", full)
    with pytest.raises(OSError, match="space"):
        write_key(path, world.forestry, PASSPHRASE)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["k.pem"]


def test_private_key_does_not_show(world):
    assert "private" not in repr(world.agriculture).lower()


def test_certificates_have_their_profile(world):
    leaf = world.agriculture.certificate.extensions
    assert leaf.get_extension_for_class(x509.BasicConstraints).critical
    assert not leaf.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = leaf.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.digital_signature, usage.value.key_cert_sign) == (True, False)
    assert list(leaf.get_extension_for_class(x509.ExtendedKeyUsage).value) == [LICENCE_SIGNING]
    status = world.status_key.certificate.extensions
    assert list(status.get_extension_for_class(x509.ExtendedKeyUsage).value) == [STATUS_SIGNING]
    issuing = world.agriculture.chain[1].extensions
    assert issuing.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    subject_id = issuing.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert leaf.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == subject_id
    assert world.agriculture.organisation_code == w.AGRICULTURE
    assert world.agriculture.issuer_uri == "https://agriculture.city.example"


def test_every_subject_says_demonstration(world):
    for key in (world.agriculture, world.forestry, world.status_key):
        for certificate in key.chain:
            text = certificate.subject.rfc4514_string()
            assert "DEMONSTRATION" in text
            assert "演示" in text


def test_root_is_left_out_of_x5c(world):
    assert len(world.agriculture.chain) == 3
    assert len(world.agriculture.chain_der) == 2


def test_authority_refuses_what_it_may_not_certify(world):
    issuing = SigningKey(ECDSA_P256_SHA256, w.private_key("issuing"), world.agriculture.chain[1:])
    with pytest.raises(CertificationRefusedError):
        authority.certify_authority(issuing, w.private_key("x"), name="x", starts=w.STARTS, ends=w.ENDS, serial=9)
    with pytest.raises(CertificationRefusedError):
        w.make_leaf(world.root, "x", w.FORESTRY, ends=w.ENDS + timedelta(days=1))
    with pytest.raises(CertificationRefusedError):
        w.make_leaf(world.root, "x", w.FORESTRY, starts=w.ENDS, ends=w.ENDS)
    with pytest.raises(CertificationRefusedError):
        w.make_leaf(world.root, "x" * 60, w.FORESTRY, role=Role.STATUS)


def test_generated_keys_sign():
    key = keys.generate_private_key()
    suite = SUITES[ECDSA_P256_SHA256]
    assert suite.owns(key)
    assert len(suite.sign(key, b"data")) == 64
    suite.verify(key.public_key(), suite.sign(key, b"data"), b"data")
