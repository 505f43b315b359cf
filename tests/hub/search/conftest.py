from __future__ import annotations

from dataclasses import replace

import pytest

from hub.search import Search
from hub.settings import Settings
from tests.catalog.search.worlds import make_list
from tests.hub.search import postgres


@pytest.fixture(scope="session")
def city():
    return make_list()


@pytest.fixture(scope="session")
def search_postgres_url():
    if postgres.binaries() is None:
        pytest.skip(postgres.NEEDED)
    with postgres.running() as url:
        yield url


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def place(request, tmp_path_factory):
    """Settings of a deployment that keeps its control database, and with it the index, in either."""
    settings = Settings.at(tmp_path_factory.mktemp(request.param) / "var")
    if request.param == "postgresql":
        return replace(settings, control_url=request.getfixturevalue("search_postgres_url"))
    return settings


@pytest.fixture(scope="session")
def search(place, city):
    opened = Search(place, city)
    yield opened
    opened.close()
