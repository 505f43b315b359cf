"""Keys that are made once, chosen by policy, and never half there."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import replace
from datetime import timedelta
from multiprocessing import get_context
from shutil import which

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hub.authority import KeyStore, keeping, making
from hub.authority.errors import (
    RootApartError,
    SigningKeyEndedError,
    SigningKeyMissingError,
    SuiteNotSignedError,
)
from hub.control import Control
from hub.settings import Settings
from licence.errors import KeyFileError, PassphraseWrongError
from licence.suites import ECDSA_P256_SHA256, ED25519, SM2_SM3, SUITES
from licence.trust import TrustStore
from tests.hub.authority.conftest import NOW, again, prepare

sm2 = pytest.mark.skipif(not keeping.sm2_signs(), reason="libcrypto signs no SM2 here")


def test_every_key_signs_under_a_published_root(keys, log):
    code = next(iter(keys._known))
    keys.publish((log.verifier,))
    trust = TrustStore.load(keys.settings.trust)
    for key in (keys.department(code), keys.status(), keys.time_stamps(), keys.documents(code)):
        SUITES[key.suite].verify(key.public_key, key.sign(b"x"), b"x")
        assert key.chain[-1] in trust.anchors
        assert key.suite in trust.suites
    assert set(trust.certificates) == {*keys.certificates(), *keys.signers()}
    assert len(keys.certificates()) == 2 * len(trust.anchors)
    assert keys.department(code).chain_der[0] in trust.certificates


@sm2
def test_seals_are_of_sm2(keys):
    code = next(iter(keys._known))
    assert {keys.seal_maker().suite, keys.custodian(code).suite} == {SM2_SM3}
    # On the second asking it is the same key, in another process too.
    assert again(keys).custodian(code).certificate == keys.custodian(code).certificate


def test_a_second_preparing_makes_nothing(keys):
    before = {p.name: p.read_bytes() for p in keys.folder.iterdir()}
    prepare(again(keys))
    assert {p.name: p.read_bytes() for p in keys.folder.iterdir()} == before


def test_policy_says_which_suite_signs(keys):
    other = KeyStore(replace(keys.settings, licence_suite=ED25519), keys.control, keys.clock)
    code = next(iter(keys._known))
    with pytest.raises(SigningKeyMissingError):
        other.department(code)
    prepare(other)
    assert (other.department(code).suite, other.status().suite) == (ED25519, ED25519)
    assert other.roots()[0] == keys.roots()[0]
    assert keys.department(code).suite == ECDSA_P256_SHA256
    wrong = KeyStore(replace(keys.settings, licence_suite="rsa"), keys.control, keys.clock)
    with pytest.raises(SuiteNotSignedError, match="ecdsa-p256-sha256"):
        prepare(wrong)


def test_files_are_private_and_sealed(keys):
    for path in keys.folder.glob("*.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"ENCRYPTED" in path.read_bytes()
    keys.passphrase = b"another passphrase"
    with pytest.raises(PassphraseWrongError):
        keys.status()


def test_a_file_that_others_may_read_does_not_sign(keys):
    keys.path("status", ECDSA_P256_SHA256, 1).chmod(0o640)
    with pytest.raises(KeyFileError, match="640"):
        keys.status()


def test_without_the_roots_key_the_hub_signs(keys):
    keys.path("root", ECDSA_P256_SHA256, 1).unlink()
    code = next(iter(keys._known))
    fresh = again(keys)
    prepare(fresh)
    assert fresh.documents(code).chain[-1] == fresh.roots()[0]
    keys.path("issuing", ECDSA_P256_SHA256, 1).unlink()
    with pytest.raises(KeyFileError):
        fresh.documents("HJ" if "HJ" in fresh._known else list(fresh._known)[-1])
    with pytest.raises(RootApartError, match="--root"), fresh.changing() as connection:
        fresh.root_key(connection, ECDSA_P256_SHA256, NOW)


def test_an_ended_certificate_does_not_sign(keys, clock):
    clock.pass_(days=making.LEAF_DAYS + 1)
    with pytest.raises(SigningKeyEndedError, match="rotate status"):
        keys.status()


@pytest.mark.parametrize("after", range(1, 5))
def test_killed_while_preparing(tmp_path, clock, monkeypatch, after):
    settings = Settings.at(tmp_path / "var")
    store = KeyStore(settings, Control.open(settings), clock)
    writes = []

    def write(path, key, passphrase):
        writes.append(path)
        if len(writes) > after:
            raise KeyboardInterrupt
        real(path, key, passphrase)

    real = making.write_key
    monkeypatch.setattr(making, "write_key", write)
    with pytest.raises(KeyboardInterrupt):
        prepare(store)
    left = {p.name: p.read_bytes() for p in store.folder.glob("*.pem")}
    assert len(left) == after
    assert store.kept() == ()
    monkeypatch.setattr(making, "write_key", real)
    prepare(store)
    # What was made is taken up, and each certificate of the register has its key.
    assert {name: (store.folder / name).read_bytes() for name in left} == left
    for one in store.kept():
        assert store.open(one).certificate == one.certificate
    store.control.close()


def _prepare(home):
    settings = Settings.at(home)
    control = Control.open(settings)
    prepare(KeyStore(settings, control, lambda: NOW))
    control.close()


def test_two_processes_prepare_at_once(tmp_path):
    home = tmp_path / "var"
    Control.open(Settings.at(home)).close()
    context = get_context("spawn")
    both = [context.Process(target=_prepare, args=(home,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    control = Control.open(Settings.at(home))
    store = KeyStore(Settings.at(home), control, lambda: NOW)
    assert all(k.number == 1 for k in store.kept())
    assert all(store.open(k).certificate == k.certificate for k in store.kept())
    control.close()


def test_keys_of_before_the_register_are_taken_up(keys):
    status = keys.status().certificate
    with keys.control.writing() as connection:
        connection.exec_driver_sql("DELETE FROM certificates")
    prepare(again(keys))
    assert again(keys).status().certificate == status


@pytest.mark.skipif(
    which("openssl") is None and os.environ.get("ZHENGTONG_REQUIRE_SERVICES") != "1", reason="openssl is not installed"
)
def test_openssl_accepts_the_chains(keys, tmp_path):
    code = next(iter(keys._known))
    keys.documents(code)
    if keeping.sm2_signs():
        keys.custodian(code)
    kept = {k.key_id: k for k in keys.kept()}
    leaves = [k for k in kept.values() if not k.authority]
    assert {k.role for k in leaves} >= {"licences", "status", "documents", "time-stamps"}
    moment = str(int((NOW + timedelta(days=1)).timestamp()))
    for one in (k for k in kept.values() if k.issuer):
        above = kept[one.issuer]
        files = [tmp_path / f"{k.key_id}.pem" for k in (above, one)]
        for k, path in zip((above, one), files, strict=True):
            path.write_bytes(k.certificate.public_bytes(Encoding.PEM))
        options = ["-purpose", "timestampsign"] if one.role == "time-stamps" else []
        # OpenSSL is told the user id for the one certificate that is asked about, so it is asked link by link.
        options += ["-vfyopt", "distid:1234567812345678"] if one.suite == SM2_SM3 else []
        ran = subprocess.run(
            [
                *("openssl", "verify", "-x509_strict", "-partial_chain", "-attime", moment, *options),
                *("-CAfile", files[0], files[1]),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, (one.name, ran.stdout, ran.stderr)


def test_purposes_are_as_their_standards_ask(keys):
    code = next(iter(keys._known))
    keys.documents(code)
    for leaf in (k for k in keys.kept() if not k.authority):
        try:
            usage = leaf.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        except x509.ExtensionNotFound:
            assert leaf.role in {"documents", "seals"}
        else:
            # RFC 3161 §2.3: critical, and nothing but time stamping.
            assert usage.critical
            assert len(list(usage.value)) == 1
