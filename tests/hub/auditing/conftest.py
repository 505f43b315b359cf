from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from hub.actors import Actor
from hub.auditsearch import Desk
from hub.cli import main
from hub.invocation import RefusedError
from tests.hub.world import CODE, body

MONDAY = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
AUDITOR = Actor("RS", "auditor")


@pytest.fixture
def calls(service, world):
    """Makes a call and gives the number of its entry."""

    def call(action="query", key=..., code=CODE, **changes):
        raw = json.dumps(body(**changes)).encode()
        try:
            return service.invocation.call(action, world.key if key is ... else key, code, raw).receipt.index
        except RefusedError as refused:
            return refused.receipt.index

    return call


@pytest.fixture
def desk(service, world):
    """A desk over everything until now; to be called."""
    return lambda: Desk.here(world.settings, service.evidence, AUDITOR)


@pytest.fixture
def run(world, monkeypatch, capsys):
    """Runs a command in this world; gives its exit code and what it printed."""
    monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
    monkeypatch.delenv("ZHENGTONG_ACTOR", raising=False)

    def run(*words):
        code = main([str(word) for word in words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run
