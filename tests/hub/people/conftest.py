from __future__ import annotations

import pytest

from hub.evidence import Evidence
from hub.people import Duty, People, Sessions, passwords
from tests.hub.databases import database  # noqa: F401 - a fixture
from tests.hub.people.helping import BY, PASSWORD
from tests.hub.world import Clock, make_list

LIST = make_list()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def evidence(settings, control, clock):
    evidence = Evidence.open(settings, clock=clock)
    yield evidence
    evidence.log.close()


@pytest.fixture
def people(settings, control, evidence):
    return People(settings, control, evidence)


@pytest.fixture
def sessions(people):
    return Sessions(people)


@pytest.fixture
def entries(evidence):
    """The entries whose kind begins with ``person.``, oldest first, in full."""

    def read():
        evidence.publish()
        found = (evidence.log.entry(index) for index in range(evidence.log.published_size))
        return [one for one in map(decoded, found) if one.kind.startswith("person.")]

    from audit.entry import Entry

    decoded = Entry.decode
    return read


@pytest.fixture
def cheap(monkeypatch):
    """Passwords hashed with the least that the function takes: what it costs is tested by itself."""
    from argon2 import PasswordHasher

    passwords._nobodys.cache_clear()
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield
    passwords._nobodys.cache_clear()


@pytest.fixture
def add(people, cheap):
    """Register somebody: ``add("zhang.san", Duty.STAFF)``."""

    def make(login="zhang.san", *duties, department="RS", post=None, name="张三", password=PASSWORD, change=False):
        made = people.add(
            LIST,
            login=login,
            name=name,
            department=department,
            post=post or f"post-of-{login[:3]}",
            duties=duties or (Duty.STAFF,),
            by=BY,
            password=password,
        )
        if password and not change:
            people.set_password(made.id, password, by=BY, change=False)
        return people.get(made.id)

    return make
