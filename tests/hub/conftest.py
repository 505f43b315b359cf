from __future__ import annotations

from dataclasses import replace

import pytest

from hub.control import Control
from hub.settings import Settings
from tests.hub import world as worlds
from tests.hub.databases import POSTGRESQL, SQLITE, migrate, placed
from tests.services.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]


@pytest.fixture
def database():
    """SQLite; suites of what is stored run on both, see `tests.hub.databases`."""
    return SQLITE


@pytest.fixture
def control_url(request, database, monkeypatch):
    """Where the control tables are kept if not in SQLite: an own database at head; else None."""
    if database != POSTGRESQL:
        yield None
        return
    postgres = request.getfixturevalue("postgres")
    name = postgres.create(postgres.prepared("head", migrate))
    # For commands, which know nothing of the fixture.
    monkeypatch.setenv("ZHENGTONG_CONTROL_URL", postgres.url(name))
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def settings(tmp_path, control_url):
    chosen = Settings.at(tmp_path / "var")
    return chosen if control_url is None else replace(chosen, control_url=control_url)


@pytest.fixture
def control(settings):
    control = Control.open(settings)
    yield control
    control.close()


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    settings = Settings.at(tmp_path_factory.mktemp("world") / "var")
    return worlds.build(settings)


@pytest.fixture
def world(built, tmp_path, control_url):
    return placed(worlds.copy(built, tmp_path / "world"), control_url)


@pytest.fixture
def service(world):
    from hub.service import Service

    service = Service.open(world.settings, clock=world.clock)
    yield service
    service.close()
