"""A deployment with an office that settles disputes, whose tables the test may change."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from hub.actors import Actor
from hub.control import Control
from hub.evidence import Evidence
from hub.service import Service
from hub.settings import Settings
from tests.hub import world as worlds
from tests.hub.databases import database, placed
from tests.hub.publishing import publish_list

if TYPE_CHECKING:
    from hub.office import Office

OFFICE = "MZ"
CONSUMER, PROVIDER, HUB_OFFICE, STRANGER = (
    Actor("RS", "window-2"),
    Actor("GA", "data-officer"),
    Actor(OFFICE, "hub"),
    Actor("XX", "desk"),
)
PERSON = worlds.IDS[0]
STREET = "北京市朝阳区某街 1 号"


__all__ = ["database"]


def set_up(home, control_url=None):
    """The small world, with a list that names its office."""
    settings = Settings.at(home)
    if control_url is not None:
        settings = replace(settings, control_url=control_url)
    world = worlds.build(settings)
    list_ = replace(world.list, office=OFFICE)
    control, evidence = Control.open(settings), Evidence.open(settings, clock=world.clock)
    publish_list(settings, control, evidence, list_, by="office")
    evidence.log.close()
    control.close()
    return replace(world, list=list_)


@dataclass
class Scene:
    """The deployment with its doors open, and what a test does over and over."""

    world: worlds.World
    service: Service

    @property
    def office(self) -> Office:
        return self.service.office

    def query(self, **changes):
        """A call of the consumer; the answer."""
        return self.service.invocation.query(self.world.key, worlds.CODE, json.dumps(worlds.body(**changes)).encode())

    def verify(self, **changes):
        return self.service.invocation.verify(self.world.key, worlds.CODE, json.dumps(worlds.body(**changes)).encode())

    def load(self, *changed, name):
        """Load the people anew with *changed* in the place of those with their key; the snapshot."""
        by_key = {person[0]: person for person in worlds.PEOPLE} | {person[0]: person for person in changed}
        return worlds.load_people(self.world.settings, list(by_key.values()), name=name)


@pytest.fixture(scope="package")
def prepared(tmp_path_factory):
    return set_up(tmp_path_factory.mktemp("corrections") / "var")


@pytest.fixture
def scene(prepared, tmp_path, control_url):
    """A copy of the prepared deployment; its tables are shared and must not be changed."""
    world = placed(replace(worlds.copy(prepared, tmp_path / "var"), list=prepared.list), control_url)
    service = Service.open(world.settings, clock=world.clock)
    yield Scene(world, service)
    service.close()


@pytest.fixture
def own_scene(tmp_path, control_url):
    """A deployment of its own, whose tables may be changed."""
    world = set_up(tmp_path / "var", control_url)
    service = Service.open(world.settings, clock=world.clock)
    yield Scene(world, service)
    service.close()
