"""Keys that others keep: the file of signers, and a token that goes away and comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509

from hub.authority import KeyStore, signers
from hub.authority.changes import rotate
from hub.authority.errors import KeyStepRefusedError, SignersFileError
from licence import authority
from licence.errors import SignerError
from licence.keys import pem_bundle
from licence.suites import ECDSA_P256_SHA256, SUITES
from tests.hub.authority.conftest import NOW, prepare
from tests.licence import test_hsm, world
from tests.licence.test_hsm import PIN, signer, uri

__all__ = ["signer", "uri"]

needs_token = [test_hsm.pytestmark[0], test_hsm.pytestmark[1]]


@pytest.fixture
def outside(keys, tmp_path):
    """A certificate of another authority for the status key, which a plain P-256 key stands for."""

    def make(kept):
        starts, ends = NOW.replace(year=2025), NOW.replace(year=2030)
        root = authority.create_root(world.private_key("ca"), name="Outside", starts=starts, ends=ends, serial=7)
        leaf = authority.certify_leaf(
            root,
            kept,
            role=authority.Role.STATUS,
            name="hub",
            uscc="91110108MA01A0000X",
            uri="https://x.example",
            starts=starts,
            ends=ends,
            serial=8,
        )
        (tmp_path / "status.pem").write_bytes(pem_bundle(leaf.chain))
        return leaf

    return make


def write(tmp_path, key, secret=None, name="status"):
    (tmp_path / "pin").write_text(PIN)
    text = f'{name}:\n  key: "{key}"\n  secret: "{secret or f"file:{tmp_path}/pin"}"\n  chain: status.pem\n'
    (tmp_path / "signers.yaml").write_text(text)
    return tmp_path / "signers.yaml"


def store_of(keys, file):
    return KeyStore(replace(keys.settings, signers_file=file), keys.control, keys.clock)


class Test_a_token:  # noqa: N801 - its marks hold for these alone
    pytestmark = needs_token

    def test_signs_under_its_own_root(self, keys, log, outside, signer, uri, tmp_path):  # noqa: PLR0917 - fixtures
        leaf = outside(signer)
        store = store_of(keys, write(tmp_path, uri))
        prepare(store)
        key = store.status()
        assert key.certificate == leaf.certificate
        SUITES[ECDSA_P256_SHA256].verify(key.public_key, key.sign(b"x"), b"x")
        assert leaf.chain[-1] in store.roots()
        assert PIN not in repr(store.named()) + repr(key)
        with pytest.raises(KeyStepRefusedError, match="file of signers"):
            rotate(store, log, "status", by="DSJ:key-keeper")

    def test_unplugged_is_told_and_goes_on(self, keys, outside, signer, uri, tmp_path):
        signers._open.cache_clear()
        outside(signer)
        store = store_of(keys, write(tmp_path, uri))
        prepare(store)
        key = store.status()
        done = [key.sign(b"first")]
        key.private_key._session.close()
        with pytest.raises(SignerError) as caught:
            key.sign(b"second")
        assert caught.value.code == "signer_gone"
        assert caught.value.text("zh") != caught.value.text("en")
        done.append(store.status().sign(b"second"))
        for signature, data in zip(done, (b"first", b"second"), strict=True):
            SUITES[ECDSA_P256_SHA256].verify(key.public_key, signature, data)


def test_a_file_that_is_not_in_order_says_why(keys, outside, tmp_path):
    outside(world.private_key("kept"))
    good = write(tmp_path, "pkcs11:x")
    assert set(store_of(keys, good).named()) == {"status"}
    for wrong in (
        "- a list",
        "status: {key: a}",
        "status: {key: a, secret: 483920, chain: status.pem}",
        "nobody: {key: a, secret: 'env:X', chain: status.pem}",
        "status: {key: a, secret: 'env:X', chain: missing.pem}",
        "status: {key: a, secret: plain, chain: status.pem}",
        "{",
    ):
        good.write_text(wrong)
        with pytest.raises(SignersFileError) as caught:
            store_of(keys, good).named()
        assert "483920" not in str(caught.value)
    whole = (tmp_path / "status.pem").read_bytes()
    certificates = x509.load_pem_x509_certificates(whole)
    (tmp_path / "status.pem").write_bytes(pem_bundle(certificates[:1]))
    with pytest.raises(SignersFileError):
        store_of(keys, write(tmp_path, "pkcs11:other")).named()


def test_a_secret_that_cannot_be_had(keys, outside, tmp_path):
    outside(world.private_key("kept"))
    store = store_of(keys, write(tmp_path, "pkcs11:x", secret="env:ZHENGTONG_NO_SUCH_PIN"))
    prepare(store)
    with pytest.raises(SignersFileError, match="ZHENGTONG_NO_SUCH_PIN"):
        store.status()
