from __future__ import annotations

import pytest

from tests.licence.seals import city as c


@pytest.fixture(scope="session")
def city():
    return c.make_city()


@pytest.fixture(scope="session")
def seal(city):
    return c.new_seal(city)


@pytest.fixture(scope="session")
def signature(city, seal):
    return c.applied(city, seal)
