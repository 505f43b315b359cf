from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from catalog.model import Matter, Need
from hub.actors import Role
from hub.api import create_app
from hub.callers import issue_key
from hub.control import Control
from hub.evidence import Evidence
from hub.licensing import Licensing
from hub.service import Service
from hub.settings import Settings
from tests.hub.api.conftest import serving
from tests.hub.databases import database
from tests.hub.licensing.test_batches import KINDS, ORDER, open_list
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, IDS, MATTER, Clock, give, load_people, make_grant

__all__ = ["database"]

NEEDED = ("name", "birth")
FIELDS = ("citizen_id", "name", "birth", "address", "married", "income", "household")
ROLES = {
    "officer": ("RS", (Role.REVIEW, Role.CALL)),
    "clerk": ("RS", (Role.CALL,)),
    "stranger": ("GA", (Role.REVIEW, Role.CALL)),
    "channel": ("MZ", (Role.PERSON,)),
}


@dataclass
class City:
    settings: Settings
    clock: Clock
    office: Any
    http: httpx.Client
    keys: dict[str, str]
    app: Any

    def call(self, method, path, by, **options):
        return self.http.request(method, path, headers={"authorization": f"Bearer {self.keys[by]}"}, **options)

    def issue(self, which):
        kind = self.office.kind("居住证")
        return self.office.issue(kind, IDS[which], **ORDER).identifier

    def logged(self, kind):
        from audit.entry import Entry

        log = self.office.evidence.log
        return [e for e in map(Entry.decode, log.entries(0, log.size)) if e.kind == kind]


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    with open_city(tmp_path_factory.mktemp("wallets") / "var") as opened:
        yield opened


@contextmanager
def open_city(home, **chosen):
    """A served city that issues residence permits, with callers of three departments."""
    settings = replace(Settings.at(home), api_hosts="city.example", **chosen)
    clock = Clock(datetime.now(UTC).replace(microsecond=0))
    whole = open_list()
    list_ = replace(
        whole,
        matters=(
            *whole.matters,
            Matter("MZ001", "最低生活保障", "Subsistence allowance", "MZ"),
            Matter("GA001", "x", "y", "GA"),
        ),
        needs=(Need(MATTER, CODE, NEEDED),),
    )
    control, evidence = Control.open(settings), Evidence.open(settings, clock=clock)
    publish_list(settings, control, evidence, list_, by="office")
    term = {"starts": clock() - timedelta(days=1), "expires": clock() + timedelta(days=29), "masks": ()}
    give(settings, control, evidence, make_grant(list_, actions=("query", "batch"), fields=FIELDS, **term))
    keys = {
        name: issue_key(control, evidence, list_, department=department, name=name, by="office", roles=roles).key
        for name, (department, roles) in ROLES.items()
    }
    load_people(settings)
    control.close()
    evidence.log.close()
    settings.kinds.write_text(KINDS, "utf-8")
    app = create_app(settings, open_service=lambda given: Service.open(given, clock=clock))
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as http:
        office = Licensing.beside(app.state.service)
        office.prepare(office.standing.now().list)
        yield City(settings, clock, office, http, keys, app)
