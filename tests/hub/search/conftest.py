from __future__ import annotations

from dataclasses import replace

import pytest

from hub.search.index import Search
from hub.settings import Settings
from tests.catalog.search.worlds import make_list
from tests.hub.databases import POSTGRESQL, SQLITE


@pytest.fixture(scope="session")
def city():
    return make_list()


@pytest.fixture(scope="session", params=[SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.service(POSTGRESQL))])
def place(request, tmp_path_factory):
    """Settings of a deployment that keeps its control database, and with it the index, in either."""
    settings = Settings.at(tmp_path_factory.mktemp(request.param) / "var")
    if request.param == SQLITE:
        yield settings
        return
    server = request.getfixturevalue("postgres")
    name = server.create()
    yield replace(settings, control_url=server.url(name))
    server.drop(name)


@pytest.fixture(scope="session")
def search(place, city):
    opened = Search(place, city)
    yield opened
    opened.close()
