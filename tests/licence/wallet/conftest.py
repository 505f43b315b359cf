from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from licence.wallet.holder import Wallet
from tests.licence import world as w


@pytest.fixture(params=["p256", "ed25519"])
def wallet(request):
    if request.param == "p256":
        return Wallet(w.private_key("holder"))
    return Wallet(Ed25519PrivateKey.from_private_bytes(b"h" * 32))


@pytest.fixture
def bound(world, wallet):
    return w.seal(world.agriculture, holder=wallet.public_key)
