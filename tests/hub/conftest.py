from __future__ import annotations

import pytest

from hub.control import Control
from hub.settings import Settings
from tests.hub import world as worlds


@pytest.fixture
def settings(tmp_path):
    return Settings.at(tmp_path / "var")


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
def world(built, tmp_path):
    return worlds.copy(built, tmp_path / "world")


@pytest.fixture
def service(world):
    from hub.service import Service

    service = Service.open(world.settings, clock=world.clock)
    yield service
    service.close()
