"""SM2 signatures: the standard's own example, other programs' keys, and every way of not being one."""

import gc
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import sm2
from audit.errors import KeyTextError, Sm2MissingError, Sm2SignatureInvalidError

pytestmark = pytest.mark.skipif(sm2.missing() is not None, reason=str(sm2.missing()))

# GB/T 32918.5-2017, annex A: the recommended curve's example.
NUMBER = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
X = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
Y = "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
R = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
S = "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
MESSAGE = b"message digest"


@pytest.fixture(scope="module")
def key():
    return sm2.Sm2PrivateKey.from_number(NUMBER)


@pytest.fixture(scope="module")
def signed(key):
    return key.sign(MESSAGE)


def test_the_standards_example(key):
    assert key.public_key.to_point() == bytes.fromhex("04" + X + Y)
    key.public_key.verify(sm2.from_fixed(bytes.fromhex(R + S)), MESSAGE)


def test_what_is_signed_can_be_checked_by_whoever_has_the_public_half(key, signed):
    for public in (
        key.public_key,
        sm2.Sm2PublicKey.from_spki(key.public_key.to_spki()),
        sm2.Sm2PublicKey.from_point(key.public_key.to_point()),
        sm2.Sm2PrivateKey.from_pkcs8(key.to_pkcs8()).public_key,
    ):
        public.verify(signed, MESSAGE)
    assert key.sign(MESSAGE) != signed
    empty = key.sign(b"")
    key.public_key.verify(empty, b"")


def test_every_bit_counts(key, signed):
    for at in range(len(signed)):
        for bit in (1, 128):
            broken = bytearray(signed)
            broken[at] ^= bit
            with pytest.raises(Sm2SignatureInvalidError):
                key.public_key.verify(bytes(broken), MESSAGE)
    for at in range(len(MESSAGE)):
        broken = bytearray(MESSAGE)
        broken[at] ^= 1
        with pytest.raises(Sm2SignatureInvalidError):
            key.public_key.verify(signed, bytes(broken))
    with pytest.raises(Sm2SignatureInvalidError):
        key.public_key.verify(signed, MESSAGE, b"1234567812345679")
    with pytest.raises(Sm2SignatureInvalidError):
        sm2.Sm2PrivateKey.generate().public_key.verify(signed, MESSAGE)


@pytest.mark.parametrize("r", [0, 1, sm2.ORDER - 1, sm2.ORDER, sm2.ORDER + 1, -1])
@pytest.mark.parametrize("s", [0, 1, sm2.ORDER - 1, sm2.ORDER, sm2.ORDER + 1, -1])
def test_numbers_at_the_edges_sign_nothing(key, r, s):
    negative = b"\x30\x06\x02\x01\xff\x02\x01\xff"
    made = negative if min(r, s) < 0 else encode_dss_signature(r, s)
    with pytest.raises(Sm2SignatureInvalidError):
        key.public_key.verify(made, MESSAGE)


def test_one_signature_has_one_spelling(key, signed):
    r, s = decode_dss_signature(signed)
    long_form = b"\x30\x81" + signed[1:]
    padded = encode_dss_signature(r, s) + b"\x00"
    # What satisfies the equation as well, in ECDSA, must not here.
    other = encode_dss_signature(r, sm2.ORDER - s)
    for spelling in (long_form, padded, other, b"", signed[:-1]):
        with pytest.raises(Sm2SignatureInvalidError):
            key.public_key.verify(spelling, MESSAGE)
    assert sm2.from_fixed(sm2.to_fixed(signed)) == signed


@given(st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_no_bytes_are_a_signature_or_a_key_by_chance(data):
    public = sm2.Sm2PrivateKey.from_number(NUMBER).public_key
    with pytest.raises(Sm2SignatureInvalidError):
        public.verify(data, MESSAGE)
    with pytest.raises(Sm2SignatureInvalidError):
        sm2.from_fixed(data + b"\0" * (64 - len(data)) if len(data) < 32 else data)
    for read in (sm2.Sm2PublicKey.from_spki, sm2.Sm2PublicKey.from_point, sm2.Sm2PrivateKey.from_pkcs8):
        with pytest.raises(KeyTextError):
            read(data)


def test_keys_of_other_curves_and_damaged_ones_are_refused(key):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    other = ec.generate_private_key(ec.SECP256R1())
    spki = other.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    pkcs8 = other.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    point = bytearray(key.public_key.to_point())
    point[-1] ^= 1
    for read, data in (
        (sm2.Sm2PublicKey.from_spki, spki),
        (sm2.Sm2PublicKey.from_point, bytes(point)),
        (sm2.Sm2PublicKey.from_point, b"\x04" + b"\0" * 64),
        (sm2.Sm2PrivateKey.from_pkcs8, pkcs8),
        (sm2.Sm2PrivateKey.from_pkcs8, key.to_pkcs8() + b"\0"),
        (sm2.Sm2PrivateKey.from_pkcs8, key.to_pkcs8()[:-1]),
        (sm2.Sm2PrivateKey.from_number, 0),
        (sm2.Sm2PrivateKey.from_number, sm2.ORDER - 1),
    ):
        with pytest.raises(KeyTextError):
            read(data)


def test_many_threads_and_many_keys(key):
    def work(number):
        own = sm2.Sm2PrivateKey.generate()
        for n in range(20):
            data = b"%d %d" % (number, n)
            key.public_key.verify(key.sign(data), data)
            own.public_key.verify(own.sign(data, b"me"), data, b"me")
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))
    gc.collect()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")
def test_openssl_checks_ours_and_we_check_openssl_s(key, tmp_path):
    from base64 import encodebytes

    def pem(name, label, der):
        path = tmp_path / name
        path.write_text(f"-----BEGIN {label}-----\n{encodebytes(der).decode()}-----END {label}-----\n")
        return str(path)

    private = pem("private.pem", "PRIVATE KEY", key.to_pkcs8())
    public = pem("public.pem", "PUBLIC KEY", key.public_key.to_spki())
    data, ours, theirs = (tmp_path / name for name in ("data", "ours", "theirs"))
    data.write_bytes(MESSAGE)
    ours.write_bytes(key.sign(MESSAGE))
    options = ["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-in", str(data)]

    def openssl(*arguments):
        done = subprocess.run(["openssl", "pkeyutl", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    openssl("-verify", "-pubin", "-inkey", public, "-sigfile", str(ours), *options)
    openssl("-sign", "-inkey", private, "-out", str(theirs), *options)
    key.public_key.verify(theirs.read_bytes(), MESSAGE)


@pytest.mark.parametrize("path", [None, "libc.so.6"])
def test_a_system_without_it_says_what_to_install(monkeypatch, path):
    sm2._crypto.cache_clear()
    monkeypatch.setattr("ctypes.util.find_library", lambda name: path)
    try:
        assert "OpenSSL 3" in sm2.missing()
        with pytest.raises(Sm2MissingError) as caught:
            sm2.Sm2PrivateKey.generate()
        assert "OpenSSL 3" in caught.value.text("zh")
    finally:
        sm2._crypto.cache_clear()
