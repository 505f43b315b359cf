from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.authority import KeyStore
from hub.control import Control
from hub.evidence import Evidence
from hub.settings import Settings
from tests.hub.world import make_list

NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.at = NOW

    def __call__(self):
        return self.at

    def pass_(self, **by):
        self.at += timedelta(**by)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(tmp_path, clock):
    """A store with keys made for every department of a small list."""
    settings = Settings.at(tmp_path / "var")
    control = Control.open(settings)
    store = KeyStore(settings, control, clock)
    prepare(store)
    yield store
    control.close()


@pytest.fixture
def log(keys, clock):
    return Evidence.open(keys.settings, clock=clock)


def prepare(store):
    departments = make_list().departments
    store.prepare(departments, departments[0], store.clock())


def again(store):
    """The store as another process sees it."""
    return KeyStore(store.settings, store.control, store.clock)
