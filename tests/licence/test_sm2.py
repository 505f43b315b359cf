"""SM2 by libcrypto and in Python alone: the same answers as each other, as the standard's example and as openssl."""

from __future__ import annotations

import copy
import ctypes
import gc
import hashlib
import pickle
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence.errors import FormatError, KeyFileError, PassphraseWrongError, Sm2UnavailableError
from licence.sm2 import Sm2PrivateKey, Sm2PublicKey, curve, keys, native, pure, self_test, selftest, sm3
from licence.sm2.curve import GX, GY, N, P, read_signature
from tests.licence.tools import needs_openssl, openssl

PASSPHRASE = b"correct horse"
# GB/T 32918.5 Annex A.2: the private key of the example that the self-test verifies.
EXAMPLE = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8

signs = pytest.mark.skipif(native.load() is None, reason="no libcrypto with SM2 on this machine")
pytestmark = signs


@pytest.fixture(scope="module")
def key():
    return Sm2PrivateKey.derive(EXAMPLE)


@pytest.fixture(params=["native", "pure"])
def either(request, monkeypatch):
    """Verification by each of the two ways."""
    if request.param == "pure":
        monkeypatch.setattr(keys, "_verifying_engine", lambda: None)
    return request.param


def refused(public, signature, data):
    with pytest.raises(FormatError) as caught:
        public.verify(signature, data)
    assert caught.value.sub_indication == "SIG_CRYPTO_FAILURE"
    return True


def test_digest_is_that_of_the_standard_and_of_hashlib():
    assert sm3(b"abc").hex().startswith("66c7f0f462eeedd9")
    if "sm3" in hashlib.algorithms_available:
        assert sm3(b"x" * 1000) == hashlib.new("sm3", b"x" * 1000).digest()


def test_the_example_of_the_standard(key, either):
    public = Sm2PublicKey.from_point(selftest._POINT)
    assert key.public_key() == public
    assert hash(key.public_key()) == hash(public)
    public.verify(selftest._SIGNATURE, b"message digest")
    assert refused(public, selftest._SIGNATURE, b"message digesu")


def test_every_flipped_bit_of_a_signature_is_refused(key, either):
    signature = key.sign(b"data")
    key.public_key().verify(signature, b"data")
    for at in range(len(signature)):
        changed = bytearray(signature)
        changed[at] ^= 1 << (at % 8)
        assert refused(key.public_key(), bytes(changed), b"data")


