from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.load import load
from hub.actors import Actor
from hub.control import Control
from hub.evidence import Evidence
from hub.office import Office
from tests.hub.databases import database
from tests.hub.publishing import publish_list
from tests.hub.world import Clock

__all__ = ["database"]

DEMO = replace(load(Path(__file__).parents[3] / "demo" / "responsibilities.yaml"), office="SZJ")
NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)  # a Monday, half past nine in Shanghai
CIVIL, POLICE, HEALTH, KEEPER = (Actor(code, "desk") for code in ("MZJ", "GAJ", "WJW", "SZJ"))


@pytest.fixture
def clock():
    return Clock(NOW)


@pytest.fixture
def office(settings, clock):
    control = Control.open(settings)
    evidence = Evidence.open(settings, clock=clock)
    publish_list(settings, control, evidence, DEMO, by="office")
    with Office.over(settings, control, evidence) as opened:
        yield opened
