"""Signed requests written out by hand (`vectors/make.py`): the sound ones are taken, and no other."""

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.errors import KeyTextError
from hub.signing import algorithms
from hub.signing.errors import SignatureWrongError, SigningError
from hub.signing.nonces import MemoryNonces
from hub.signing.requests import Message, verify
from tests.hub.signing.vectors import make

KEPT = json.loads(make.FILE.read_text("utf-8"))
KEYS = {name: algorithms.public_key(text) for name, text in KEPT["keys"].items()}


def test_the_file_is_what_the_script_makes():
    assert make.FILE.read_text("utf-8") == make.text()
    assert all(algorithms.key_id(key) == name for name, key in KEYS.items())


@pytest.mark.parametrize("library", ["_by_openssl", "_check_ed25519"])
@pytest.mark.parametrize("vector", KEPT["vectors"], ids=lambda vector: vector["name"])
def test_a_request_is_judged_as_its_vector_says(vector, library, monkeypatch):
    monkeypatch.setattr(algorithms, "_check_ed25519", getattr(algorithms, library))
    fields = [tuple(line) for line in vector["fields"]]
    message = Message(vector["method"], "https", vector["authority"], vector["target"], fields, vector["body"].encode())
    nonces = MemoryNonces(started=0)
    now = datetime.fromtimestamp(KEPT["now"], UTC)
    if vector["expected"] == "taken":
        assert verify(message, keys=KEYS.get, nonces=nonces, now=now).key_id in KEYS
        return
    with pytest.raises(SigningError) as caught:
        verify(message, keys=KEYS.get, nonces=nonces, now=now)
    assert caught.value.code == vector["expected"]
    assert nonces.held == 0


@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_a_point_for_which_anybody_can_sign_is_no_key(sign):
    prime, eighth = 2**255 - 19, 0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
    for y in (0, 1, prime - 1, prime, prime + 1, eighth, prime - eighth):
        raw = (y | sign).to_bytes(32, "little")
        with pytest.raises(KeyTextError):
            algorithms.public_key(f"ed25519:{make.b64url(raw)}")


@pytest.mark.parametrize("library", ["_by_openssl", "_check_ed25519"])
def test_either_library_takes_a_signature_and_none_with_a_bit_altered(library, monkeypatch):
    assert algorithms._check_ed25519 is not algorithms._by_openssl
    monkeypatch.setattr(algorithms, "_check_ed25519", getattr(algorithms, library))
    signer = algorithms.ed25519_signer(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
    data = b"signed"
    signature = signer.sign(data)
    signer.public.verify(signature, data)
    wrong = [signature[:-1], signature + b"x", b"", bytes(64)]
    wrong += [
        signature[: n // 8] + bytes([signature[n // 8] ^ 1 << n % 8]) + signature[n // 8 + 1 :] for n in range(512)
    ]
    for one in wrong:
        with pytest.raises(SignatureWrongError):
            signer.public.verify(one, data)
    with pytest.raises(SignatureWrongError):
        signer.public.verify(signature, b"another")