def test_every_flipped_byte_of_the_data_and_of_the_key_is_refused(key, either):
    data = b"0123456789" * 8
    signature = key.sign(data)
    for at in range(len(data)):
        assert refused(key.public_key(), signature, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    point = key.public_key().point
    for at in range(len(point)):
        with pytest.raises(FormatError):
            Sm2PublicKey(point[:at] + bytes([point[at] ^ 1]) + point[at + 1 :]).verify(signature, data)


def integer(value):
    size = max(1, (value.bit_length() + 8) // 8)
    return b"\x02" + bytes([size]) + value.to_bytes(size, "big")


def sequence(content):
    return b"\x30" + bytes([len(content)]) + content


def test_a_signature_has_one_spelling(key, either):
    signature = key.sign(b"x")
    r, s = read_signature(signature)
    assert sequence(integer(r) + integer(s)) == signature
    content = signature[2:]
    longer = b"\x02" + bytes([len(integer(r)) - 1]) + b"\0" + integer(r)[2:]
    for other in (
        b"",
        signature + b"\0",
        signature[:-1],
        b"\x30\x81" + signature[1:],
        b"\x30\x80" + content + b"\0\0",
        sequence(content + b"\x05\0"),
        sequence(longer + integer(s)),
        sequence(integer(r + N) + integer(s)),
        sequence(integer(r) + integer(s + N)),
        sequence(integer(0) + integer(s)),
        sequence(integer(r) + integer(0)),
        sequence(integer(r) + integer(N)),
        # t = r + s must not vanish.
        sequence(integer(r) + integer(N - r)),
        sequence(integer(r)),
        r.to_bytes(32, "big") + s.to_bytes(32, "big"),
        b"\x30" * 10_000_000,
    ):
        assert refused(key.public_key(), other, b"x")


def test_points_off_the_curve_are_no_keys(key):
    point = key.public_key().point
    x, y = curve.coordinates(point)
    good = Sm2PublicKey.from_spki(key.public_key().to_spki())
    assert good == key.public_key()
    for wrong in (
        b"",
        b"\0",
        b"\x02" + point[1:33],
        b"\x06" + point[1:],
        point + b"\0",
        b"\x04" + bytes(64),
        b"\x04" + x.to_bytes(32, "big") + ((y + 1) % P).to_bytes(32, "big"),
        b"\x04" + P.to_bytes(32, "big") + y.to_bytes(32, "big"),
    ):
        with pytest.raises(FormatError) as caught:
            Sm2PublicKey.from_point(wrong)
        assert caught.value.code == "sm2_key_invalid"
    spki = good.to_spki()
    for at in range(len(spki) - 64):
        with pytest.raises(FormatError):
            Sm2PublicKey.from_spki(spki[:at] + bytes([spki[at] ^ 1]) + spki[at + 1 :])


@settings(max_examples=25, deadline=None)
@given(scalar=st.integers(1, N - 2), data=st.binary(max_size=300), s=st.integers(1, N - 1))
def test_both_ways_agree(scalar, data, s):
    private = Sm2PrivateKey.derive(scalar)
    public = private.public_key()
    signature = private.sign(data)
    r, good = read_signature(signature)
    handle = keys._handle(public.point)
    assert pure.verifies(public.point, r, good, data)
    assert native.load().verifies(handle, signature, data)
    forged = sequence(integer(r) + integer(s))
    assert pure.verifies(public.point, r, s, data) == native.load().verifies(handle, forged, data) == (s == good)


@pytest.mark.parametrize("scalar", [1, 2, 3, N - 2])
def test_keys_at_the_edge_work_by_both_ways(scalar, either):
    # The key 1 has the base point itself for its public key, so both tables hold the same points.
    private = Sm2PrivateKey.derive(scalar)
    assert (private.public_key().point == b"\x04" + GX.to_bytes(32, "big") + GY.to_bytes(32, "big")) == (scalar == 1)
    signature = private.sign(b"x")
    private.public_key().verify(signature, b"x")
    assert refused(private.public_key(), signature, b"y")


def test_additions_that_meet_their_own_point():
    base = (GX, GY)
    assert pure._affine(pure._add((GX, GY, 1), base)) == pure._affine(pure._double((GX, GY, 1)))
    assert pure._add((GX, GY, 1), (GX, P - GY))[2] == 0


@pytest.mark.parametrize("scalar", [0, -1, N - 1, N])
def test_scalars_out_of_range_are_refused(scalar):
    with pytest.raises(KeyFileError):
        Sm2PrivateKey.derive(scalar)


def test_private_keys_hide_and_stay_single(key):
    assert f"{EXAMPLE:x}"[:8] not in repr(key)
    assert "andle" not in repr(key)
    for copying in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            copying(key)
        with pytest.raises(TypeError):
            copying(key._handle)


def test_encrypted_pem_reads_back(key):
    pem = key.to_pem(PASSPHRASE)
    assert Sm2PrivateKey.from_pem(pem, PASSPHRASE).public_key() == key.public_key()
    assert EXAMPLE.to_bytes(32, "big") not in pem
    assert key.to_pem(PASSPHRASE) != pem
    with pytest.raises(PassphraseWrongError):
        Sm2PrivateKey.from_pem(pem, b"wrong horse")
    for damaged in (b"", b"junk", pem[:80], pem.replace(b"\nMI", b"\nAI", 1), pem.replace(b"\nMI", b"\n!!", 1)):
        with pytest.raises((KeyFileError, PassphraseWrongError)):
            Sm2PrivateKey.from_pem(damaged, PASSPHRASE)


def test_threads_share_a_key(key):
    failures, finished = [], []

    def work():
        try:
            for i in range(20):
                key.public_key().verify(key.sign(b"%d" % i), b"%d" % i)
        except FormatError as error:
            failures.append(error)
        finished.append(True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert finished == [True] * 4


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc on this machine")
def test_nothing_leaks(key):
    pem = key.to_pem(PASSPHRASE)
    junk = sequence(integer(1) + integer(1))

    def use(times):
        for _ in range(times):
            Sm2PrivateKey.generate().public_key()
            key.public_key().verify(key.sign(b"x"), b"x")
            refused(key.public_key(), junk, b"x")
            with pytest.raises(FormatError):
                Sm2PublicKey.from_point(b"")
        Sm2PrivateKey.from_pem(pem, PASSPHRASE)
        gc.collect()

    use(500)
    before = resident()
    use(2000)
    # One context leaked at each call would be more than 200 bytes × 2,000 × several.
    assert resident() - before < 1_000_000


def test_without_libcrypto_one_verifies_but_does_not_sign(key, monkeypatch):
    signature = key.sign(b"x")
    monkeypatch.setattr(native, "_found", [None])
    monkeypatch.setattr(keys, "_tested", [])
    key.public_key().verify(signature, b"x")
    assert refused(key.public_key(), signature, b"y")
    for act in (Sm2PrivateKey.generate, lambda: key.sign(b"x"), lambda: key.to_pem(PASSPHRASE)):
        with pytest.raises(Sm2UnavailableError) as caught:
            act()
        assert caught.value.code == "sm2_unavailable"


class Lying:
    """A libcrypto that answers wrongly in one way."""

    def __init__(self, **answers):
        self._answers = answers

    def __getattr__(self, name):
        return self._answers.get(name) or getattr(native.Native(ctypes.CDLL(next(native._names()))), name)


@pytest.mark.parametrize(
    ("answers", "detail"),
    [
        ({"verifies": lambda *_: True}, "verification in libcrypto"),
        ({"verifies": lambda *_: False}, "verification in libcrypto"),
        ({"sign": lambda *_: selftest._SIGNATURE}, "signing in libcrypto"),
    ],
)
def test_a_machine_that_computes_wrongly_is_switched_off(key, monkeypatch, answers, detail):
    monkeypatch.setattr(native, "_found", [Lying(**answers)])
    monkeypatch.setattr(keys, "_tested", [])
    for _ in range(2):
        with pytest.raises(Sm2UnavailableError) as caught:
            self_test()
        assert (caught.value.code, caught.value.finding_params["detail"]) == ("sm2_self_test_failed", detail)
    with pytest.raises(Sm2UnavailableError):
        key.public_key().verify(selftest._SIGNATURE, b"message digest")
    with pytest.raises(Sm2UnavailableError):
        key.sign(b"x")


def test_a_wrong_python_is_switched_off_too(monkeypatch):
    monkeypatch.setattr(pure, "verifies", lambda *_: True)
    monkeypatch.setattr(keys, "_tested", [])
    with pytest.raises(Sm2UnavailableError, match="Python"):
        self_test()


def test_libraries_without_sm2_are_passed_over(tmp_path, monkeypatch):
    other = tmp_path / "other.so"
    other.write_bytes(b"no library")
    monkeypatch.setattr(native, "_names", lambda: iter([str(other), "libc.so.6"]))
    assert list(native._candidates()) == []


@needs_openssl
def test_openssl_verifies_ours_and_we_verify_its(key, tmp_path, either):
    data = b"interoperable\n" * 40
    (tmp_path / "k.pem").write_bytes(key.to_pem(PASSPHRASE))
    (tmp_path / "data").write_bytes(data)
    (tmp_path / "ours").write_bytes(key.sign(data))
    openssl(tmp_path, "pkey", "-in", "k.pem", "-passin", "pass:correct horse", "-pubout", "-out", "pub.pem")
    common = ["-rawin", "-digest", "sm3", "-in", "data", "-pkeyopt", "distid:1234567812345678"]
    openssl(tmp_path, "pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", *common, "-sigfile", "ours")
    (tmp_path / "data").write_bytes(data + b"x")
    with pytest.raises(subprocess.CalledProcessError):
        openssl(tmp_path, "pkeyutl", "-verify", "-pubin", "-inkey", "pub.pem", *common, "-sigfile", "ours")
    (tmp_path / "data").write_bytes(data)
    openssl(tmp_path, "pkeyutl", "-sign", "-inkey", "k.pem", "-passin", "pass:correct horse", *common, "-out", "theirs")
    key.public_key().verify((tmp_path / "theirs").read_bytes(), data)
    assert refused(key.public_key(), (tmp_path / "theirs").read_bytes(), data + b"x")


@needs_openssl
def test_a_key_of_openssl_opens_here(tmp_path):
    openssl(tmp_path, "genpkey", "-algorithm", "SM2", "-aes-256-cbc", "-pass", "pass:correct horse", "-out", "k.pem")
    openssl(
        tmp_path, "pkey", "-in", "k.pem", "-passin", "pass:correct horse", "-pubout", "-outform", "DER", "-out", "p"
    )
    read = Sm2PrivateKey.from_pem((tmp_path / "k.pem").read_bytes(), PASSPHRASE)
    assert read.public_key() == Sm2PublicKey.from_spki((tmp_path / "p").read_bytes())


@needs_openssl
def test_an_encrypted_key_of_another_kind_is_refused(tmp_path):
    openssl(tmp_path, "genpkey", "-algorithm", "ED25519", "-aes-256-cbc", "-pass", "pass:correct horse", "-out", "k")
    with pytest.raises(KeyFileError):
        Sm2PrivateKey.from_pem((tmp_path / "k").read_bytes(), PASSPHRASE)
