from __future__ import annotations

import pytest

from hub.authority import KeyStore
from hub.control import Control
from hub.evidence import Evidence
from hub.licensing import Licensing
from hub.settings import Settings
from tests.hub.world import make_list


@pytest.fixture
def office(tmp_path):
    """An office without kinds, which publishes and reads no facts."""
    settings = Settings.at(tmp_path / "var")
    office = Licensing(
        settings=settings,
        control=Control.open(settings),
        evidence=Evidence.open(settings),
        keys=KeyStore(settings),
        kinds={},
        standing=None,
        invocation=None,
        slots=64,
    )
    office.prepare(make_list())
    yield office
    office.control.close()
