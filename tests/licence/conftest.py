from __future__ import annotations

import pytest

from tests.licence import world as w


@pytest.fixture(scope="session")
def world():
    return w.make_world()


@pytest.fixture(scope="session")
def sealed(world):
    return w.seal(world.agriculture)


@pytest.fixture(scope="session")
def token(world):
    return w.status_token(world.status_key)


@pytest.fixture(scope="session")
def bundle(world, sealed, token):
    return w.bundle_of(world, sealed, token)
