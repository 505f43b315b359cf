"""A deployment without a list yet, and lists that an office hands in one after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from catalog.decide import Grant, grant_to_plain
from hub.actors import Actor
from hub.control import GrantRow
from hub.office import Office
from tests.catalog.conftest import make_list, make_resource
from tests.hub.databases import database
from tests.hub.world import Clock

__all__ = ["database"]

NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
EDITOR, REVIEWER, OTHER = Actor.parse("D1:editor"), Actor.parse("D1:reviewer"), Actor.parse("D2:window")
FIRST = make_list(office="D1")


def narrower(**changes):
    """The list without the field `phone` of R1, which D2 uses."""
    resource = make_resource()
    kept = tuple(field for field in resource.fields if field.name != "phone")
    return replace(FIRST, resources=(replace(resource, fields=kept), *FIRST.resources[1:]), **changes)


SECOND = narrower()
THIRD = replace(FIRST, title="第三版")


def insert_grant(office, **changes):
    values = {
        "id": "G1",
        "consumer": "D2",
        "resource": "R1",
        "fields": ("name", "phone"),
        "masks": (),
        "purposes": ("M1",),
        "actions": ("query", "verify"),
        "starts": NOW - timedelta(days=1),
        "expires": NOW + timedelta(days=30),
        "list_version": FIRST.version,
        "ground": "《某条例》第五条",
    }
    grant = Grant(**{**values, **changes})
    plain = grant_to_plain(grant)
    columns = {c.name for c in GrantRow.__table__.columns}
    row = {name: value for name, value in plain.items() if name in columns}
    row.update({name: getattr(grant, name) for name in ("starts", "expires", "revoked_at")})
    row.setdefault("rows", [])
    with office.control.writing() as connection:
        connection.execute(sa.insert(GrantRow).values(**row, given_by="D1:reviewer", given_at=NOW, log_index=0))
    return grant


@pytest.fixture
def clock():
    return Clock(NOW)


@pytest.fixture
def office(settings, clock):
    with Office.open(settings, clock=clock) as office:
        yield office
